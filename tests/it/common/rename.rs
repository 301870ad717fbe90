//! The same model with other names: of values and nodes, in every scope.

use std::collections::BTreeMap;

use tract_onnx::pb;

/// Gives every value, node and graph another name; a name keeps being one name, in every scope.
/// Names of inputs and outputs of the model stay if asked for.
pub fn rename(model: &mut pb::ModelProto, seed: u64, keep_interface: bool) {
    let mut names = Names {
        seed,
        known: BTreeMap::new(),
    };
    if let (Some(graph), true) = (&model.graph, keep_interface) {
        for info in graph.input.iter().chain(&graph.output) {
            names.known.insert(info.name.clone(), info.name.clone());
        }
    }
    if let Some(graph) = &mut model.graph {
        names.graph(graph);
    }
    for function in &mut model.functions {
        names.all(&mut function.input);
        names.all(&mut function.output);
        function.node.iter_mut().for_each(|node| names.node(node));
    }
}

struct Names {
    seed: u64,
    known: BTreeMap<String, String>,
}

impl Names {
    fn random(&mut self) -> u64 {
        self.seed = (self.seed)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.seed >> 40
    }

    fn name(&mut self, name: &mut String) {
        if name.is_empty() {
            return;
        }
        let fresh = format!("n{}_{}", self.random(), self.known.len());
        let new = self.known.entry(name.clone()).or_insert(fresh);
        name.clone_from(new);
    }

    fn all(&mut self, names: &mut [String]) {
        names.iter_mut().for_each(|name| self.name(name));
    }

    fn graph(&mut self, graph: &mut pb::GraphProto) {
        graph.name = format!("g{}", self.random());
        let infos = (graph.input.iter_mut())
            .chain(&mut graph.output)
            .chain(&mut graph.value_info);
        infos.for_each(|info| self.name(&mut info.name));
        (graph.initializer.iter_mut()).for_each(|tensor| self.name(&mut tensor.name));
        graph.node.iter_mut().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &mut pb::NodeProto) {
        if !node.name.is_empty() {
            node.name = format!("node{}", self.random());
        }
        self.all(&mut node.input);
        self.all(&mut node.output);
        for attribute in &mut node.attribute {
            if let Some(graph) = &mut attribute.g {
                self.graph(graph);
            }
            attribute
                .graphs
                .iter_mut()
                .for_each(|graph| self.graph(graph));
        }
    }
}
