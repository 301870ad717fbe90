//! Baselines: a file of recorded findings, which are not new.
//!
//! A finding is identified by its model's path from the folder of the file, its rule and its fingerprint;
//! equal ones are counted, so that one more of them is new.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BaselineState, Finding, Level, ModelAudit, Remark, Selection, rule};
use crate::error::{Error, ErrorKind, Result};

/// The version of the file format.
pub const SCHEMA: &str = "dropout-onnx/baseline/1";

/// The recorded findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Baseline {
    known: BTreeMap<Key, (NonZeroUsize, String)>,
}

/// Path, rule and fingerprint.
type Key = (String, String, String);

/// Recorded findings, by path, rule and fingerprint, created by `audit --write-baseline`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The version of the file format.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: String,
    /// The findings, by path, rule and fingerprint.
    findings: Vec<Entry>,
}

/// Equal findings.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The model, from the folder of this file, with `/`.
    path: String,
    /// The rule.
    rule: String,
    /// The fingerprint.
    fingerprint: String,
    /// The number of findings.
    count: NonZeroUsize,
    /// The message of the first finding: for people, not compared.
    message: String,
}

impl Baseline {
    /// Adds the findings of a model that are not allowed. `path`: see [`path_from`].
    pub fn add(&mut self, path: &str, model: &ModelAudit) {
        for finding in model.findings.iter().filter(|f| f.allowed.is_none()) {
            let entry = self.known.entry(key(path, finding));
            entry
                .and_modify(|(count, _)| *count = count.saturating_add(1))
                .or_insert_with(|| (NonZeroUsize::MIN, finding.message.clone()));
        }
    }

    /// The number of findings it records.
    pub fn len(&self) -> usize {
        self.known.values().map(|(count, _)| count.get()).sum()
    }

    /// True if it records none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The paths of the models with recorded findings, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        let paths = self.known.keys().map(|(path, _, _)| path.as_str());
        paths.filter(move |&path| last.replace(path) != Some(path))
    }

    /// Marks each finding of a model as known or new. Of equal ones, the first in the file are
    /// known, and allowed ones come last. Returns recorded findings that no longer occur, if their rule is
    /// among `rules`.
    pub fn apply(&self, path: &str, model: &mut ModelAudit, rules: &Selection) -> Vec<Resolved> {
        let mut left = self.of(path);
        for allowed in [false, true] {
            let findings = model.findings.iter_mut();
            for finding in findings.filter(|f| f.allowed.is_some() == allowed) {
                let known = left.get_mut(&key(path, finding));
                finding.baseline = Some(match known {
                    Some((count, _)) if *count > 0 => {
                        *count -= 1;
                        BaselineState::Unchanged
                    }
                    _ => BaselineState::New,
                });
            }
        }
        let asked = |name: &str| rule(name).ok().is_none_or(|r| rules.level(r).is_some());
        resolved(left)
            .filter(|resolved| asked(&resolved.rule))
            .collect()
    }

    /// All recorded findings of a model, as resolved.
    pub fn without(&self, path: &str) -> Vec<Resolved> {
        resolved(self.of(path)).collect()
    }

    fn of(&self, path: &str) -> BTreeMap<Key, (usize, String)> {
        let first = (path.to_string(), String::new(), String::new());
        let of_path = self
            .known
            .range(first..)
            .take_while(|(key, _)| key.0 == path);
        of_path
            .map(|(key, (count, message))| (key.clone(), (count.get(), message.clone())))
            .collect()
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is not JSON, not a baseline, or of a different version; with line and column.
    pub fn parse(text: &str) -> Result<Baseline> {
        const WAY_OUT: &str = "--write-baseline creates one";
        let document: Value = serde_json::from_str(text)
            .map_err(|e| malformed(&e, &format!("is not a baseline: not JSON; {WAY_OUT}")))?;
        match document.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) if other.starts_with("dropout-onnx/baseline/") => {
                return Err(usage(format!(
                    "is a baseline of version `{other}`, not `{SCHEMA}`; {WAY_OUT}"
                )));
            }
            other => {
                let schema = other.map_or("missing".to_string(), |other| format!("`{other}`"));
                return Err(usage(format!(
                    "is not a baseline: its `schema` is {schema}, not `{SCHEMA}`; {WAY_OUT}"
                )));
            }
        }
        let file: File =
            serde_json::from_str(text).map_err(|e| malformed(&e, "is a damaged baseline"))?;
        let mut known = BTreeMap::new();
        for entry in file.findings {
            let key = (entry.path, entry.rule, entry.fingerprint);
            let twice = format!("{} {} of {}", key.1, key.2, key.0);
            if known.insert(key, (entry.count, entry.message)).is_some() {
                return Err(usage(format!(
                    "is a damaged baseline: it lists {twice} twice; recreate it with --write-baseline"
                )));
            }
        }
        Ok(Baseline { known })
    }

    /// The text of the file.
    ///
    /// # Errors
    /// Errors of the serializer, which a baseline does not cause.
    pub fn text(&self) -> Result<String> {
        let findings = self.known.iter().map(|(key, (count, message))| Entry {
            path: key.0.clone(),
            rule: key.1.clone(),
            fingerprint: key.2.clone(),
            count: *count,
            message: message.clone(),
        });
        let file = File {
            schema: SCHEMA.to_string(),
            findings: findings.collect(),
        };
        Ok(serde_json::to_string_pretty(&file)? + "\n")
    }
}

/// Recorded findings that no longer occur.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(hidden)]
pub struct Resolved {
    /// The model, from the folder of the file.
    pub path: String,
    /// The rule.
    pub rule: String,
    /// The fingerprint.
    pub fingerprint: String,
    /// The number of findings that no longer occur.
    pub count: usize,
    /// The message of the first finding.
    pub message: String,
}

impl Resolved {
    /// As a remark about the file of this name.
    pub fn remark(&self, file: &str) -> Remark {
        let Resolved { path, rule, .. } = self;
        let more = match self.count {
            1 => String::new(),
            count => format!(" ({count} times)"),
        };
        Remark {
            name: "resolved-finding",
            level: Level::Note,
            path: file.to_string(),
            line: None,
            message: format!(
                "{rule} of {path} no longer occurs{more}: {}; --write-baseline removes it",
                self.message
            ),
        }
    }
}

fn resolved(left: BTreeMap<Key, (usize, String)>) -> impl Iterator<Item = Resolved> {
    let left = left.into_iter().filter(|(_, (count, _))| *count > 0);
    left.map(|((path, rule, fingerprint), (count, message))| Resolved {
        path,
        rule,
        fingerprint,
        count,
        message,
    })
}

fn key(path: &str, finding: &Finding) -> Key {
    let rule = finding.rule.to_string();
    (path.to_string(), rule, finding.fingerprint.to_string())
}

/// The way from a folder to a file, with `/` between its parts and `..` where it leads out. Both are
/// absolute, without `.`, `..` and links.
#[doc(hidden)]
pub fn path_from(folder: &Path, file: &Path) -> String {
    let (mut from, mut to) = (folder.components().peekable(), file.components().peekable());
    while let (Some(a), Some(b)) = (from.peek(), to.peek())
        && a == b
    {
        from.next();
        to.next();
    }
    let up = from.map(|_| "..".to_string());
    let down = to.filter(|part| !matches!(part, Component::RootDir));
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

fn malformed(error: &serde_json::Error, what: &str) -> Error {
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or_default();
    usage(format!("{what}: {why}")).at(format!("line {}, column {}", error.line(), error.column()))
}

fn usage(why: String) -> Error {
    Error::new(ErrorKind::Usage, why)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_from_the_folder_to_the_file() {
        for (folder, file, expected) in [
            ("/a/b", "/a/b/m.onnx", "m.onnx"),
            ("/a/b", "/a/b/c/m.onnx", "c/m.onnx"),
            ("/a/b", "/a/m.onnx", "../m.onnx"),
            ("/a/b", "/a/bc/m.onnx", "../bc/m.onnx"),
            ("/", "/m.onnx", "m.onnx"),
            ("/a/b", "/m.onnx", "../../m.onnx"),
        ] {
            assert_eq!(path_from(Path::new(folder), Path::new(file)), expected);
        }
    }
}
