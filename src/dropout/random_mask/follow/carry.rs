//! Following a draw into the bodies of Loops and Scans.

use crate::onnx::{AttributeValue, GraphId, GraphKind, Node, NodeId, Use, ValueId};

use super::super::Finder;
use super::{Step, Walk};

impl Finder<'_> {
    /// A Loop or a Scan: what it passes unchanged from step to step, and slices of what it scans, is
    /// followed inside.
    pub(super) fn carry(&self, id: NodeId, node: &Node, walk: &mut Walk<'_>) -> Step {
        // Scan-8 has batches and another order of inputs
        let opset = self.model.opset(id.graph, "").unwrap_or(i64::MAX);
        let body = match node.attribute("body").map(|a| a.graphs()) {
            Some(&[body]) if node.is("Loop") || opset >= 9 => body,
            _ => return Step::Opaque(self.reads_draw(id, walk)),
        };
        let graph = self.model.graph(body);
        let scanned = match node.attribute("num_scan_inputs").map(|a| &a.value) {
            Some(AttributeValue::Int(n)) => usize::try_from(*n).unwrap_or(0),
            _ => 0,
        };
        let states = node.inputs.len().saturating_sub(scanned);
        let mut lost = false;
        for input in 0..node.inputs.len() {
            let form = self.values.input(id, input);
            let form = form.and_then(|value| walk.trace.forms.get(&value).cloned());
            let (Some(form), Some(formal)) = (form, graph.inputs.get(input)) else {
                continue;
            };
            if form.data.is_some() {
                continue; // dropped data goes in
            }
            let Some(inner) = self.values.lookup(self.model, body, &formal.name) else {
                continue;
            };
            let output = match node.is("Loop") {
                true if input >= 2 => Some(input - 1),
                true => None,
                false => (input < states).then_some(input),
            };
            let kept = output.and_then(|output| {
                let name = &graph.outputs.get(output)?.name;
                let value = self.values.lookup(self.model, body, name)?;
                Some(self.passed(value) == inner)
            });
            let scans = !node.is("Loop") && input >= states;
            if scans {
                // taking it out would change over what the Scan goes
                walk.trace.escapes = Some(Use::Input {
                    node: id,
                    input: input as u32,
                });
            }
            if scans || kept == Some(true) {
                // what goes unchanged from step to step also comes out so
                let condition = usize::from(node.is("Loop"));
                let after = output.and_then(|output| output.checked_sub(condition));
                let after = after.and_then(|after| self.values.output(self.model, id, after));
                let form = match scans {
                    true => form.elsewhere(id, input),
                    false => form,
                };
                for value in [Some(inner), after].into_iter().flatten() {
                    if !walk.trace.forms.contains_key(&value) {
                        self.reach(value, form.clone(), walk);
                    }
                }
            } else {
                lost = true;
            }
        }
        Step::Opaque(lost)
    }

    /// What an input of a Loop or Scan is called in its body.
    pub(in super::super) fn carried(&self, id: NodeId, input: usize) -> Option<ValueId> {
        let node = self.model.node(id);
        if !node.is("Loop") && !node.is("Scan") {
            return None;
        }
        let &[body] = node.attribute("body")?.graphs() else {
            return None;
        };
        let formal = self.model.graph(body).inputs.get(input)?;
        self.values.lookup(self.model, body, &formal.name)
    }

    /// True if a state of a Loop or Scan leaves its body as it came in.
    pub(super) fn is_invariant(&self, body: GraphId, output: usize, value: ValueId) -> bool {
        let GraphKind::Attribute { node, .. } = self.model.graph(body).kind else {
            return false;
        };
        let formal = match self.model.node(node).is("Loop") {
            true if output > 0 => output + 1,
            true => return false,
            false => output,
        };
        let formal = self.model.graph(body).inputs.get(formal);
        let formal = formal.and_then(|f| self.values.lookup(self.model, body, &f.name));
        formal.is_some() && formal == Some(self.passed(value))
    }
}
