//! Declarations of a graph about a name: its type, its quantization.

use crate::hash::HashMap;
use crate::onnx::ids::GraphId;
use crate::onnx::name::Name;

use super::Editor;

/// The value_info entries and annotations of a graph, by name.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) value_infos: HashMap<Name, Vec<u32>>,
    pub(super) annotations: HashMap<Name, Vec<u32>>,
}

impl Editor<'_> {
    fn described(&mut self, graph: GraphId) -> &Described {
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
        edits.removed_value_infos.extend(value_infos);
        edits.removed_annotations.extend(annotations);
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
}
