//! Masks that are made of several draws, by logic or by arithmetic: what one keeps and another does. Each
//! draw is a variable of its own in the laws.

use std::collections::BTreeSet;

use crate::dropout::Site;
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{NodeId, Use, ValueId};

use super::Finder;
use super::judge::Judged;
use super::walk::Trace;

impl Finder<'_> {
    /// The dropouts of masks that are made of this draw and of others.
    pub(super) fn together(&self, source: NodeId) -> Result<Vec<Site>> {
        let Some(draw) = self.draw(source, &self.conditions)? else {
            return Ok(Vec::new());
        };
        let mut others = BTreeSet::new();
        let mut trace = self.walk(&[(draw.drawn, draw.law)], &self.conditions)?;
        // a draw that joins brings along those that join it
        loop {
            let joined = self.partners(source, &trace);
            if joined.len() <= others.len() {
                break;
            }
            others = joined;
            let conditions = self.conditions.with_draws(&others);
            trace = self.walk(&self.seeds(source, &conditions)?, &conditions)?;
        }
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let conditions = self.conditions.with_draws(&others);
        let Some(attempt) = self.attempt(source, &conditions)? else {
            return Ok(Vec::new());
        };
        let mut sites = self.judged(source, Judged::plain(attempt))?;
        for site in &mut sites {
            site.nodes.extend(&others);
            site.kept_draw = None;
            let why = || "its mask is made of several draws".to_string();
            site.entangled.get_or_insert_with(why);
        }
        Ok(sites)
    }

    /// The draws, and nothing else but constants, that masks of this one are combined with.
    fn partners(&self, source: NodeId, trace: &Trace) -> BTreeSet<NodeId> {
        let masks = trace.forms.iter().filter(|(_, form)| form.is_mask());
        let masks = masks
            .map(|(value, _)| *value)
            .chain(trace.tainted.iter().copied());
        let mut partners = BTreeSet::from_iter(trace.seeds.iter().filter_map(|seed| {
            let node = self.view.value(*seed).node()?;
            Some(node.id)
        }));
        for value in masks {
            for at in self.uses(value) {
                let Use::Input { node, .. } = at else {
                    continue;
                };
                let inputs = self.view.node(node).inputs().flatten();
                for input in inputs.filter(|input| input.id != value) {
                    partners.extend(self.draws_of(input.id).into_iter().flatten());
                }
            }
        }
        partners.remove(&source);
        partners
    }

    /// The draws that a value is made of; `None` if it is made of data too.
    fn draws_of(&self, value: ValueId) -> Option<Vec<NodeId>> {
        let (mut draws, mut open, mut seen) = (Vec::new(), vec![value], HashSet::default());
        while let Some(value) = open.pop() {
            if self.is_fixed(value) || !seen.insert(value) {
                continue;
            }
            let node = self.view.value(value).node()?;
            if node.draws() {
                draws.push(node.id);
                continue;
            }
            node.operator()?;
            open.extend(node.inputs().flatten().map(|input| input.id));
        }
        Some(draws)
    }
}
