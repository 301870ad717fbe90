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
mod finding;
mod fingerprint;
mod remark;
mod rules;
#[cfg(test)]
pub(crate) mod schema;
mod selection;
mod site_record;
mod source;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::dropout::batch_norm::in_training;
use crate::dropout::{self, Findings, Mode};
use crate::error::{Error, Result};
use crate::onnx::{Flaw, Model, Values};
use crate::semantics::analysis::Analysis;
use crate::semantics::facts::{Facts, Memo};
use crate::semantics::view::View;
use crate::words::words;
pub use baseline::Baseline;
#[cfg(feature = "config")]
pub use config::Config;
#[doc(hidden)]
pub use finding::{Allowed, BaselineState};
pub use finding::{Finding, Level};
#[doc(hidden)]
pub use fingerprint::Fingerprint;
use fingerprint::Fingerprints;
#[doc(hidden)]
pub use remark::Remark;
use rules::Context;
pub use rules::{RULES, Rule, handbook};
pub use selection::{Selection, rule};
use site_record::Scopes;
pub use site_record::SiteRecord;
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

impl Verdict {
    /// The worst that is true of a model.
    fn of(analysis: &Analysis<'_>, found: &Findings, flaws: &[Flaw]) -> Verdict {
        let modes = found.sites.iter().map(|site| match site.mode {
            Mode::Inert => Verdict::Inert,
            Mode::Frozen => Verdict::Frozen,
            Mode::Runtime => Verdict::Runtime,
            Mode::Active => Verdict::Active,
        });
        let training = in_training(analysis.facts()).next();
        let training = training.map(|_| Verdict::Training);
        let random = (!found.random.is_empty()).then_some(Verdict::Random);
        let incomplete = !flaws.is_empty() || !found.limits.is_empty();
        let incomplete = incomplete.then_some(Verdict::Unknown);
        let all = modes.chain(training).chain(random).chain(incomplete);
        all.max().unwrap_or(Verdict::Clean)
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
        let verdict = Verdict::of(&analysis, &found, &flaws);
        let opset = model.opset_imports.iter().map(|import| {
            let domain = match import.domain.is_empty() {
                true => "ai.onnx".to_string(),
                false => import.domain.to_string(),
            };
            (domain, import.version.into())
        });
        let mut prints = Fingerprints::new(analysis.view(), &found.sites);
        let mut scopes = Scopes::new(model);
        let reads_weights = selection.reads_weights();
        let findings = Context::new(analysis.facts(), &found, &flaws, reads_weights)
            .check(|rule| selection.level(rule), &mut prints);
        // in place: of a million nodes, a fifth may be sites
        let records = found.sites.into_iter().map(|site| SiteRecord {
            fingerprint: Some(prints.site(&site)),
            ..SiteRecord::new(&mut scopes, &site)
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
            findings,
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
