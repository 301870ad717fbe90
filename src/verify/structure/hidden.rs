//! What a run may not reach although two models differ there: rows, sides, branches, constants and attributes.

use super::attributes::has_floats;
use super::difference::{Hidden, Kind, What};
use super::expression::{Expression, Tag};
use super::numbering::Numbering;
use super::sides::Sides;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{NodeId, Producer, ValueId};
use crate::semantics::operator::Elements;
use crate::semantics::view::NodeRef;

/// How many places are listed.
const PLACES: usize = 1000;

impl Sides<'_, '_> {
    /// The places that runs have to reach; none if there are too many, or differences that runs do not show
    /// at all. `pairs`: constants, and applications with other attributes, in each other's place. `exclusive`:
    /// what only one of both models has.
    pub(super) fn hidden(
        &self,
        kinds: &HashSet<Kind>,
        pairs: &[(Expression, Expression)],
        exclusive: &[HashSet<Expression>; 2],
    ) -> Vec<Hidden> {
        let shown = |kind: &Kind| !matches!(kind, Kind::Interface | Kind::Unknown);
        let functions = |side: &Numbering<'_>| !side.view.model.functions().is_empty();
        if !kinds.iter().all(shown) || functions(self.before) || functions(self.after) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (after, [one, other]) in [
            (false, [self.before, self.after]),
            (true, [self.after, self.before]),
        ] {
            let pairs = pairs.iter().map(|&(old, new)| match after {
                false => (old, new),
                true => (new, old),
            });
            let only = &exclusive[usize::from(after)];
            let one = OneSide::new(self, [one, other], pairs.collect(), only);
            let places = one.places().into_iter();
            found.extend(places.map(|what| Hidden { after, what }));
        }
        match found.len() > PLACES {
            true => Vec::new(),
            false => found,
        }
    }
}

/// One model, and what the other has in its place.
struct OneSide<'s, 'm> {
    sides: &'s Sides<'s, 'm>,
    side: &'s Numbering<'m>,
    others: HashSet<Expression>,
    other_bodies: HashSet<Expression>,
    /// What the other model has in place of constants, and of applications with other attributes.
    counterparts: HashMap<Expression, ValueId>,
    applications: HashMap<Expression, NodeId>,
    /// What only this model has.
    exclusive: &'s HashSet<Expression>,
}

impl<'s, 'm> OneSide<'s, 'm> {
    fn new(
        sides: &'s Sides<'s, 'm>,
        [side, other]: [&'s Numbering<'m>; 2],
        pairs: Vec<(Expression, Expression)>,
        exclusive: &'s HashSet<Expression>,
    ) -> Self {
        let live = other
            .view
            .values
            .ids()
            .filter(|&value| other.is_live(value));
        let others: HashMap<Expression, ValueId> =
            live.map(|value| (other.value(value), value)).collect();
        let values = pairs.iter();
        let values = values.filter_map(|(one, other)| Some((*one, *others.get(other)?)));
        let nodes = pairs.iter();
        let nodes = nodes.filter_map(|(one, place)| Some((*one, other.node(*place)?)));
        OneSide {
            sides,
            side,
            exclusive,
            counterparts: values.collect(),
            applications: nodes.collect(),
            other_bodies: other.bodies.values().copied().collect(),
            others: others.into_keys().collect(),
        }
    }

    /// True of a value that the other model does not compute.
    fn is_own(&self, value: ValueId) -> bool {
        self.side.is_live(value) && !self.others.contains(&self.side.value(value))
    }

    fn is_constant(&self, value: ValueId) -> bool {
        let number = self.side.value(value);
        let has = |tag| self.sides.shared.expressions.words(number, tag).is_some();
        has(Tag::Constant) || has(Tag::Sparse) || has(Tag::Input)
    }

    fn places(&self) -> Vec<What> {
        let mut found = Vec::new();
        let mut constants = HashSet::default();
        for node in self.side.view.nodes() {
            let mut outputs = node.outputs().flatten();
            if outputs.any(|value| self.is_own(value.id)) {
                self.node(node, &mut found, &mut constants);
            }
        }
        for graph in self.side.view.graph_outputs(self.side.view.model.main()) {
            let value = graph.filter(|value| self.is_own(value.id) && self.is_constant(value.id));
            if let Some(value) = value
                && let Some(node) = value.node()
            {
                let why = "a constant is an output";
                found.push(What::Never { node: node.id, why });
            }
        }
        found
    }

    /// What has to be reached of an operator itself: its attributes, and that it does something.
    fn operator(&self, node: NodeRef<'m>, found: &mut Vec<What>) {
        let expressions = &self.sides.shared.expressions;
        let Some(output) = node.produced().find(|value| self.is_own(value.id)) else {
            return;
        };
        let mut number = self.side.value(output.id);
        for tag in [Tag::Output, Tag::Draw] {
            let words = expressions.words(number, tag);
            number = words.map_or(number, |words| Expression(words[0]));
        }
        let (exclusive, id) = (self.exclusive.contains(&number), node.id);
        let other = self.applications.get(&number).copied();
        if other.is_some() || (exclusive && has_floats(node)) {
            found.push(What::Attributes { node: id, other });
        }
        let inputs = node.operator().filter(|_| exclusive);
        let inputs = inputs.map_or(0, |operator| operator.passable(node.inputs.len()));
        found.extend((0..inputs).map(|input| What::Passed { node: id, input }));
    }

    fn node(&self, node: NodeRef<'m>, found: &mut Vec<What>, constants: &mut HashSet<ValueId>) {
        self.operator(node, found);
        for graph in node.bodies() {
            let body = self.side.bodies.get(&graph);
            if body.is_some_and(|body| self.other_bodies.contains(body)) {
                continue;
            }
            let node = node.id;
            found.push(match self.side.view.node(node).op() {
                "If" => What::Branch { node, graph },
                "Loop" | "Scan" => What::Body { node, graph },
                _ => What::Never {
                    node,
                    why: "how often its body runs is not observed",
                },
            });
        }
        for (input, value) in node.given() {
            if !self.is_own(value.id) {
                continue;
            }
            let constant = self.is_constant(value.id);
            let other = self.counterparts.get(&self.side.value(value.id)).copied();
            if node.is("Where") && input > 0 {
                found.push(What::Side {
                    node: node.id,
                    input,
                });
            }
            if node.is("Gather") && input == 0 && constant {
                found.push(What::Rows {
                    node: node.id,
                    other,
                });
            }
            let picks = node
                .operator()
                .is_some_and(|o| o.elements == Elements::Pick);
            if picks && input == 0 && constant && !node.is("Gather") {
                let mut others = node.given().skip(1);
                if others.any(|(_, index)| !self.is_constant(index.id)) {
                    let why = "which elements it reads is not observed";
                    found.push(What::Never { node: node.id, why });
                }
            }
            match value.producer {
                _ if !constant => {}
                Producer::Input(_) | Producer::SparseInitializer(_) => found.push(What::Never {
                    node: node.id,
                    why: "it reads an input with a default, or a sparse tensor",
                }),
                _ if constants.insert(value.id) => found.push(What::Constant {
                    value: value.id,
                    other,
                }),
                _ => {}
            }
        }
    }
}
