//! All that a draw and constants make.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{NodeId, Use, ValueId, numbers};
use crate::semantics::operator::Role;
use crate::semantics::scalar;
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::Finder;

/// Constants of more bytes are not read.
const LARGEST: u64 = 1 << 20;

/// What a draw makes without data.
#[derive(Debug, Default)]
pub(super) struct Cone {
    pub values: HashSet<ValueId>,
    pub nodes: HashSet<NodeId>,
    /// The nodes in order.
    order: Vec<NodeId>,
    /// Values of zeros and ones.
    pub bits: HashSet<ValueId>,
    /// Values in which MaxPool has spread what was drawn.
    pub blocks: HashSet<ValueId>,
    /// Nodes that read data besides, in order.
    pub meetings: Vec<NodeId>,
    drawn: Option<ValueId>,
}

impl Cone {
    pub fn has(&self, value: ValueId) -> bool {
        self.values.contains(&value)
    }
}

impl Finder<'_> {
    pub(super) fn cone(&self, drawn: ValueId) -> Result<Cone> {
        let mut cone = Cone {
            drawn: Some(drawn),
            ..Cone::default()
        };
        let mut open: BTreeSet<(usize, NodeId)> = BTreeSet::new();
        self.join_cone(drawn, &mut cone, &mut open);
        if self
            .view
            .value(drawn)
            .node()
            .is_some_and(|node| node.is("Bernoulli"))
        {
            cone.bits.insert(drawn);
        }
        while let Some((_, id)) = open.pop_first() {
            let node = self.view.node(id);
            let mut reads = node
                .inputs()
                .enumerate()
                .filter_map(|(i, value)| Some((i, value?)));
            let own = |(input, value): (usize, ValueRef<'_>)| {
                !self.reads_values(id, input) || cone.has(value.id) || self.is_fixed(value.id)
            };
            let plain = node
                .operator()
                .is_some_and(|op| !matches!(op.role, Role::Control(_)));
            if !plain || !reads.all(own) {
                cone.meetings.push(id);
                continue;
            }
            cone.nodes.insert(id);
            cone.order.push(id);
            let bits = self.makes_bits(node, &cone)?;
            let mut given = node.inputs().flatten();
            let blocks = node.is("MaxPool") || given.any(|value| cone.blocks.contains(&value.id));
            if let Some(output) = node.output(0) {
                self.join_cone(output.id, &mut cone, &mut open);
                cone.bits.extend(Some(output.id).filter(|_| bits));
                cone.blocks.extend(Some(output.id).filter(|_| blocks));
            }
        }
        Ok(cone)
    }

    fn join_cone(&self, value: ValueId, cone: &mut Cone, open: &mut BTreeSet<(usize, NodeId)>) {
        cone.values.insert(value);
        for at in self.uses(value) {
            if let Use::Input { node, input } = at
                && self.reads_values(node, input as usize)
            {
                let rank = self.rank.get(&node).copied().unwrap_or(usize::MAX);
                open.insert((rank, node));
            }
        }
    }

    /// True of a node that makes zeros and ones.
    fn makes_bits(&self, node: NodeRef<'_>, cone: &Cone) -> Result<bool> {
        if scalar::makes_booleans(node.op()) {
            return Ok(true);
        }
        let given: Vec<ValueRef<'_>> = node.inputs().flatten().collect();
        let mut bits = Vec::new();
        for value in &given {
            bits.push(cone.bits.contains(&value.id) || self.are_bits(*value)?);
        }
        let passes = node.operator().is_some_and(|op| op.copies());
        Ok(match node.op() {
            "MaxPool" => bits[0],
            "Pad" => bits[0] && given.get(2).is_none_or(|_| bits[2]),
            "Mul" | "Min" | "Max" => bits.iter().all(|&bits| bits),
            "Where" => bits[1..].iter().all(|&bits| bits),
            "Sub" => bits[1] && self.number(given[0].id, &self.conditions)? == Some(1.0),
            _ => passes && bits.first() == Some(&true),
        })
    }

    /// True of a constant of zeros and ones, as the region in which DropBlock draws.
    fn are_bits(&self, value: ValueRef<'_>) -> Result<bool> {
        if let Some(number) = self.number(value.id, &self.conditions)? {
            return Ok(number == 0.0 || number == 1.0);
        }
        let Some(tensor) = value.initializer() else {
            return Ok(false);
        };
        let bytes = self.view.model.small_elements(tensor, LARGEST)?;
        let numbers = bytes.and_then(|bytes| numbers(tensor.data_type, &bytes));
        Ok(numbers.is_some_and(|all| all.iter().all(|&n| n == 0.0 || n == 1.0)))
    }

    /// What the values are of which every element is one number, if every element drawn is.
    pub(super) fn filled(&self, cone: &Cone, drawn: f64) -> Result<HashMap<ValueId, f64>> {
        let mut known: HashMap<ValueId, f64> = HashMap::default();
        known.extend(cone.drawn.map(|value| (value, drawn)));
        for &id in &cone.order {
            let node = self.view.node(id);
            let mut inputs = Vec::new();
            for value in node.inputs().flatten() {
                let number = match cone.has(value.id) {
                    true => known.get(&value.id).copied(),
                    false => self.number(value.id, &self.conditions)?,
                };
                inputs.push(number);
            }
            if let (Some(output), Some(number)) = (node.output(0), fill(node, &inputs)) {
                let element = output.element_type();
                known.insert(
                    output.id,
                    element.map_or(number, |to| scalar::cast(number, to)),
                );
            }
        }
        Ok(known)
    }
}

/// The number that every element is that a node makes.
fn fill(node: NodeRef<'_>, inputs: &[Option<f64>]) -> Option<f64> {
    let operator = node.operator()?;
    let first = inputs.first().copied().flatten();
    match node.op() {
        "Mul" | "And" if inputs.contains(&Some(0.0)) => Some(0.0),
        "MaxPool" | "ReduceMean" => first,
        // padding is zeros, or is lost in a pool
        "Pad" => first.filter(|&number| number == 0.0),
        _ if operator.copies() => first,
        op => {
            let numbers: Option<Vec<f64>> = inputs.iter().copied().collect();
            scalar::apply(op, &numbers?, false)
        }
    }
}
