//! Layers that a draw skips: an If whose one branch adds to a value what it computes of it, while the other
//! passes the value on (LayerDrop, Fan et al. 2020; stochastic depth, Huang et al. 2016). Inference runs every
//! layer, unscaled. A branch that replaces the value is no layer that is dropped, but an augmentation.

use crate::dropout::{Form, KeptDraw, Mode, RateOrigin, Scaling, Site};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{GraphId, NodeId, Use, ValueId};
use crate::semantics::control_flow::branches;
use crate::semantics::view::NodeRef;

use super::attempt::{along, spans};
use super::law::Law;
use super::piece::inside;
use super::scalar::decimal;
use super::site::seed;
use super::{Finder, attempt};

impl Finder<'_> {
    /// The layers that a draw skips, if it does nothing else.
    pub(super) fn skipped(&self, source: NodeId) -> Result<Vec<Site>> {
        let none = Ok(Vec::new());
        let Some(draw) = self.draw(source, &self.conditions)? else {
            return none;
        };
        let trace = self.walk(&[(draw.drawn, draw.law.clone())], &self.conditions)?;
        let mut layers = Vec::new();
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
                match self.layer(node).filter(|_| input == 0 && form.is_mask()) {
                    Some((data, runs)) => layers.push(Layer {
                        node,
                        data,
                        runs,
                        decides: &form.rest,
                    }),
                    None => return none,
                }
            }
        }
        // a draw with which all of them run, and one with which none does
        let ends = layers.iter().flat_map(|layer| layer.decides.ends());
        let points: Vec<f64> = spans(ends, draw.var).into_iter().map(inside).collect();
        let drawn = |run: bool| {
            let all = |u: &&f64| layers.iter().all(|layer| layer.runs_at(**u) == Some(run));
            let point = *points.iter().find(all)?;
            Some(draw.values((point, point)).0)
        };
        let kept = drawn(true).map(|value| KeptDraw {
            source,
            value,
            dropped: drawn(false),
        });
        let mut sites = Vec::new();
        for layer in &layers {
            match layer.rate().filter(|rate| 0.0 < *rate && *rate < 1.0) {
                Some(rate) => sites.push(self.of_layer(layer, rate, (source, kept))),
                None => return none,
            }
        }
        sites.sort_by_key(|site| site.nodes[0]);
        Ok(sites)
    }

    /// The value that an If passes on or adds to, and the condition with which it adds.
    fn layer(&self, node: NodeRef<'_>) -> Option<(ValueId, bool)> {
        let [then, or] = branches(node)?;
        let mut found = None;
        for output in 0..node.get().outputs.len() {
            let [a, b] = [then, or].map(|branch| self.result(branch, output));
            let (a, b) = (a?, b?);
            let (skip, layer, graph, runs) = match (self.is_within(then, a), self.is_within(or, b))
            {
                (true, false) => (b, a, then, true),
                (false, true) => (a, b, or, false),
                _ => return None,
            };
            let same = found.is_none_or(|(_, known)| known == runs);
            if !same || !self.adds(layer, skip, graph) {
                return None;
            }
            found.get_or_insert((skip, runs));
        }
        found
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

    fn of_layer(
        &self,
        layer: &Layer<'_>,
        rate: f64,
        (source, kept): (NodeId, Option<KeptDraw>),
    ) -> Site {
        let output = layer.node.output(0);
        let why = "one draw runs some layers and skips others; no draw runs all";
        Site {
            mode: Mode::Active,
            rate: Some(decimal(rate, attempt::PRECISION)),
            rate_origin: RateOrigin::Mask,
            scaling: Scaling::Other,
            seed: seed(self.view.model.node(source)),
            input: Some(layer.data),
            input_name: Some(self.view.value(layer.data).get().name.clone()),
            output: output.map(|output| output.id),
            output_name: output.map(|output| output.get().name.clone()),
            runs_if: Some(layer.runs),
            entangled: kept.is_none().then(|| why.to_string()),
            kept_draw: kept.map(Box::new),
            ..Site::new(
                Form::RandomMask,
                layer.node.graph(),
                vec![layer.node.id, source],
            )
        }
    }
}

/// A layer that an If runs or skips.
struct Layer<'f> {
    node: NodeRef<'f>,
    /// What it adds to.
    data: ValueId,
    /// The condition with which it runs.
    runs: bool,
    /// The condition, by what is drawn.
    decides: &'f Law,
}

impl Layer<'_> {
    fn runs_at(&self, u: f64) -> Option<bool> {
        along(self.decides, u).map(|on| (on != 0.0) == self.runs)
    }

    /// The probability to skip it.
    fn rate(&self) -> Option<f64> {
        let cells = self.decides.cells();
        let skipped = cells.map(|(_, mass, piece)| {
            let runs = (piece.at(&[])? != 0.0) == self.runs;
            Some(if runs { 0.0 } else { mass })
        });
        skipped.sum()
    }
}
