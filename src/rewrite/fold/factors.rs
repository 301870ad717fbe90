//! Which nodes are factors: products and quotients by a constant that is one number, or one for each
//! index of one axis.

use crate::error::Result;
use crate::onnx::{
    AttributeValue, DataType, Model, NodeId, Producer, Tensor, ValueId, Values, floats,
};

use super::factor::Factor;
use super::operand;
use super::targets::View;
use super::weights::is_scalable;

/// A Mul or Div by a constant.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub node: NodeId,
    /// Which input is the data; the other is the constant.
    pub data: usize,
    /// What it multiplies by, or why that cannot be told.
    pub factor: Result<Factor, String>,
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

/// Factors of more elements are none.
const MOST: u64 = 1 << 16;

/// All factors, in file order.
///
/// # Errors
/// A constant cannot be read.
pub(super) fn find(view: &View<'_>) -> Result<Vec<Candidate>> {
    let model = view.model;
    let mut all = Vec::new();
    for (id, node) in model.nodes() {
        let inputs: &[usize] = match (node.is("Mul"), node.is("Div")) {
            (true, _) => &[1, 0],
            (_, true) => &[1],
            _ => continue,
        };
        for &input in inputs {
            if let Some(candidate) = candidate(view, id, input)? {
                all.push(candidate);
                break;
            }
        }
    }
    Ok(all)
}

fn candidate(view: &View<'_>, node: NodeId, input: usize) -> Result<Option<Candidate>> {
    let (model, values) = (view.model, view.values);
    let data = 1 - input;
    let (Some(of), Some(by)) = (values.input(node, data), values.input(node, input)) else {
        return Ok(None);
    };
    // a product of two constants is a constant, and no factor of anything
    let is_constant = |value| !matches!(operand::constant(model, values, value), Ok(None));
    if is_constant(of) {
        return Ok(None);
    }
    if let Err(why) = operand::constant(model, values, by) {
        return Ok(Some(Candidate {
            node,
            data,
            factor: Err(why),
            along: None,
        }));
    }
    let Some((dims, data_type, elements)) = constant(model, values, by)? else {
        return Ok(None);
    };
    let long: Vec<usize> = (0..dims.len()).filter(|&axis| dims[axis] != 1).collect();
    let axis = match long[..] {
        [] => None,
        [axis] => Some(dims.len() - 1 - axis),
        _ => return Ok(None),
    };
    let factor = factor(view, of, node, (&dims, axis, data_type, elements));
    Ok(Some(Candidate {
        node,
        data,
        factor,
        along: axis,
    }))
}

type Constant = (Vec<i64>, DataType, Vec<f64>);

/// The numbers of a constant of a float type.
fn constant(model: &Model, values: &Values, value: ValueId) -> Result<Option<Constant>> {
    let read = |tensor: &Tensor| -> Result<Option<Constant>> {
        let few = tensor
            .elements()
            .is_some_and(|count| (1..=MOST).contains(&count));
        if !few || !is_scalable(tensor.data_type) {
            return Ok(None);
        }
        let bytes = model.small_elements(tensor, 8 * MOST)?;
        let numbers = bytes.and_then(|bytes| floats(tensor.data_type, &bytes));
        let whole = numbers.filter(|numbers| Some(numbers.len() as u64) == tensor.elements());
        Ok(whole.map(|numbers| (tensor.dims.clone(), tensor.data_type, numbers)))
    };
    if let Ok(Some(operand)) = operand::constant(model, values, value) {
        return read(operand.tensor);
    }
    let Producer::Node { node, .. } = values[value].producer else {
        return Ok(None);
    };
    let node = model.node(node);
    if !node.is("Constant") {
        return Ok(None);
    }
    Ok(match node.attributes.first().map(|a| &a.value) {
        Some(AttributeValue::Float(f)) => Some((vec![], DataType::FLOAT, vec![f64::from(*f)])),
        Some(AttributeValue::Floats(all)) => {
            let numbers = all.iter().map(|&f| f64::from(f)).collect();
            Some((vec![all.len() as i64], DataType::FLOAT, numbers))
        }
        _ => None,
    })
}

/// What a constant of this shape multiplies the data by, if it leaves the data's shape as it is.
fn factor(
    view: &View<'_>,
    data: ValueId,
    node: NodeId,
    (dims, axis, data_type, mut elements): (&[i64], Option<usize>, DataType, Vec<f64>),
) -> Result<Factor, String> {
    let (name, shapes) = (&view.values[data].name, view.shapes);
    if axis.is_some() && view.has_own_axis(node) {
        return Err("it broadcasts along a new axis".to_string());
    }
    if view.model.node(node).is("Div") {
        elements
            .iter_mut()
            .for_each(|element| *element = 1.0 / *element);
    }
    if let Some(odd) = elements
        .iter()
        .find(|element| !element.is_finite() || **element == 0.0)
    {
        return Err(format!("a factor of {odd}"));
    }
    match shapes.rank(data) {
        _ if dims.is_empty() => {}
        Some(rank) if rank >= dims.len() => {}
        Some(_) => return Err(format!("broadcasting would add axes to `{name}`")),
        None => return Err(format!("the rank of `{name}` is unknown")),
    }
    if let Some(axis) = axis {
        match shapes.size(data, axis) {
            Some(size) if size == elements.len() as i64 => {}
            Some(_) => return Err(format!("broadcasting would enlarge `{name}`")),
            None => {
                let why = "is unknown, and broadcasting may enlarge it";
                return Err(format!("the size of `{name}` along the factor {why}"));
            }
        }
    }
    let equal = elements.windows(2).all(|pair| pair[0] == pair[1]);
    Ok(Factor {
        axis: axis.filter(|_| !equal),
        elements: if equal {
            elements[..1].to_vec()
        } else {
            elements
        },
        data_type,
    })
}

/// True of an input that is a constant 0.
pub(super) fn is_zero(view: &View<'_>, id: NodeId, input: usize) -> bool {
    is_all(view, id, input, |number| number == 0.0)
}

/// True of a constant input that stays what it is when it is multiplied: zeros, and infinities by what
/// is positive.
pub(super) fn is_unmoved(view: &View<'_>, id: NodeId, input: usize, factor: &Factor) -> bool {
    let positive = factor.is_positive();
    let stays = |number: f64| number == 0.0 || positive && number.is_infinite();
    is_all(view, id, input, stays)
}

fn is_all(view: &View<'_>, id: NodeId, input: usize, is: impl Fn(f64) -> bool) -> bool {
    let constant = view
        .input(id, input)
        .map(|value| constant(view.model, view.values, value));
    match constant {
        Some(Ok(Some((_, _, numbers)))) => numbers.iter().all(|&number| is(number)),
        _ => false,
    }
}
