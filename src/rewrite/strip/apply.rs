//! Removing the sites of a plan.

use std::cell::LazyCell;

use crate::dropout::{Form, Junction, MaskUse, Site};
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Editor, Model, Name, NodeId, Values};
use crate::rewrite::idle::{graph_inputs, idle_inputs, idle_names};
use crate::rewrite::prune::{self, Pruned};
use crate::rewrite::{Action, Plan};
use crate::semantics::draws::{Reach, Reached};
use crate::semantics::view::View;

use super::removal::{Factor, Strip};
use super::{
    Assumed, BatchNorm, Outcome, batch_norm, calls, foreign, operator, random_mask, states,
};

/// A place where dropout is removed.
enum Cut<'s> {
    /// With the factor that stays, if one does.
    Operator(&'s Site, Option<Factor>),
    /// With the factor that stays, if one does: its type is known before the edits only.
    Junction(&'s Junction, Option<Factor>),
    /// An If that runs a layer with this condition.
    Layer(NodeId, bool),
}

/// What was done.
pub(super) struct Applied {
    pub outcome: Outcome,
    /// Removed sites whose draw is still used: they are not dropout alone, and the model is not to be used.
    pub used: Vec<usize>,
}

/// What to do.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    /// The sites, as the convention has them.
    pub sites: &'a [Site],
    /// The sites as they were found.
    pub found: &'a [Site],
    pub plan: &'a Plan,
    pub batch_norms: &'a [BatchNorm],
    pub prune_inputs: bool,
}

/// Does it.
///
/// # Errors
/// The model is not sound ([`Model::check`]), or the edit would leave a value undefined; the model is then
/// not to be used.
pub(super) fn apply(model: &mut Model, values: Values, job: Job<'_>) -> Result<Applied> {
    let Job { sites, plan, .. } = job;
    let order = model.check_order(&values)?;
    let applied: Vec<&Site> = plan.applied().map(|step| &sites[step.site]).collect();
    let inputs = graph_inputs(View::new(model, &values));
    let mut cuts = cuts(View::new(model, &values), &applied);
    let mut strip = Strip {
        called: prune::called(model),
        editor: Editor::new(model, values),
        outcome: Outcome::default(),
        pruned: Pruned::default(),
        moved: HashMap::default(),
        idle: Vec::new(),
    };
    let changed = calls::changed(strip.editor.view(), &applied);
    let formals = calls::used_formals(strip.editor.view(), &changed);
    strip.outcome.batch_norms = batch_norm::apply(&mut strip.editor, job.batch_norms);
    // From the data on: the other way round, what used the last of a chain would be moved at each.
    for cut in order.iter().filter_map(|node| cuts.remove(node)).flatten() {
        match cut {
            Cut::Operator(site, None) if site.foreign.is_some() => {
                foreign::remove(&mut strip, site)?
            }
            Cut::Operator(site, factor) => operator::remove(&mut strip, site, factor)?,
            Cut::Junction(junction, factor) => random_mask::cut(&mut strip, junction, factor)?,
            Cut::Layer(node, runs) => random_mask::run_layer(&mut strip, node, runs),
        }
    }
    strip.clean(&applied)?;
    strip.remove_calls(changed.clone())?;
    if job.prune_inputs {
        strip.clear_arguments(&changed, &formals);
    }
    strip.prune();
    let used = strip.used(sites, plan);
    strip.outcome.assumed = assumed(strip.editor.values(), job);
    let outcome = strip.finish(inputs, applied.len(), job.prune_inputs)?;
    Ok(Applied { outcome, used })
}

/// Where sites are removed, by node.
fn cuts<'s>(view: View<'_>, sites: &[&'s Site]) -> HashMap<NodeId, Vec<Cut<'s>>> {
    let mut cuts: HashMap<NodeId, Vec<Cut<'_>>> = HashMap::default();
    for site in Site::each_node(sites.iter().copied()) {
        if site.form == Form::Operator {
            let factor = site.classic_factor(view).filter(|_| site.is_classic());
            let cut = Cut::Operator(site, factor);
            cuts.entry(site.nodes[0]).or_default().push(cut);
        }
        if let Some(runs) = site.runs_if {
            let cut = Cut::Layer(site.nodes[0], runs);
            cuts.entry(site.nodes[0]).or_default().push(cut);
        }
        for junction in &site.junctions {
            let factor = junction.needs_scale().then(|| junction.factor(view));
            let factor = factor.flatten();
            let cut = Cut::Junction(junction, factor);
            cuts.entry(junction.node).or_default().push(cut);
        }
    }
    cuts
}

/// The removed masks that leave what they keep as it is.
fn assumed(values: &Values, job: Job<'_>) -> Vec<Assumed> {
    let removed = job.plan.applied().map(|step| &job.found[step.site]);
    let each = Site::each_node(removed).flat_map(|site| {
        let unscaled = site
            .junctions
            .iter()
            .filter(|junction| junction.is_unscaled());
        unscaled.map(|junction| Assumed {
            value: values[junction.output].name.clone(),
            scale: junction.scale,
            convention: site.convention.unwrap_or(job.plan.convention),
        })
    });
    each.collect()
}

impl Strip<'_> {
    /// Removes what only dropout needed.
    fn clean(&mut self, applied: &[&Site]) -> Result<()> {
        self.prune();
        let (editor, pruned) = (&mut self.editor, &mut self.pruned);
        let sources: Vec<NodeId> = applied.iter().filter_map(|site| site.source()).collect();
        prune::downstream(editor, &sources, pruned);
        self.outcome.states = states::remove(editor, &sources, pruned)?;
        Ok(())
    }

    /// Removes values and functions that nothing uses any more.
    fn prune(&mut self) {
        let (editor, pruned) = (&mut self.editor, &mut self.pruned);
        for value in std::mem::take(&mut self.idle) {
            prune::prune(editor, value, pruned);
        }
        prune::functions(editor, &self.called, pruned);
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

    fn finish(mut self, inputs: Vec<Name>, removed: usize, prune: bool) -> Result<Outcome> {
        let mut idle = idle_names(self.editor.view(), &inputs);
        if prune {
            let pruned = idle_inputs(self.editor.view(), &inputs);
            self.editor.remove_inputs(&pruned);
            self.outcome.pruned_inputs = std::mem::take(&mut idle);
        }
        // one that stayed in a function may have been removed with it
        let nodes = self
            .editor
            .view()
            .nodes()
            .filter(|node| node.is("Identity"));
        let outputs = nodes.filter_map(|node| Some(node.output(0)?.name.clone()));
        let stay: HashSet<Name> = outputs.collect();
        let identities = &mut self.outcome.identities;
        identities.retain(|identity| stay.contains(&identity.value));
        let outcome = Outcome {
            removed,
            functions: self.pruned.functions,
            initializers: self.pruned.initializers,
            nodes: self.pruned.nodes,
            idle_inputs: idle,
            ..self.outcome
        };
        self.editor.finish()?;
        Ok(outcome)
    }
}
