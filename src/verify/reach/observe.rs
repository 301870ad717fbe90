//! Indices and conditions, as runs have them.

use smallvec::smallvec;

use super::{Trial, stopped};
use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, Editor, Name, Node, NodeId, Tensor};
use crate::semantics::view::{NodeRef, ValueRef};
use crate::source::Source;
use crate::verify::engine::watch;
use crate::verify::run;
use crate::verify::structure::What;

/// What was seen at each place, over all runs; or why nothing was.
pub(super) type Observed = Result<Vec<Vec<f64>>, String>;

/// How many bytes of weights are compared row by row.
pub(super) const LARGEST: u64 = 1 << 28;

/// Runs a copy that observes what decides about each place.
pub(super) fn observed(trial: &Trial<'_>, places: &[&What]) -> Result<Observed> {
    let view = trial.side.view;
    let mut copy = view.model.clone();
    let mut editor = Editor::new(&mut copy, view.values.clone());
    let mut any = false;
    for (site, what) in places.iter().enumerate() {
        let (node, input) = match what {
            What::Rows { node, .. } => (*node, 1),
            What::Side { node, .. } | What::Branch { node, .. } => (*node, 0),
            What::Constant { .. } | What::Never { .. } => continue,
        };
        any = true;
        observe(&mut editor, view.node(node), input, site);
    }
    let mut seen = vec![Vec::new(); places.len()];
    if !any {
        return Ok(Ok(seen));
    }
    editor.finish()?;
    let source = Source::from_rope(copy.to_rope()?);
    let subject = trial.subject(&source);
    let mut add = |run: usize, all: Vec<watch::Seen>| {
        if run == 0 {
            seen.iter_mut().for_each(Vec::clear);
        }
        for one in all {
            if let Some(seen) = seen.get_mut(one.site) {
                seen.extend(one.output.to_f64());
            }
        }
    };
    match run::watched(&subject, trial.settings, &mut add) {
        Ok(()) => Ok(Ok(seen)),
        Err(stop) => Ok(Err(stopped(stop)?)),
    }
}

/// Inserts a node before another that observes one of its inputs.
fn observe(editor: &mut Editor<'_>, node: NodeRef<'_>, input: usize, site: usize) {
    let Some(name) = node.get().inputs.get(input).filter(|name| !name.is_empty()) else {
        return;
    };
    let at: (_, Option<NodeId>) = (node.graph(), Some(node.id));
    let watch = Node {
        inputs: smallvec![name.clone(), name.clone()],
        attributes: vec![Attribute::new(
            watch::SITE,
            AttributeValue::Int(site as i64),
        )],
        ..watch::node()
    };
    let made: Name = editor.put(at, "reach/watch", watch);
    editor.set_input_to(node.id, input, &made);
}

impl Trial<'_> {
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
            What::Constant { .. } | What::Never { .. } => None,
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
