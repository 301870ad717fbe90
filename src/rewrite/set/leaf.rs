//! Finding and changing the constant that an input comes from.

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, GraphId, Model, NodeId, Producer, Use, ValueId,
    Values, encode_number, numbers,
};
use crate::semantics::operator::Operator;

/// Constants of more bytes are taken for weights.
const LARGEST: u64 = 1 << 16;

/// The number of nodes allowed between a constant and its use.
const DEPTH: usize = 16;

/// An input of a node.
pub(super) type Place = (NodeId, usize);

/// A constant whose elements are all one number.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub value: ValueId,
    pub number: f64,
    /// What an input of the model is if it is not given: no copy can take its place.
    pub is_default: bool,
    stored: Stored,
    element: DataType,
    dims: Vec<i64>,
    /// True if there are nodes between it and its use.
    passed_on: bool,
}

impl Leaf {
    /// How near, relatively, it is to what it was computed from.
    pub fn precision(&self) -> f64 {
        match self.element {
            DataType::FLOAT16 => 1e-3,
            DataType::BFLOAT16 => 8e-3,
            _ => 1e-6,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Stored {
    Initializer(GraphId, u32),
    Node(NodeId),
}

/// The constant that an input of a node is, if it is one.
pub(super) fn find(model: &Model, values: &Values, at: Place) -> Result<Option<Leaf>> {
    let Some(mut value) = values.input(at.0, at.1) else {
        return Ok(None);
    };
    for depth in 0..DEPTH {
        let known = &values[value];
        let node = match (known.producer, known.initializer) {
            (Producer::Node { node, .. }, _) => node,
            (Producer::Input(_) | Producer::Initializer(_), Some(index)) => {
                let tensor = model.graph(known.graph).initializer(index);
                let Some(bytes) = model.small_elements(tensor, LARGEST)? else {
                    return Ok(None);
                };
                let number = uniform(tensor.data_type, &bytes);
                let overridable = matches!(known.producer, Producer::Input(_));
                return Ok(number.map(|number| Leaf {
                    value,
                    number,
                    is_default: overridable && model.ir_version >= 4,
                    stored: Stored::Initializer(known.graph, index),
                    element: tensor.data_type,
                    dims: tensor.dims.clone(),
                    passed_on: depth > 0,
                }));
            }
            _ => return Ok(None),
        };
        let spread = model.node(node).is("ConstantOfShape");
        if spread || model.node(node).is("Constant") {
            let found = constant(model, node)?;
            return Ok(found.map(|(number, element, dims)| Leaf {
                value,
                number,
                is_default: false,
                stored: Stored::Node(node),
                element,
                dims,
                passed_on: depth > 0 || spread,
            }));
        }
        let passed = (0..2).find(|&input| passes(model, values, node, input));
        match passed.and_then(|input| values.input(node, input)) {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(None)
}

fn copies(model: &Model, id: NodeId) -> bool {
    Operator::of(model, id).is_some_and(Operator::copies)
}

/// True if a node passes its input through, possibly by a product with ones.
fn passes(model: &Model, values: &Values, id: NodeId, input: usize) -> bool {
    if copies(model, id) {
        return input == 0;
    }
    let node = model.node(id);
    node.is("Mul") && is_ones(model, values, (id, 1 - input.min(1)))
}

/// True of ones in some shape: what Keras multiplies by a scale to have a mask for its recurrent layers.
fn is_ones(model: &Model, values: &Values, at: Place) -> bool {
    let mut value = values.input(at.0, at.1);
    for _ in 0..DEPTH {
        let Some(known) = value.map(|value| &values[value]) else {
            return false;
        };
        let number = match (known.producer, known.initializer) {
            (Producer::Node { node, .. }, _) if copies(model, node) => {
                value = values.input(node, 0);
                continue;
            }
            (Producer::Node { node, .. }, _) => constant(model, node).ok().flatten().map(|c| c.0),
            (Producer::Initializer(_), Some(index)) => {
                let tensor = model.graph(known.graph).initializer(index);
                let bytes = model.small_elements(tensor, LARGEST).ok().flatten();
                bytes.and_then(|bytes| uniform(tensor.data_type, &bytes))
            }
            _ => None,
        };
        return number == Some(1.0);
    }
    false
}

fn uniform(element: DataType, bytes: &[u8]) -> Option<f64> {
    let numbers = numbers(element, bytes)?;
    let (&first, rest) = numbers.split_first()?;
    rest.iter().all(|&n| n == first).then_some(first)
}

/// The number that a Constant or a ConstantOfShape is, its type, and the shape of its attribute.
fn constant(model: &Model, id: NodeId) -> Result<Option<(f64, DataType, Vec<i64>)>> {
    let node = model.node(id);
    if !node.is("Constant") && !node.is("ConstantOfShape") {
        return Ok(None);
    }
    let [attribute] = &model.node(id).attributes[..] else {
        return Ok(None);
    };
    Ok(match &attribute.value {
        AttributeValue::Float(f) => Some((f64::from(*f), DataType::FLOAT, Vec::new())),
        AttributeValue::Tensor(tensor) => {
            let bytes = model.small_elements(tensor, LARGEST)?;
            let number = bytes.and_then(|bytes| uniform(tensor.data_type, &bytes));
            number.map(|number| (number, tensor.data_type, tensor.dims.clone()))
        }
        _ => None,
    })
}

/// A number that a place is to have.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub at: Place,
    pub leaf: Leaf,
    pub number: f64,
}

/// Why a change cannot be made.
pub(super) fn refusal(
    values: &Values,
    model: &Model,
    change: &Change,
    all: &[Change],
) -> Option<String> {
    if in_place(values, model, change, &targets(all)) {
        return None;
    }
    let name = &values[change.leaf.value].name;
    if change.leaf.is_default {
        return Some(format!("it is the input `{name}`, which has other readers"));
    }
    // the shape of what Bernoulli is given is that of its draw
    let shaped = model.node(change.at.0).is("Bernoulli");
    (shaped && change.leaf.passed_on).then(|| format!("`{name}` is expanded and has other readers"))
}

/// Makes the changes: where nothing else uses a constant, in it; else in a copy.
pub(super) fn apply(editor: &mut Editor<'_>, changes: &[Change]) {
    let targets = targets(changes);
    let whole: Vec<bool> = (changes.iter())
        .map(|change| in_place(editor.values(), editor.model(), change, &targets))
        .collect();
    for (change, whole) in changes.iter().zip(whole) {
        let leaf = &change.leaf;
        let one = encode_number(leaf.element, change.number);
        let element = if one.is_some() {
            leaf.element
        } else {
            DataType::FLOAT
        };
        let one = one.unwrap_or_else(|| (change.number as f32).to_le_bytes().to_vec());
        let count = |dims: &[i64]| dims.iter().product::<i64>().unsigned_abs() as usize;
        if whole {
            match leaf.stored {
                Stored::Initializer(graph, index) => {
                    let bytes = one.repeat(count(&leaf.dims));
                    editor.replace_initializer(graph, index, element, &leaf.dims, &bytes);
                }
                Stored::Node(node) => rewrite(editor, node, leaf, element, change.number, &one),
            }
            continue;
        }
        let (node, input) = change.at;
        let dims: &[i64] = if leaf.passed_on { &[] } else { &leaf.dims };
        let element = match leaf.passed_on {
            true => editor
                .model()
                .element_type(editor.values(), leaf.value)
                .filter(|_| element == leaf.element)
                .unwrap_or(element),
            false => element,
        };
        let hint = editor.values()[leaf.value].name.to_string();
        let bytes = one.repeat(count(dims));
        let at = (node.graph, Some(node));
        let copy = editor.add_constant(at, &hint, (element, dims, &bytes));
        editor.set_input_to(node, input, &copy);
    }
}

fn rewrite(
    editor: &mut Editor<'_>,
    node: NodeId,
    leaf: &Leaf,
    element: DataType,
    number: f64,
    one: &[u8],
) {
    let attribute = editor.model().node(node).attributes.first();
    let value = match attribute.map(|a| &a.value) {
        Some(AttributeValue::Float(_)) => {
            Attribute::new("value_float", AttributeValue::Float(number as f32))
        }
        _ => {
            let count = leaf.dims.iter().product::<i64>().unsigned_abs() as usize;
            Attribute::tensor((element, &leaf.dims, &one.repeat(count)))
        }
    };
    editor.set_attribute(node, value);
}

type Targets = HashMap<Place, f64>;

fn targets(changes: &[Change]) -> Targets {
    changes
        .iter()
        .map(|change| (change.at, change.number))
        .collect()
}

/// True if all that uses the constant is to have the same number.
fn in_place(values: &Values, model: &Model, change: &Change, targets: &Targets) -> bool {
    let mut open = vec![change.leaf.value];
    let mut left = 1000;
    while let Some(value) = open.pop() {
        for at in values.uses(value) {
            let Use::Input { node, input } = at else {
                return false;
            };
            left -= 1;
            if left == 0 {
                return false;
            }
            match targets.get(&(node, input as usize)) {
                Some(&number) if number == change.number => {}
                None if passes(model, values, node, input as usize) => {
                    open.extend(values.output(model, node, 0));
                }
                _ => return false,
            }
        }
    }
    true
}
