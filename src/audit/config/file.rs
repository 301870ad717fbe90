//! The text of a configuration: its keys, and errors in it.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Range;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::value::Datetime;

use super::{Allowance, Config, Day};
use crate::audit::{Selection, rule};
use crate::error::{Error, ErrorKind, Result};
use crate::words::{reworded, words};

/// dropout-onnx.toml: settings of `dropout-onnx audit` for the models next to it and below.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct File {
    /// The format of reports without `--format`.
    format: Option<Format>,
    /// The enabled rules and their levels.
    #[cfg_attr(test, schemars(with = "Rules"))]
    #[serde(default)]
    rules: Table<Rules>,
    /// Accepted dropout.
    #[cfg_attr(test, schemars(with = "Vec<Allow>"))]
    #[serde(default)]
    allow: Vec<Spanned<Table<Allow>>>,
}

/// Names of rules, or `all`, `errors`, `warnings` or `notes`; the name of a rule takes precedence.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Rules {
    /// Rules to report as errors.
    #[cfg_attr(test, schemars(schema_with = "names::of_rules_and_groups"))]
    #[serde(default)]
    deny: Vec<Spanned<String>>,
    /// Rules to disable.
    #[cfg_attr(test, schemars(schema_with = "names::of_rules_and_groups"))]
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    /// Run only these rules.
    #[cfg_attr(test, schemars(schema_with = "names::of_rules_and_groups"))]
    #[serde(default)]
    select: Vec<Spanned<String>>,
}

/// Accepted dropout, by layer or by fingerprint.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(
    test,
    schemars(extend("anyOf" = [{"required": ["layer"]}, {"required": ["fingerprint"]}]))
)]
#[serde(deny_unknown_fields)]
struct Allow {
    /// The layer of the framework, as in an audit; `*` matches any text.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    layer: Option<Spanned<String>>,
    /// The fingerprint of the dropout, as in an audit.
    #[cfg_attr(
        test,
        schemars(with = "Option<String>", regex(pattern = "^[0-9a-f]{16}$"))
    )]
    fingerprint: Option<Spanned<String>>,
    /// Why it is accepted.
    #[cfg_attr(test, schemars(with = "String"))]
    reason: Spanned<String>,
    /// The last day on which it is accepted, in UTC.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date")))]
    expires: Option<Spanned<Datetime>>,
    /// The rules it may break; by default all.
    #[cfg_attr(test, schemars(schema_with = "names::of_rules"))]
    #[serde(default)]
    rules: Option<Spanned<Vec<Spanned<String>>>>,
    /// The models it applies to, as paths from this file; `*` matches any text except `/`, `**` any folders.
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    models: Option<Vec<Spanned<String>>>,
    /// The number of places per model; by default 1 for a fingerprint and any number for a layer.
    count: Option<NonZeroUsize>,
}

words! {
    /// The format of an audit.
    Format {
        /// A table, for people.
        Text = "text",
        /// One line per finding: `path: level rule: message`.
        Concise = "concise",
        /// The audit document, described by docs/audit.schema.json.
        Json = "json",
        /// One line per model, as soon as it is audited.
        Jsonl = "jsonl",
        /// SARIF 2.1.0, for code scanning.
        Sarif = "sarif",
        /// GitHub Actions annotations.
        Github = "github",
        /// JUnit XML: one suite per model, one test per finding.
        Junit = "junit",
        /// Tables, for a job summary.
        Markdown = "markdown",
        /// A page to sort and filter, in one file.
        Html = "html",
    }
}

/// What is written as a table: serde would also take an array of its values.
#[derive(Default)]
struct Table<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Table<T>, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Table)
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl File {
    pub fn parse(text: &str) -> Result<File> {
        toml::from_str(text).map_err(|e| {
            let why = reworded(e.message().trim_end());
            at(text, e.span().unwrap_or_default(), why)
        })
    }

    pub fn config(self, text: &str) -> Result<Config> {
        let Table(lists) = &self.rules;
        let mut rules = Selection::default();
        type Add = fn(Selection, &str) -> Result<Selection>;
        for (names, add) in [
            (&lists.select, Selection::select as Add),
            (&lists.allow, Selection::allow),
            (&lists.deny, Selection::deny),
        ] {
            for name in names {
                rules = add(rules, name.get_ref()).map_err(|e| at(text, name.span(), e.why()))?;
            }
        }
        let allowances = self.allow.into_iter().map(|allow| allowance(text, allow));
        Ok(Config {
            format: self.format,
            rules,
            allowances: allowances.collect::<Result<_>>()?,
        })
    }
}

fn allowance(text: &str, allow: Spanned<Table<Allow>>) -> Result<Allowance> {
    let span = allow.span();
    let Table(allow) = allow.into_inner();
    if allow.layer.is_none() && allow.fingerprint.is_none() {
        let why = "needs a `layer` or a `fingerprint`";
        return Err(at(text, span, why));
    }
    if let Some(fingerprint) = &allow.fingerprint {
        let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        let print = fingerprint.get_ref();
        if print.len() != 16 || !print.chars().all(hexadecimal) {
            let why = format!(
                "`{print}` is not a fingerprint: expected 16 of 0-9 and a-f, as printed by --format json or -v"
            );
            return Err(at(text, fingerprint.span(), why));
        }
    }
    if allow.reason.get_ref().trim().is_empty() {
        return Err(at(text, allow.reason.span(), "has no reason"));
    }
    let rules = match &allow.rules {
        Some(rules) if rules.get_ref().is_empty() => {
            let why = "has an empty list of rules; omit `rules` to allow all";
            return Err(at(text, rules.span(), why));
        }
        Some(rules) => {
            let names = rules.get_ref().iter();
            let names = names.map(|name| match rule(name.get_ref()) {
                Ok(rule) => Ok(rule.name),
                Err(e) => Err(at(text, name.span(), e.why())),
            });
            Some(names.collect::<Result<_>>()?)
        }
        None => None,
    };
    let models = allow.models.map(|models| {
        let globs = models.iter().map(|model| glob(text, model, true));
        globs.collect::<Result<_>>()
    });
    Ok(Allowance {
        layer: match &allow.layer {
            Some(layer) => Some((layer.get_ref().clone(), glob(text, layer, false)?)),
            None => None,
        },
        fingerprint: allow.fingerprint.map(Spanned::into_inner),
        reason: allow.reason.into_inner(),
        expires: allow.expires.map(|date| day(text, &date)).transpose()?,
        rules,
        models: models.transpose()?,
        count: allow.count,
        line: position(text, span.start).0,
    })
}

/// As a set, which refuses what is too large instead of panicking.
fn glob(text: &str, pattern: &Spanned<String>, paths: bool) -> Result<GlobSet> {
    let glob = GlobBuilder::new(pattern.get_ref())
        .literal_separator(paths)
        .build();
    let set = glob.and_then(|glob| GlobSetBuilder::new().add(glob).build());
    set.map_err(|e| {
        let pattern_text: String = pattern.get_ref().chars().take(100).collect();
        let why = format!("`{pattern_text}` is not a pattern: {}", e.kind());
        at(text, pattern.span(), why)
    })
}

fn day(text: &str, date: &Spanned<Datetime>) -> Result<Day> {
    let Datetime {
        date: day,
        time,
        offset,
    } = *date.get_ref();
    let day = day.filter(|_| time.is_none() && offset.is_none());
    let day = day.and_then(|day| Day::new(day.year.into(), day.month.into(), day.day.into()));
    day.ok_or_else(|| {
        let why = format!(
            "`{}` is not a date: expected one like 2026-12-31",
            date.get_ref()
        );
        at(text, date.span(), why)
    })
}

/// An error at a place in the text.
fn at(text: &str, span: Range<usize>, why: impl Into<String>) -> Error {
    let (line, column) = position(text, span.start);
    Error::new(ErrorKind::Usage, why).at(format!("line {line}, column {column}"))
}

/// Line and column of a byte, counted from 1; columns in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default();
    (line, column.chars().count() + 1)
}

/// What the schema knows of names.
#[cfg(test)]
mod names {
    use schemars::{Schema, SchemaGenerator, json_schema};

    use crate::audit::RULES;
    use crate::audit::selection::GROUPS;

    fn of(names: impl Iterator<Item = &'static str>) -> Schema {
        json_schema!({
            "type": "array",
            "items": {"type": "string", "enum": names.collect::<Vec<_>>()},
        })
    }

    pub fn of_rules(_: &mut SchemaGenerator) -> Schema {
        let mut schema = of(RULES.iter().map(|rule| rule.name));
        schema.insert("minItems".to_string(), 1.into());
        schema
    }

    pub fn of_rules_and_groups(_: &mut SchemaGenerator) -> Schema {
        of(GROUPS
            .iter()
            .copied()
            .chain(RULES.iter().map(|rule| rule.name)))
    }
}
