//! An edit changes the fields it names and the length prefixes around them, and nothing else: each
//! is done a second time by hand, with a parser that shares nothing with the crate's.

use std::collections::{HashMap, HashSet};

use crate::common::promises::bytes_of;
use crate::common::tape::{cases, tapes};
use crate::common::wire_tree::{Change, Level, edit, fields, last};
use dropout_onnx::onnx::{Attribute, AttributeValue, Editor, Model, NodeId, Values};
use dropout_onnx::rewrite::strip::{Options, strip};
use dropout_onnx::source::Source;
use proptest::prelude::*;
use proptest::sample::Index;

fn read(bytes: &[u8]) -> Model {
    Model::read(Source::from_bytes(bytes.to_vec())).unwrap()
}

/// The bytes after `change` was made through the crate.
fn edited(model: &Model, change: impl FnOnce(&mut Editor<'_>)) -> Vec<u8> {
    let mut copy = model.clone();
    let values = Values::new(&copy);
    change(&mut Editor::new(&mut copy, values));
    bytes_of(&copy.to_rope().unwrap())
}

/// The bytes after `change` was made by hand to the node of this name.
fn by_hand(bytes: &[u8], name: &[u8], change: impl Fn(&[u8]) -> Change) -> Vec<u8> {
    let mut found = 0;
    let out = edit(Level::Model, bytes, &mut |level, field| {
        if level == Level::Node && last(field.payload, 3) == Some(name) {
            found += 1;
            return change(field.payload);
        }
        Change::None
    });
    assert_eq!(found, 1, "nodes have names of their own");
    out
}

fn some_node(model: &Model, which: &Index) -> NodeId {
    let nodes: Vec<_> = model.nodes().map(|(id, _)| id).collect();
    *which.get(&nodes)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn another_input_changes_one_field(tapes in tapes(), which in any::<Index>(), to in any::<Index>()) {
        let bytes = tapes.model();
        let model = read(&bytes);
        let values = Values::new(&model);
        let names: Vec<_> = model.nodes().flat_map(|(_, node)| node.outputs.clone()).collect();
        let id = some_node(&model, &which);
        let node = model.node(id);
        prop_assume!(!node.inputs.is_empty());
        let input = which.index(node.inputs.len());
        let to = to.get(&names);
        let Some(value) = values.lookup(&model, id.graph, to) else { return Ok(()) };
        let done = edited(&model, |editor| editor.set_input(id, input, value));
        let expected = by_hand(&bytes, node.name.as_bytes(), |payload| {
            let mut out = Vec::new();
            let mut inputs = 0;
            for field in fields(payload) {
                match field.is_bytes(1) && { inputs += 1; inputs == input + 1 } {
                    true if field.payload != to.as_bytes() => out.extend(field.with(to.as_bytes())),
                    _ => out.extend_from_slice(field.all),
                }
            }
            Change::Payload(out)
        });
        prop_assert!(done == expected);
    }

    #[test]
    fn a_removed_node_takes_one_field_away(tapes in tapes(), which in any::<Index>()) {
        let bytes = tapes.model();
        let model = read(&bytes);
        let id = some_node(&model, &which);
        let done = edited(&model, |editor| editor.remove_node(id));
        let name = model.node(id).name.as_bytes();
        prop_assert!(done == by_hand(&bytes, name, |_| Change::Remove));
    }

    #[test]
    fn a_new_attribute_is_one_field_more(tapes in tapes(), which in any::<Index>()) {
        let bytes = tapes.model();
        let model = read(&bytes);
        let id = some_node(&model, &which);
        let done = edited(&model, |editor| {
            editor.set_attribute(id, Attribute::new("new", AttributeValue::Int(5)));
        });
        let name = model.node(id).name.as_bytes();
        let expected = by_hand(&bytes, name, |payload| {
            // name: "new", i: 5, type: INT
            let new = b"\x2a\x0a\x0a\x03new\x18\x05\xa0\x01\x02";
            Change::Payload([payload, new].concat())
        });
        prop_assert!(done == expected);
    }

    /// Whatever strip removes and redirects: what is not a node, and every node that stays, is as it
    /// was but for the names of its inputs and outputs.
    #[test]
    fn strip_takes_nodes_away_and_changes_names(tapes in tapes()) {
        let bytes = tapes.model();
        let Ok(stripped) = strip(&read(&bytes), &Options::default()) else { return Ok(()) };
        let outcome = &stripped.outcome;
        let (before, mut after) = (Remains::of(&bytes), Remains::of(&bytes_of(&stripped.edited.rope)));
        let model = read(&bytes);
        let functions: HashSet<_> = model.functions().iter().map(|f| f.name.as_bytes()).collect();
        let stays: HashSet<_> = after.nodes.keys().cloned().collect();
        let [mut gone, mut inside] = [0; 2];
        for (name, node) in &before.nodes {
            // calls of functions of which nothing is left go as well
            let is_call = functions.contains(&node.op_type[..]);
            match after.nodes.remove(name) {
                Some(same) if same == *node => {}
                Some(put_in) => {
                    gone += usize::from(!is_call);
                    prop_assert_eq!(&put_in.op_type, b"Identity");
                    prop_assert!(is_call || node.op_type == b"Dropout");
                }
                None => {
                    gone += usize::from(!is_call);
                    // with the node around it
                    let around = node.around.as_ref();
                    inside += usize::from(!is_call && around.is_some_and(|node| !stays.contains(node)));
                }
            }
        }
        // nodes that went may be such as strip had put in: the mask of one dropout, used by another
        // several sites are one node, where calls of its function differ
        let applied = stripped.plan.applied().map(|step| stripped.sites[step.site].nodes[0]);
        let removed = applied.collect::<HashSet<_>>().len();
        let mut with_functions = 0;
        for (name, (nodes, rest)) in &before.functions {
            match after.functions.get(name) {
                Some((_, same)) => prop_assert!(rest == same),
                None => with_functions += nodes,
            }
        }
        prop_assert!(after.functions.keys().all(|name| before.functions.contains_key(name)));
        prop_assert!(removed <= gone);
        prop_assert!(gone <= removed + outcome.nodes.len() + with_functions + inside);
        for node in after.nodes.values() {
            let masks = ["Shape", "ConstantOfShape", "Greater", "Not", "Cast", "Identity"];
            prop_assert!(masks.iter().any(|op| node.op_type == op.as_bytes()));
        }
        prop_assert!(before.rest == after.rest);
    }
}

/// A node without what strip may change of it.
#[derive(PartialEq)]
struct Remainder {
    op_type: Vec<u8>,
    /// The node whose graph it is in, if it is in one.
    around: Option<Vec<u8>>,
    /// All but the names of inputs and outputs, and graphs inside.
    fields: Vec<u8>,
}

/// The number of a function's nodes, those of graphs inside as well, and what else there is of it.
type Body = (usize, Vec<u8>);

/// A model without what strip may change.
#[derive(Default)]
struct Remains {
    /// Nodes by name.
    nodes: HashMap<Vec<u8>, Remainder>,
    /// The nodes around what is being read.
    around: Vec<Vec<u8>>,
    /// Functions by domain, name and overload.
    functions: HashMap<Vec<u8>, Body>,
    /// Everything but nodes, functions, initializers, value_info and annotations.
    rest: Vec<u8>,
}

impl Remains {
    fn of(bytes: &[u8]) -> Remains {
        let mut remains = Remains::default();
        remains.rest = remains.add(Level::Model, bytes);
        remains
    }

    fn add(&mut self, level: Level, message: &[u8]) -> Vec<u8> {
        let mut own = Vec::new();
        for field in fields(message) {
            if field.wire_type != 2 {
                own.extend_from_slice(field.all);
                continue;
            }
            match (level, field.number) {
                (Level::Graph, 5 | 13 | 14) | (Level::Function, 12) => {}
                (Level::Node, 1 | 2) => own.extend_from_slice(field.tag),
                (Level::Graph, 1) | (Level::Function, 7) => {
                    let name = last(field.payload, 3).unwrap_or_default().to_vec();
                    let around = self.around.last().cloned();
                    self.around.push(name.clone());
                    let node = Remainder {
                        op_type: last(field.payload, 4).unwrap_or_default().to_vec(),
                        around,
                        fields: self.add(Level::Node, field.payload),
                    };
                    self.around.pop();
                    self.nodes.insert(name, node);
                }
                (Level::Model, 25) => {
                    let part = |number| last(field.payload, number).unwrap_or_default().to_vec();
                    let key = [10, 1, 13].map(part).join(&b"::"[..]);
                    let known = self.nodes.len();
                    let rest = self.add(Level::Function, field.payload);
                    let nodes = self.nodes.len() - known;
                    self.functions.insert(key, (nodes, rest));
                }
                (_, number) => match level.inside(number) {
                    Some(inside) => {
                        own.extend_from_slice(field.tag);
                        let inner = self.add(inside, field.payload);
                        own.extend(inner);
                    }
                    None => own.extend_from_slice(field.all),
                },
            }
        }
        own
    }
}
