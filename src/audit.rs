//! The audit document: what dropout is in a model, as data. See the design's §6 for its JSON form.
//!
//! [`RULES`] say what is worth telling; a [`Selection`] which of them are told, and how bad it is. A
//! `Config` allows findings with a reason, a [`Baseline`] knows those of another day.

pub mod baseline;
#[cfg(feature = "config")]
pub mod config;
mod fingerprint;
mod remark;
mod rules;
#[cfg(test)]
mod schema;
mod selection;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::dropout::{self, Form, Kind, MaskUse, Mode, RateOrigin, Scaling, Site};
use crate::error::{Error, Result};
use crate::onnx::{Model, Name, Values};
pub use baseline::{Baseline, BaselineState};
#[cfg(feature = "config")]
pub use config::Config;
use fingerprint::Fingerprints;
pub use remark::Remark;
use rules::Context;
pub use rules::{RULES, Rule, check, handbook};
pub use selection::{Selection, rule};

/// The version of the document's form.
pub const SCHEMA: &str = "dropout-onnx/audit/1";

/// An audit of any number of models.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// The version of this form.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub schema: &'static str,
    /// One entry a model, in the order they were asked for.
    pub models: Vec<ModelAudit>,
    /// What there is to say about the configuration and the baseline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
}

/// An audit of one model.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelAudit {
    /// The file as it was named.
    pub path: String,
    /// Its size in bytes; absent if it cannot be opened.
    pub bytes: Option<u64>,
    /// Its IR version.
    pub ir_version: Option<i64>,
    /// Its operator sets.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, i64>"))]
    pub opset: serde_json::Map<String, serde_json::Value>,
    /// Who wrote it.
    pub producer: Producer,
    /// The worst mode present.
    pub verdict: Option<Verdict>,
    /// The dropouts.
    pub sites: Vec<SiteRecord>,
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// Why the file cannot be audited.
    pub error: Option<String>,
}

/// Who wrote a model.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Producer {
    /// The program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a model comes down to, from the best to the worst: no worse mode was found, and unless it is
/// `Unknown` there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No dropout in this file.
    Clean,
    /// Dropout that passes its input through.
    Inert,
    /// A mask that was drawn once and drops the same elements ever since.
    Frozen,
    /// Dropout that an input switches on.
    Runtime,
    /// The search was incomplete, as it stopped at a limit or the model is not sound: it may be as bad
    /// as `Active`.
    Unknown,
    /// Dropout that acts whenever the model runs.
    Active,
}

/// A dropout, as in the document.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SiteRecord {
    /// Its index in the model.
    pub id: usize,
    /// How it is written.
    pub form: Form,
    /// Which kind of dropout it is.
    pub kind: Kind,
    /// Whether it acts.
    pub mode: Mode,
    /// The probability to drop.
    pub rate: Option<f64>,
    /// Where the rate comes from.
    pub rate_origin: RateOrigin,
    /// How kept elements are scaled.
    pub scaling: Scaling,
    /// What inference multiplies by.
    pub inference_scale: f64,
    /// The shape the mask is drawn in, where it is not that of the data.
    pub noise_shape: Option<Vec<String>>,
    /// The seed in the file.
    pub seed: Option<i64>,
    /// What becomes of the mask.
    pub mask: MaskUse,
    /// Where it stands: `graph`, `graph/node.attribute`, `function:domain::name`.
    pub scope: String,
    /// The layer of the framework it comes from, if the file tells.
    pub layer: Option<String>,
    /// Its nodes; those without a name go by their first output.
    pub nodes: Vec<String>,
    /// The value that goes in.
    pub input: Option<String>,
    /// The value that comes out.
    pub output: Option<String>,
    /// What it is, whatever it is called; in audits only. See `docs/configuration.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// What a rule found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// How bad it is.
    pub level: Level,
    /// The site it is about.
    pub site: Option<usize>,
    /// What was found, in words, after its place.
    pub message: String,
    /// That of its site; without a site, that of its node or graph.
    pub fingerprint: String,
    /// Why it is allowed, if a configuration says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    /// Whether the baseline knows it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineState>,
    /// Where it stands, as of a [`SiteRecord`].
    #[serde(skip)]
    pub scope: String,
    /// The node it is about, if it is about one; a node without a name goes by its first output.
    #[serde(skip)]
    pub node: Option<String>,
}

/// Why a finding is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Allowed {
    /// The reason that the configuration gives.
    pub reason: String,
    /// The last day on which it holds: `2026-12-31`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Worth a look.
    Warning,
    /// Wrong in a model for inference.
    Error,
}

impl Verdict {
    /// Every verdict, from the best to the worst.
    pub const ALL: &[Verdict] = &[
        Verdict::Clean,
        Verdict::Inert,
        Verdict::Frozen,
        Verdict::Runtime,
        Verdict::Unknown,
        Verdict::Active,
    ];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Clean => "clean",
            Verdict::Inert => "inert",
            Verdict::Frozen => "frozen",
            Verdict::Runtime => "runtime",
            Verdict::Unknown => "unknown",
            Verdict::Active => "active",
        })
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

impl Finding {
    /// True unless it is allowed, or known to the baseline: what is open counts for exit statuses.
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
            scope: model.scope(site.graph),
            layer: site.layer.clone(),
            nodes: site.nodes.iter().map(|&id| model.label(id)).collect(),
            input: site.input_name.as_ref().map(Name::to_string),
            output: site.output_name.as_ref().map(Name::to_string),
            fingerprint: None,
        }
    }
}

impl Document {
    /// A document of these audits.
    pub fn new(models: Vec<ModelAudit>) -> Document {
        Document {
            schema: SCHEMA,
            models,
            remarks: Vec::new(),
        }
    }
}

impl ModelAudit {
    /// Findings that are neither allowed nor known to the baseline.
    pub fn open_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_open())
    }

    /// Audits a model that was read, by all rules at their own level.
    ///
    /// # Errors
    /// The file cannot be read where a rate stands.
    pub fn new(path: &str, model: &Model) -> Result<ModelAudit> {
        ModelAudit::with(path, model, &Selection::default())
    }

    /// Audits a model that was read, by these rules.
    ///
    /// # Errors
    /// As [`ModelAudit::new`].
    pub fn with(path: &str, model: &Model, selection: &Selection) -> Result<ModelAudit> {
        let values = Values::new(model);
        let found = dropout::search(model, &values)?;
        let flaws = model.flaws(&values);
        let sites = &found.sites;
        let modes = sites.iter().map(|site| match site.mode {
            Mode::Inert => Verdict::Inert,
            Mode::Frozen => Verdict::Frozen,
            Mode::Runtime => Verdict::Runtime,
            Mode::Active => Verdict::Active,
        });
        let incomplete = !flaws.is_empty() || !found.limits.is_empty();
        let incomplete = incomplete.then_some(Verdict::Unknown);
        let verdict = modes.chain(incomplete).max().unwrap_or(Verdict::Clean);
        let opset = model.opset_imports.iter().map(|import| {
            let domain = match import.domain.is_empty() {
                true => "ai.onnx".to_string(),
                false => import.domain.to_string(),
            };
            (domain, import.version.into())
        });
        let mut prints = Fingerprints::new(model, &values, sites);
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
            verdict: Some(verdict),
            sites: records.collect(),
            findings: Context::new(model, &values, &found, &flaws).check(selection, &mut prints),
            ..ModelAudit::empty(path)
        })
    }

    /// Opens and audits a file, by all rules; what goes wrong is said in the audit.
    pub fn open(path: &Path) -> ModelAudit {
        ModelAudit::open_with(path, &Selection::default())
    }

    /// Opens and audits a file, by these rules; what goes wrong is said in the audit.
    pub fn open_with(path: &Path, rules: &Selection) -> ModelAudit {
        let name = path.to_string_lossy();
        Model::open(path)
            .and_then(|model| ModelAudit::with(&name, &model, rules))
            .unwrap_or_else(|e| ModelAudit::failed(&name, &e.in_file(path)))
    }

    /// The audit of a file that cannot be audited.
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
            verdict: None,
            sites: Vec::new(),
            findings: Vec::new(),
            error: None,
        }
    }
}
