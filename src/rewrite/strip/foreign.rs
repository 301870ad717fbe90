//! Removing dropout operators of other domains: their inference form stays, in operators of ONNX.

use smallvec::smallvec;

use crate::dropout::Site;
use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, Name, Node};
use crate::rewrite::Reason;
use crate::semantics::facts::Facts;
use crate::semantics::foreign::{ForeignDropout, Inference, softmax_axis};
use crate::semantics::view::NodeRef;

use super::operator;
use super::removal::Strip;

/// Why an operator cannot be replaced.
pub(super) fn refusal(facts: Facts<'_>, site: &Site) -> Option<Reason> {
    let node = facts.view().node(site.nodes[0]);
    let foreign = site.foreign?;
    let op = &node.op_type;
    if site.is_classic() {
        let why = format!("classic dropout scales by 1-p, and {op} is inverted dropout");
        return Some(Reason::Inexpressible(why.into()));
    }
    if ForeignDropout::has_other_results(node) {
        let why =
            format!("other outputs of {op} than its result are used, and ONNX has none like them");
        return Some(Reason::Shared(why.into()));
    }
    if foreign.inference == Inference::Identity {
        return None;
    }
    let opset = facts.view().model.opset(site.graph, "").unwrap_or(0);
    // Add broadcasts from opset 7 on
    if opset < 7 {
        let why = format!("its inference form needs opset 7 or later, and the model has {opset}");
        return Some(Reason::Inexpressible(why.into()));
    }
    let coerced = opset < 13 || foreign.inference == Inference::Sum;
    let is_last = || softmax_axis(node) == -1 || softmax_axis(node) == last_axis(facts, node);
    let why = "the axis of its Softmax is not known to be the last one, and from opset 13 on Softmax has \
               one axis";
    (!coerced && !is_last()).then(|| Reason::Shape(why.into()))
}

/// The last axis of the data of a node; less than any axis if its rank is unknown.
fn last_axis(facts: Facts<'_>, node: NodeRef<'_>) -> i64 {
    let rank = node.input(0).and_then(|data| facts.rank(data.id));
    rank.map_or(i64::MIN, |rank| rank as i64 - 1)
}

/// Replaces it with its inference form.
pub(super) fn remove(strip: &mut Strip<'_>, site: &Site) -> Result<()> {
    let id = site.nodes[0];
    operator::pass_gradients(strip, id)?;
    let node = strip.editor.view().node(id);
    let mut steps = site
        .foreign
        .map_or_else(Vec::new, |foreign| steps(node, foreign));
    let (Some((last, term)), Some(output)) = (steps.pop(), node.output(0)) else {
        return operator::remove(strip, site, None);
    };
    let last = Node {
        name: node.name.clone(),
        outputs: smallvec![output.name.clone()],
        ..last
    };
    let hint = format!("{}/sum", output.name);
    let mut result = node.get().input(0).cloned().unwrap_or_default();
    strip.idle.extend(node.given().map(|(_, value)| value.id));
    let (editor, at) = (&mut strip.editor, (id.graph, Some(id)));
    editor.remove_node(id);
    for (step, term) in steps {
        result = editor.put(at, &hint, step.on(std::iter::once(result).chain(term)));
    }
    editor.insert_node(at.0, at.1, last.on(std::iter::once(result).chain(term)));
    Ok(())
}

/// The operators of an inference form: each is applied to the result of the one before, or the data, and
/// perhaps a second input.
fn steps(node: NodeRef<'_>, foreign: &ForeignDropout) -> Vec<(Node, Option<Name>)> {
    let terms = foreign.terms(node).skip(1);
    let mut steps: Vec<_> = terms
        .map(|term| (Node::new("Add"), Some(term.name.clone())))
        .collect();
    if foreign.inference == Inference::Softmax {
        let axis = Attribute::new("axis", AttributeValue::Int(softmax_axis(node)));
        steps.push((Node::new("Softmax").with(axis), None));
    }
    steps
}
