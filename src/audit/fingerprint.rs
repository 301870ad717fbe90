//! Fingerprints: the identity of a site or a node, independent of names.
//!
//! 16 hexadecimal digits of the XXH3 of
//! - form, kind, rate, scaling and shared axes of a dropout, or the operator of another node;
//! - the kind of its scope;
//! - its surroundings: the operators that its data comes from, [`BEFORE`] steps back, and those that
//!   use what comes out, [`AFTER`] steps on, with the shapes of their weights.
//!
//! No name is part of it, and nothing that exporters, optimisers and converters of opset,
//! precision or batch size change without changing the network: `Identity` and `Cast` are passed
//! over, and so are the model's other dropouts; attributes, scalars, vectors and shape arithmetic do
//! not count, nor whether a dropout acts. Sites that agree in all these respects have the same one.

use std::fmt;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::dropout::{Form, Site};
use crate::hash::{HashMap, HashSet};
use crate::onnx::{
    AttributeValue, GraphId, GraphKind, Model, Node, NodeId, Producer, Use, ValueId,
};
use crate::semantics::view::View;

/// Steps back from the data.
const BEFORE: u8 = 3;
/// Steps on from what comes out.
const AFTER: u8 = 2;
/// The number of consecutive nodes that are skipped, so that chains of them have linear cost.
const PASSED: usize = 4;

/// Operators whose further inputs are positions or numbers of elements. Exporters compute
/// these in many ways, and opsets have had them as attributes.
const SHAPED: &[&str] = &[
    "Expand",
    "Pad",
    "Reshape",
    "Resize",
    "Slice",
    "Squeeze",
    "Tile",
    "Unsqueeze",
    "Upsample",
];

/// The identity of a site, node or graph, independent of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:016x}", self.0))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Makes fingerprints of one model.
pub(super) struct Fingerprints<'m> {
    model: &'m Model,
    view: View<'m>,
    /// The results of dropout, each with its data.
    data: HashMap<ValueId, ValueId>,
    /// The nodes where data enters a dropout, and what comes out.
    through: HashMap<NodeId, SmallVec<[ValueId; 2]>>,
    /// Other nodes of dropouts.
    inner: HashSet<NodeId>,
    /// What several ask about: what only one asks about is made once, and not kept.
    before: HashMap<(ValueId, u8), u64>,
    users: HashMap<(NodeId, u8), u64>,
    scopes: HashMap<GraphId, u64>,
    far: Far,
    /// Of sites, by id.
    made: Vec<Option<Fingerprint>>,
}

/// Hashes without parts.
struct Far {
    /// Of a value whose producer is too far away to count.
    before: u64,
    /// Of a node that is too far away to count.
    user: u64,
    /// Of an output of a graph.
    output: u64,
}

impl<'m> Fingerprints<'m> {
    /// `sites`: all of the model's.
    pub fn new(view: View<'m>, sites: &[Site]) -> Self {
        let mut new = Fingerprints {
            model: view.model,
            view,
            data: HashMap::default(),
            through: HashMap::default(),
            inner: HashSet::default(),
            before: HashMap::default(),
            users: HashMap::default(),
            scopes: HashMap::default(),
            far: Far {
                before: Hash::of("before").finish(),
                user: Hash::of("user").finish(),
                output: Hash::of("output").finish(),
            },
            made: vec![None; sites.len()],
        };
        for site in sites {
            new.inner.extend(&site.nodes);
            for (entry, data, output) in ends(site) {
                if let (Some(data), Some(output)) = (data, output) {
                    new.data.insert(output, data);
                    new.through.entry(entry).or_default().push(output);
                }
            }
        }
        new
    }

    /// The fingerprint of a site.
    pub fn site(&mut self, site: &Site) -> Fingerprint {
        let made = self.made[site.id].unwrap_or_else(|| Fingerprint(self.make(site)));
        self.made[site.id] = Some(made);
        made
    }

    fn make(&mut self, site: &Site) -> u64 {
        let mut hash = Hash::of("site/1");
        for word in [site.form.word(), site.kind.word(), site.scaling.word()] {
            hash.text(word);
        }
        hash.text(&site.rate.map_or(String::new(), |rate| rate.to_string()));
        let axes = site.noise_shape.iter().flatten();
        let axes: String = axes
            .map(|size| if size == "1" { '1' } else { '*' })
            .collect();
        hash.text(&axes);
        hash.number(self.scope(site.graph));
        let ends = ends(site).into_iter().map(|(_, data, output)| {
            let mut end = Hash::of("end");
            end.number(data.map_or(0, |data| self.before(data, BEFORE)));
            end.number(output.map_or(0, |output| self.after(output, AFTER)));
            end.finish()
        });
        hash.sorted(&mut ends.collect::<SmallVec<[u64; 4]>>());
        for call in &site.calls {
            self.inputs(*call, BEFORE, &mut hash);
        }
        hash.finish()
    }

    /// The fingerprint of a node that is part of no site.
    pub fn node(&mut self, id: NodeId) -> Fingerprint {
        let mut hash = Hash::of("node/1");
        self.operator(id, &mut hash);
        hash.number(self.scope(id.graph));
        self.inputs(id, BEFORE, &mut hash);
        self.outputs(id, AFTER, &mut hash);
        Fingerprint(hash.finish())
    }

    /// The fingerprint of a graph.
    pub fn graph(&mut self, graph: GraphId) -> Fingerprint {
        let mut hash = Hash::of("graph/1");
        hash.number(self.scope(graph));
        Fingerprint(hash.finish())
    }

    /// The main graph, a function, or the operators whose bodies contain a graph.
    fn scope(&mut self, graph: GraphId) -> u64 {
        if let Some(&known) = self.scopes.get(&graph) {
            return known;
        }
        let scope = self.make_scope(graph);
        self.scopes.insert(graph, scope);
        scope
    }

    fn make_scope(&self, mut graph: GraphId) -> u64 {
        let mut hash = Hash::of("scope");
        loop {
            match &self.model.graph(graph).kind {
                GraphKind::Attribute { node, attribute } => {
                    self.operator(*node, &mut hash);
                    hash.bytes(attribute.as_bytes());
                    graph = node.graph;
                    continue;
                }
                GraphKind::Main => hash.text("graph"),
                GraphKind::Function(_) => hash.text("function"),
                GraphKind::TrainingInitialization(_) | GraphKind::TrainingAlgorithm(_) => {
                    hash.text("training");
                }
            }
            return hash.finish();
        }
    }

    /// Functions are called after modules, with numbers: they count as calls, all the same.
    fn operator(&self, id: NodeId, hash: &mut Hash) {
        let node = self.model.node(id);
        if self.model.callee(node).is_some() {
            return hash.text("call");
        }
        if !node.in_default_domain() {
            hash.bytes(node.domain.as_bytes());
        }
        hash.bytes(node.op_type.as_bytes());
    }

    /// The producers of a value, `steps` upstream.
    fn before(&mut self, value: ValueId, steps: u8) -> u64 {
        let asked = value;
        let value = self.source(value);
        let made = self.view.value(value).producer();
        let weight = self.weight(value);
        if steps == 0 && made.is_some() && weight.is_none() {
            return self.far.before;
        }
        let asked_often = value != asked || self.view.value(value).uses().nth(1).is_some();
        if asked_often && let Some(&known) = self.before.get(&(value, steps)) {
            return known;
        }
        let mut hash = Hash::of("before");
        if let Some(weight) = weight {
            weight.tell(&mut hash);
        } else if let Some((node, output)) = made {
            self.operator(node.id, &mut hash);
            hash.number(output as u64);
            self.inputs(node.id, steps - 1, &mut hash);
        } else {
            hash.text("input");
        }
        let found = hash.finish();
        if asked_often {
            self.before.insert((value, steps), found);
        }
        found
    }

    /// What a node computes with: data, and weights of two dimensions or more.
    fn inputs(&mut self, id: NodeId, steps: u8, hash: &mut Hash) {
        let node = self.view.node(id);
        let count = match SHAPED.contains(&node.op()) {
            true => 1,
            false => node.inputs.len(),
        };
        for input in node.inputs().take(count).flatten().map(|value| value.id) {
            if self.weight(input).is_none_or(|weight| weight.counts()) {
                hash.number(self.before(input, steps));
            }
        }
    }

    /// The readers of a value, `steps` downstream.
    fn after(&mut self, value: ValueId, steps: u8) -> u64 {
        let mut users = SmallVec::<[u64; 4]>::new();
        let mut open = SmallVec::<[ValueId; 4]>::from([value].as_slice());
        let mut passed = 0;
        while let Some(value) = open.pop() {
            for at in self.view.value(value).uses() {
                let id = match at {
                    Use::Input { node, .. } => node,
                    Use::Output { .. } => {
                        users.push(self.far.output);
                        continue;
                    }
                    Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => continue,
                };
                if passed < PASSED
                    && let Some(outputs) = self.passes(id)
                {
                    passed += 1;
                    open.extend(outputs);
                } else if self.counts(id) {
                    users.push(self.user(id, steps, passed > 0));
                }
            }
        }
        let mut hash = Hash::of("after");
        hash.sorted(&mut users);
        hash.finish()
    }

    /// A node that reads a value, at one of its inputs or at many; `passed`: others are between them.
    fn user(&mut self, id: NodeId, steps: u8, passed: bool) -> u64 {
        if steps == 0 {
            return self.far.user;
        }
        let asked_often = passed || self.view.node(id).get().inputs.len() > 1;
        if asked_often && let Some(&known) = self.users.get(&(id, steps)) {
            return known;
        }
        let mut hash = Hash::of("user");
        self.operator(id, &mut hash);
        for input in self.view.node(id).inputs().flatten() {
            let weight = self.weight(input.id);
            if let Some(weight) = weight.filter(Weight::counts) {
                weight.tell(&mut hash);
            }
        }
        self.outputs(id, steps - 1, &mut hash);
        let found = hash.finish();
        if asked_often {
            self.users.insert((id, steps), found);
        }
        found
    }

    fn outputs(&mut self, id: NodeId, steps: u8, hash: &mut Hash) {
        for output in self.view.node(id).outputs().flatten() {
            hash.number(self.after(output.id, steps));
        }
    }

    /// False of nodes that draw or apply masks, and of shape arithmetic.
    fn counts(&self, id: NodeId) -> bool {
        let node = self.model.node(id);
        !self.inner.contains(&id) && !node.is("Shape") && !node.is("Size")
    }

    /// What comes out of a node that is passed over.
    fn passes(&self, id: NodeId) -> Option<SmallVec<[ValueId; 2]>> {
        match is_passed(self.model.node(id)) {
            true => {
                let output = self.view.node(id).output(0);
                Some(output.into_iter().map(|value| value.id).collect())
            }
            false => self.through.get(&id).cloned(),
        }
    }

    /// Where a value comes from, before nodes that are passed over.
    fn source(&self, mut value: ValueId) -> ValueId {
        for _ in 0..PASSED {
            let next = self.data.get(&value).copied().or_else(|| {
                let node = self.view.value(value).node()?;
                let passed = is_passed(node.get()).then(|| node.input(0))?;
                passed.map(|value| value.id)
            });
            match next {
                Some(next) => value = next,
                None => break,
            }
        }
        value
    }

    /// Of an initializer, the default of an input, or a `Constant`.
    fn weight(&self, value: ValueId) -> Option<Weight<'m>> {
        let value = self.view.value(value).get();
        let graph = self.model.graph(value.graph);
        if let Some(index) = value.initializer {
            return Some(Weight(&graph.initializer(index).dims));
        }
        match value.producer {
            Producer::SparseInitializer(index) => {
                let sparse = graph.sparse_initializers().get(index as usize)?;
                Some(Weight(&sparse.dims))
            }
            Producer::Node { node, .. } if self.model.node(node).is("Constant") => {
                let attribute = self.model.node(node).attributes.first();
                Some(Weight(match attribute.map(|attribute| &attribute.value) {
                    Some(AttributeValue::Tensor(tensor)) => &tensor.dims,
                    Some(AttributeValue::Sparse(sparse)) => &sparse.dims,
                    _ => &[],
                }))
            }
            _ => None,
        }
    }
}

/// Where data enters a site, the data, and what comes out.
type End = (NodeId, Option<ValueId>, Option<ValueId>);

/// The places where data passes a site.
fn ends(site: &Site) -> SmallVec<[End; 1]> {
    let ends = site
        .junctions
        .iter()
        .map(|junction| match junction.prescale {
            Some(prescale) => (prescale.node, Some(prescale.from), Some(junction.output)),
            None => (junction.node, Some(junction.data), Some(junction.output)),
        });
    let mut ends: SmallVec<_> = ends.collect();
    if ends.is_empty() || site.form == Form::Scale {
        let first = site.nodes.first().copied();
        ends = first
            .map(|node| (node, site.input, site.output))
            .into_iter()
            .collect();
    }
    ends
}

fn is_passed(node: &Node) -> bool {
    node.is("Identity") || node.is("Cast")
}

/// A constant, by its shape.
struct Weight<'m>(&'m [i64]);

impl Weight<'_> {
    /// False of scalars and vectors: rates, axes, shapes, biases.
    fn counts(&self) -> bool {
        self.0.len() > 1
    }

    fn tell(&self, hash: &mut Hash) {
        hash.text("weight");
        self.0.iter().for_each(|&dim| hash.number(dim as u64));
    }
}

/// XXH3 of parts, each seeded by those before it.
struct Hash(u64);

impl Hash {
    fn of(what: &str) -> Hash {
        Hash(xxh3_64(what.as_bytes()))
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// Parts whose order does not matter.
    fn sorted(&mut self, parts: &mut [u64]) {
        parts.sort_unstable();
        parts.iter().for_each(|&part| self.number(part));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
