//! Declared types.

use crate::hash::HashMap;
use crate::onnx::{GraphId, Model, ValueId, ValueInfo, ValueType, Values};

use super::{Element, Known};

/// The declarations by value, not decoded.
#[derive(Default)]
pub(super) struct Declared<'m>(HashMap<ValueId, &'m ValueInfo>);

impl<'m> Declared<'m> {
    pub fn new(model: &'m Model, values: &'m Values) -> Self {
        let bodies = bodies(model);
        let mut declared = HashMap::default();
        for (id, graph) in model.graphs() {
            let infos = graph.inputs.iter().chain(&graph.outputs);
            for info in infos.chain(graph.value_infos()) {
                let mut value = values.lookup(model, id, &info.name);
                if value.is_none() && id == model.main() && !bodies.is_empty() {
                    value = inner(model, values, &bodies, info);
                }
                if let Some(value) = value.filter(|_| info.type_bytes().is_some()) {
                    declared.entry(value).or_insert(info);
                }
            }
        }
        Declared(declared)
    }

    pub fn of(&self, value: ValueId) -> Option<Known> {
        let mut depth: i8 = 0;
        let mut kind = self.0.get(&value)?.value_type();
        loop {
            kind = match kind {
                ValueType::Tensor { element, .. } | ValueType::Sparse { element, .. } => {
                    let element = Element::Is(element);
                    let told = element != Element::Is(crate::onnx::DataType(0));
                    return told.then_some(Known { element, depth });
                }
                ValueType::Sequence(inner) | ValueType::Optional(inner) => {
                    depth = depth.checked_add(1)?;
                    *inner
                }
                ValueType::Map(..) | ValueType::Unknown => return None,
            }
        }
    }
}

fn bodies(model: &Model) -> HashMap<String, GraphId> {
    let functions = model.functions().iter();
    functions
        .map(|f| (format!("{}::{}", f.domain, f.name), f.body))
        .collect()
}

/// The value of a function that an entry of the main graph named `domain::function/value` declares. Before
/// IR version 10, <https://github.com/microsoft/onnxscript> writes the types of functions there.
fn inner(
    model: &Model,
    values: &Values,
    bodies: &HashMap<String, GraphId>,
    info: &ValueInfo,
) -> Option<ValueId> {
    let name = info.name.to_string();
    let (function, name) = name.split_once('/')?;
    values.lookup(model, *bodies.get(function)?, &name.into())
}
