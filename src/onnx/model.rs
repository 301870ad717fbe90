//! A model and what it is made of.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::hash::HashMap;
use crate::source::Source;
use crate::wire::Field;

use super::attribute::Attribute;
use super::external::{ExternalFiles, Outside};
use super::graph::{Graph, GraphKind};
use super::ids::{GraphId, NodeId};
use super::name::Name;
use super::node::Node;

/// A `ModelProto`: its graphs, and the position of each part in its source.
///
/// Reading takes memory for the graph, not for the weights. Cloning is for trying an edit on a
/// copy; the source is shared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Model {
    pub(crate) source: Source,
    pub(crate) outside: Outside,
    /// The fields of the model's message.
    pub(crate) fields: Vec<Field>,
    /// IR version; 0 if the file names none.
    pub ir_version: i64,
    /// Who wrote it.
    pub producer_name: Name,
    /// Which version of who wrote it.
    pub producer_version: Name,
    /// Operator sets it imports, in file order.
    pub opset_imports: Vec<OpsetImport>,
    /// Its `metadata_props`.
    pub metadata: Vec<Property>,
    pub(crate) graphs: Vec<Graph>,
    pub(crate) functions: Vec<Function>,
    /// Functions that an edit took out.
    pub(crate) removed_functions: BTreeSet<usize>,
    /// Functions by name, whatever their domain and overload.
    pub(crate) callees: HashMap<Name, Vec<usize>>,
    pub(crate) training: Vec<Training>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Property {
    /// The key.
    pub key: Name,
    /// The value.
    pub value: Name,
}

/// An operator set and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpsetImport {
    /// The domain; empty for the default domain.
    pub domain: Name,
    /// The version.
    pub version: i64,
}

/// A model-local function (`FunctionProto`); its body is a [`Graph`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Function {
    /// Its domain.
    pub domain: Name,
    /// Its name: the `op_type` of nodes that call it.
    pub name: Name,
    /// Which overload it is.
    pub overload: Name,
    /// Its body.
    pub body: GraphId,
    /// Attributes without a default, by name.
    pub attributes: Vec<Name>,
    /// Attributes with a default.
    pub defaults: Vec<Attribute>,
    /// Operator sets its nodes are bound to.
    pub opset_imports: Vec<OpsetImport>,
}

/// A `TrainingInfoProto`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Training {
    /// The graph that initialises the training.
    pub initialization: Option<GraphId>,
    /// The graph of a training step.
    pub algorithm: Option<GraphId>,
    /// Names that the bindings mention: initializers that training updates, and their updates.
    pub bound: Vec<Name>,
}

impl Model {
    /// The bytes it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The folder of its external data.
    pub fn folder(&self) -> Option<&Path> {
        self.outside.folder.as_deref()
    }

    /// The same model, with external data from a store instead of a folder. For reports: engines read weights from
    /// folders only.
    #[must_use]
    pub fn with_external(mut self, files: Arc<dyn ExternalFiles>) -> Model {
        self.outside.files = Some(files);
        self
    }

    /// The main graph's id.
    pub fn main(&self) -> GraphId {
        GraphId(0)
    }

    /// A graph.
    pub fn graph(&self, id: GraphId) -> &Graph {
        &self.graphs[id.0 as usize]
    }

    /// True if there is a graph of this number.
    #[cfg(feature = "tract")]
    pub(crate) fn has_graph(&self, id: GraphId) -> bool {
        (id.0 as usize) < self.graphs.len()
    }

    pub(crate) fn graph_mut(&mut self, id: GraphId) -> &mut Graph {
        &mut self.graphs[id.0 as usize]
    }

    /// Every graph that is still reached: the main graph first, a graph before those inside it.
    /// Graphs of removed nodes and functions are left out.
    pub fn graphs(&self) -> impl Iterator<Item = (GraphId, &Graph)> {
        let mut gone = vec![false; self.graphs.len()];
        for (i, graph) in self.graphs.iter().enumerate() {
            gone[i] = match &graph.kind {
                GraphKind::Attribute { node, .. } => {
                    gone[node.graph.0 as usize] || self.node(*node).is_removed()
                }
                GraphKind::Function(index) => self.removed_functions.contains(index),
                _ => false,
            };
        }
        let graphs = self.graphs.iter().enumerate();
        graphs
            .filter(move |(i, _)| !gone[*i])
            .map(|(i, graph)| (GraphId(i as u32), graph))
    }

    /// How many graphs there are, those of removed nodes included.
    pub fn graph_slots(&self) -> usize {
        self.graphs.len()
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.graphs[id.graph.0 as usize].nodes[id.index as usize]
    }

    /// Every node in every graph, with its id.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.graphs().flat_map(|(graph, body)| {
            body.nodes()
                .map(move |(index, node)| (NodeId { graph, index }, node))
        })
    }

    /// Model-local functions.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// True once an edit took the function out.
    pub fn is_removed_function(&self, function: usize) -> bool {
        self.removed_functions.contains(&function)
    }

    /// Training graphs and their bindings.
    pub fn training(&self) -> &[Training] {
        &self.training
    }

    /// The version of an operator set that rules in a graph: the enclosing function's, or the
    /// model's. The highest, where a file names several; `""` and `ai.onnx` are the same.
    pub fn opset(&self, graph: GraphId, domain: &str) -> Option<i64> {
        let is_default = |domain: &[u8]| domain.is_empty() || domain == b"ai.onnx";
        let same = |name: &Name| match is_default(domain.as_bytes()) {
            true => is_default(name.as_bytes()),
            false => *name == *domain,
        };
        let highest = |imports: &[OpsetImport]| {
            let matching = imports.iter().filter(|import| same(&import.domain));
            matching.map(|import| import.version).max()
        };
        if let GraphKind::Function(index) = self.graph(self.root(graph)).kind
            && let Some(version) = highest(&self.functions[index].opset_imports)
        {
            return Some(version);
        }
        highest(&self.opset_imports).or_else(|| {
            // "if ir_version < 3, opset_import must be absent, and version 1 is meant"
            (self.ir_version < 3 && same(&Name::default())).then_some(1)
        })
    }

    /// The outermost graph around a graph, through attributes only.
    pub fn root(&self, mut graph: GraphId) -> GraphId {
        while let GraphKind::Attribute { node, .. } = &self.graph(graph).kind {
            graph = node.graph;
        }
        graph
    }

    /// The nesting depth of a graph: 0 for the main graph and function bodies.
    pub fn depth(&self, mut graph: GraphId) -> usize {
        let mut depth = 0;
        while let GraphKind::Attribute { node, .. } = &self.graph(graph).kind {
            graph = node.graph;
            depth += 1;
        }
        depth
    }

    /// A graph's place in words: `graph`, `graph/If_3.then_branch`, `function:domain::name`,
    /// `training_info[0].algorithm`. A node without a name is named by its first output.
    pub fn scope(&self, graph: GraphId) -> String {
        match &self.graph(graph).kind {
            GraphKind::Main => "graph".to_string(),
            GraphKind::Attribute { node, attribute } => {
                let outer = self.scope(node.graph);
                format!("{outer}/{}.{attribute}", self.label(*node))
            }
            GraphKind::Function(index) => {
                let f = &self.functions[*index];
                let overload = match f.overload.is_empty() {
                    true => String::new(),
                    false => format!(":{}", f.overload),
                };
                format!("function:{}::{}{overload}", f.domain, f.name)
            }
            GraphKind::TrainingInitialization(i) => format!("training_info[{i}].initialization"),
            GraphKind::TrainingAlgorithm(i) => format!("training_info[{i}].algorithm"),
        }
    }

    /// What to call a node: its name, its first output, or its operator and index.
    pub fn label(&self, id: NodeId) -> Name {
        let node = self.node(id);
        let mut named = std::iter::once(&node.name).chain(&node.outputs);
        let name = named.find(|name| !name.is_empty());
        name.cloned()
            .unwrap_or_else(|| format!("{}#{}", node.op_type, id.index).into())
    }

    /// A node's place in words: its scope, operator and label.
    pub fn place(&self, id: NodeId) -> String {
        self.place_in(&self.scope(id.graph), id)
    }

    /// As [`Model::place`], of a node in this scope.
    pub(crate) fn place_in(&self, scope: &str, id: NodeId) -> String {
        let op = &self.node(id).op_type.to_text();
        let label = self.label(id);
        [scope, ": ", op, " `", &label.to_text(), "`"].concat()
    }

    /// The function a node calls, if it calls a model-local one.
    pub fn callee(&self, node: &Node) -> Option<usize> {
        let of_name = self.callees.get(&node.op_type)?;
        let default = |domain: &Name| domain.is_empty() || *domain == "ai.onnx";
        of_name.iter().copied().find(|&index| {
            let f = &self.functions[index];
            f.overload == node.overload
                && (f.domain == node.domain || (node.in_default_domain() && default(&f.domain)))
        })
    }
}
