//! Which node, value and graph of one model is which of the other.

use crate::hash::HashMap;
use crate::onnx::{GraphId, Name, NodeId, Tensor, ValueId};
use crate::semantics::view::{NodeRef, ValueRef, View};
use crate::show::tensor_text;

/// The number of elements up to which constants are matched by content.
const SMALL: u64 = 16;

/// The matches found so far.
pub(super) struct Matching<'m> {
    pub before: View<'m>,
    pub after: View<'m>,
    pub graphs: Vec<(GraphId, GraphId)>,
    pub nodes: HashMap<NodeId, NodeId>,
    pub nodes_back: HashMap<NodeId, NodeId>,
    pub values: HashMap<ValueId, ValueId>,
    pub values_back: HashMap<ValueId, ValueId>,
    /// Pairs of nodes whose inputs are still to be followed.
    fresh: Vec<(NodeId, NodeId)>,
}

impl<'m> Matching<'m> {
    pub fn new(before: View<'m>, after: View<'m>) -> Matching<'m> {
        Matching {
            before,
            after,
            graphs: Vec::new(),
            nodes: HashMap::default(),
            nodes_back: HashMap::default(),
            values: HashMap::default(),
            values_back: HashMap::default(),
            fresh: Vec::new(),
        }
    }

    /// What can be matched by names alone, and what follows from that.
    pub fn by_names(&mut self, a: GraphId, b: GraphId) {
        self.interface(a, b);
        let plausible = |matching: &Matching<'_>, node: NodeRef<'_>, other: NodeRef<'_>| {
            !matching.contradicts(node, other)
        };
        self.by_name(a, b, plausible);
        self.by_output(a, b, plausible);
        self.by_weight(a, b);
        self.follow();
    }

    /// Matches the remaining nodes by names even if these are numbered.
    pub fn by_numbers(&mut self, a: GraphId, b: GraphId) {
        self.by_name(a, b, |_, _, _| true);
        self.by_output(a, b, |_, _, _| true);
        self.follow();
    }

    /// True of nodes whose names have the same number by chance: they read different weights.
    fn contradicts(&self, node: NodeRef<'_>, other: NodeRef<'_>) -> bool {
        let numbered = node.get().name.as_bytes().last();
        if numbered.is_some_and(|last| !last.is_ascii_digit()) {
            return false;
        }
        let mut inputs = node.inputs().zip(other.inputs());
        inputs.any(|pair| {
            let (Some(a), Some(b)) = pair else {
                return false;
            };
            let (Some(tensor), Some(weight)) = (tensor(a), tensor(b)) else {
                return false;
            };
            match (self.values.get(&a.id), self.values_back.get(&b.id)) {
                (None, None) => is_small(tensor) && is_small(weight) && text(a) != text(b),
                (known, _) => known != Some(&b.id),
            }
        })
    }

    /// Nodes of the same operator that are the only readers of a weight.
    fn by_weight(&mut self, a: GraphId, b: GraphId) {
        let theirs = only_readers(self.after, b);
        for (weight, node) in only_readers(self.before, a) {
            let other = self.values.get(&weight).and_then(|of| theirs.get(of));
            if let (Some(node), Some(&Some(other))) = (node, other)
                && self.before.node(node).op_type == self.after.node(other).op_type
            {
                self.pair(node, other);
            }
        }
    }

    /// Inputs by name, then by place; weights by name, unless exporters number them: these are matched by
    /// their use first.
    fn interface(&mut self, a: GraphId, b: GraphId) {
        let (graph, other) = (self.before.model.graph(a), self.after.model.graph(b));
        for info in &graph.inputs {
            if other.inputs.iter().any(|input| input.name == info.name) {
                self.names((a, &info.name), (b, &info.name));
            }
        }
        for (info, other) in graph.inputs.iter().zip(&other.inputs) {
            self.names((a, &info.name), (b, &other.name));
        }
        self.weights(a, b, |tensor| !is_numbered(tensor));
    }

    /// Weights that are still unmatched: by content, then by name.
    pub fn remaining_weights(&mut self, a: GraphId, b: GraphId) {
        let texts = |view: View<'_>, graph: GraphId, open: &dyn Fn(ValueId) -> bool| {
            let tensors = view
                .model
                .graph(graph)
                .initializers()
                .map(|(_, tensor)| tensor);
            let small = tensors.filter(|tensor| is_small(tensor));
            let found = small.filter_map(|tensor| {
                let value = view.lookup(graph, &tensor.name)?.id;
                let text = tensor_text(view.model, tensor).ok()?;
                open(value).then_some((text, value))
            });
            found.collect::<Vec<_>>()
        };
        let mine = texts(self.before, a, &|value| !self.values.contains_key(&value));
        let mut theirs = texts(self.after, b, &|value| {
            !self.values_back.contains_key(&value)
        });
        for (text, value) in mine {
            if let Some(at) = theirs.iter().position(|(other, _)| *other == text) {
                self.value(value, theirs.remove(at).1);
            }
        }
        self.weights(a, b, |_| true);
    }

    /// Matches weights of the same name, of those that `of` chooses.
    fn weights(&mut self, a: GraphId, b: GraphId, of: impl Fn(&Tensor) -> bool) {
        let graph = self.before.model.graph(a);
        let dense = graph.initializers().map(|(_, tensor)| tensor);
        let sparse = graph
            .sparse_initializers()
            .iter()
            .map(|sparse| &sparse.values);
        for tensor in dense.chain(sparse).filter(|tensor| of(tensor)) {
            let value = self.after.lookup(b, &tensor.name);
            let own = value.filter(|value| value.get().graph == b);
            if own.is_some_and(|value| value.is_weight()) {
                self.names((a, &tensor.name), (b, &tensor.name));
            }
        }
    }

    fn names(&mut self, (a, name): (GraphId, &Name), (b, other): (GraphId, &Name)) {
        if let (Some(value), Some(other)) =
            (self.before.lookup(a, name), self.after.lookup(b, other))
        {
            self.value(value.id, other.id);
        }
    }

    /// Matches two values, unless one of them is already matched.
    fn value(&mut self, a: ValueId, b: ValueId) {
        if !self.values.contains_key(&a) && !self.values_back.contains_key(&b) {
            self.values.insert(a, b);
            self.values_back.insert(b, a);
        }
    }

    /// Two nodes are the same, and so is what they produce.
    pub fn pair(&mut self, a: NodeId, b: NodeId) {
        if self.nodes.contains_key(&a) || self.nodes_back.contains_key(&b) {
            return;
        }
        self.nodes.insert(a, b);
        self.nodes_back.insert(b, a);
        for (a, b) in self
            .before
            .node(a)
            .outputs()
            .zip(self.after.node(b).outputs())
        {
            if let (Some(a), Some(b)) = (a, b) {
                self.value(a.id, b.id);
            }
        }
        self.fresh.push((a, b));
    }

    /// Nodes of the same name, if no other has it, and if they have more in common than that.
    fn by_name(
        &mut self,
        a: GraphId,
        b: GraphId,
        fits: impl Fn(&Matching<'_>, NodeRef<'_>, NodeRef<'_>) -> bool,
    ) {
        let (mine, theirs) = (by_name(self.before, a), by_name(self.after, b));
        for node in self.before.nodes_of(a) {
            let only = |names: &HashMap<&Name, Vec<NodeId>>| match names.get(&node.get().name) {
                Some(nodes) if nodes.len() == 1 => Some(nodes[0]),
                _ => None,
            };
            if let (Some(_), Some(other)) = (only(&mine), only(&theirs)) {
                let same = self.after.node(other).get();
                let shared = (node.outputs.iter())
                    .any(|name| !name.is_empty() && same.outputs.contains(name));
                let fits = fits(self, node, self.after.node(other));
                if fits && (shared || node.op_type == same.op_type) {
                    self.pair(node.id, other);
                }
            }
        }
    }

    /// Nodes of the same operator that produce a value of the same name.
    fn by_output(
        &mut self,
        a: GraphId,
        b: GraphId,
        fits: impl Fn(&Matching<'_>, NodeRef<'_>, NodeRef<'_>) -> bool,
    ) {
        for node in self.before.nodes_of(a) {
            let mut outputs = node.get().outputs.iter().filter(|name| !name.is_empty());
            let found = outputs.find_map(|name| {
                let value = self.after.lookup(b, name);
                let other = value.filter(|value| value.get().graph == b)?.node()?;
                (other.op_type == node.op_type && fits(self, node, other)).then_some(other.id)
            });
            if let Some(other) = found {
                self.pair(node.id, other);
            }
        }
    }

    /// Matches the inputs of matched nodes: the weights they use, and the nodes they come from,
    /// if these have the same operator.
    pub fn follow(&mut self) {
        while let Some((a, b)) = self.fresh.pop() {
            for values in self
                .before
                .node(a)
                .inputs()
                .zip(self.after.node(b).inputs())
            {
                if let (Some(from), Some(to)) = values {
                    self.same_value(from, to);
                }
            }
        }
    }

    /// Two values that are used in the same place are likely the same.
    pub fn same_value(&mut self, a: ValueRef<'_>, b: ValueRef<'_>) {
        if a.is_weight() && b.is_weight() {
            self.value(a.id, b.id);
        }
        if let (Some((a, place)), Some((b, other))) = (a.producer(), b.producer())
            && place == other
            && a.op_type == b.op_type
            && a.domain == b.domain
            && self.graphs.contains(&(a.graph(), b.graph()))
        {
            self.pair(a.id, b.id);
        }
    }
}

/// The weights of a graph, and for each the only node that reads it; `None` if there are several.
fn only_readers(view: View<'_>, graph: GraphId) -> HashMap<ValueId, Option<NodeId>> {
    let mut readers: HashMap<ValueId, Option<NodeId>> = HashMap::default();
    for node in view.nodes_of(graph) {
        for value in node.inputs().flatten().filter(|value| value.is_weight()) {
            readers
                .entry(value.id)
                .and_modify(|reader| *reader = None)
                .or_insert(Some(node.id));
        }
    }
    readers
}

/// The tensor of a weight.
fn tensor(value: ValueRef<'_>) -> Option<&Tensor> {
    let index = value.get().initializer?;
    let graph = value.view().model.graph(value.get().graph);
    Some(graph.initializer(index))
}

fn text(value: ValueRef<'_>) -> Option<String> {
    tensor_text(value.view().model, tensor(value)?).ok()
}

/// True of constants such as `val_12`, whose number depends on what was exported before.
fn is_numbered(tensor: &Tensor) -> bool {
    is_small(tensor)
        && tensor
            .name
            .as_bytes()
            .last()
            .is_some_and(u8::is_ascii_digit)
}

/// True of tensors whose text has all elements.
fn is_small(tensor: &Tensor) -> bool {
    tensor.elements().is_some_and(|elements| elements <= SMALL)
}

fn by_name<'m>(side: View<'m>, graph: GraphId) -> HashMap<&'m Name, Vec<NodeId>> {
    let mut names: HashMap<&Name, Vec<NodeId>> = HashMap::default();
    for node in side.nodes_of(graph) {
        if !node.name.is_empty() {
            names.entry(&node.get().name).or_default().push(node.id);
        }
    }
    names
}
