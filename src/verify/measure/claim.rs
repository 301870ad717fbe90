//! What a rewrite assumes about a mask, by the nodes of the model that regions are cut out of.

use indexmap::IndexMap;

use crate::dropout::{Form, Junction, Site};
use crate::hash::HashMap;
use crate::onnx::{NodeId, Producer, Use, ValueId};
use crate::semantics::inline::Inlined;
use crate::semantics::view::View;

/// A mask in one call of its function.
#[derive(Clone, Debug)]
pub(super) struct Claim<'s> {
    pub site: &'s Site,
    /// The node that draws; `None` of a constant mask.
    pub draw: Option<NodeId>,
    pub junctions: Vec<Junction>,
    /// The switch, and what it is where the mask is off.
    pub switch: Option<(ValueId, f64)>,
    /// A number that was assumed for an input.
    pub given: Option<(ValueId, f64)>,
}

/// The claims of sites, in a model without functions.
pub(super) fn plain(site: &Site) -> Claim<'_> {
    Claim {
        site,
        draw: site.source(),
        junctions: site.junctions.clone(),
        switch: site.switch.zip(site.off),
        given: site.given,
    }
}

/// Where the nodes of a model are in that model without functions.
pub(super) struct Places<'m> {
    view: View<'m>,
    flat: View<'m>,
    /// By node of the original: its copies, by the calls that lead to them.
    copies: HashMap<NodeId, IndexMap<&'m [NodeId], NodeId>>,
}

impl<'m> Places<'m> {
    pub fn new(view: View<'m>, inlined: &'m Inlined, flat: View<'m>) -> Places<'m> {
        let mut copies: HashMap<NodeId, IndexMap<&[NodeId], NodeId>> = HashMap::default();
        for node in flat.nodes() {
            if let Some(origin) = inlined.origin(node.id)
                && view.node(origin.node).callee().is_none()
            {
                let all = copies.entry(origin.node).or_default();
                all.insert(&*origin.calls, node.id);
            }
        }
        Places { view, flat, copies }
    }

    /// The claims of a site, one for each call of its function; none if nothing calls it.
    ///
    /// # Errors
    /// Its parts are in functions that are called independently.
    pub fn claims<'s>(&self, site: &'s Site) -> Result<Vec<Claim<'s>>, String> {
        let first = match site.form {
            Form::RandomMask => site.source(),
            _ => site.junctions.first().map(|junction| junction.node),
        };
        let copies = first
            .into_iter()
            .flat_map(|first| self.copies_of(site, first));
        let claims = copies.map(|(calls, _)| self.claim(site, calls));
        let claims: Option<Vec<Claim<'s>>> = claims.collect();
        claims.ok_or_else(|| "its mask is made in several functions".to_string())
    }

    /// The copies of a node in the calls that a site is of.
    fn copies_of(&self, site: &Site, node: NodeId) -> impl Iterator<Item = (&'m [NodeId], NodeId)> {
        let copies = self.copies.get(&node).into_iter().flatten();
        let copies = copies.map(|(&calls, &copy)| (calls, copy));
        copies.filter(|(calls, _)| {
            let innermost = calls.iter().rev().take(site.calls.len());
            innermost.eq(&site.calls)
        })
    }

    /// The same, without the calls.
    pub fn nodes(&self, site: &Site, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.copies_of(site, node).map(|(_, node)| node)
    }

    fn claim<'s>(&self, site: &'s Site, calls: &[NodeId]) -> Option<Claim<'s>> {
        let number = |pair: Option<(ValueId, f64)>| match pair {
            Some((value, number)) => Some(Some((self.value(value, calls)?, number))),
            None => Some(None),
        };
        let draw = match site.source() {
            Some(source) => Some(self.node(source, calls)?),
            None => None,
        };
        let junctions = site
            .junctions
            .iter()
            .map(|junction| self.junction(junction, calls));
        Some(Claim {
            site,
            draw,
            junctions: junctions.collect::<Option<_>>()?,
            switch: number(site.switch.zip(site.off))?,
            given: number(site.given)?,
        })
    }

    fn junction(&self, junction: &Junction, calls: &[NodeId]) -> Option<Junction> {
        let mut copy = junction.clone();
        copy.node = self.node(junction.node, calls)?;
        copy.data = self.value(junction.data, calls)?;
        copy.output = self.value(junction.output, calls)?;
        let path = junction.path.iter().map(|&node| self.node(node, calls));
        copy.path = path.collect::<Option<_>>()?;
        if let Some(prescale) = &mut copy.prescale {
            prescale.node = self.node(prescale.node, calls)?;
            prescale.from = self.value(prescale.from, calls)?;
        }
        for frozen in &mut copy.frozen {
            frozen.node = self.node(frozen.node, calls)?;
        }
        Some(copy)
    }

    /// The copy of a node in the same call, in one around it, or the only one inside it.
    fn node(&self, node: NodeId, calls: &[NodeId]) -> Option<NodeId> {
        let copies = self.copies.get(&node)?;
        let around = (0..=calls.len()).rev();
        if let Some(copy) = around
            .into_iter()
            .find_map(|depth| copies.get(&calls[..depth]))
        {
            return Some(*copy);
        }
        let mut inside = copies.iter().filter(|(other, _)| other.starts_with(calls));
        let (_, copy) = inside.next()?;
        inside.next().is_none().then_some(*copy)
    }

    fn value(&self, value: ValueId, calls: &[NodeId]) -> Option<ValueId> {
        let at = self.view.value(value);
        if let Producer::Node { node, output } = at.get().producer
            && let Some(copy) = self.node(node, calls)
        {
            let output = self.flat.node(copy).output(output as usize)?;
            return Some(output.id);
        }
        if let Producer::Input(_) = at.get().producer
            && at.get().graph == self.view.model.main()
        {
            return Some(self.flat.lookup(self.flat.model.main(), &at.name)?.id);
        }
        // an input of a function, or the result of a call: what reads it knows
        at.uses().find_map(|at| match at {
            Use::Input { node, input } => {
                let copy = self.node(node, calls)?;
                Some(self.flat.node(copy).input(input as usize)?.id)
            }
            _ => None,
        })
    }
}
