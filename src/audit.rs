//! The audit document: the dropout in a model, as data.
//!
//! [`RULES`] produce findings; a [`Selection`] enables rules and sets their levels. A
//! `Config` allows findings with a reason, and a [`Baseline`] records known ones.
//!
//! ```
//! use dropout_onnx::audit::{ModelAudit, Verdict};
//!
//! let audit = ModelAudit::open("fixtures/torch_course_dynamo_train_op18.onnx".as_ref());
//! assert_eq!(audit.verdict, Some(Verdict::Active));
//! for site in &audit.sites {
//!     println!("{:?} drops {:?}", site.layer, site.rate);
//! }
//! for finding in audit.open_findings() {
//!     println!("{}: {}", finding.rule, finding.message);
//! }
//! ```

pub mod baseline;
#[cfg(feature = "config")]
pub mod config;
mod fingerprint;
mod remark;
mod rules;
#[cfg(test)]
pub(crate) mod schema;
mod selection;
mod source;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::dropout::{self, Findings, Form, Kind, MaskUse, Mode, RateOrigin, Scaling, Site};
use crate::error::{Error, Result};
use crate::onnx::{Flaw, Model, Name, Values};
use crate::semantics::analysis::Analysis;
use crate::semantics::facts::{Facts, Memo};
use crate::semantics::view::View;
use crate::words::words;
pub use baseline::Baseline;
#[doc(hidden)]
pub use baseline::BaselineState;
#[cfg(feature = "config")]
pub use config::Config;
#[doc(hidden)]
pub use fingerprint::Fingerprint;
use fingerprint::Fingerprints;
#[doc(hidden)]
pub use remark::Remark;
use rules::{Context, training};
pub use rules::{RULES, Rule, handbook};
pub use selection::{Selection, rule};
#[doc(hidden)]
pub use source::{SourceDropout, State};

/// The findings of the selected rules in a model, in the order of its nodes; `found` is the result
/// of [`crate::dropout::search`].
#[doc(hidden)]
pub fn check(model: &Model, values: &Values, found: &Findings, rules: &Selection) -> Vec<Finding> {
    let flaws = model.flaws(values);
    let view = View::new(model, values);
    let mut prints = Fingerprints::new(view, &found.sites);
    let memo = Memo::default();
    Context::new(
        Facts::new(view, &memo),
        found,
        &flaws,
        rules.reads_weights(),
    )
    .check(|rule| rules.level(rule), &mut prints)
}

pub use crate::words::TOOL;

/// The version of the document.
pub const SCHEMA: &str = "dropout-onnx/audit/1";

/// An audit of any number of models.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Document {
    /// The version of the document.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub schema: &'static str,
    /// The program that wrote it, with its version.
    pub tool: &'static str,
    /// One entry per model, in the order of the arguments.
    pub models: Vec<ModelAudit>,
    /// Remarks about the configuration and the baseline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
}

/// An audit of one model.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelAudit {
    /// The path as it was passed.
    pub path: String,
    /// Its size in bytes; absent if it cannot be opened.
    pub bytes: Option<u64>,
    /// Its IR version.
    pub ir_version: Option<i64>,
    /// Its operator sets.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, i64>"))]
    pub opset: serde_json::Map<String, serde_json::Value>,
    /// The program that wrote it.
    pub producer: Producer,
    /// The number of its nodes, with those of subgraphs and functions.
    pub nodes: Option<usize>,
    /// The configuration file in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// The rules whose level is not the default, with the level in force; null if the rule is disabled.
    #[cfg_attr(
        test,
        schemars(with = "std::collections::BTreeMap<String, Option<Level>>")
    )]
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub rules: serde_json::Map<String, serde_json::Value>,
    /// The worst mode present.
    pub verdict: Option<Verdict>,
    /// The dropouts.
    pub sites: Vec<SiteRecord>,
    /// The findings of the rules.
    pub findings: Vec<Finding>,
    /// The dropout of the saved model that the file was exported from, if that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Vec<SourceDropout>>,
    /// Why the file cannot be audited.
    pub error: Option<String>,
}

/// The program that wrote a model.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
#[doc(hidden)]
pub struct Producer {
    /// The program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// `pytorch 2.5.1`. tf2onnx ends its version with the commit it was built from, or `None`, which is left out.
impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.trim_end_matches(" None");
        f.write_str(format!("{} {version}", self.name).trim())
    }
}

words! {
    /// What a model comes down to, from the best to the worst: no worse mode was found, and unless it is
    /// `Unknown` there is none.
    Verdict {
        /// No dropout in this file.
        Clean = "clean",
        /// Dropout without effect.
        Inert = "inert",
        /// A mask that was drawn once, at export, and drops the same elements on every run.
        Frozen = "frozen",
        /// Dropout that a model input can switch on.
        Runtime = "runtime",
        /// No dropout acts, but batch normalization is in training mode: outputs depend on the batch.
        Training = "training",
        /// The model draws random numbers that are not part of a dropout: outputs differ between runs.
        Random = "random",
        /// The search was incomplete, as it stopped at a limit or the model is not sound: it may be as bad
        /// as `Active`.
        Unknown = "unknown",
        /// Dropout that is active on every run.
        Active = "active",
    }
}

/// A dropout, as in the document.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SiteRecord {
    /// Its index in the model, from 0.
    pub id: usize,
    /// Its form in the graph.
    pub form: Form,
    /// The kind of dropout.
    pub kind: Kind,
    /// Its mode.
    pub mode: Mode,
    /// The probability to drop, or the standard deviation of noise.
    pub rate: Option<f64>,
    /// The origin of the rate.
    pub rate_origin: RateOrigin,
    /// How kept elements are scaled.
    pub scaling: Scaling,
    /// The factor that inference multiplies by.
    pub inference_scale: f64,
    /// The shape of the mask, if it differs from that of the data.
    pub noise_shape: Option<Vec<String>>,
    /// The seed in the file.
    pub seed: Option<i64>,
    /// How the mask is used.
    pub mask: MaskUse,
    /// Its scope: `graph`, `graph/node.attribute`, `function:domain::name`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub scope: Name,
    /// The layer of the framework it comes from, if known.
    pub layer: Option<String>,
    /// Its nodes; a node without a name is listed by its first output.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub nodes: Vec<Name>,
    /// The calls of functions that set it, the innermost first, where other calls set it differently.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub calls: Vec<Name>,
    /// The value it is applied to.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub input: Option<Name>,
    /// Its result.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub output: Option<Name>,
    /// Its identity, independent of names; in audits only. See `docs/configuration.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub fingerprint: Option<Fingerprint>,
}

/// A finding of a rule.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// Its level.
    pub level: Level,
    /// The site concerned.
    pub site: Option<usize>,
    /// The message, after its place.
    pub message: String,
    /// The length of the place before the message.
    #[serde(skip)]
    place: usize,
    /// That of its site; without a site, that of its node or graph.
    #[cfg_attr(test, schemars(with = "String"))]
    pub fingerprint: Fingerprint,
    /// Why it is allowed, if a configuration allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Box<Allowed>>,
    /// Whether the baseline records it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineState>,
    /// Its scope, as in a [`SiteRecord`].
    #[serde(skip)]
    pub scope: Name,
    /// The node it is about, if it is about one; a node without a name is listed by its first output.
    #[serde(skip)]
    pub node: Option<Name>,
}

/// Why a finding is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
#[doc(hidden)]
pub struct Allowed {
    /// The reason in the configuration.
    pub reason: String,
    /// The last day on which it is allowed: `2026-12-31`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// The level of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For information.
    Note,
    /// Probably a problem.
    Warning,
    /// A problem in a model for inference.
    Error,
}

impl Verdict {
    /// The worst that is true of a model.
    fn of(analysis: &Analysis<'_>, found: &Findings, flaws: &[Flaw]) -> Verdict {
        let modes = found.sites.iter().map(|site| match site.mode {
            Mode::Inert => Verdict::Inert,
            Mode::Frozen => Verdict::Frozen,
            Mode::Runtime => Verdict::Runtime,
            Mode::Active => Verdict::Active,
        });
        let training = training(analysis.facts()).next();
        let training = training.map(|_| Verdict::Training);
        let random = (!found.random.is_empty()).then_some(Verdict::Random);
        let incomplete = !flaws.is_empty() || !found.limits.is_empty();
        let incomplete = incomplete.then_some(Verdict::Unknown);
        let all = modes.chain(training).chain(random).chain(incomplete);
        all.max().unwrap_or(Verdict::Clean)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// What stands between the place of a finding and its message.
const BETWEEN: &str = ": ";

impl Finding {
    /// Its place, in words: the first part of the message.
    pub fn place(&self) -> &str {
        &self.message[..self.place]
    }

    /// The message without its place.
    pub fn what(&self) -> &str {
        &self.message[self.place + BETWEEN.len()..]
    }

    /// True unless it is allowed or in the baseline. Open findings affect the exit status.
    pub fn is_open(&self) -> bool {
        self.allowed.is_none() && self.baseline != Some(BaselineState::Unchanged)
    }
}

impl SiteRecord {
    /// The record of a site.
    pub fn new(model: &Model, site: &Site) -> SiteRecord {
        SiteRecord {
            id: site.id,
            form: site.form,
            kind: site.kind,
            mode: site.mode,
            rate: site.rate,
            rate_origin: site.rate_origin,
            scaling: site.scaling,
            inference_scale: site.inference_scale,
            noise_shape: site.noise_shape.clone(),
            seed: site.seed,
            mask: site.mask,
            scope: model.scope(site.graph).into(),
            layer: site.layer.clone(),
            nodes: site.nodes.iter().map(|&id| model.label(id)).collect(),
            calls: site.calls.iter().map(|&id| model.label(id)).collect(),
            input: site.input_name.clone(),
            output: site.output_name.clone(),
            fingerprint: None,
        }
    }
}

impl Document {
    /// A document of these audits.
    pub fn new(models: Vec<ModelAudit>) -> Document {
        Document {
            schema: SCHEMA,
            tool: TOOL,
            models,
            remarks: Vec::new(),
        }
    }
}

impl ModelAudit {
    /// Findings that are neither allowed nor in the baseline.
    pub fn open_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_open())
    }

    /// Audits a model with all rules at their default levels.
    ///
    /// # Errors
    /// The rate of a dropout cannot be read.
    pub fn new(path: &str, model: &Model) -> Result<ModelAudit> {
        ModelAudit::with(path, model, &Selection::default())
    }

    /// Audits a model with these rules.
    ///
    /// # Errors
    /// Like [`ModelAudit::new`].
    pub fn with(path: &str, model: &Model, selection: &Selection) -> Result<ModelAudit> {
        let analysis = Analysis::of(model);
        let found = dropout::search(&analysis)?;
        let values = analysis.values();
        let flaws = model.flaws(values);
        let sites = &found.sites;
        let verdict = Verdict::of(&analysis, &found, &flaws);
        let opset = model.opset_imports.iter().map(|import| {
            let domain = match import.domain.is_empty() {
                true => "ai.onnx".to_string(),
                false => import.domain.to_string(),
            };
            (domain, import.version.into())
        });
        let mut prints = Fingerprints::new(analysis.view(), sites);
        let records = sites.iter().map(|site| SiteRecord {
            fingerprint: Some(prints.site(site)),
            ..SiteRecord::new(model, site)
        });
        Ok(ModelAudit {
            bytes: Some(model.source().len()),
            ir_version: Some(model.ir_version),
            opset: opset.collect(),
            producer: Producer {
                name: model.producer_name.to_string(),
                version: model.producer_version.to_string(),
            },
            nodes: Some(model.nodes().count()),
            rules: selection.changed(),
            verdict: Some(verdict),
            sites: records.collect(),
            findings: Context::new(analysis.facts(), &found, &flaws, selection.reads_weights())
                .check(|rule| selection.level(rule), &mut prints),
            ..ModelAudit::empty(path)
        })
    }

    /// Opens and audits a file with all rules; errors are part of the audit.
    pub fn open(path: &Path) -> ModelAudit {
        ModelAudit::open_with(path, &Selection::default())
    }

    /// Opens and audits a file with these rules; errors are part of the audit.
    pub fn open_with(path: &Path, rules: &Selection) -> ModelAudit {
        let name = path.to_string_lossy();
        Model::open(path)
            .and_then(|model| {
                let audit = ModelAudit::with(&name, &model, rules)?;
                model.source().check_unchanged()?;
                Ok(audit)
            })
            .unwrap_or_else(|e| ModelAudit::failed(&name, &e.in_file(path)))
    }

    /// The audit of a file with an error.
    pub fn failed(path: &str, error: &Error) -> ModelAudit {
        ModelAudit {
            error: Some(error.to_string()),
            ..ModelAudit::empty(path)
        }
    }

    fn empty(path: &str) -> ModelAudit {
        ModelAudit {
            path: path.to_string(),
            bytes: None,
            ir_version: None,
            opset: serde_json::Map::new(),
            producer: Producer::default(),
            nodes: None,
            configuration: None,
            rules: serde_json::Map::new(),
            verdict: None,
            sites: Vec::new(),
            findings: Vec::new(),
            source: None,
            error: None,
        }
    }
}
