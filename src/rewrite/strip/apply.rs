//! Removing the sites of a plan.

use std::cell::LazyCell;

use crate::dropout::{Convention, Exit, Form, MaskUse, Site};
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Editor, Model, Name, NodeId, Values};
use crate::rewrite::idle::{graph_inputs, idle_names};
use crate::rewrite::prune::{self, Pruned};
use crate::rewrite::{Action, Plan};
use crate::semantics::draws::{Reach, Reached};
use crate::semantics::view::View;

use super::removal::{Factor, Strip};
use super::{Outcome, foreign, operator, random_mask, states};

/// A place where dropout is removed.
enum Cut<'s> {
    /// With the factor that stays, if one does.
    Operator(&'s Site, Option<Factor>),
    /// With the factor that stays, if one does: its type is known before the edits only.
    Exit(&'s Exit, Option<Factor>),
}

/// What was done.
pub(super) struct Applied {
    pub outcome: Outcome,
    /// Removed sites whose draw is still used: they are not dropout alone, and the model is not to be used.
    pub used: Vec<usize>,
}

/// Removes the sites of the plan.
///
/// # Errors
/// The model is not sound ([`Model::check`]), or the edit would leave a value undefined; the model is then
/// not to be used.
pub(super) fn apply(
    model: &mut Model,
    values: Values,
    sites: &[Site],
    plan: &Plan,
) -> Result<Applied> {
    let order = model.check_order(&values)?;
    let applied: Vec<&Site> = plan.applied().map(|step| &sites[step.site]).collect();
    let inputs = graph_inputs(model, &values);
    let mut cuts = cuts(View::new(model, &values), &applied, plan.convention);
    let mut strip = Strip {
        called: prune::called(model),
        editor: Editor::new(model, values),
        outcome: Outcome::default(),
        pruned: Pruned::default(),
        moved: HashMap::default(),
        idle: Vec::new(),
    };
    // From the data on: the other way round, what used the last of a chain would be moved at each.
    for cut in order.iter().filter_map(|node| cuts.remove(node)).flatten() {
        match cut {
            Cut::Operator(site, None) if site.foreign.is_some() => {
                foreign::remove(&mut strip, site)?
            }
            Cut::Operator(site, factor) => operator::remove(&mut strip, site, factor)?,
            Cut::Exit(exit, factor) => random_mask::cut(&mut strip, exit, factor)?,
        }
    }
    strip.clean(&applied)?;
    let used = strip.used(sites, plan);
    let outcome = strip.finish(inputs, applied.len())?;
    Ok(Applied { outcome, used })
}

/// Where sites are removed, by node.
fn cuts<'s>(
    view: View<'_>,
    sites: &[&'s Site],
    convention: Convention,
) -> HashMap<NodeId, Vec<Cut<'s>>> {
    let (model, values) = (view.model, view.values);
    let mut cuts: HashMap<NodeId, Vec<Cut<'_>>> = HashMap::default();
    for site in Site::each_node(sites.iter().copied()) {
        if site.form == Form::Operator {
            let scales = convention == Convention::Classic && site.rate != Some(0.0);
            let factor = site.classic_factor(model, values).filter(|_| scales);
            let cut = Cut::Operator(site, factor);
            cuts.entry(site.nodes[0]).or_default().push(cut);
        }
        for exit in &site.exits {
            let factor = exit.needs_scale().then(|| exit.factor(model, values));
            let factor = factor.flatten();
            let cut = Cut::Exit(exit, factor);
            cuts.entry(exit.node).or_default().push(cut);
        }
    }
    cuts
}

impl Strip<'_> {
    /// Removes what only dropout needed.
    fn clean(&mut self, applied: &[&Site]) -> Result<()> {
        let (editor, pruned) = (&mut self.editor, &mut self.pruned);
        for value in std::mem::take(&mut self.idle) {
            prune::prune(editor, value, pruned);
        }
        let sources: Vec<NodeId> = applied.iter().filter_map(|site| site.source()).collect();
        prune::downstream(editor, &sources, pruned);
        self.outcome.states = states::remove(editor, &sources, pruned)?;
        prune::functions(editor, &self.called, pruned);
        Ok(())
    }

    /// The removed sites whose draw is still there, although no other site draws from it.
    fn used(&self, sites: &[Site], plan: &Plan) -> Vec<usize> {
        let kept = plan
            .steps
            .iter()
            .filter(|step| step.action != Action::Apply);
        let kept: HashSet<NodeId> = kept.filter_map(|step| sites[step.site].source()).collect();
        let model = self.editor.model();
        let is_there = |id: NodeId| {
            let mut graphs = model.graphs();
            graphs.any(|(graph, _)| graph == id.graph) && !model.node(id).is_removed()
        };
        let reach = LazyCell::new(|| Reach::new(self.editor.view()));
        let matters = |source| is_there(source) && reach.of(source) != Reached::Nothing;
        let removed = plan.applied().map(|step| step.site);
        let used = removed.filter(|&site| {
            let site = &sites[site];
            let source = site.source().filter(|_| site.mask != MaskUse::Output);
            source.is_some_and(|source| !kept.contains(&source) && matters(source))
        });
        used.collect()
    }

    fn finish(self, inputs: Vec<Name>, removed: usize) -> Result<Outcome> {
        let outcome = Outcome {
            removed,
            functions: self.pruned.functions,
            initializers: self.pruned.initializers,
            nodes: self.pruned.nodes,
            idle_inputs: idle_names(self.editor.view(), inputs),
            ..self.outcome
        };
        self.editor.finish()?;
        Ok(outcome)
    }
}
