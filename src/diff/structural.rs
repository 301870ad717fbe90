//! Nodes without a name in common: matched by what they compute from what is matched already.

use super::matching::Matching;
use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{GraphId, NodeId, ValueId};
use crate::semantics::view::{NodeRef, ValueRef, View};
use crate::show::{attribute_text, tensor_text};

/// How often what was found is used to find more.
const ROUNDS: usize = 32;

/// Matches nodes of the same operator, attributes and inputs; then those of the same operator and
/// inputs, if there is one on either side; then what these come from.
pub(super) fn match_nodes(matching: &mut Matching<'_>, a: GraphId, b: GraphId) -> Result<()> {
    let (before, after) = (matching.before, matching.after);
    let mut texts = (HashMap::default(), HashMap::default());
    for _ in 0..ROUNDS {
        let known = matching.nodes.len();
        let mine = open(before, a, |id| matching.nodes.contains_key(&id));
        let theirs = open(after, b, |id| matching.nodes_back.contains_key(&id));
        if mine.is_empty() || theirs.is_empty() {
            break;
        }
        let mut numbers = Numbers::default();
        let same = |value: ValueId| matching.values.get(&value).copied();
        let mine = numbers.expressions(&mine, same, &mut texts.0)?;
        let same = |value: ValueId| matching.values_back.contains_key(&value).then_some(value);
        let theirs = numbers.expressions(&theirs, same, &mut texts.1)?;
        let strict = |found: &Found| found.strict;
        pair(matching, &mine, &theirs, strict, usize::MAX);
        let loose = |found: &Found| found.loose;
        pair(matching, &mine, &theirs, loose, 1);
        for values in before.graph_outputs(a).zip(after.graph_outputs(b)) {
            if let (Some(from), Some(to)) = values {
                matching.same_value(from, to);
            }
        }
        matching.follow();
        if matching.nodes.len() == known {
            replaced(matching, a, b);
            if matching.nodes.len() == known {
                break;
            }
        }
    }
    Ok(())
}

/// Matches nodes of another operator that make the same value of something that is the same.
fn replaced(matching: &mut Matching<'_>, a: GraphId, b: GraphId) {
    let (before, after) = (matching.before, matching.after);
    for node in open(before, a, |id| matching.nodes.contains_key(&id)) {
        for (output, name) in node.outputs.iter().enumerate() {
            let value = (!name.is_empty()).then(|| after.lookup(b, name)).flatten();
            let Some((other, place)) = value.and_then(ValueRef::producer) else {
                continue;
            };
            let mut inputs = node.inputs().zip(other.inputs());
            let shared = inputs.any(|(from, to)| {
                let same = from.and_then(|from| matching.values.get(&from.id));
                same.is_some() && same.copied() == to.map(|to| to.id)
            });
            let sources = node.inputs.is_empty() && other.inputs.is_empty();
            if other.graph() == b && place == output && (shared || sources) {
                matching.pair(node.id, other.id);
            }
        }
    }
}

/// The nodes that are not matched, in file order.
fn open(view: View<'_>, graph: GraphId, matched: impl Fn(NodeId) -> bool) -> Vec<NodeRef<'_>> {
    let nodes = view.nodes_of(graph);
    nodes.filter(|node| !matched(node.id)).collect()
}

/// A node, and numbers for what it computes: with and without its attributes.
struct Found {
    node: NodeId,
    strict: u32,
    loose: u32,
}

/// Pairs nodes of the same number in order, if there are at most `MOST` of them.
fn pair(
    matching: &mut Matching<'_>,
    mine: &[Found],
    theirs: &[Found],
    number: impl Fn(&Found) -> u32,
    most: usize,
) {
    let mut groups: HashMap<u32, (Vec<NodeId>, Vec<NodeId>)> = HashMap::default();
    for found in (mine.iter()).filter(|f| !matching.nodes.contains_key(&f.node)) {
        groups.entry(number(found)).or_default().0.push(found.node);
    }
    for found in (theirs.iter()).filter(|f| !matching.nodes_back.contains_key(&f.node)) {
        groups.entry(number(found)).or_default().1.push(found.node);
    }
    for found in mine {
        let (mine, theirs) = groups.remove(&number(found)).unwrap_or_default();
        if mine.len().max(theirs.len()) <= most {
            for (&a, &b) in mine.iter().zip(&theirs) {
                matching.pair(a, b);
            }
        }
    }
}

/// Numbers for values: those matched have the same, and so have those computed alike.
#[derive(Default)]
struct Numbers {
    next: u32,
    known: HashMap<(String, Vec<u32>), u32>,
}

/// What nodes are in words: operator, attributes.
type Texts = HashMap<NodeId, (String, String)>;

impl Numbers {
    fn number(&mut self, text: String, inputs: Vec<u32>) -> u32 {
        let next = self.next + 1;
        let number = *self.known.entry((text, inputs)).or_insert(next);
        self.next = self.next.max(number);
        number
    }

    /// `same` gives the value of the model after that a matched value is.
    fn expressions(
        &mut self,
        nodes: &[NodeRef<'_>],
        same: impl Fn(ValueId) -> Option<ValueId>,
        texts: &mut Texts,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let mut values = HashMap::default();
        for &node in nodes {
            let mut inputs = Vec::new();
            for input in node.inputs() {
                inputs.push(match input {
                    Some(value) => self.value(value, &same, &mut values)?,
                    None => 0,
                });
            }
            while inputs.last() == Some(&0) {
                inputs.pop();
            }
            let (operator, attributes) = match texts.get(&node.id) {
                Some(texts) => texts.clone(),
                None => {
                    let written = write(node)?;
                    texts.insert(node.id, written.clone());
                    written
                }
            };
            let loose = self.number(operator, inputs);
            let strict = self.number(attributes, vec![loose]);
            for (output, value) in node.outputs().enumerate() {
                if let Some(value) = value {
                    let number = self.number(format!("output {output}"), vec![strict]);
                    values.insert(value.id, number);
                }
            }
            found.push(Found {
                node: node.id,
                strict,
                loose,
            });
        }
        Ok(found)
    }

    /// The number of an input: of a weight that is not matched, by what is in it.
    fn value(
        &mut self,
        value: ValueRef<'_>,
        same: impl Fn(ValueId) -> Option<ValueId>,
        values: &mut HashMap<ValueId, u32>,
    ) -> Result<u32> {
        if let Some(&number) = values.get(&value.id) {
            return Ok(number);
        }
        let model = value.view().model;
        let number = match (same(value.id), value.get().initializer) {
            (Some(same), _) => self.number("same".into(), vec![same.index() as u32]),
            (None, Some(index)) => {
                let tensor = model.graph(value.get().graph).initializer(index);
                let text = tensor_text(model, tensor)?;
                self.number(format!("weight {text}"), Vec::new())
            }
            (None, None) => {
                // like no other
                self.next += 1;
                self.next
            }
        };
        values.insert(value.id, number);
        Ok(number)
    }
}

/// A node's operator and its attributes in words.
fn write(node: NodeRef<'_>) -> Result<(String, String)> {
    let domain = match node.in_default_domain() {
        true => String::new(),
        false => node.domain.to_string(),
    };
    let operator = format!("operator {:?} {domain:?} {:?}", node.op_type, node.overload);
    let mut attributes = Vec::new();
    for attribute in &node.attributes {
        let text = attribute_text(node.view().model, attribute)?;
        attributes.push(format!("{:?} {text}", attribute.name));
    }
    attributes.sort();
    Ok((operator, format!("attributes {attributes:?}")))
}
