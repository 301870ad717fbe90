//! The possible readings of an output as a classifier's.

use super::counter::{Counter, Demand};
use super::{ClassSpec, Numbers, Taken};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Name;
use crate::semantics::view::{ValueRef, View};

/// What an output of this shape may be, the likeliest first: the first that fits every run is what it
/// is. `sigmoid`: that comes last in the graph.
///
/// # Errors
/// The output has no such axis, or not two classes along it.
pub(in crate::sample) fn candidates(
    name: &str,
    shape: &[usize],
    spec: Option<&ClassSpec>,
    sigmoid: bool,
) -> Result<Vec<Counter>> {
    let axes = axes(name, shape, spec)?;
    let of = |numbers, demand| {
        let axes = axes.iter().copied();
        axes.filter_map(move |axis| Counter::new(shape, numbers, Some(axis), demand))
    };
    let each = |numbers, demand| Counter::new(shape, numbers, None, demand).into_iter();
    let mut seen: Vec<Counter> = of(Numbers::Probabilities, Demand::Probabilities)
        .chain(of(Numbers::Logits, Demand::Logarithms))
        .collect();
    let found: Vec<Counter> = match spec.map(|spec| spec.taken) {
        Some(Taken::Nothing) => return Ok(Vec::new()),
        Some(Taken::As(Numbers::Binary)) => each(Numbers::Binary, Demand::Probabilities).collect(),
        Some(Taken::As(Numbers::BinaryLogits)) => {
            each(Numbers::BinaryLogits, Demand::None).collect()
        }
        Some(Taken::As(Numbers::Probabilities)) => {
            of(Numbers::Probabilities, Demand::Probabilities).collect()
        }
        Some(Taken::As(Numbers::Logits)) => of(Numbers::Logits, Demand::None).take(1).collect(),
        Some(Taken::Classes) => {
            seen.extend(of(Numbers::Logits, Demand::None).take(1));
            seen
        }
        None => {
            // one number a row: more may be questions as well as pixels
            if sigmoid && shape.last() == Some(&1) {
                seen.extend(each(Numbers::Binary, Demand::Probabilities));
            }
            return Ok(seen);
        }
    };
    match found.is_empty() {
        true => Err(refusal(
            name,
            shape,
            "the axis of the classes must have at least 2 elements",
        )),
        false => Ok(found),
    }
}

/// The axes that classes may be along.
fn axes(name: &str, shape: &[usize], spec: Option<&ClassSpec>) -> Result<Vec<usize>> {
    let rank = shape.len();
    match spec.and_then(|spec| spec.axis) {
        Some(axis) => {
            let from_start = match axis < 0 {
                true => i64::try_from(rank)
                    .ok()
                    .and_then(|rank| rank.checked_add(axis)),
                false => Some(axis),
            };
            let index = from_start.and_then(|axis| usize::try_from(axis).ok());
            match index.filter(|&index| index < rank) {
                Some(index) => Ok(vec![index]),
                None => Err(refusal(name, shape, &format!("there is no axis {axis}"))),
            }
        }
        None => {
            let mut axes: Vec<usize> = rank.checked_sub(1).into_iter().collect();
            if rank > 2 {
                axes.push(1);
            }
            Ok(axes)
        }
    }
}

fn refusal(name: &str, shape: &[usize], why: &str) -> Error {
    let why = format!("output {name}{shape:?} is not a classifier: {why}");
    Error::new(ErrorKind::Usage, why)
}

/// Operators whose output is their data, perhaps in another type or shape.
const SAME: &[&str] = &[
    "Cast",
    "Dropout",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
];

/// True of an output of the model that a sigmoid makes, perhaps in another type or shape.
pub(in crate::sample) fn is_sigmoid(view: View<'_>, output: &str) -> bool {
    let mut at = view.lookup(view.model.main(), &Name::from(output));
    while let Some((producer, 0)) = at.and_then(ValueRef::producer) {
        if producer.is("Sigmoid") {
            return true;
        }
        if !SAME.contains(&producer.op()) {
            return false;
        }
        at = producer.input(0);
    }
    false
}
