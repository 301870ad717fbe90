//! What values are called: as in the file, or by made-up names.

use super::labels::Labels;
use crate::hash::HashMap;
use crate::onnx::{
    Dimension, GraphId, Model, Name, Training, ValueId, ValueInfo, ValueType, Values,
};
use crate::semantics::view::View;

/// Names for a document.
pub(super) struct Names<'m> {
    model: &'m Model,
    made_up: Option<MadeUp>,
}

struct MadeUp {
    values: Values,
    labels: Labels,
    /// Names that nothing defines, by first appearance.
    undefined: HashMap<Name, usize>,
    /// Symbolic sizes, by first appearance.
    symbols: HashMap<Name, usize>,
}

impl<'m> Names<'m> {
    pub fn new(model: &'m Model, anonymous: bool) -> Names<'m> {
        let made_up = anonymous.then(|| {
            let values = Values::new(model);
            MadeUp {
                labels: Labels::new(View::new(model, &values)),
                values,
                undefined: HashMap::default(),
                symbols: HashMap::default(),
            }
        });
        Names { model, made_up }
    }

    /// What a name in a graph means.
    pub fn value(&mut self, graph: GraphId, name: &Name) -> String {
        let Some(made_up) = &mut self.made_up else {
            return name.to_string();
        };
        let value = made_up.values.lookup(self.model, graph, name);
        made_up.label(value, name)
    }

    /// What a name means that a `training_info` binds.
    pub fn bound(&mut self, training: &Training, name: &Name) -> String {
        let Some(made_up) = &mut self.made_up else {
            return name.to_string();
        };
        let main = Some(self.model.main());
        let graphs = [training.algorithm, training.initialization, main];
        let mut values = (graphs.into_iter().flatten())
            .filter_map(|graph| made_up.values.lookup(self.model, graph, name));
        let value = values.next();
        made_up.label(value, name)
    }

    pub fn values(&mut self, graph: GraphId, names: &[Name]) -> Vec<String> {
        names.iter().map(|name| self.value(graph, name)).collect()
    }

    /// Types with symbols by first appearance.
    pub fn kind(&mut self, info: &ValueInfo) -> String {
        let mut kind = info.value_type();
        if let Some(made_up) = &mut self.made_up {
            made_up.symbols(&mut kind);
        }
        kind.to_string()
    }

    /// The nodes of a graph in the order in which they are shown.
    pub fn order(&self, graph: GraphId) -> Vec<u32> {
        match &self.made_up {
            Some(made_up) => made_up.labels.order(graph).to_vec(),
            None => self.model.graph(graph).nodes().map(|(i, _)| i).collect(),
        }
    }
}

impl MadeUp {
    fn label(&mut self, value: Option<ValueId>, name: &Name) -> String {
        if name.is_empty() {
            return String::new();
        }
        if let Some(label) = value.and_then(|value| self.labels.of(value)) {
            return label.to_string();
        }
        let next = self.undefined.len();
        format!("u{}", self.undefined.entry(name.clone()).or_insert(next))
    }

    fn symbols(&mut self, kind: &mut ValueType) {
        match kind {
            ValueType::Tensor { shape, .. } | ValueType::Sparse { shape, .. } => {
                for dim in shape.iter_mut().flatten() {
                    if let Dimension::Symbol(symbol) = dim {
                        let next = self.symbols.len();
                        let number = *self.symbols.entry(symbol.clone()).or_insert(next);
                        *symbol = format!("n{number}").into();
                    }
                }
            }
            ValueType::Sequence(inner) | ValueType::Optional(inner) | ValueType::Map(_, inner) => {
                self.symbols(inner);
            }
            ValueType::Unknown => {}
        }
    }
}

/// Sorts by made-up names: `v2` before `v10`.
pub(super) fn by_label(a: &str, b: &str) -> std::cmp::Ordering {
    let key = |label: &str| (label.chars().next(), label.len());
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}
