//! A claim about a mask in a document.

use serde::{Deserialize, Serialize};

use crate::dropout::{Convention, Form, Kind, Scaling, Site};
use crate::onnx::NodeId;
use crate::semantics::view::View;

/// What is assumed of a mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::verify) struct Claim {
    /// Its place, for people.
    place: String,
    /// Its nodes: the first names it, the second draws.
    nodes: Vec<NodeId>,
    /// The calls of functions that it is of, the innermost first; empty if all calls are alike.
    calls: Vec<NodeId>,
    /// How it is written.
    form: Form,
    /// Its kind.
    kind: Kind,
    /// How kept elements are scaled in training.
    scaling: Scaling,
    /// What it is taken to mean at inference.
    convention: Convention,
    /// The probability to drop, or the standard deviation of noise; null if callers differ.
    rate: Option<f64>,
    /// Whether elements share draws.
    shared: bool,
    /// What its switch is where it is off: 0 or 1; null if it has none.
    off: Option<f64>,
    /// What an input of the model that is its rate was taken to be; null if none is.
    given: Option<f64>,
    /// Where it is applied to data.
    uses: Vec<Usage>,
}

/// A place where a mask is applied to data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Usage {
    /// The data.
    data: String,
    /// What comes out.
    output: String,
    /// What inference multiplies the data by.
    scale: f64,
    /// Kept elements are this times the data, plus the second number.
    kept: (f64, f64),
}

impl Claim {
    pub fn of(view: View<'_>, site: &Site) -> Claim {
        let name = |value| view.value(value).get().name.to_string();
        let uses = site.junctions.iter().map(|junction| Usage {
            data: name(junction.data),
            output: name(junction.output),
            scale: junction.scale,
            kept: junction.kept,
        });
        Claim {
            place: view.model.place(site.nodes[0]),
            nodes: site.nodes.clone(),
            calls: site.calls.clone(),
            form: site.form,
            kind: site.kind,
            scaling: site.scaling,
            convention: site.convention.unwrap_or_default(),
            rate: site.rate,
            shared: site.noise_shape.is_some(),
            off: site.off,
            given: site.given.map(|(_, number)| number),
            uses: uses.collect(),
        }
    }

    /// The site of a model at this place, as it is claimed to be. The numbers are those of the claim.
    ///
    /// # Errors
    /// There is none, or it has other uses.
    pub fn site(&self, view: View<'_>, sites: &[Site]) -> Result<Site, String> {
        let found = sites.iter().find(|site| self.is_about(site));
        let mut site = found
            .ok_or_else(|| format!("there is no mask at {}", self.place))?
            .clone();
        let name = |value| view.value(value).get().name.to_string();
        let uses = site
            .junctions
            .iter()
            .map(|e| (name(e.data), name(e.output)));
        let claimed = self.uses.iter();
        if !uses.eq(claimed.map(|usage| (usage.data.clone(), usage.output.clone()))) {
            return Err(format!("the uses of {} are not those claimed", self.place));
        }
        let switched = site.switch.is_some() == self.off.is_some();
        if !switched || site.given.is_some() != self.given.is_some() {
            return Err(format!("{} does not depend on what is claimed", self.place));
        }
        (site.form, site.kind, site.scaling) = (self.form, self.kind, self.scaling);
        (site.rate, site.off) = (self.rate, self.off);
        site.convention = Some(self.convention);
        site.given = site.given.map(|(value, _)| value).zip(self.given);
        let shape = site.noise_shape.take().unwrap_or_default();
        site.noise_shape = self.shared.then_some(shape);
        for (junction, usage) in site.junctions.iter_mut().zip(&self.uses) {
            (junction.scale, junction.kept) = (usage.scale, usage.kept);
        }
        Ok(site)
    }

    /// True of a claim about this site.
    pub fn is_about(&self, site: &Site) -> bool {
        self.nodes == site.nodes && self.calls == site.calls
    }
}
