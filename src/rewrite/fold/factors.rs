//! Which nodes are factors: products and quotients by a constant that is one number, or one for each
//! index of one axis.

use crate::error::Result;
use crate::onnx::NodeId;
use crate::rewrite::Reason;
use crate::semantics::view::{NodeRef, ValueRef};

use super::context::{Context, has_own_axis};
use super::factor::Factor;
use super::operand::{self, Numbers, numbers};

/// A Mul or Div by a constant.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub node: NodeId,
    /// Which input is the data; the other is the constant.
    pub data: usize,
    /// Its value, or why that is unknown.
    pub factor: Result<Factor, Reason>,
    /// The axis that its constant runs along, counted from the last one, even if all of it is one number.
    pub along: Option<usize>,
}

impl Candidate {
    /// The same, with its constant multiplied along that axis.
    pub fn merge(&mut self, divides: bool, by: &[f64]) {
        let Ok(factor) = &mut self.factor else {
            return;
        };
        let by = by.iter().map(|by| if divides { 1.0 / by } else { *by });
        let by: Vec<f64> = by.collect();
        if let [by] = by[..] {
            factor.elements.iter_mut().for_each(|own| *own *= by);
            return;
        }
        let own = factor.elements.iter().cycle();
        factor.elements = own.zip(&by).map(|(own, by)| own * by).collect();
        factor.axis = self.along;
    }
}

/// All factors, in file order.
///
/// # Errors
/// A constant cannot be read.
pub(super) fn find(context: &Context<'_>) -> Result<Vec<Candidate>> {
    let mut all = Vec::new();
    for node in context.view.nodes() {
        let inputs: &[usize] = match node.op() {
            "Mul" => &[1, 0],
            "Div" => &[1],
            _ => continue,
        };
        for &input in inputs {
            if let Some(candidate) = candidate(context, node, input)? {
                all.push(candidate);
                break;
            }
        }
    }
    Ok(all)
}

fn candidate(context: &Context<'_>, node: NodeRef<'_>, input: usize) -> Result<Option<Candidate>> {
    let data = 1 - input;
    let (Some(of), Some(by)) = (node.input(data), node.input(input)) else {
        return Ok(None);
    };
    // a product of two constants is a constant, and no factor of anything
    if !matches!(operand::constant(of), Ok(None)) {
        return Ok(None);
    }
    let candidate = |factor, along| Candidate {
        node: node.id,
        data,
        factor,
        along,
    };
    if let Err(why) = operand::constant(by) {
        return Ok(Some(candidate(Err(why), None)));
    }
    let Some(constant) = numbers(by)? else {
        return Ok(None);
    };
    let dims = &constant.dims;
    let long: Vec<usize> = (0..dims.len()).filter(|&axis| dims[axis] != 1).collect();
    let axis = match long[..] {
        [] => None,
        [axis] => Some(dims.len() - 1 - axis),
        _ => return Ok(None),
    };
    let factor = factor(context, node, of, (constant, axis));
    Ok(Some(candidate(factor, axis)))
}

/// What a constant multiplies the data by, if it leaves the data's shape as it is.
fn factor(
    context: &Context<'_>,
    node: NodeRef<'_>,
    data: ValueRef<'_>,
    (constant, axis): (Numbers, Option<usize>),
) -> Result<Factor, Reason> {
    let (name, facts) = (&data.get().name, context.facts);
    let (dims, mut elements) = (constant.dims, constant.elements);
    if axis.is_some() && has_own_axis(node) {
        return Err(Reason::Shape("it broadcasts along a new axis".into()));
    }
    if node.op() == "Div" {
        let inverse = |element: &mut f64| *element = 1.0 / *element;
        elements.iter_mut().for_each(inverse);
    }
    let mut odd = elements.iter().filter(|e| !e.is_finite() || **e == 0.0);
    if let Some(odd) = odd.next() {
        return Err(Reason::Rounding(format!("a factor of {odd}").into()));
    }
    match facts.rank(data.id) {
        _ if dims.is_empty() => {}
        Some(rank) if rank >= dims.len() => {}
        Some(_) => {
            let why = format!("broadcasting would add axes to `{name}`");
            return Err(Reason::Shape(why.into()));
        }
        None => {
            let why = format!("the rank of `{name}` is unknown");
            return Err(Reason::Unknown(why.into()));
        }
    }
    if let Some(axis) = axis {
        match context.size(data.id, axis) {
            Some(size) if size == elements.len() as i64 => {}
            Some(_) => {
                let why = format!("broadcasting would enlarge `{name}`");
                return Err(Reason::Shape(why.into()));
            }
            None => {
                let why = "is unknown, and broadcasting may enlarge it";
                let why = format!("the size of `{name}` along the factor {why}");
                return Err(Reason::Unknown(why.into()));
            }
        }
    }
    let equal = elements.windows(2).all(|pair| pair[0] == pair[1]);
    if equal {
        elements.truncate(1);
    }
    Ok(Factor {
        axis: axis.filter(|_| !equal),
        elements,
        data_type: constant.data_type,
    })
}
