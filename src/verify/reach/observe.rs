//! Indices, conditions and iterations, as runs have them.

use super::{Trial, stopped};
use crate::error::Result;
use crate::onnx::{Editor, GraphId, Tensor};
use crate::semantics::view::{NodeRef, ValueRef};
use crate::source::Source;
use crate::verify::engine::{Subject, watch};
use crate::verify::run;
use crate::verify::structure::What;

/// What was seen at each place, over all runs; or why nothing was.
pub(super) type Observed = Result<Vec<Vec<f64>>, String>;

/// How many bytes of weights are compared row by row.
pub(super) const LARGEST: u64 = 1 << 28;

/// Inserts a node before another that observes one of its inputs.
fn observe(editor: &mut Editor<'_>, node: NodeRef<'_>, input: usize, site: usize) {
    let Some(name) = node.get().inputs.get(input).filter(|name| !name.is_empty()) else {
        return;
    };
    let at = (node.graph(), Some(node.id));
    let made = editor.put(at, "reach/watch", watch::node(site, name, name));
    editor.set_input_to(node.id, input, &made);
}

/// Appends a node to the body of a Loop that observes the number of each iteration: it computes the first
/// output after the condition.
fn observe_iterations(editor: &mut Editor<'_>, body: GraphId, site: usize) {
    let graph = editor.model().graph(body);
    let (Some(number), Some(output)) = (graph.inputs.first(), graph.outputs.get(1)) else {
        return;
    };
    let watch = watch::node(site, &number.name, &output.name);
    let made = editor.put((body, None), "reach/watch", watch);
    if let Some(made) = editor.values().lookup(editor.model(), body, &made) {
        editor.set_output(body, 1, made);
    }
}

/// The axis along which a Scan reads its last input.
fn scanned_axis(node: NodeRef<'_>) -> Option<i64> {
    match node.view().model.opset(node.graph(), "")? {
        ..9 => Some(1), // after the batch
        _ => Some(
            node.ints("scan_input_axes")
                .and_then(|axes| axes.last().copied())
                .unwrap_or(0),
        ),
    }
}

impl Trial<'_> {
    /// Runs a copy that observes what decides about each place.
    pub(super) fn observed(&self, places: &[&What]) -> Result<Observed> {
        let view = self.side.view;
        let mut copy = view.model.clone();
        let mut editor = Editor::new(&mut copy, view.values.clone());
        let mut any = false;
        for (site, what) in places.iter().enumerate() {
            let (node, input) = match what {
                What::Rows { node, .. } => (*node, 1),
                What::Side { node, .. } | What::Branch { node, .. } => (*node, 0),
                What::Body { node, .. } => (*node, view.node(*node).inputs.len().saturating_sub(1)),
                What::Constant { .. }
                | What::Attributes { .. }
                | What::Passed { .. }
                | What::Never { .. } => continue,
            };
            any = true;
            match what {
                What::Body { graph, .. } if view.node(node).is("Loop") => {
                    observe_iterations(&mut editor, *graph, site);
                }
                _ => observe(&mut editor, view.node(node), input, site),
            }
        }
        let mut seen = vec![Vec::new(); places.len()];
        if !any {
            return Ok(Ok(seen));
        }
        editor.finish()?;
        let source = Source::from_rope(copy.to_rope()?);
        let mut add = |run: usize, all: Vec<watch::Seen>| {
            if run == 0 {
                seen.iter_mut().for_each(Vec::clear);
            }
            for one in all {
                if let (Some(seen), Some(what)) = (seen.get_mut(one.site), places.get(one.site)) {
                    seen.extend(self.numbers(what, &one));
                }
            }
        };
        let subject = Subject::of(view.model, self.label, &source);
        match run::watched(&subject, self.settings, &mut add) {
            Ok(()) => Ok(Ok(seen)),
            Err(stop) => Ok(Err(stopped(stop)?)),
        }
    }

    /// What decides about a place, in one observation: of a body, how often it has run.
    fn numbers(&self, what: &What, seen: &watch::Seen) -> Vec<f64> {
        let What::Body { node, .. } = what else {
            return seen.output.to_f64();
        };
        let node = self.side.view.node(*node);
        if node.is("Loop") {
            return seen
                .data
                .to_f64()
                .into_iter()
                .map(|number| number + 1.0)
                .collect();
        }
        let shape = seen.output.shape();
        let axis = scanned_axis(node).map(|axis| match axis {
            ..0 => axis + shape.len() as i64,
            _ => axis,
        });
        let length = axis.and_then(|axis| shape.get(usize::try_from(axis).ok()?));
        length.map(|&length| length as f64).into_iter().collect()
    }

    /// How often a body has to run: twice, as the second iteration reads what the first computed, or as often as
    /// it can.
    fn iterations(&self, node: NodeRef<'_>) -> f64 {
        let facts = self.side.facts;
        let most = match node.is("Loop") {
            true => facts
                .integers(node.id, 0, "")
                .and_then(|limit| limit.first().copied()),
            false => node.inputs().last().flatten().and_then(|input| {
                let sizes = facts.sizes(input.id)?;
                let axis = scanned_axis(node)?;
                let axis = if axis < 0 {
                    axis + sizes.len() as i64
                } else {
                    axis
                };
                *sizes.get(usize::try_from(axis).ok()?)?
            }),
        };
        most.map_or(2.0, |most| most.clamp(0, 2) as f64)
    }

    /// Why a place was missed by all runs; `None` if it was not.
    pub(super) fn missed(
        &self,
        what: &What,
        observed: &Observed,
        index: usize,
    ) -> Result<Option<String>> {
        let seen = match observed {
            Ok(seen) => &seen[index],
            Err(why) => return Ok(Some(why.clone())),
        };
        let has = |on: bool| seen.iter().any(|&number| (number != 0.0) == on);
        Ok(match what {
            What::Rows { node, other } => {
                let node = self.side.view.node(*node);
                let Some(data) = node
                    .input(0)
                    .and_then(|data| Some((data, data.constant()?)))
                else {
                    return Ok(Some("its rows are not known".to_string()));
                };
                let axis = node.int("axis", 0);
                let other = other.map(|other| self.other.view.value(other));
                self.rows(data, other, (axis, seen))?
            }
            What::Side { input, .. } if has(*input == 1) => None,
            What::Side { .. } => Some("no run selects from it".to_string()),
            What::Branch { node, graph } => {
                let node = self.side.view.node(*node);
                let on = node.body("then_branch") == Some(*graph);
                (!has(on)).then(|| "no run takes it".to_string())
            }
            What::Body { node, .. } => {
                let wanted = self.iterations(self.side.view.node(*node));
                let most = seen.iter().copied().fold(0.0, f64::max);
                (most < wanted).then(|| format!("no run takes more than {most} of its iterations"))
            }
            What::Constant { .. }
            | What::Attributes { .. }
            | What::Passed { .. }
            | What::Never { .. } => None,
        })
    }

    /// The first row that differs and is never read.
    fn rows(
        &self,
        (data, rows): (ValueRef<'_>, &Tensor),
        other: Option<ValueRef<'_>>,
        (axis, seen): (i64, &[f64]),
    ) -> Result<Option<String>> {
        let rank = rows.dims.len() as i64;
        let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).unwrap_or(0);
        let sizes: Vec<usize> = rows.dims.iter().map(|&dim| dim as usize).collect();
        let Some(&count) = sizes.get(axis) else {
            return Ok(Some("its axis is not one of the data".to_string()));
        };
        let mut read = vec![false; count];
        for &index in seen {
            let index = if index < 0.0 {
                index + count as f64
            } else {
                index
            };
            if let Some(row) = read.get_mut(index as usize) {
                *row = true;
            }
        }
        let inner: usize = sizes[axis + 1..].iter().product();
        let differs = match other.and_then(|other| Some((other, other.constant()?))) {
            None => vec![true; count],
            Some((other, others)) => {
                let here = self.side.view.model.small_elements(rows, LARGEST)?;
                let there = other.view().model.small_elements(others, LARGEST)?;
                let (Some(here), Some(there)) = (here, there) else {
                    return Ok(Some("it is too large to compare row by row".to_string()));
                };
                let elements: usize = sizes.iter().product();
                let width = here.len() / elements.max(1) * inner;
                let mut differs = vec![false; count];
                let pieces = here.chunks(width.max(1)).zip(there.chunks(width.max(1)));
                for (place, (one, other)) in pieces.enumerate() {
                    differs[place % count] |= one != other;
                }
                differs
            }
        };
        let missed = (0..count).find(|&row| differs[row] && !read[row]);
        let name = &data.get().name;
        Ok(missed.map(|row| format!("row {row} of `{name}` is never read")))
    }
}
