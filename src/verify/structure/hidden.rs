//! What a run may not reach although two models differ there: rows, sides, branches and constants.

use super::difference::{Hidden, Kind, What};
use super::expression::{Expression, Tag};
use super::numbering::Numbering;
use super::sides::Sides;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Producer, ValueId};
use crate::semantics::operator::Elements;
use crate::semantics::view::NodeRef;

/// How many places are listed.
const PLACES: usize = 1000;

impl Sides<'_, '_> {
    /// The places that runs have to reach; none if there are too many, or differences that runs do not show
    /// at all. `constants`: pairs of constants that are in each other's place.
    pub(super) fn hidden(
        &self,
        kinds: &HashSet<Kind>,
        constants: &[(Expression, Expression)],
    ) -> Vec<Hidden> {
        let shown = |kind: &Kind| matches!(kind, Kind::Operators | Kind::Constant | Kind::Branch);
        let functions = |side: &Numbering<'_>| !side.view.model.functions().is_empty();
        if !kinds.iter().all(shown) || functions(self.before) || functions(self.after) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (after, [one, other]) in [
            (false, [self.before, self.after]),
            (true, [self.after, self.before]),
        ] {
            let pairs = constants.iter().map(|&(old, new)| match after {
                false => (old, new),
                true => (new, old),
            });
            let one = OneSide::new(self, [one, other], pairs.collect());
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
    counterparts: HashMap<Expression, ValueId>,
}

impl<'s, 'm> OneSide<'s, 'm> {
    fn new(
        sides: &'s Sides<'s, 'm>,
        [side, other]: [&'s Numbering<'m>; 2],
        pairs: Vec<(Expression, Expression)>,
    ) -> Self {
        let live = other
            .view
            .values
            .ids()
            .filter(|&value| other.is_live(value));
        let others: HashMap<Expression, ValueId> =
            live.map(|value| (other.value(value), value)).collect();
        let counterparts = pairs.into_iter();
        let counterparts =
            counterparts.filter_map(|(one, other)| Some((one, *others.get(&other)?)));
        OneSide {
            sides,
            side,
            counterparts: counterparts.collect(),
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

    fn node(&self, node: NodeRef<'m>, found: &mut Vec<What>, constants: &mut HashSet<ValueId>) {
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
