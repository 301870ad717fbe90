//! Repairs of the copy that is run: nodes that an engine lacks or reads wrongly, as nodes that it has. They are
//! the same in both models of a comparison. `docs/engines.md` lists them, and `tests/repairs` has a model for
//! each.

mod arithmetic;
mod attention;
mod draws;
mod dropouts;
mod fused;
mod indices;
mod losses;
mod normalizations;
mod padding;
mod recurrent;
mod reductions;
mod resampling;

use super::patch::Patch;
use super::site::Site;
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{Editor, Model, Node, NodeId, Values};
use crate::semantics::facts::{Facts, Memo};
use crate::semantics::view::View;

/// The domain of the operators of ONNX Runtime.
const MICROSOFT: &str = "com.microsoft";

/// One repair.
pub(super) struct Repair {
    domain: &'static str,
    pub(super) operator: &'static str,
    /// Whether a node of it needs the repair.
    applies: fn(&Site) -> bool,
    mend: fn(Patch<'_, '_>),
}

impl Repair {
    /// Of an operator of ONNX.
    const fn of(
        operator: &'static str,
        applies: fn(&Site) -> bool,
        mend: fn(Patch<'_, '_>),
    ) -> Repair {
        Repair {
            domain: "",
            operator,
            applies,
            mend,
        }
    }

    /// Of an operator of ONNX Runtime.
    const fn foreign(
        operator: &'static str,
        applies: fn(&Site) -> bool,
        mend: fn(Patch<'_, '_>),
    ) -> Repair {
        Repair {
            domain: MICROSOFT,
            ..Repair::of(operator, applies, mend)
        }
    }

    /// The operator with its domain.
    #[cfg(test)]
    pub(super) fn name(&self) -> String {
        match self.domain {
            "" => self.operator.to_string(),
            domain => format!("{domain}.{}", self.operator),
        }
    }

    fn is_of(&self, node: &Node) -> bool {
        node.op_type == self.operator
            && match self.domain {
                "" => node.in_default_domain(),
                domain => node.domain == domain,
            }
    }
}

/// A repair that every node of the operator needs.
fn always(_: &Site) -> bool {
    true
}

/// What no engine has.
pub(super) const ALL: &[&[Repair]] = &[draws::ALL, dropouts::ALL];

/// What tract alone lacks, or reads wrongly.
pub(super) const TRACT: &[&[Repair]] = &[
    arithmetic::ALL,
    attention::ALL,
    fused::ALL,
    indices::ALL,
    losses::ALL,
    normalizations::ALL,
    padding::ALL,
    recurrent::ALL,
    reductions::ALL,
    resampling::ALL,
];

/// Makes some repairs: first of operators of other domains, then of those of ONNX that take their places.
///
/// # Errors
/// A repair left a value without a producer, which is a bug in it.
pub(super) fn mend(model: &mut Model, repairs: &[&Repair], opset: i64) -> Result<()> {
    let (own, foreign): (Vec<&Repair>, _) = repairs.iter().partition(|r| r.domain.is_empty());
    once(model, &foreign, opset)?;
    once(model, &own, opset)
}

fn once(model: &mut Model, repairs: &[&Repair], opset: i64) -> Result<()> {
    let named: HashSet<&[u8]> = repairs.iter().map(|r| r.operator.as_bytes()).collect();
    let asks = |node: &Node| named.contains(node.op_type.as_bytes());
    if !model.nodes().any(|(_, node)| asks(node)) {
        return Ok(());
    }
    let values = Values::new(model);
    let memo = Memo::default();
    let facts = Facts::new(View::new(model, &values), &memo);
    let found = model.nodes().filter(|(_, node)| asks(node));
    let found = found.filter_map(|(id, node)| {
        let mut repairs = repairs
            .iter()
            .filter(|repair| repair.is_of(node))
            .peekable();
        repairs.peek()?;
        let site = Site::with_facts(facts, id, opset);
        let repair = repairs.find(|repair| (repair.applies)(&site))?;
        Some((id, site, *repair))
    });
    let found: Vec<(NodeId, Site, &Repair)> = found.collect();
    if found.is_empty() {
        return Ok(());
    }
    let mut editor = Editor::new(model, values);
    for (id, site, repair) in found {
        (repair.mend)(Patch::new(&mut editor, id, site));
    }
    editor.finish()
}
