//! Layers that a draw skips: an If whose one branch adds to a value what it computes of it, while the other
//! passes the value on (LayerDrop, Fan et al. 2020; stochastic depth, Huang et al. 2016). Inference runs every
//! layer, unscaled. A branch that replaces the value is no layer that is dropped, but an augmentation.

use crate::dropout::{Form, Mode, RateOrigin, Scaling, Site};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{GraphId, NodeId, Use, ValueId};
use crate::semantics::control_flow::branches;
use crate::semantics::view::NodeRef;

use super::site::{decimal, seed};
use super::{Finder, attempt};

impl Finder<'_> {
    /// The layers that a draw skips, if it does nothing else.
    pub(super) fn skipped(&self, source: NodeId) -> Result<Vec<Site>> {
        let none = Ok(Vec::new());
        let Some(draw) = self.draw(source, &self.conditions)? else {
            return none;
        };
        let trace = self.walk(&[(draw.drawn, draw.law)], &self.conditions)?;
        let mut sites = Vec::new();
        for (&value, form) in trace.forms.iter().filter(|(_, form)| form.varies()) {
            for at in self.uses(value) {
                let Use::Input { node, input } = at else {
                    return none;
                };
                let node = self.view.node(node);
                let mut made = node.outputs().flatten();
                if made.all(|made| trace.forms.contains_key(&made.id)) {
                    continue;
                }
                let cells = form
                    .rest
                    .cells()
                    .filter_map(|(_, mass, piece)| Some((mass, piece.at(&[])?)));
                let taken: f64 = cells
                    .filter(|(_, on)| *on != 0.0)
                    .map(|(mass, _)| mass)
                    .sum();
                match self
                    .layer(node, taken)
                    .filter(|_| input == 0 && form.is_mask())
                {
                    Some(found) => sites.push(self.of_layer(node, source, found)),
                    None => return none,
                }
            }
        }
        sites.sort_by_key(|site| site.nodes[0]);
        Ok(sites)
    }

    /// The value that an If passes on or adds to, and the probability to pass it on, if `taken` is that of its
    /// first branch.
    fn layer(&self, node: NodeRef<'_>, taken: f64) -> Option<(ValueId, f64)> {
        let [then, or] = branches(node)?;
        let mut found = None;
        for output in 0..node.get().outputs.len() {
            let [a, b] = [then, or].map(|branch| self.result(branch, output));
            let (a, b) = (a?, b?);
            let (skip, layer, graph, kept) = match (self.is_within(then, a), self.is_within(or, b))
            {
                (true, false) => (b, a, then, taken),
                (false, true) => (a, b, or, 1.0 - taken),
                _ => return None,
            };
            if !self.adds(layer, skip, graph) {
                return None;
            }
            found.get_or_insert((skip, 1.0 - kept));
        }
        found.filter(|(_, rate)| 0.0 < *rate && *rate < 1.0)
    }

    fn result(&self, branch: GraphId, output: usize) -> Option<ValueId> {
        let result = self.view.graph_output(branch, output)?;
        Some(self.passed(result.id))
    }

    fn is_within(&self, branch: GraphId, value: ValueId) -> bool {
        self.view.value(value).get().graph == branch
    }

    /// True of a sum of a value and what a branch computes of it, without draws.
    fn adds(&self, sum: ValueId, value: ValueId, branch: GraphId) -> bool {
        let Some(node) = self
            .view
            .value(sum)
            .node()
            .filter(|node| matches!(node.op(), "Add" | "Sum"))
        else {
            return false;
        };
        let inputs: Vec<ValueId> = node
            .inputs()
            .flatten()
            .map(|input| self.passed(input.id))
            .collect();
        let plain = inputs.iter().filter(|input| **input == value).count();
        let draws = self.view.nodes_of(branch).any(|node| node.draws());
        let mut open: Vec<ValueId> = inputs.into_iter().filter(|input| *input != value).collect();
        let mut seen = HashSet::default();
        let mut depends = false;
        while let Some(at) = open.pop() {
            depends |= at == value;
            if let Some(node) = self.view.value(at).node().filter(|_| seen.insert(at)) {
                open.extend(node.inputs().flatten().map(|input| input.id));
            }
        }
        plain == 1 && depends && !draws
    }

    fn of_layer(&self, node: NodeRef<'_>, source: NodeId, (data, rate): (ValueId, f64)) -> Site {
        let output = node.output(0);
        Site {
            mode: Mode::Active,
            rate: Some(decimal(rate, attempt::PRECISION)),
            rate_origin: RateOrigin::Mask,
            scaling: Scaling::Other,
            seed: seed(self.view.model.node(source)),
            input: Some(data),
            input_name: Some(self.view.value(data).get().name.clone()),
            output: output.map(|output| output.id),
            output_name: output.map(|output| output.get().name.clone()),
            entangled: Some("its draw decides whether a layer runs; run the layer always".into()),
            ..Site::new(Form::RandomMask, node.graph(), vec![node.id, source])
        }
    }
}
