//! Parameters that are attributes in older versions of an operator and inputs in newer ones.

use crate::onnx::AttributeValue;
use crate::semantics::facts::Facts;
use crate::semantics::operator::schema;
use crate::semantics::view::NodeRef;

use super::attributes::agree_besides;
use super::expression::Expression;
use super::sides::Sides;

/// What a parameter is.
#[derive(Debug, PartialEq)]
enum Parameter {
    Absent,
    Integers(Vec<i64>),
    Number(f64),
}

/// True of two versions of an operator, one with attributes where the other has inputs, and with the same
/// parameters.
pub(super) fn agree(sides: &Sides<'_, '_>, (old, new): (Expression, Expression)) -> bool {
    let (before, after) = (sides.before, sides.after);
    let (Some(one), Some(other)) = (before.node(old), after.node(new)) else {
        return false;
    };
    let (one, other) = (before.view.node(one), after.view.node(other));
    let (facts, others) = (before.facts, after.facts);
    let Some((_, names)) = schema::moved(one.op()).filter(|_| one.op() == other.op()) else {
        return false;
    };
    let written = |facts, node| parameters(facts, node, names);
    let (Some(was), Some(is)) = (written(facts, one), written(others, other)) else {
        return false;
    };
    was == is && agree_besides(one, other, |name| names.contains(&name))
}

/// The parameters of a node; `None` if one is not known, or the node has more inputs than these.
fn parameters(facts: Facts<'_>, node: NodeRef<'_>, names: &[&str]) -> Option<Vec<Parameter>> {
    let count = 1 + names.len();
    let steps = match node.input(count) {
        Some(_) if node.is("Slice") => facts.integers(node.id, count, "steps")?,
        Some(_) => return None,
        None => Vec::new(),
    };
    if steps.iter().any(|&step| step != 1)
        || node.inputs().skip(count + 1).flatten().next().is_some()
    {
        return None;
    }
    let names = names.iter().zip(1..);
    let given = names.map(|(name, input)| parameter(facts, node, (input, name)));
    let mut given: Vec<Parameter> = given.collect::<Option<_>>()?;
    match &mut given[..] {
        [Parameter::Integers(starts), _, axes @ Parameter::Absent] if node.is("Slice") => {
            *axes = Parameter::Integers((0..starts.len() as i64).collect());
        }
        [_, value @ Parameter::Absent] if node.is("Pad") => *value = Parameter::Number(0.0),
        _ => {}
    }
    Some(given)
}

fn parameter(
    facts: Facts<'_>,
    node: NodeRef<'_>,
    (input, name): (usize, &str),
) -> Option<Parameter> {
    let opset = node.view().model.opset(node.graph(), "").unwrap_or(0);
    let attribute = node.attribute(name);
    match attribute.filter(|given| !schema::is_default(node.op(), opset, given)) {
        Some(given) => match &given.value {
            AttributeValue::Ints(all) => Some(Parameter::Integers(all.clone())),
            AttributeValue::Int(one) => Some(Parameter::Integers(vec![*one])),
            AttributeValue::Float(number) => Some(Parameter::Number(f64::from(*number))),
            _ => None,
        },
        None => {
            let Some(value) = node.input(input) else {
                return Some(Parameter::Absent);
            };
            if value.element_type()?.is_float() {
                let known = facts.constant(value.id)?;
                return Some(Parameter::Number(known.value));
            }
            facts
                .integers(node.id, input, name)
                .map(Parameter::Integers)
        }
    }
}
