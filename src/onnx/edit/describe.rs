//! Declarations of a graph about a name: its type, its quantization.

use crate::hash::HashMap;
use crate::onnx::ids::GraphId;
use crate::onnx::name::Name;
use crate::onnx::values::{Producer, ValueId};

use super::Editor;

/// The value_info entries and annotations of a graph, by name.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) value_infos: HashMap<Name, Vec<u32>>,
    pub(super) annotations: HashMap<Name, Vec<u32>>,
}

impl Editor<'_> {
    fn described(&mut self, graph: GraphId) -> &mut Described {
        let body = self.model.graph(graph);
        self.described.entry(graph).or_insert_with(|| {
            let mut described = Described::default();
            for (index, info) in body.value_infos.iter().enumerate() {
                let entry = described.value_infos.entry(info.name.clone());
                entry.or_default().push(index as u32);
            }
            for (index, annotation) in body.annotations.iter().enumerate() {
                let entry = described.annotations.entry(annotation.tensor_name.clone());
                entry.or_default().push(index as u32);
            }
            described
        })
    }

    fn description(&mut self, graph: GraphId, name: &Name) -> (Vec<u32>, Vec<u32>) {
        let described = self.described(graph);
        let of = |all: &HashMap<Name, Vec<u32>>| all.get(name).cloned().unwrap_or_default();
        (of(&described.value_infos), of(&described.annotations))
    }

    pub(super) fn remove_description(&mut self, graph: GraphId, name: &Name) {
        let (value_infos, annotations) = self.description(graph, name);
        let edits = &mut self.touch(graph).edits;
        for index in value_infos {
            edits.renamed_value_infos.remove(&index);
            edits.removed_value_infos.insert(index);
        }
        for index in annotations {
            edits.renamed_annotations.remove(&index);
            edits.removed_annotations.insert(index);
        }
    }

    pub(super) fn rename_description(&mut self, graph: GraphId, old: &Name, new: &Name) {
        let (value_infos, annotations) = self.description(graph, old);
        let (_, of_new) = self.description(graph, new);
        let edits = &mut self.touch(graph).edits;
        edits.removed_value_infos.extend(value_infos);
        let own = of_new
            .iter()
            .any(|index| !edits.removed_annotations.contains(index));
        if own {
            edits.removed_annotations.extend(annotations);
        } else {
            for index in annotations {
                edits.renamed_annotations.insert(index, new.clone());
            }
        }
    }

    /// Lets a value have the type entry and the annotation of one that it takes the place of, unless it
    /// has its own. Both have to be of one graph, type and shape.
    pub fn inherit(&mut self, from: ValueId, to: ValueId) {
        let (old, new) = (&self.values[from], &self.values[to]);
        let graph = new.graph;
        if old.graph != graph || old.name == new.name {
            return;
        }
        let computed = matches!(new.producer, Producer::Node { .. });
        let (old, new) = (old.name.clone(), new.name.clone());
        let outputs = &self.model.graph(graph).outputs;
        let typed = !computed || outputs.iter().any(|output| output.name == new);
        let (mut infos, mut annotations) = self.description(graph, &old);
        let (own_infos, own_annotations) = self.description(graph, &new);
        let edits = &self.model.graph(graph).edits;
        let is_kept = |index: &u32| !edits.removed_value_infos.contains(index);
        if typed || own_infos.iter().any(is_kept) {
            infos.clear();
        }
        let is_kept = |index: &u32| !edits.removed_annotations.contains(index);
        if own_annotations.iter().any(is_kept) {
            annotations.clear();
        }
        let described = self.described(graph);
        if !infos.is_empty() {
            described.value_infos.remove(&old);
            described.value_infos.insert(new.clone(), infos.clone());
        }
        if !annotations.is_empty() {
            described.annotations.remove(&old);
            described
                .annotations
                .insert(new.clone(), annotations.clone());
        }
        let edits = &mut self.touch(graph).edits;
        let infos = infos.into_iter().map(|index| (index, new.clone()));
        edits.renamed_value_infos.extend(infos);
        let annotations = annotations.into_iter().map(|index| (index, new.clone()));
        edits.renamed_annotations.extend(annotations);
    }
}
