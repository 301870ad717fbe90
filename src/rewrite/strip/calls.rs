//! Functions of which nothing is left: their calls are removed as well.

use std::collections::BTreeSet;

use crate::dropout::Site;
use crate::error::Result;
use crate::onnx::{NodeId, ValueId};
use crate::semantics::calls::Calls;
use crate::semantics::view::View;

use super::removal::Strip;

impl Strip<'_> {
    /// Removes the calls of functions that only pass their inputs through now. `changed`: the functions in
    /// which something was removed.
    pub fn remove_calls(&mut self, mut changed: BTreeSet<usize>) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let calls = Calls::new(self.editor.model());
        for &function in calls.callers_first().iter().rev() {
            if !changed.contains(&function) {
                continue;
            }
            let Some(passed) = passed(self.editor.view(), function) else {
                continue;
            };
            for &call in calls.of(function) {
                self.remove_call(call, &passed)?;
                changed.extend(self.editor.view().function_of(call.graph));
            }
        }
        Ok(())
    }

    /// Lets what reads the results of a call read what was passed.
    fn remove_call(&mut self, id: NodeId, passed: &[usize]) -> Result<()> {
        let call = self.editor.view().node(id);
        let results = call.outputs().zip(passed);
        let results =
            results.filter_map(|(output, &input)| Some((output?.id, call.input(input)?.id)));
        let results: Vec<(ValueId, ValueId)> = results.collect();
        if results.len() < call.produced().count() {
            return Ok(()); // an input that is passed through is absent
        }
        let label = call.name.clone();
        self.idle.extend(call.given().map(|(_, value)| value.id));
        self.editor.remove_node(id);
        for (output, data) in results {
            let data = self.now(data);
            self.replace(id, &label, output, data)?;
        }
        Ok(())
    }

    /// Calls of these functions no longer pass what only dropout used.
    pub fn clear_arguments(&mut self, changed: &BTreeSet<usize>, used: &BTreeSet<(usize, usize)>) {
        let now = used_formals(self.editor.view(), changed);
        let calls = Calls::new(self.editor.model());
        for &(function, formal) in used.difference(&now) {
            for &call in calls.of(function) {
                if let Some(passed) = self.editor.view().node(call).input(formal) {
                    self.idle.push(passed.id);
                    self.editor.clear_input(call, formal);
                }
            }
        }
    }
}

/// The functions in which these sites are.
pub(super) fn changed(view: View<'_>, sites: &[&Site]) -> BTreeSet<usize> {
    let junctions = |site: &&Site| {
        site.junctions
            .iter()
            .map(|junction| junction.node)
            .collect::<Vec<_>>()
    };
    let nodes = sites
        .iter()
        .flat_map(|site| site.nodes.iter().copied().chain(junctions(site)));
    nodes
        .filter_map(|node| view.function_of(node.graph))
        .collect()
}

/// The formal inputs that these functions use: function and position.
pub(super) fn used_formals(
    view: View<'_>,
    functions: &BTreeSet<usize>,
) -> BTreeSet<(usize, usize)> {
    let of = |&function: &usize| {
        let body = view.model.functions()[function].body;
        let formals = view.graph_inputs(body).enumerate();
        let used = formals.filter(|(_, formal)| formal.is_some_and(|formal| formal.is_used()));
        used.map(move |(place, _)| (function, place))
    };
    functions.iter().flat_map(of).collect()
}

/// For each output of a function the input that it is; `None` if it computes anything.
fn passed(view: View<'_>, function: usize) -> Option<Vec<usize>> {
    let body = view.model.functions()[function].body;
    if !view
        .nodes_of(body)
        .all(|node| node.is("Identity") || node.is("Constant"))
    {
        return None;
    }
    let formals: Vec<_> = view.graph_inputs(body).collect();
    let outputs = view.graph_outputs(body).map(|output| {
        let mut value = output?;
        while let Some(node) = value.node().filter(|node| node.is("Identity")) {
            value = node.input(0)?;
        }
        formals.iter().position(|formal| *formal == Some(value))
    });
    outputs.collect()
}
