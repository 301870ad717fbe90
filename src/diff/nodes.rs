//! Nodes: removed, added, and pairs compared.

use super::compare::{Found, change_of};
use super::{Change, Kind, Part};
use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, GraphId, Name, Node, NodeId, ValueId};
use crate::semantics::view::View;
use crate::show::{attribute_text, node_text};
use crate::wire::Field;

/// The number of nodes visited in search of a path past removed nodes.
const WAY: usize = 256;

impl Found<'_> {
    pub(super) fn nodes(&mut self, scope: &str, a: GraphId, b: GraphId) -> Result<()> {
        let mut places = Vec::new();
        let fields = (
            self.before.model.node_places(a),
            self.after.model.node_places(b),
        );
        for (index, node) in self.before.model.graph(a).nodes() {
            let id = NodeId { graph: a, index };
            let name = self.before.model.label(id);
            let place = (scope, Part::Node, &*name.to_text());
            match self.matching.nodes.get(&id) {
                Some(&other) => {
                    places.push(other.index as usize);
                    let fields = (fields.0[index as usize], fields.1[other.index as usize]);
                    self.pair(place, (id, other), fields)?;
                }
                None => {
                    let text = node_text(self.before.model, a, node)?;
                    self.changed(place, None, Some(text), None);
                }
            }
        }
        for (index, node) in self.after.model.graph(b).nodes() {
            let id = NodeId { graph: b, index };
            if !self.matching.nodes_back.contains_key(&id) {
                let name = self.after.model.label(id);
                let text = node_text(self.after.model, b, node)?;
                let place = (scope, Part::Node, &*name.to_text());
                self.changed(place, None, None, Some(text));
            }
        }
        self.order(scope, "nodes", &places);
        Ok(())
    }

    fn pair(
        &mut self,
        place: (&str, Part, &str),
        (a, b): (NodeId, NodeId),
        fields: (Option<Field>, Option<Field>),
    ) -> Result<()> {
        let (old, new) = (self.before.node(a).get(), self.after.node(b).get());
        for input in 0..old.inputs.len().max(new.inputs.len()) {
            let values = (
                self.before.values.input(a, input),
                self.after.values.input(b, input),
            );
            let names = (old.input(input), new.input(input));
            if let ((None, None), (Some(old), Some(new))) = (values, names) {
                // nothing defines either: there are but the names to compare
                let what = format!("input {input}");
                self.changed(place, what, Some(old.to_string()), Some(new.to_string()));
                continue;
            }
            self.wire(place, Some(format!("input {input}")), values.0, values.1);
        }
        if self.same_bytes(fields.0, fields.1) {
            // not a byte of it was edited
            return Ok(());
        }
        let operators = (operator(old), operator(new));
        self.changed(
            place,
            "operator".to_string(),
            Some(operators.0),
            Some(operators.1),
        );
        self.renamed(place, "name".to_string(), &old.name, &new.name);
        for output in 0..old.outputs.len().max(new.outputs.len()) {
            let what = format!("output {output}");
            match (old.output(output), new.output(output)) {
                (Some(old), Some(new)) => self.renamed(place, what, old, new),
                (old, new) => {
                    let [old, new] = [old, new].map(|name| name.map(Name::to_string));
                    self.changed(place, what, old, new);
                }
            }
        }
        self.attributes(place, old, new)?;
        let fields = (
            self.before.model.node_fields(fields.0)?,
            self.after.model.node_fields(fields.1)?,
        );
        self.fields(place, &fields.0, &fields.1);
        Ok(())
    }

    /// What reads one value before and another after.
    pub(super) fn wire(
        &mut self,
        (scope, part, label): (&str, Part, &str),
        what: Option<String>,
        old: Option<ValueId>,
        new: Option<ValueId>,
    ) {
        let same = old.and_then(|old| self.matching.values.get(&old).copied());
        if (old.is_none() && new.is_none()) || (new.is_some() && same == new) {
            return;
        }
        let name = |side: View<'_>, value: Option<ValueId>| {
            value.map(|value| side.values[value].name.to_string())
        };
        let (mut was, mut is) = (name(self.before, old), name(self.after, new));
        if was == is || part == Part::Output {
            // called the same, made by something else
            let maker = |side: View<'_>, value: Option<ValueId>| {
                let node = side.value(value?).node()?;
                let operator = operator(node.get());
                Some(format!("{operator} {}", node.label()))
            };
            was = maker(self.before, old).or(was);
            is = maker(self.after, new).or(is);
        }
        let (mut past, mut through) = (Vec::new(), Vec::new());
        if let (Some(old), Some(new)) = (old, new) {
            let values = &self.matching.values;
            past = way(self.before, old, |value| values.get(&value) == Some(&new));
            let values = &self.matching.values_back;
            through = way(self.after, new, |value| values.get(&value) == Some(&old));
        }
        let change = change_of(scope, part, label, Kind::Rewired);
        self.changes.push(Change {
            what,
            before: was,
            after: is,
            past,
            through,
            ..change
        });
    }

    fn attributes(&mut self, place: (&str, Part, &str), old: &Node, new: &Node) -> Result<()> {
        let mut names: Vec<_> = old.attributes.iter().chain(&new.attributes).collect();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        names.dedup_by(|a, b| a.name == b.name);
        for Attribute { name, .. } in names {
            let of = |node: &'_ Node| node.attributes.iter().rposition(|a| a.name == *name);
            let (a, b) = (
                of(old).map(|i| &old.attributes[i]),
                of(new).map(|i| &new.attributes[i]),
            );
            let what = format!("attribute {name}");
            if let (Some(a), Some(b)) = (a, b)
                && (self.same_bytes(a.field, b.field) || self.graphs(a, b))
            {
                continue;
            }
            if let (Some(AttributeValue::Tensor(a)), Some(AttributeValue::Tensor(b))) =
                (a.map(|a| &a.value), b.map(|b| &b.value))
            {
                let known = self.changes.len();
                self.tensors(place, a, b)?;
                for change in &mut self.changes[known..] {
                    change.what = Some(what.clone());
                }
                continue;
            }
            let text = |side: View<'_>, attribute: Option<&Attribute>| {
                attribute.map(|a| words(side, a)).transpose()
            };
            let texts = (text(self.before, a)?, text(self.after, b)?);
            self.changed(place, what, texts.0, texts.1);
        }
        Ok(())
    }

    /// True of bytes that the model after has from the model before.
    fn same_bytes(&self, a: Option<Field>, b: Option<Field>) -> bool {
        let (Some(a), Some(b)) = (a, b) else {
            return false;
        };
        let (before, after) = (self.before.model.source(), self.after.model.source());
        let origin = before.origin(a.range());
        origin.is_some() && origin == after.origin(b.range())
    }

    /// True of as many graphs: these are compared by themselves.
    fn graphs(&self, a: &Attribute, b: &Attribute) -> bool {
        !a.graphs().is_empty() && a.graphs().len() == b.graphs().len()
    }
}

fn words(side: View<'_>, attribute: &Attribute) -> Result<String> {
    match attribute.graphs() {
        [] => attribute_text(side.model, attribute),
        graphs => {
            let nodes = graphs.iter().map(|&g| side.model.graph(g).nodes().count());
            let nodes: Vec<_> = nodes
                .map(|count| format!("graph of {count} nodes"))
                .collect();
            Ok(nodes.join(", "))
        }
    }
}

fn operator(node: &Node) -> String {
    let mut text = String::new();
    if !node.in_default_domain() {
        text = format!("{}::", node.domain);
    }
    text.push_str(&node.op_type.to_string());
    if !node.overload.is_empty() {
        text.push_str(&format!(":{}", node.overload));
    }
    text
}

/// The nodes on the shortest way from a value up to one that `ends` it.
fn way(side: View<'_>, from: ValueId, ends: impl Fn(ValueId) -> bool) -> Vec<String> {
    let Some(start) = side.value(from).node() else {
        return Vec::new();
    };
    // a node, and the one it was reached from
    let mut seen = vec![(start, None)];
    let mut next = 0;
    while next < seen.len() && seen.len() < WAY {
        let (node, _) = seen[next];
        for value in node.inputs().flatten() {
            if ends(value.id) {
                let mut way = Vec::new();
                let mut at = Some(next);
                while let Some(index) = at {
                    let (node, from) = seen[index];
                    way.push(node.label().to_string());
                    at = from;
                }
                return way;
            }
            if let Some(producer) = value.node()
                && !seen.iter().any(|(node, _)| *node == producer)
            {
                seen.push((producer, Some(next)));
            }
        }
        next += 1;
    }
    Vec::new()
}
