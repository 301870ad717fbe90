//! What operators make of forms.

use super::form::{Curve, Data, Element, Form, truth};

/// What came of an operator.
pub(super) enum Applied {
    /// Still of the form.
    Form(Form),
    /// The draw chooses between different data: no dropout, whatever its parts look like.
    Mixed,
    /// Something else.
    Opaque,
}

/// Operators that move elements about and change none.
const LAYOUT: &[&str] = &[
    "Identity",
    "Transpose",
    "Reshape",
    "Expand",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Tile",
    "Cast",
    "CastLike",
];

/// Operators that take some elements: of draws that are alike, draws that are alike.
const SELECTION: &[&str] = &["Slice", "Gather", "Split", "DepthToSpace", "SpaceToDepth"];

/// True of operators that move elements about and change none; of casts, as far as their type allows.
pub(super) fn is_layout(op_type: &str) -> bool {
    LAYOUT.contains(&op_type)
}

/// True of operators that cast elements.
pub(super) fn is_cast(op_type: &str) -> bool {
    matches!(op_type, "Cast" | "CastLike")
}

/// True of operators that take some elements of their first input.
pub(super) fn is_selection(op_type: &str) -> bool {
    SELECTION.contains(&op_type)
}

/// Operators on numbers that [`apply`] knows.
const ARITHMETIC: &[&str] = &[
    "Not",
    "Floor",
    "Ceil",
    "Round",
    "Sqrt",
    "Exp",
    "Log",
    "Abs",
    "Relu",
    "Sign",
    "Reciprocal",
    "Neg",
    "Sum",
    "Concat",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "Equal",
    "And",
    "Or",
    "Xor",
    "Min",
    "Max",
    "Pow",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Where",
];

/// False of operators that [`apply`] makes nothing of, whatever their inputs are.
pub(super) fn is_applied(op_type: &str, inputs: usize) -> bool {
    let arithmetic = ARITHMETIC.contains(&op_type) && inputs <= 3;
    arithmetic || is_layout(op_type) || is_selection(op_type)
}

/// A sum of different data: a choice, if never more than one of them counts; else only a sum.
fn mixed(x: &Form, y: &Form) -> Applied {
    let mut samples = x.samples.iter().zip(&y.samples);
    match samples.all(|(&(a, _), &(c, _))| a == 0.0 || c == 0.0) {
        true => Applied::Mixed,
        false => Applied::Opaque,
    }
}

/// An operator that reads one form; `None` if it is another operator. `to` is what a cast makes.
fn unary(op_type: &str, to: Option<Element>, x: &Form, inputs: usize) -> Option<Applied> {
    let same = x.curve;
    let steps = Curve::Steps;
    let form = match op_type {
        op if is_cast(op) && x.data.is_none() => x.cast_to(to),
        // data that is cast to integers is other data
        op if is_cast(op) && matches!(to, Some(Element::Integer | Element::Bool)) => None,
        op if is_layout(op) => Some(x.clone()),
        op if is_selection(op) && x.data.is_none() => Some(x.clone()),
        "Not" => x.each(steps, |b| truth(b == 0.0)),
        "Floor" => x.each(steps, f64::floor),
        "Ceil" => x.each(steps, f64::ceil),
        "Round" => x.each(steps, f64::round_ties_even),
        "Sign" => x.each(steps, |b| if b == 0.0 { 0.0 } else { b.signum() }),
        "Sqrt" => x.bent(f64::sqrt),
        "Exp" => x.bent(f64::exp),
        "Log" => x.bent(f64::ln),
        "Reciprocal" => x.bent(|b| 1.0 / b),
        "Abs" => x.each(same, f64::abs),
        "Relu" => x.each(same, |b| b.max(0.0)),
        "Neg" => Some(Form {
            samples: x.samples.iter().map(|&(a, b)| (-a, -b)).collect(),
            ..x.clone()
        }),
        "Sum" | "Concat" if inputs == 1 => Some(x.clone()),
        _ => return None,
    };
    Some(form.map_or(Applied::Opaque, Applied::Form))
}

/// An operator that reads two forms without data; `None` if it is another operator, or makes nothing
/// of them.
fn binary(op_type: &str, x: &Form, y: &Form, inputs: usize) -> Option<Form> {
    match op_type {
        "Less" => x.compared(y, |x, y| x < y),
        "LessOrEqual" => x.compared(y, |x, y| x <= y),
        "Greater" => x.compared(y, |x, y| x > y),
        "GreaterOrEqual" => x.compared(y, |x, y| x >= y),
        "Equal" => x.compared(y, |x, y| x == y),
        "And" => x.compared(y, |x, y| x != 0.0 && y != 0.0),
        "Or" => x.compared(y, |x, y| x != 0.0 || y != 0.0),
        "Xor" => x.compared(y, |x, y| (x != 0.0) != (y != 0.0)),
        "Min" if inputs == 2 => x.both(y, f64::min),
        "Max" if inputs == 2 => x.both(y, f64::max),
        "Pow" => {
            let steps = x.curve.max(y.curve) == Curve::Steps;
            steps.then(|| x.both(y, f64::powf)).flatten()
        }
        _ => None,
    }
}

/// Applies an elementwise operator; inputs that are absent or no form are `None`. `to` is what a cast
/// makes, if that is known.
pub(super) fn apply(op_type: &str, to: Option<Element>, inputs: &[Option<Form>]) -> Applied {
    let input = |i: usize| inputs.get(i).and_then(Option::as_ref);
    let Some(x) = input(0) else {
        return Applied::Opaque;
    };
    if let Some(applied) = unary(op_type, to, x, inputs.len()) {
        return applied;
    }
    let Some(y) = input(1) else {
        return Applied::Opaque;
    };
    if let Some(form) = binary(op_type, x, y, inputs.len()) {
        return Applied::Form(form);
    }
    let form = match op_type {
        "Sum" if inputs.len() == 2 => return apply("Add", None, inputs),
        "Add" | "Sub" => return added(op_type == "Sub", x, y),
        // dropped data meets other elements of its own mask
        "Mul" if x.moves_with(y).is_none() && (x.data.is_some() || y.data.is_some()) => {
            return Applied::Mixed;
        }
        "Mul" if y.data.is_none() => x.times(y),
        "Mul" if x.data.is_none() => y.times(x),
        "Div" if y.data.is_none() => x.over(y),
        "Where" if x.data.is_none() => match input(2) {
            Some(z) => return chosen(x, y, z),
            None => None,
        },
        _ => None,
    };
    form.map_or(Applied::Opaque, Applied::Form)
}

/// The data that two forms share; an error if they are of different data.
fn shared(x: &Form, y: &Form) -> Result<Option<Data>, ()> {
    match (&x.data, &y.data) {
        (Some(x), Some(y)) if x.value != y.value => Err(()),
        (x, y) => Ok(x.clone().or_else(|| y.clone())),
    }
}

/// True of the same data by different ways: its elements no longer meet themselves.
fn torn(x: &Form, y: &Form) -> bool {
    match (&x.data, &y.data) {
        (Some(x), Some(y)) => x.value == y.value && x.path != y.path,
        _ => false,
    }
}

/// The sum or difference of two forms.
fn added(minus: bool, x: &Form, y: &Form) -> Applied {
    if torn(x, y) && !x.complements(y) {
        return Applied::Opaque;
    }
    let form = match shared(x, y) {
        Err(()) => return mixed(x, y),
        Ok(_) if x.complements(y) => return Applied::Mixed,
        Ok(data) if minus => x.zip(y, data, |(a, b), (c, d)| (a - c, b - d)),
        Ok(data) => x.zip(y, data, |(a, b), (c, d)| (a + c, b + d)),
    };
    form.map_or(Applied::Opaque, Applied::Form)
}

/// What Where makes of three forms.
fn chosen(x: &Form, y: &Form, z: &Form) -> Applied {
    let all = |is: bool| x.samples.iter().all(|(_, b)| (*b != 0.0) == is);
    if all(false) {
        return Applied::Form(z.clone());
    }
    if all(true) {
        return Applied::Form(y.clone());
    }
    let data = match shared(y, z) {
        Ok(data) if !torn(y, z) => data,
        _ => return Applied::Mixed,
    };
    let moves = (y.zip(z, None, |y, _| y)).and_then(|both| both.moves_with(x));
    let (Some(mut form), Some(moves)) = (y.zip(z, data, |y, _| y), moves) else {
        return Applied::Opaque;
    };
    form.moves = moves;
    for (i, sample) in form.samples.iter_mut().enumerate() {
        if x.samples[i].1 == 0.0 {
            *sample = z.samples[i];
        }
    }
    Applied::Form(form)
}
