//! A model by how data flows through it, whatever its weights: which values of two models are the same.
//!
//! Values that depend on no input are left out: weights, sizes, what is computed of them. What such a value
//! is added to or multiplied with, what only moves or casts its data, and normalization by channel stay in the
//! *chain* of that data: exporters and optimizers fold these, add them and remove them. Two chains are
//! alike if the same operators made them of chains that are alike.

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{GraphId, GraphKind, NodeId, ValueId};
use crate::semantics::batch_norm::is_batch_norm;
use crate::semantics::operator::{Layer, Role};
use crate::semantics::view::{NodeRef, ValueRef, View};

/// A value in its chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub value: ValueId,
    /// How many operators that move elements about are before it.
    pub moves: u32,
}

/// Values of the same data.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// What it is made of.
    print: u32,
    /// Its values, the first one first.
    pub members: Vec<Member>,
}

/// The chains of a model.
pub(super) struct Skeleton<'m> {
    pub view: View<'m>,
    pub chains: Vec<Chain>,
    /// By value: its chain; `None` if it depends on no input.
    of: Vec<Option<u32>>,
    alike: HashMap<u32, Vec<u32>>,
}

/// What chains are made of, by number: shared by the models that are compared.
#[derive(Debug, Default)]
pub(super) struct Prints(HashMap<(String, Vec<u32>), u32>);

impl Prints {
    fn of(&mut self, class: &str, parts: Vec<u32>) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry((class.to_string(), parts)).or_insert(next)
    }
}

impl<'m> Skeleton<'m> {
    /// # Errors
    /// The model is not sound.
    pub fn new(view: View<'m>, prints: &mut Prints) -> Result<Self> {
        let order = view.model.check_order(view.values)?;
        let mut skeleton = Skeleton {
            view,
            chains: Vec::new(),
            of: vec![None; view.values.len()],
            alike: HashMap::default(),
        };
        skeleton.inputs(prints);
        for node in inner_first(view, order) {
            skeleton.node(node, prints);
        }
        for (index, chain) in skeleton.chains.iter().enumerate() {
            let alike = skeleton.alike.entry(chain.print).or_default();
            alike.push(index as u32);
        }
        Ok(skeleton)
    }

    /// The chain of a value.
    pub fn chain(&self, value: ValueId) -> Option<u32> {
        *self.of.get(value.index())?
    }

    /// The chain of another model that is this one: of several that are alike the one at the same place.
    ///
    /// # Errors
    /// There is none, or a different number of them.
    pub fn counterpart(&self, chain: u32, other: &Skeleton<'_>) -> Result<u32, String> {
        let print = self.chains[chain as usize].print;
        let none = Vec::new();
        let (mine, theirs) = (
            &self.alike[&print],
            other.alike.get(&print).unwrap_or(&none),
        );
        let place = mine.iter().position(|&other| other == chain);
        match place.and_then(|place| theirs.get(place)) {
            Some(&found) if mine.len() == theirs.len() => Ok(found),
            _ if theirs.is_empty() => {
                let all: Vec<u32> = (0..other.chains.len() as u32).collect();
                let named = self.named(chain, &all, other);
                let named = named.filter(|&named| self.class(chain) == other.class(named));
                named.ok_or_else(|| "nothing in this model computes the same".to_string())
            }
            _ => self.named(chain, theirs, other).ok_or_else(|| {
                let (mine, theirs) = (mine.len(), theirs.len());
                format!("{theirs} values in this model are like it, and {mine} in the other")
            }),
        }
    }

    /// What the node does that a chain begins with.
    fn class(&self, chain: u32) -> Option<&str> {
        let head = self.chains[chain as usize].members.first()?;
        Some(class(self.view.value(head.value).node()?))
    }

    /// The chain among these that has a value of the same name, if that is a path and no number.
    fn named(&self, chain: u32, among: &[u32], other: &Skeleton<'_>) -> Option<u32> {
        let name = |view: View<'_>, member: &Member| view.value(member.value).name.clone();
        let names = self.chains[chain as usize].members.iter();
        let names = names.map(|member| name(self.view, member));
        let paths = names.filter(|name| name.as_bytes().contains(&b'/'));
        let names: Vec<_> = paths.collect();
        let mut found = among.iter().filter(|&&chain| {
            let mut members = other.chains[chain as usize].members.iter();
            members.any(|member| names.contains(&name(other.view, member)))
        });
        let first = found.next()?;
        found.next().is_none().then_some(*first)
    }

    /// The inputs of all graphs.
    fn inputs(&mut self, prints: &mut Prints) {
        for (id, graph) in self.view.model.graphs() {
            let scope = match &graph.kind {
                GraphKind::Function(index) => {
                    let function = &self.view.model.functions()[*index];
                    format!(
                        "{}:{}:{}",
                        function.domain, function.name, function.overload
                    )
                }
                GraphKind::Attribute { .. } => "inner".to_string(),
                _ => String::new(),
            };
            let inputs = self.view.graph_inputs(id).flatten();
            let inputs = inputs.filter(|value| value.is_used() && value.initializer.is_none());
            for (place, value) in inputs.enumerate() {
                let print = prints.of(&format!("input of {scope}"), vec![place as u32]);
                self.begin(value.id, print);
            }
        }
    }

    /// A chain that begins with a value.
    fn begin(&mut self, value: ValueId, print: u32) {
        self.of[value.index()] = Some(self.chains.len() as u32);
        let members = vec![Member { value, moves: 0 }];
        self.chains.push(Chain { print, members });
    }

    fn node(&mut self, node: NodeRef<'m>, prints: &mut Prints) {
        let data = self.data(node);
        if let (Some(&(input, chain)), Some(moves)) = (data.first(), passes(node, data.len())) {
            let Some(output) = node.produced().next() else {
                return;
            };
            let before = self.chains[chain as usize].members.iter();
            let before = before.rev().find(|member| member.value == input.id);
            let moves = before.map_or(0, |member| member.moves) + u32::from(moves);
            self.of[output.id.index()] = Some(chain);
            let value = output.id;
            self.chains[chain as usize]
                .members
                .push(Member { value, moves });
            return;
        }
        let print = |&(_, chain): &(_, u32)| self.chains[chain as usize].print;
        let mut made_of: Vec<u32> = data.iter().map(print).collect();
        if node
            .operator()
            .is_some_and(|operator| operator.is_commutative(node.inputs.len()))
        {
            made_of.sort_unstable();
        }
        let results = node
            .bodies()
            .flat_map(|graph| self.view.graph_outputs(graph).flatten());
        let results = results.filter_map(|value| self.chain(value.id));
        made_of.extend(results.map(|chain| self.chains[chain as usize].print));
        if made_of.is_empty() && !node.draws() {
            return;
        }
        for (place, output) in node.outputs().enumerate() {
            if let Some(output) = output {
                let all = made_of.iter().copied().chain([place as u32]);
                let print = prints.of(class(node), all.collect());
                self.begin(output.id, print);
            }
        }
    }

    /// The inputs that are data, each with its chain.
    fn data(&self, node: NodeRef<'m>) -> Vec<(ValueRef<'m>, u32)> {
        let operator = node.operator();
        let read = |input| operator.is_none_or(|operator| operator.reads_values(input));
        let given = node.given().filter(|&(input, _)| read(input));
        given
            .filter_map(|(_, value)| Some((value, self.chain(value.id)?)))
            .collect()
    }
}

/// Nodes in order, except that a node comes after those of the graphs inside it.
fn inner_first(view: View<'_>, order: Vec<NodeId>) -> Vec<NodeRef<'_>> {
    let mut of_graph: HashMap<GraphId, Vec<NodeId>> = HashMap::default();
    for id in order {
        of_graph.entry(id.graph).or_default().push(id);
    }
    let outside = |id: &GraphId| view.owner(*id).is_none();
    let roots = view.model.graphs().map(|(id, _)| id).filter(outside);
    let mut sorted = Vec::new();
    // what is taken from the stack comes before what was: it is turned round in the end
    let mut open: Vec<NodeId> = roots
        .flat_map(|root| of_graph.remove(&root).unwrap_or_default())
        .collect();
    while let Some(id) = open.pop() {
        let node = view.node(id);
        sorted.push(node);
        for graph in node.bodies() {
            open.extend(of_graph.remove(&graph).unwrap_or_default());
        }
    }
    sorted.reverse();
    sorted
}

/// Whether a node keeps the chain of its data, and then whether it moves elements about.
fn passes(node: NodeRef<'_>, data: usize) -> Option<bool> {
    let operator = node.operator()?;
    let with_constant = matches!(node.op(), "Add" | "Sub" | "Mul" | "Div");
    let keeps =
        operator.passes() || operator.role == Role::Dropout || is_batch_norm(node) || with_constant;
    (data == 1 && keeps).then(|| operator.moves())
}

/// What a node does: layers that are written or quantized differently are the same.
fn class(node: NodeRef<'_>) -> &str {
    match node.operator().map(|operator| operator.role) {
        Some(Role::Layer(Layer::Dense)) => "dense",
        Some(Role::Layer(Layer::Convolution)) => "convolution",
        _ => node.get().op_type.as_str().unwrap_or_default(),
    }
}
