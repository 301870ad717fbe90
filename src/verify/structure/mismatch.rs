//! Where two expressions part: for people.

use super::expression::{Expression, Expressions, Tag};
use super::numbering::Numbering;

/// How far the difference is followed.
const STEPS: usize = 10_000;

/// Follows two different expressions towards their inputs, as long as exactly the inputs differ,
/// and says what stands where they part.
pub(super) fn explain(
    expressions: &Expressions,
    before: &Numbering<'_>,
    after: &Numbering<'_>,
    mut old: Expression,
    mut new: Expression,
) -> String {
    for _ in 0..STEPS {
        match step(expressions, old, new) {
            Some((old_input, new_input)) => (old, new) = (old_input, new_input),
            None => break,
        }
    }
    let (was, is) = (
        describe(expressions, before, old),
        describe(expressions, after, new),
    );
    if was == is {
        format!("parts at {was}, which differs in attributes, constants or what stands inside it")
    } else {
        format!("is computed from {was} before and from {is} after")
    }
}

/// The first pair of inputs that differ, if the two are otherwise the same application.
fn step(
    expressions: &Expressions,
    old: Expression,
    new: Expression,
) -> Option<(Expression, Expression)> {
    let unwrap = |tag| Some((expressions.words(old, tag)?, expressions.words(new, tag)?));
    if let Some((old, new)) = unwrap(Tag::Output).or_else(|| unwrap(Tag::Draw)) {
        return (old[1] == new[1] && old[0] != new[0])
            .then_some((Expression(old[0]), Expression(new[0])));
    }
    if let Some((old, new)) = unwrap(Tag::Ones) {
        return (old[0] != new[0]).then_some((Expression(old[0]), Expression(new[0])));
    }
    let (old, new) = unwrap(Tag::Apply)?;
    let (old, new) = (inputs(old)?, inputs(new)?);
    if old.head != new.head || old.tail != new.tail || old.inputs.len() != new.inputs.len() {
        return None;
    }
    let mut pairs = old.inputs.iter().zip(new.inputs);
    let (old, new) = pairs.find(|(old, new)| old != new)?;
    Some((Expression(*old), Expression(*new)))
}

struct Parts<'a> {
    head: &'a [u32],
    inputs: &'a [u32],
    tail: &'a [u32],
}

/// Takes the key of an application apart: operator, domain, overload, outputs, then a function's
/// body (1, number) or a version (0, two words), the inputs and the attributes.
fn inputs(words: &[u32]) -> Option<Parts<'_>> {
    let count_at = match *words.get(4)? {
        1 => 6,
        _ => 7,
    };
    let count = *words.get(count_at)? as usize;
    let first = count_at + 1;
    Some(Parts {
        head: &words[..count_at],
        inputs: words.get(first..first + count)?,
        tail: words.get(first + count..)?,
    })
}

fn describe(expressions: &Expressions, side: &Numbering<'_>, expression: Expression) -> String {
    let has = |tag| expressions.words(expression, tag);
    let of_output = has(Tag::Output).map(|words| Expression(words[0]));
    if let Some(&id) = side.nodes.get(&of_output.unwrap_or(expression)) {
        let node = side.model.node(id);
        return format!("{} `{}`", node.op_type, side.model.label(id));
    }
    let what = [
        (Tag::Input, "a graph input"),
        (Tag::Formal, "an input of its graph"),
        (Tag::Constant, "a constant"),
        (Tag::Sparse, "a sparse constant"),
        (Tag::Ones, "a mask of ones"),
        (Tag::Absent, "nothing"),
        (Tag::Body, "the graph inside"),
        (Tag::Function, "the function"),
        (Tag::Binding, "the binding"),
    ];
    let known = what.iter().find(|(tag, _)| has(*tag).is_some());
    known.map_or("something else", |(_, word)| word).to_string()
}
