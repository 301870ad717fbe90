//! A dropout, as in a document.

use serde::Serialize;

use crate::dropout::{Form, Kind, MaskUse, Mode, RateOrigin, Scaling, Site};
use crate::hash::HashMap;
use crate::onnx::{GraphId, Model, Name};

use super::Fingerprint;

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
    pub scope: Name,
    /// The layer of the framework it comes from, if known.
    pub layer: Option<String>,
    /// Its nodes; a node without a name is listed by its first output.
    pub nodes: Vec<Name>,
    /// The calls of functions that set it, the innermost first, where other calls set it differently.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Name>,
    /// The value it is applied to.
    pub input: Option<Name>,
    /// Its result.
    pub output: Option<Name>,
    /// Its identity, independent of names; in audits only. See `docs/configuration.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub fingerprint: Option<Fingerprint>,
}

/// The names of the scopes of a model, each made once.
#[derive(Debug)]
pub(super) struct Scopes<'m> {
    model: &'m Model,
    named: HashMap<GraphId, Name>,
}

impl<'m> Scopes<'m> {
    /// None is named yet.
    pub fn new(model: &'m Model) -> Self {
        Scopes {
            model,
            named: HashMap::default(),
        }
    }

    /// The name of the scope that a graph is.
    pub fn name(&mut self, graph: GraphId) -> Name {
        let name = || self.model.scope(graph).into();
        self.named.entry(graph).or_insert_with(name).clone()
    }
}

impl SiteRecord {
    /// The records of sites of a model.
    pub fn all<'s>(model: &Model, sites: impl IntoIterator<Item = &'s Site>) -> Vec<SiteRecord> {
        let mut scopes = Scopes::new(model);
        let sites = sites.into_iter();
        sites
            .map(|site| SiteRecord::new(&mut scopes, site))
            .collect()
    }

    /// The record of a site; `scopes`: of its model.
    pub(super) fn new(scopes: &mut Scopes<'_>, site: &Site) -> SiteRecord {
        let model = scopes.model;
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
            scope: scopes.name(site.graph),
            layer: site.layer.clone(),
            nodes: site.nodes.iter().map(|&id| model.label(id)).collect(),
            calls: site.calls.iter().map(|&id| model.label(id)).collect(),
            input: site.input_name.clone(),
            output: site.output_name.clone(),
            fingerprint: None,
        }
    }
}
