//! One step from two different expressions towards what they are made of.

use super::attributes::{agree, has_floats};
use super::difference::Kind;
use super::expression::{Expression, Expressions, Tag};
use super::numbering::Numbering;
use super::sides::Sides;
use crate::hash::HashSet;

/// What differs in two expressions.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Their parts that differ, pair by pair.
    pub inputs: Vec<(Expression, Expression)>,
    /// What differs besides.
    pub own: Option<Kind>,
    /// Whether both apply versions of one operator.
    pub versions: bool,
}

impl Step {
    fn of(inputs: Vec<(Expression, Expression)>) -> Step {
        Step {
            inputs,
            ..Step::default()
        }
    }

    fn own(kind: Kind) -> Step {
        Step {
            own: Some(kind),
            ..Step::default()
        }
    }
}

/// One step into two different expressions.
pub(super) fn step(sides: &Sides<'_, '_>, (old, new): (Expression, Expression)) -> Step {
    let expressions = &sides.shared.expressions;
    let both = |tag| Some((expressions.words(old, tag)?, expressions.words(new, tag)?));
    if let Some((old, new)) = both(Tag::Output).or_else(|| both(Tag::Draw)) {
        return match old[1] == new[1] {
            true => Step::of(differing(&old[..1], &new[..1])),
            false => Step::own(Kind::Operators),
        };
    }
    if let Some((old, new)) = both(Tag::Ones) {
        return match old[1] == new[1] {
            true => Step::of(differing(&old[..1], &new[..1])),
            false => Step::own(Kind::Constant),
        };
    }
    if let Some((old, new)) = both(Tag::Body) {
        return match old.len() == new.len() && old[0] == new[0] {
            true => Step::of(differing(&old[1..], &new[1..])),
            false => Step::own(Kind::Operators),
        };
    }
    if let Some((old, new)) = both(Tag::Function) {
        return Step {
            inputs: differing(&old[..1], &new[..1]),
            own: (old[1..] != new[1..]).then_some(Kind::Attributes),
            versions: false,
        };
    }
    if let Some((old, new)) = both(Tag::Input) {
        return match old[0] == new[0] {
            true => Step::own(Kind::Constant), // their defaults
            false => Step::own(Kind::Operators),
        };
    }
    if both(Tag::Constant).or_else(|| both(Tag::Sparse)).is_some() {
        return Step::own(Kind::Constant);
    }
    applications(sides, old, new).unwrap_or_else(|| Step::own(Kind::Operators))
}

/// A step into two applications of one operator to as many inputs; `None` of any others.
fn applications(sides: &Sides<'_, '_>, old: Expression, new: Expression) -> Option<Step> {
    let expressions = &sides.shared.expressions;
    let (was, is) = (parts(expressions, old)?, parts(expressions, new)?);
    if was.operator != is.operator || was.inputs.len() != is.inputs.len() {
        return None;
    }
    let mut step = Step::default();
    match (was.function, is.function) {
        (Some(was), Some(is)) => step.inputs.extend(differing(&[was], &[is])),
        (None, None) => {
            step.versions = was.version != is.version;
            step.own = step.versions.then_some(Kind::Operators);
        }
        _ => return None,
    }
    compare_inputs(sides, (old, new), (was.inputs, is.inputs), &mut step);
    if was.attributes != is.attributes {
        let bodies: Vec<_> = bodies(sides.before, old)
            .zip(bodies(sides.after, new))
            .collect();
        let graphs = only_bodies_differ(was.attributes, is.attributes, &bodies);
        let chosen = matches!(operator(sides.before, old), Some("If" | "Loop" | "Scan"));
        let nodes = (sides.before.node(old), sides.after.node(new));
        step.own = step.own.max(match (graphs, nodes) {
            (true, _) => chosen.then_some(Kind::Branch),
            (false, (Some(one), Some(other)))
                if agree((sides.before.facts, one), (sides.after.facts, other)) =>
            {
                None
            }
            (false, _) => Some(Kind::Attributes),
        });
        step.inputs
            .extend(bodies.into_iter().filter(|(was, is)| was != is));
    }
    Some(step)
}

/// True if the words of attributes differ in graphs alone. The words of an attribute are those of its kind:
/// where two words differ that are not the graphs in its place, something else does.
fn only_bodies_differ(was: &[u32], is: &[u32], bodies: &[(Expression, Expression)]) -> bool {
    let is_body = |pair: (&u32, &u32)| bodies.contains(&(Expression(*pair.0), Expression(*pair.1)));
    was.len() == is.len()
        && was
            .iter()
            .zip(is)
            .all(|pair| pair.0 == pair.1 || is_body(pair))
}

/// Adds the inputs of two applications that differ to a step.
fn compare_inputs(
    sides: &Sides<'_, '_>,
    (old, new): (Expression, Expression),
    (was, is): (&[u32], &[u32]),
    step: &mut Step,
) {
    let selects = operator(sides.before, old) == Some("Where");
    let exchanged = exchanged(sides, old, was, is);
    let others = exchanged.as_ref().map_or(is, |inputs| &inputs[..]);
    // an attribute that is an input in a later opset
    let written = |side: &Numbering<'_>, node: Expression, input| {
        let node = side.node(node).map(|id| side.view.node(id));
        node.is_some_and(|node| node.input(input).is_none())
    };
    for (index, pair) in was.iter().zip(others).enumerate() {
        if pair.0 != pair.1 {
            if written(sides.before, old, index) && written(sides.after, new, index) {
                step.own = step.own.max(Some(Kind::Attributes));
                continue;
            }
            step.inputs.push((Expression(*pair.0), Expression(*pair.1)));
            if selects && index > 0 {
                step.own = step.own.max(Some(Kind::Branch));
            }
        }
    }
}

/// The inputs of a commutative operator in the other order, if one of them is then the same.
fn exchanged(sides: &Sides<'_, '_>, old: Expression, was: &[u32], is: &[u32]) -> Option<[u32; 2]> {
    let node = sides.before.view.node(sides.before.node(old)?);
    let (&[a, b], &[c, d]) = (was, is) else {
        return None;
    };
    let crosswise = (a == d || b == c) && a != c && b != d;
    let commutative = node
        .operator()
        .is_some_and(|operator| operator.is_commutative(2));
    (crosswise && commutative && node.attributes.is_empty()).then_some([d, c])
}

/// The expressions that only one side of these pairs is made of, for each side.
pub(super) fn exclusive(
    sides: &Sides<'_, '_>,
    leaves: &[(Expression, Expression)],
) -> [HashSet<Expression>; 2] {
    let old = reached(
        sides,
        sides.before,
        leaves.iter().map(|pair| pair.0).collect(),
    );
    let new = reached(
        sides,
        sides.after,
        leaves.iter().map(|pair| pair.1).collect(),
    );
    let only = |one: &HashSet<_>, other| one.difference(other).copied().collect();
    [only(&old, &new), only(&new, &old)]
}

/// What a run has to reach of an expression that only one side is made of.
pub(super) fn kind(sides: &Sides<'_, '_>, side: &Numbering<'_>, expression: Expression) -> Kind {
    let has = |tag| sides.shared.expressions.words(expression, tag).is_some();
    let passes = |id| {
        let node = side.view.node(id);
        let operator = node.operator();
        operator.is_some_and(|operator| operator.passable(node.inputs.len()) > 0)
    };
    match operator(side, expression) {
        Some("If" | "Loop" | "Scan" | "Where") => Kind::Branch,
        Some(_) if side.node(expression).is_some_and(passes) => Kind::Branch,
        _ if has(Tag::Constant) || has(Tag::Sparse) => Kind::Constant,
        Some(_)
            if side
                .node(expression)
                .is_some_and(|node| has_floats(side.view.node(node))) =>
        {
            Kind::Attributes
        }
        _ => Kind::Operators,
    }
}

/// All that expressions of one model are made of.
fn reached(
    sides: &Sides<'_, '_>,
    side: &Numbering<'_>,
    mut open: Vec<Expression>,
) -> HashSet<Expression> {
    let expressions = &sides.shared.expressions;
    let mut reached = HashSet::default();
    while let Some(expression) = open.pop() {
        if !reached.insert(expression) {
            continue;
        }
        let has = |tag| expressions.words(expression, tag);
        for tag in [Tag::Output, Tag::Draw, Tag::Ones, Tag::Function] {
            open.extend(has(tag).map(|words| Expression(words[0])));
        }
        open.extend(has(Tag::Input).map(|words| Expression(words[1])));
        open.extend(
            has(Tag::Body)
                .iter()
                .flat_map(|words| &words[1..])
                .map(|&e| Expression(e)),
        );
        if let Some(parts) = parts(expressions, expression) {
            open.extend(parts.function.into_iter().map(Expression));
            open.extend(parts.inputs.iter().map(|&input| Expression(input)));
            open.extend(bodies(side, expression));
        }
    }
    reached
}

fn differing(old: &[u32], new: &[u32]) -> Vec<(Expression, Expression)> {
    let pairs = old.iter().zip(new).filter(|(old, new)| old != new);
    pairs
        .map(|(&old, &new)| (Expression(old), Expression(new)))
        .collect()
}

/// The operator of ONNX that an application applies.
pub(super) fn operator<'m>(side: &Numbering<'m>, application: Expression) -> Option<&'m str> {
    let node = side.view.node(side.node(application)?);
    node.callee().is_none().then(|| node.op())
}

/// What the graphs in a node's attributes compute, by the names of these.
fn bodies<'a>(
    side: &'a Numbering<'_>,
    application: Expression,
) -> impl Iterator<Item = Expression> + 'a {
    let node = side.node(application).map(|id| side.view.model.node(id));
    let mut attributes: Vec<_> = node.iter().flat_map(|node| &node.attributes).collect();
    attributes.sort_by(|a, b| a.name.cmp(&b.name));
    let graphs = attributes
        .into_iter()
        .flat_map(|attribute| attribute.graphs());
    graphs.filter_map(|graph| side.bodies.get(graph).copied())
}

/// The parts of an application's key.
pub(super) struct Parts<'a> {
    /// Operator, domain, overload, number of outputs.
    operator: &'a [u32],
    /// The function that it calls.
    function: Option<u32>,
    version: &'a [u32],
    pub(super) inputs: &'a [u32],
    attributes: &'a [u32],
}

/// Takes the key of an application apart, and that of its operator: name, domain, overload, outputs, then
/// a function's body (1, number) or a version (0, two words), and the attributes.
pub(super) fn parts(expressions: &Expressions, application: Expression) -> Option<Parts<'_>> {
    let (&applied, inputs) = expressions.words(application, Tag::Apply)?.split_first()?;
    let words = expressions.words(Expression(applied), Tag::Operator)?;
    let (operator, rest) = words.split_at_checked(4)?;
    let (&calls, rest) = rest.split_first()?;
    let (head, attributes) = rest.split_at_checked(if calls == 1 { 1 } else { 2 })?;
    let (function, version) = match calls {
        1 => (Some(head[0]), &head[1..]),
        _ => (None, head),
    };
    Some(Parts {
        operator,
        function,
        version,
        inputs,
        attributes,
    })
}
