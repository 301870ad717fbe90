//! Whether a mask, and what it is scaled by, leave data in its shape.

use crate::dropout::Junction;
use crate::dropout::noise_shape::{Fit, fit};
use crate::hash::{HashMap, HashSet};
use crate::onnx::{NodeId, ValueId};
use crate::semantics::operator::Role;

use super::Finder;
use super::walk::Trace;

impl Finder<'_> {
    /// The size of all operands applied to data on the way to the junctions, compared with the data.
    pub(super) fn fit(&self, junctions: &[Junction], trace: &Trace) -> Fit {
        let made: HashMap<ValueId, NodeId> = trace.made.iter().map(|&(id, v)| (v, id)).collect();
        let mut nodes: Vec<(NodeId, ValueId)> = Vec::new();
        let mut seen = HashSet::default();
        let mut open: Vec<ValueId> = junctions.iter().map(|junction| junction.output).collect();
        while let Some(value) = open.pop() {
            let Some(&id) = made.get(&value).filter(|_| seen.insert(value)) else {
                continue;
            };
            open.extend(self.view.node(id).inputs().flatten().map(|input| input.id));
            let form = trace.forms.get(&value);
            let term = form.and_then(|form| form.terms.first());
            let zero = || {
                junctions
                    .iter()
                    .find(|junction| junction.output == value)
                    .map(|junction| junction.data)
            };
            if let Some(data) = term.map(|term| term.atom.value).or_else(zero) {
                nodes.push((id, data));
            }
        }
        // from the first on: a shape is worked out from what is known of those before
        nodes.sort_by_key(|(id, ..)| self.rank.get(id));
        let fits = nodes
            .iter()
            .map(|(id, data)| self.fit_of(*id, *data, trace));
        fits.max().unwrap_or(Fit::Within)
    }

    fn fit_of(&self, id: NodeId, data: ValueId, trace: &Trace) -> Fit {
        let node = self.view.node(id);
        let passes = node.operator().is_some_and(|operator| {
            operator.copies() || operator.selects() || operator.role == Role::Dropout
        });
        let inputs: Vec<ValueId> = node.inputs().flatten().map(|input| input.id).collect();
        let dropped = |value: &ValueId| {
            let form = trace.forms.get(value);
            *value == data || form.is_some_and(|form| form.is_dropped())
        };
        let Some(whole) = inputs.iter().copied().find(dropped).filter(|_| !passes) else {
            return Fit::Within;
        };
        let others = inputs.iter().filter(|&&other| other != whole);
        let fits = others.map(|&other| fit(self.facts, other, whole));
        fits.max().unwrap_or(Fit::Within)
    }
}
