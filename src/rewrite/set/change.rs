//! Changing the constant that an input comes from.

use crate::hash::HashMap;
use crate::onnx::{Attribute, AttributeValue, DataType, Editor, NodeId, Use, encode_number};
use crate::rewrite::Reason;
use crate::semantics::view::View;

use super::constant::{ConstantInput, Stored, passes};

/// A constant with more readers is copied.
const MOST: usize = 1000;

/// An input of a node.
pub(super) type Place = (NodeId, usize);

/// A number that a place is to have.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub at: Place,
    pub constant: ConstantInput,
    pub number: f64,
}

/// Why a change cannot be made.
pub(super) fn refusal(view: View<'_>, change: &Change, all: &[Change]) -> Option<Reason> {
    if in_place(view, change, &targets(all)) {
        return None;
    }
    let name = &view.values[change.constant.value].name;
    if change.constant.is_default {
        let why = format!("it is the input `{name}`, which has other readers");
        return Some(Reason::Shared(why.into()));
    }
    // the shape of what Bernoulli is given is that of its draw
    let shaped = view.node(change.at.0).op() == "Bernoulli";
    let why = || format!("`{name}` is expanded and has other readers");
    (shaped && change.constant.passed_on).then(|| Reason::Shared(why().into()))
}

/// Makes the changes: where nothing else uses a constant, in it; else in a copy.
pub(super) fn apply(editor: &mut Editor<'_>, changes: &[Change]) {
    let targets = targets(changes);
    let whole: Vec<bool> = (changes.iter())
        .map(|change| in_place(editor.view(), change, &targets))
        .collect();
    for (change, whole) in changes.iter().zip(whole) {
        let old = &change.constant;
        let (element, one) = match encode_number(old.element, change.number) {
            Some(one) => (old.element, one),
            None => (
                DataType::FLOAT,
                (change.number as f32).to_le_bytes().to_vec(),
            ),
        };
        match (whole, old.stored) {
            (true, Stored::Initializer(graph, index)) => {
                let bytes = repeated(&one, &old.dims);
                editor.replace_initializer(graph, index, element, &old.dims, &bytes);
            }
            (true, Stored::Node(node)) => {
                let attribute = editor.model().node(node).attributes.first();
                let value = match attribute.map(|a| &a.value) {
                    Some(AttributeValue::Float(_)) => {
                        let number = AttributeValue::Float(change.number as f32);
                        Attribute::new("value_float", number)
                    }
                    _ => Attribute::tensor((element, &old.dims, &repeated(&one, &old.dims))),
                };
                editor.set_attribute(node, value);
            }
            (false, _) => copy(editor, change, element, &one),
        }
    }
}

fn repeated(one: &[u8], dims: &[i64]) -> Vec<u8> {
    one.repeat(dims.iter().product::<i64>().unsigned_abs() as usize)
}

/// Lets an input be a constant of its own. Nodes between the old one and the input are left out.
fn copy(editor: &mut Editor<'_>, change: &Change, element: DataType, one: &[u8]) {
    let ((node, input), old) = (change.at, &change.constant);
    let value = editor.view().value(old.value);
    let (element, dims) = match old.passed_on {
        true => {
            let own = value.element_type().filter(|_| element == old.element);
            (own.unwrap_or(element), &[][..])
        }
        false => (element, &old.dims[..]),
    };
    let hint = value.name.to_string();
    let at = (node.graph, Some(node));
    let copy = editor.add_constant(at, &hint, (element, dims, &repeated(one, dims)));
    editor.set_input_to(node, input, &copy);
}

type Targets = HashMap<Place, f64>;

fn targets(changes: &[Change]) -> Targets {
    let targets = changes.iter().map(|change| (change.at, change.number));
    targets.collect()
}

/// True if all that uses the constant is to have the same number.
fn in_place(view: View<'_>, change: &Change, targets: &Targets) -> bool {
    let mut open = vec![view.value(change.constant.value)];
    let mut left = MOST;
    while let Some(value) = open.pop() {
        for at in value.uses() {
            let Use::Input { node, input } = at else {
                return false;
            };
            left -= 1;
            if left == 0 {
                return false;
            }
            let (node, input) = (view.node(node), input as usize);
            match targets.get(&(node.id, input)) {
                Some(&number) if number == change.number => {}
                None if passes(node, input) => open.extend(node.output(0)),
                _ => return false,
            }
        }
    }
    true
}
