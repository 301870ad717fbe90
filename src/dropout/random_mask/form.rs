//! What a value is as a function of a random draw u and of data x: `a(u)·x + b(u)`, sampled.

use crate::onnx::{NodeId, ValueId};

/// A value that depends on a draw, at some samples of it.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// `a` and `b` at each sample.
    pub samples: Vec<(f64, f64)>,
    /// x; `None` where the value depends on no data.
    pub data: Option<Data>,
}

/// The x of a form.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Data {
    pub value: ValueId,
    /// What moved its elements about since, or cast them: Transpose, Reshape and the like, in order.
    pub path: Vec<NodeId>,
}

impl Form {
    /// The same number at every sample.
    pub fn constant(number: f64, samples: usize) -> Form {
        Form {
            samples: vec![(0.0, number); samples],
            data: None,
        }
    }

    /// The data itself.
    pub fn data(value: ValueId, samples: usize) -> Form {
        Form {
            samples: vec![(1.0, 0.0); samples],
            data: Some(Data {
                value,
                path: Vec::new(),
            }),
        }
    }

    /// The form behind an operator that moves its elements about.
    pub fn moved(mut self, by: NodeId) -> Form {
        if let Some(data) = &mut self.data {
            data.path.push(by);
        }
        self
    }

    /// The draw itself.
    pub fn draw(samples: &[f64]) -> Form {
        Form {
            samples: samples.iter().map(|&u| (0.0, u)).collect(),
            data: None,
        }
    }

    /// A multiple of it, if it depends on no data.
    pub fn scaled(&self, factor: f64) -> Option<Form> {
        self.each(|b| b * factor)
    }

    fn each(&self, f: impl Fn(f64) -> f64) -> Option<Form> {
        self.data.is_none().then(|| Form {
            samples: self.samples.iter().map(|&(_, b)| (0.0, f(b))).collect(),
            data: None,
        })
    }

    fn both(&self, other: &Form, f: impl Fn(f64, f64) -> f64) -> Option<Form> {
        let free = self.data.is_none() && other.data.is_none();
        free.then(|| Form {
            samples: (self.samples.iter().zip(&other.samples))
                .map(|(&(_, x), &(_, y))| (0.0, f(x, y)))
                .collect(),
            data: None,
        })
    }

    /// True if each is data where the other is dropped: a choice between two forms of the data.
    fn complements(&self, other: &Form) -> bool {
        let pairs = || self.samples.iter().zip(&other.samples);
        pairs().any(|(x, _)| x.0 == 0.0)
            && pairs().any(|(_, y)| y.0 == 0.0)
            && pairs().all(|(x, y)| (x.0 == 0.0) != (y.0 == 0.0))
            && self.data.is_some()
            && other.data.is_some()
    }

    fn zip(
        &self,
        other: &Form,
        data: Option<Data>,
        f: impl Fn((f64, f64), (f64, f64)) -> (f64, f64),
    ) -> Form {
        let pairs = self.samples.iter().zip(&other.samples);
        Form {
            samples: pairs.map(|(&x, &y)| f(x, y)).collect(),
            data,
        }
    }
}

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

/// True of operators that move elements about and change none.
pub(super) fn is_layout(op_type: &str) -> bool {
    LAYOUT.contains(&op_type)
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

/// Applies an elementwise operator; inputs that are absent or no form are `None`.
pub(super) fn apply(op_type: &str, to_integer: bool, inputs: &[Option<Form>]) -> Applied {
    let input = |i: usize| inputs.get(i).and_then(Option::as_ref);
    let Some(x) = input(0) else {
        return Applied::Opaque;
    };
    let truth = |t: bool| f64::from(u8::from(t));
    let one: Option<Option<Form>> = match op_type {
        "Cast" if to_integer && x.data.is_none() => Some(x.each(f64::trunc)),
        op if is_layout(op) => return Applied::Form(x.clone()),
        op if is_selection(op) && x.data.is_none() => return Applied::Form(x.clone()),
        "Not" => Some(x.each(|b| truth(b == 0.0))),
        "Floor" => Some(x.each(f64::floor)),
        "Ceil" => Some(x.each(f64::ceil)),
        "Round" => Some(x.each(f64::round_ties_even)),
        "Sqrt" => Some(x.each(f64::sqrt)),
        "Exp" => Some(x.each(f64::exp)),
        "Log" => Some(x.each(f64::ln)),
        "Abs" => Some(x.each(f64::abs)),
        "Relu" => Some(x.each(|b| b.max(0.0))),
        "Sign" => Some(x.each(|b| if b == 0.0 { 0.0 } else { b.signum() })),
        "Reciprocal" => Some(x.each(|b| 1.0 / b)),
        "Neg" => Some(Some(Form {
            samples: x.samples.iter().map(|&(a, b)| (-a, -b)).collect(),
            data: x.data.clone(),
        })),
        "Sum" | "Concat" if inputs.len() == 1 => Some(Some(x.clone())),
        _ => None,
    };
    if let Some(one) = one {
        return one.map_or(Applied::Opaque, Applied::Form);
    }
    let Some(y) = input(1) else {
        return Applied::Opaque;
    };
    let compared = match op_type {
        "Less" => x.both(y, |x, y| truth(x < y)),
        "LessOrEqual" => x.both(y, |x, y| truth(x <= y)),
        "Greater" => x.both(y, |x, y| truth(x > y)),
        "GreaterOrEqual" => x.both(y, |x, y| truth(x >= y)),
        "Equal" => x.both(y, |x, y| truth(x == y)),
        "And" => x.both(y, |x, y| truth(x != 0.0 && y != 0.0)),
        "Or" => x.both(y, |x, y| truth(x != 0.0 || y != 0.0)),
        "Xor" => x.both(y, |x, y| truth((x != 0.0) != (y != 0.0))),
        "Min" if inputs.len() == 2 => x.both(y, f64::min),
        "Max" if inputs.len() == 2 => x.both(y, f64::max),
        "Pow" => x.both(y, f64::powf),
        _ => None,
    };
    if let Some(form) = compared {
        return Applied::Form(form);
    }
    let shared = |x: &Form, y: &Form| match (&x.data, &y.data) {
        (Some(x), Some(y)) if x.value != y.value => Err(()),
        (x, y) => Ok(x.clone().or_else(|| y.clone())),
    };
    // the same data by different ways: its elements no longer meet themselves
    let torn = |x: &Form, y: &Form| match (&x.data, &y.data) {
        (Some(x), Some(y)) => x.value == y.value && x.path != y.path,
        _ => false,
    };
    let form = match op_type {
        "Add" | "Sub" if torn(x, y) && !x.complements(y) => return Applied::Opaque,
        "Add" | "Sub" => match shared(x, y) {
            Err(()) => return mixed(x, y),
            Ok(_) if x.complements(y) => return Applied::Mixed,
            Ok(data) if op_type == "Add" => x.zip(y, data, |(a, b), (c, d)| (a + c, b + d)),
            Ok(data) => x.zip(y, data, |(a, b), (c, d)| (a - c, b - d)),
        },
        "Sum" if inputs.len() == 2 => return apply("Add", false, inputs),
        "Mul" if y.data.is_none() => x.zip(y, x.data.clone(), |(a, b), (_, d)| (a * d, b * d)),
        "Mul" if x.data.is_none() => x.zip(y, y.data.clone(), |(_, b), (c, d)| (b * c, b * d)),
        "Div" if y.data.is_none() => x.zip(y, x.data.clone(), |(a, b), (_, d)| (a / d, b / d)),
        "Where" if x.data.is_none() => {
            let Some(z) = input(2) else {
                return Applied::Opaque;
            };
            let chosen = x.samples.iter().filter(|(_, b)| *b != 0.0).count();
            match chosen {
                0 => return Applied::Form(z.clone()),
                all if all == x.samples.len() => return Applied::Form(y.clone()),
                _ => {}
            }
            let data = match shared(y, z) {
                Ok(data) if !torn(y, z) => data,
                _ => return Applied::Mixed,
            };
            let mut form = y.zip(z, data, |y, _| y);
            for (i, sample) in form.samples.iter_mut().enumerate() {
                if x.samples[i].1 == 0.0 {
                    *sample = z.samples[i];
                }
            }
            form
        }
        _ => return Applied::Opaque,
    };
    Applied::Form(form)
}
