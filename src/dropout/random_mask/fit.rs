//! Whether a mask, and what it is scaled by, leave data in its shape.

use crate::hash::{HashMap, HashSet};
use crate::onnx::{NodeId, ValueId};

use super::apply::{is_layout, is_selection};
use super::follow::Trace;
use super::{Exit, Finder, Fit, NoiseShapes};

impl Finder<'_> {
    /// How large all is that meets data on the way to the exits, compared with the data.
    pub(super) fn fit(&self, exits: &[Exit], trace: &Trace) -> Fit {
        let made: HashMap<ValueId, NodeId> = trace.made.iter().map(|&(id, v)| (v, id)).collect();
        let mut nodes = Vec::new();
        let mut seen = HashSet::default();
        let mut open: Vec<ValueId> = exits.iter().map(|exit| exit.output).collect();
        while let Some(value) = open.pop() {
            let Some(&id) = made.get(&value).filter(|_| seen.insert(value)) else {
                continue;
            };
            let data = trace.forms.get(&value).and_then(|form| form.data.as_ref());
            let inputs = 0..self.model.node(id).inputs.len();
            let inputs: Vec<ValueId> = inputs.filter_map(|i| self.values.input(id, i)).collect();
            open.extend(&inputs);
            if let Some(data) = data {
                nodes.push((id, data.value, inputs));
            }
        }
        // from the first on: a shape is worked out from what is known of those before
        nodes.sort_by_key(|(id, ..)| self.rank.get(id));
        let fits = nodes
            .iter()
            .map(|(id, data, inputs)| self.fit_of(*id, *data, inputs, trace));
        fits.max().unwrap_or(Fit::Within)
    }

    fn fit_of(&self, id: NodeId, data: ValueId, inputs: &[ValueId], trace: &Trace) -> Fit {
        let op_type = self.model.node(id).op_type.as_str().unwrap_or_default();
        if is_layout(op_type) || is_selection(op_type) || op_type == "Dropout" {
            return Fit::Within;
        }
        let dropped = |value: &ValueId| {
            let form = trace.forms.get(value);
            *value == data || form.is_some_and(|form| form.data.is_some())
        };
        let Some(whole) = inputs.iter().copied().find(dropped) else {
            return Fit::Within;
        };
        let shapes = self
            .shapes
            .get_or_init(|| NoiseShapes::new(self.model, self.values));
        let others = inputs.iter().filter(|&&other| other != whole);
        let fits = others.map(|&other| shapes.fit(other, whole));
        fits.max().unwrap_or(Fit::Within)
    }
}
