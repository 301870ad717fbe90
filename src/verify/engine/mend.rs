//! Repairs of the copy that is run: nodes that an engine lacks or reads wrongly, as nodes that it has. They are
//! the same in both models of a comparison. `docs/engines.md` lists them, and `tests/repairs` has a model for
//! each.

mod arithmetic;
mod attention;
mod body;
mod draws;
mod fused;
mod indices;
mod normalizations;
mod older;
mod outputs;
mod padding;
mod quantized;
mod recurrent;
mod site;

use std::collections::BTreeMap;

pub(super) use outputs::give_outputs;
pub(super) use recurrent::unread;

use super::Meaning;
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{Editor, Model, Node, Values};
use crate::semantics::facts::{Facts, Memo};
use crate::semantics::view::View;
use body::Fresh;
use site::Site;

/// The opset of a model, and what its dropout computes.
pub(super) type Setting = (i64, Meaning);

/// The domain of the operators of ONNX Runtime.
pub(super) const MICROSOFT: &str = "com.microsoft";

/// One repair.
pub(super) struct Repair {
    domain: &'static str,
    pub(super) operator: &'static str,
    /// Whether a node of it needs the repair.
    applies: fn(&Site<'_>) -> bool,
    with: With,
    /// What a reader should know if it was made.
    caveat: Option<&'static str>,
}

/// What takes the place of a node.
enum With {
    /// A body, as [`body`] describes it.
    Body(&'static str),
    /// One that depends on the node.
    Made(fn(&Site<'_>) -> String),
}

impl Repair {
    /// Of an operator of ONNX.
    const fn new(operator: &'static str, applies: fn(&Site<'_>) -> bool, with: With) -> Repair {
        Repair {
            domain: "",
            operator,
            applies,
            with,
            caveat: None,
        }
    }

    const fn of(
        operator: &'static str,
        applies: fn(&Site<'_>) -> bool,
        body: &'static str,
    ) -> Repair {
        Repair::new(operator, applies, With::Body(body))
    }

    const fn made(
        operator: &'static str,
        applies: fn(&Site<'_>) -> bool,
        body: fn(&Site<'_>) -> String,
    ) -> Repair {
        Repair::new(operator, applies, With::Made(body))
    }

    /// Of an operator of ONNX Runtime.
    const fn foreign(self) -> Repair {
        Repair {
            domain: MICROSOFT,
            ..self
        }
    }

    /// What takes the place of a node.
    fn nodes(&self, site: &Site<'_>, fresh: &mut Fresh) -> Vec<Node> {
        match &self.with {
            With::Body(text) => body::write(site, text, fresh),
            With::Made(text) => body::write(site, &text(site), fresh),
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
fn always(_: &Site<'_>) -> bool {
    true
}

/// What no engine has, or not as it is meant here.
pub(super) const ALL: &[&[Repair]] = &[arithmetic::UNDEFINED, draws::ALL, normalizations::TRAINING];

/// What tract alone lacks, or reads wrongly.
pub(super) const TRACT: &[&[Repair]] = &[
    arithmetic::ALL,
    attention::ALL,
    fused::ALL,
    indices::ALL,
    normalizations::ALL,
    older::ALL,
    padding::ALL,
    quantized::ALL,
    recurrent::ALL,
];

/// What ONNX Runtime alone lacks.
#[cfg(feature = "ort")]
pub(super) const ORT: &[Repair] = older::ORT;

/// Whether a node is a dropout or draws random numbers.
pub(super) fn draws(node: &Node) -> bool {
    draws::ALL.iter().any(|repair| repair.is_of(node))
}

/// Makes some repairs: first of operators of other domains, then of those of ONNX that take their places.
/// Returns what a reader should know.
///
/// # Errors
/// A body needs what a node lacks, and leaves a value without a producer.
pub(super) fn mend(
    model: &mut Model,
    repairs: &[&Repair],
    setting: Setting,
) -> Result<Vec<String>> {
    let (own, foreign): (Vec<&Repair>, _) = repairs.iter().partition(|r| r.domain.is_empty());
    let mut caveats: BTreeMap<&str, usize> = BTreeMap::new();
    for repairs in [foreign, own] {
        for caveat in once(model, &repairs, setting)? {
            *caveats.entry(caveat).or_default() += 1;
        }
    }
    let caveats = caveats.into_iter();
    Ok(caveats
        .map(|(caveat, n)| format!("{caveat} (×{n})"))
        .collect())
}

/// Makes repairs of one kind; the caveats of those that were made.
fn once(model: &mut Model, repairs: &[&Repair], setting: Setting) -> Result<Vec<&'static str>> {
    let named: HashSet<&[u8]> = repairs.iter().map(|r| r.operator.as_bytes()).collect();
    let asks = |node: &Node| named.contains(node.op_type.as_bytes());
    if !model.nodes().any(|(_, node)| asks(node)) {
        return Ok(Vec::new());
    }
    let values = Values::new(model);
    let memo = Memo::default();
    let facts = Facts::new(View::new(model, &values), &memo);
    let mut fresh = Fresh::new(model);
    let (mut planned, mut caveats) = (Vec::new(), Vec::new());
    for (id, node) in model.nodes().filter(|(_, node)| asks(node)) {
        let site = Site::new(facts, id, setting);
        let mut repairs = repairs.iter().filter(|repair| repair.is_of(node));
        if let Some(repair) = repairs.find(|repair| (repair.applies)(&site)) {
            planned.push((id, repair.nodes(&site, &mut fresh)));
            caveats.extend(repair.caveat);
        }
    }
    if planned.is_empty() {
        return Ok(caveats);
    }
    let mut editor = Editor::new(model, values);
    for (id, nodes) in planned {
        let next = editor.node_behind(id);
        editor.remove_node(id);
        for node in nodes {
            editor.insert_node(id.graph, next, node);
        }
    }
    editor.finish()?;
    Ok(caveats)
}
