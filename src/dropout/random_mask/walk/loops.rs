//! Draws that enter the bodies of Loops and Scans.

use crate::error::Result;
use crate::onnx::{GraphId, NodeId, Use, ValueId};
use crate::semantics::view::NodeRef;

use super::super::Finder;
use super::Walk;

impl Finder<'_> {
    /// A Loop or a Scan: what it passes unchanged from step to step, and slices of what it scans, is
    /// the same inside.
    pub(super) fn enter_loop(&self, node: NodeRef<'_>, walk: &mut Walk<'_>) -> Result<()> {
        // Scan-8 has batches and another order of inputs
        let opset = self.view.model.opset(node.graph(), "").unwrap_or(i64::MAX);
        let is_loop = node.op() == "Loop";
        let Some(body) = node.body("body").filter(|_| is_loop || opset >= 9) else {
            return self.opaque(node, walk);
        };
        let scanned = usize::try_from(node.int("num_scan_inputs", 0)).unwrap_or(0);
        let states = node.inputs().count().saturating_sub(scanned);
        let formals: Vec<_> = self.view.graph_inputs(body).collect();
        let mut lost = !self.is_clear(node, walk);
        for (input, value) in node.inputs().enumerate() {
            let form = value.and_then(|value| walk.trace.read(value.id).cloned());
            let (Some(form), Some(Some(inner))) = (form, formals.get(input)) else {
                continue;
            };
            if !form.is_mask() {
                continue; // dropped data goes in
            }
            let scans = !is_loop && input >= states;
            if scans {
                // taking it out would change over what the Scan goes
                walk.trace.escapes = Some(Use::Input {
                    node: node.id,
                    input: input as u32,
                });
                let form = form.elsewhere((node.id, input), false, &mut walk.trace.maps);
                self.reach(inner.id, form, walk)?;
                continue;
            }
            let output = match is_loop {
                true => input.checked_sub(1).filter(|output| *output > 0),
                false => Some(input),
            };
            let outputs = || self.view.graph_outputs(body);
            let next = output.and_then(|output| outputs().nth(output).flatten());
            if next.is_none_or(|next| self.passed(next.id) != inner.id) {
                lost = true;
                continue;
            }
            // what goes unchanged from step to step also comes out so
            let after = output.and_then(|output| node.output(output - usize::from(is_loop)));
            for value in [Some(*inner), after].into_iter().flatten() {
                if !walk.trace.forms.contains_key(&value.id) {
                    self.reach(value.id, (*form).clone(), walk)?;
                }
            }
        }
        if lost {
            node.outputs()
                .flatten()
                .for_each(|output| self.taint(output.id, walk));
        }
        Ok(())
    }

    /// What an input of a Loop or Scan is called in its body.
    pub(in super::super) fn formal(&self, id: NodeId, input: usize) -> Option<ValueId> {
        let node = self.view.node(id);
        let body = matches!(node.op(), "Loop" | "Scan").then(|| node.body("body"))??;
        let formal = self.view.graph_inputs(body).nth(input)?;
        formal.map(|formal| formal.id)
    }

    /// True if a state of a Loop or Scan leaves its body as it came in.
    pub(super) fn is_invariant(&self, body: GraphId, output: usize, value: ValueId) -> bool {
        let Some(node) = self.view.owner(body) else {
            return false;
        };
        let formal = match node.op() == "Loop" {
            true if output > 0 => output + 1,
            true => return false,
            false => output,
        };
        let formal = self.view.graph_inputs(body).nth(formal).flatten();
        formal.is_some_and(|formal| formal.id == self.passed(value))
    }
}
