//! Nodes without a name in common: matched by what they compute from what is matched already.

use super::matching::{Matching, Side};
use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{GraphId, NodeId, ValueId};
use crate::show::{attribute_text, tensor_text};

/// How often what was found is used to find more.
const ROUNDS: usize = 32;

/// Matches nodes of the same operator, attributes and inputs; then those of the same operator and
/// inputs, if there is one on either side; then what these come from.
pub(super) fn match_nodes(
    matching: &mut Matching,
    before: Side<'_>,
    after: Side<'_>,
    a: GraphId,
    b: GraphId,
) -> Result<()> {
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
        let mine = numbers.expressions(before, &mine, same, &mut texts.0)?;
        let same = |value: ValueId| matching.values_back.contains_key(&value).then_some(value);
        let theirs = numbers.expressions(after, &theirs, same, &mut texts.1)?;
        let strict = |found: &Found| found.strict;
        pair(matching, before, after, &mine, &theirs, strict, usize::MAX);
        let loose = |found: &Found| found.loose;
        pair(matching, before, after, &mine, &theirs, loose, 1);
        let (graph, other) = (before.model.graph(a), after.model.graph(b));
        for (output, other) in graph.outputs.iter().zip(&other.outputs) {
            let values = (before.lookup(a, &output.name), after.lookup(b, &other.name));
            if let (Some(from), Some(to)) = values {
                matching.same_value(before, after, from, to);
            }
        }
        matching.follow(before, after);
        if matching.nodes.len() == known {
            replaced(matching, before, after, a, b);
            if matching.nodes.len() == known {
                break;
            }
        }
    }
    Ok(())
}

/// Matches nodes of another operator that make the same value of something that is the same.
fn replaced(matching: &mut Matching, before: Side<'_>, after: Side<'_>, a: GraphId, b: GraphId) {
    for id in open(before, a, |id| matching.nodes.contains_key(&id)) {
        for (output, name) in before.node(id).outputs.iter().enumerate() {
            let value = (!name.is_empty()).then(|| after.lookup(b, name)).flatten();
            let Some((other, place)) = value.and_then(|value| after.producer(value)) else {
                continue;
            };
            let inputs = 0..before.node(id).inputs.len();
            let mut inputs =
                inputs.map(|i| (before.values.input(id, i), after.values.input(other, i)));
            let shared = inputs.any(|(from, to)| {
                let same = from.and_then(|from| matching.values.get(&from));
                same.is_some() && same == to.as_ref()
            });
            let sources = before.node(id).inputs.is_empty() && after.node(other).inputs.is_empty();
            if other.graph == b && place as usize == output && (shared || sources) {
                matching.pair(before, after, id, other);
            }
        }
    }
}

/// The nodes that are not matched, in file order.
fn open(side: Side<'_>, graph: GraphId, matched: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
    let nodes = side.model.graph(graph).nodes();
    let ids = nodes.map(|(index, _)| NodeId { graph, index });
    ids.filter(|&id| !matched(id)).collect()
}

/// A node, and numbers for what it computes: with and without its attributes.
struct Found {
    node: NodeId,
    strict: u32,
    loose: u32,
}

/// Pairs nodes of the same number in order, if there are at most `MOST` of them.
fn pair(
    matching: &mut Matching,
    before: Side<'_>,
    after: Side<'_>,
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
                matching.pair(before, after, a, b);
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
        side: Side<'_>,
        nodes: &[NodeId],
        same: impl Fn(ValueId) -> Option<ValueId>,
        texts: &mut Texts,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let mut values = HashMap::default();
        for &id in nodes {
            let mut inputs = Vec::new();
            for input in 0..side.node(id).inputs.len() {
                inputs.push(match side.values.input(id, input) {
                    Some(value) => self.value(side, value, &same, &mut values)?,
                    None => 0,
                });
            }
            while inputs.last() == Some(&0) {
                inputs.pop();
            }
            let (operator, attributes) = match texts.get(&id) {
                Some(texts) => texts.clone(),
                None => {
                    let written = write(side, id)?;
                    texts.insert(id, written.clone());
                    written
                }
            };
            let loose = self.number(operator, inputs);
            let strict = self.number(attributes, vec![loose]);
            for output in 0..side.node(id).outputs.len() {
                if let Some(value) = side.values.output(side.model, id, output) {
                    let number = self.number(format!("output {output}"), vec![strict]);
                    values.insert(value, number);
                }
            }
            found.push(Found {
                node: id,
                strict,
                loose,
            });
        }
        Ok(found)
    }

    /// The number of an input: of a weight that is not matched, by what is in it.
    fn value(
        &mut self,
        side: Side<'_>,
        value: ValueId,
        same: impl Fn(ValueId) -> Option<ValueId>,
        values: &mut HashMap<ValueId, u32>,
    ) -> Result<u32> {
        if let Some(&number) = values.get(&value) {
            return Ok(number);
        }
        let of = &side.values[value];
        let number = match (same(value), of.initializer) {
            (Some(same), _) => self.number("same".into(), vec![same.index() as u32]),
            (None, Some(index)) => {
                let tensor = side.model.graph(of.graph).initializer(index);
                let text = tensor_text(side.model, tensor)?;
                self.number(format!("weight {text}"), Vec::new())
            }
            (None, None) => {
                // like no other
                self.next += 1;
                self.next
            }
        };
        values.insert(value, number);
        Ok(number)
    }
}

/// A node's operator and its attributes in words.
fn write(side: Side<'_>, id: NodeId) -> Result<(String, String)> {
    let node = side.node(id);
    let domain = match node.in_default_domain() {
        true => String::new(),
        false => node.domain.to_string(),
    };
    let operator = format!("operator {:?} {domain:?} {:?}", node.op_type, node.overload);
    let mut attributes = Vec::new();
    for attribute in &node.attributes {
        let text = attribute_text(side.model, attribute)?;
        attributes.push(format!("{:?} {text}", attribute.name));
    }
    attributes.sort();
    Ok((operator, format!("attributes {attributes:?}")))
}
