//! Whether what is dropped cancels out against the data it was made of.
//!
//! `x·m/keep − x` flips signs at random, `x + m·(v − x)` chooses between x and v: what looks like
//! dropout on the way is none, as nothing is dropped in the end. A residual around dropout, which adds
//! the data again, is no such thing.

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{NodeId, Producer, Use, ValueId};

use super::Finder;
use super::apply::is_layout;
use super::exits::Found;

/// Sums of more values are not followed.
const REACH: usize = 400;

/// With which signs a value is part of sums.
type Signs = HashMap<ValueId, u8>;

const PLUS: u8 = 1;
const MINUS: u8 = 2;

fn negated(signs: u8) -> u8 {
    (signs & PLUS) << 1 | (signs & MINUS) >> 1
}

impl Finder<'_> {
    /// True if a sum adds to what is dropped what it was made of, with the opposite sign.
    pub(super) fn is_cancelled(&self, source: NodeId, found: &Found) -> Result<bool> {
        let made_of = self.parts(source, found.data.value)?;
        let mut others = Signs::default();
        for (&value, &signs) in &made_of {
            self.sums(source, (value, signs), found.node, &mut others, &made_of)?;
        }
        if others.is_empty() {
            return Ok(false);
        }
        let kept = found.samples.iter().map(|&(a, _)| a).find(|&a| a != 0.0);
        let sign = if kept < Some(0.0) { MINUS } else { PLUS };
        let mut dropped = Signs::default();
        let start = (found.output, sign);
        self.sums(source, start, found.node, &mut dropped, &Signs::default())?;
        let mut dropped = dropped.into_iter();
        Ok(dropped.any(|(value, signs)| {
            let other = others.get(&value).copied().unwrap_or_default();
            negated(signs) & other != 0
        }))
    }

    /// What a value is a sum of, itself included.
    fn parts(&self, source: NodeId, value: ValueId) -> Result<Signs> {
        let mut parts = Signs::default();
        let mut open = vec![(value, PLUS)];
        while let Some((value, signs)) = open.pop() {
            let known = parts.entry(value).or_default();
            if *known | signs == *known {
                continue;
            }
            *known |= signs;
            if self.is_long(source, &parts) {
                break;
            }
            if let Producer::Node { node, .. } = self.values[value].producer {
                for (term, minus) in self.terms(node)? {
                    open.push((term, if minus { negated(signs) } else { signs }));
                }
            }
        }
        Ok(parts)
    }

    /// The sums that a value is part of, without those that one node makes, and what is known already.
    fn sums(
        &self,
        source: NodeId,
        start: (ValueId, u8),
        without: NodeId,
        sums: &mut Signs,
        known: &Signs,
    ) -> Result<()> {
        let mut open = vec![start];
        while let Some((value, signs)) = open.pop() {
            let nodes = self.uses(value).filter_map(|at| match at {
                Use::Input { node, .. } if node != without => Some(node),
                _ => None,
            });
            for node in nodes {
                let Some(output) = self.values.output(self.model, node, 0) else {
                    continue;
                };
                let terms = self.terms(node)?.into_iter();
                for (_, minus) in terms.filter(|&(term, _)| term == value) {
                    let signs = if minus { negated(signs) } else { signs };
                    let seen = sums.get(&output).copied().unwrap_or_default();
                    if seen | signs == seen || known.contains_key(&output) {
                        continue;
                    }
                    sums.insert(output, seen | signs);
                    if self.is_long(source, sums) {
                        return Ok(());
                    }
                    open.push((output, signs));
                }
            }
        }
        Ok(())
    }

    fn is_long(&self, source: NodeId, signs: &Signs) -> bool {
        let long = signs.len() > REACH;
        if long {
            let what = "sums of dropped data are followed through at most 400 values";
            self.limits.reached(source, what);
        }
        long
    }

    /// What a node adds up, each with true if it subtracts it; nothing of any other node. Constants do
    /// not count.
    fn terms(&self, id: NodeId) -> Result<Vec<(ValueId, bool)>> {
        let node = self.model.node(id);
        let mut terms = Vec::new();
        if !node.in_default_domain() {
            return Ok(terms);
        }
        let op_type = node.op_type.as_str().unwrap_or_default();
        let wanted = match op_type {
            "Add" | "Sub" | "Sum" | "Mean" | "Mul" | "Div" => node.inputs.len(),
            "Neg" | "Dropout" => 1,
            op if is_layout(op) => 1,
            _ => return Ok(terms),
        };
        let mut factor = op_type == "Neg";
        for input in 0..wanted {
            let Some(value) = self.values.input(id, input) else {
                continue;
            };
            match self.constant(value)? {
                Some(known) => factor ^= known.number < 0.0,
                None => terms.push((value, op_type == "Sub" && input == 1)),
            }
        }
        match op_type {
            "Mul" | "Div" if terms.len() != 1 => terms.clear(), // no multiple
            "Div" if terms.first().map(|term| term.0) != self.values.input(id, 0) => terms.clear(),
            "Mul" | "Div" | "Neg" => terms.iter_mut().for_each(|(_, minus)| *minus ^= factor),
            _ => {}
        }
        Ok(terms)
    }
}
