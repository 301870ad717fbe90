//! Strip: dropout removed for inference.
//!
//! A `Dropout` passes its data through at inference, whatever its flags say: what used its output
//! uses its input. Where the output's name must live on (it is a graph's output), the producer of
//! the input takes that name; where that cannot be, an `Identity` stays. A mask that something uses
//! becomes all true.
//!
//! Dropout written as a mask is cut off where the mask meets data: what used the product uses the
//! data, without the factor `1/(1-p)` if it had one; if the mask was never scaled, one `Mul` with
//! the inference scale stays. Then what only the mask needed goes: the draw, shape arithmetic, states
//! of loops that carried it, functions that nothing calls any more.

mod mask;
mod operator;
mod prune;
mod random_mask;
mod states;

use std::collections::BTreeSet;

use crate::dropout::{self, Convention, Exit, Form, Kind, Mode, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashMap;
use crate::onnx::{DataType, Editor, Model, Name, NodeId, Producer, ValueId, Values};
use crate::semantics::view::View;

use super::bypass::pass_through;
use super::fold::{self, Folded};
use super::upstream::Upstream;
use super::{Action, Edited, Plan, Step};
pub(super) use prune::prune;

/// What to strip.
#[derive(Clone, Debug)]
pub struct Options {
    /// The modes whose sites are removed.
    pub only: Vec<Mode>,
    /// The kinds that are removed. Noise is not dropout to everybody, and stays if not asked for.
    pub kinds: Vec<Kind>,
    /// Masks that were drawn once and are constants now are removed as well.
    pub frozen_masks: bool,
    /// What `Dropout` operators mean at inference. Classic ones leave a `Mul` by `1-p`.
    pub convention: Convention,
}

impl Default for Options {
    /// All dropout goes, also what is still active; Gaussian noise and frozen masks stay.
    fn default() -> Self {
        Options {
            only: Mode::ALL.to_vec(),
            kinds: vec![Kind::Dropout, Kind::AlphaDropout, Kind::GaussianDropout],
            frozen_masks: false,
            convention: Convention::Inverted,
        }
    }
}

impl Options {
    /// What `kinds` calls masks that are constants.
    pub const FROZEN_MASK: &str = "frozen_mask";
    /// What `kinds` calls all there are.
    pub const ALL: &str = "all";

    /// Options by their words: sites of the modes `only` (all modes if it is empty), of these kinds.
    ///
    /// # Errors
    /// A word is none.
    pub fn of_words(
        only: &[impl AsRef<str>],
        kinds: &[impl AsRef<str>],
        convention: Convention,
    ) -> Result<Options> {
        let mut options = Options {
            kinds: Vec::new(),
            convention,
            ..Options::default()
        };
        if !only.is_empty() {
            let only = only.iter().map(|word| word.as_ref().parse());
            options.only = only.collect::<Result<_>>()?;
        }
        for word in kinds.iter().map(AsRef::as_ref) {
            match word {
                Self::ALL => options.kinds.extend(Kind::ALL),
                Self::FROZEN_MASK => {}
                kind => options.kinds.push(kind.parse()?),
            }
            options.frozen_masks |= [Self::ALL, Self::FROZEN_MASK].contains(&word);
        }
        Ok(options)
    }
}

/// What strip did, beyond what its plan says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Dropouts removed.
    pub removed: usize,
    /// Places where an `Identity` stays, and why.
    pub identities: Vec<(String, &'static str)>,
    /// Masks that became all true.
    pub masks: Vec<Name>,
    /// Values that a `Mul` with the inference scale makes now, and that scale.
    pub scales: Vec<(Name, f64)>,
    /// States of loops that only carried a mask, and that went: loop and how many.
    pub states: Vec<(String, usize)>,
    /// Functions that nothing calls any more, and that went.
    pub functions: Vec<Name>,
    /// Initializers that nothing uses any more, and that went.
    pub initializers: Vec<Name>,
    /// Nodes that nothing uses any more (constants, computed flags), and that went.
    pub nodes: Vec<Name>,
    /// Graph inputs that stay in the interface although nothing uses them any more.
    pub idle_inputs: Vec<Name>,
}

impl Outcome {
    /// True if the model is as it was.
    pub fn is_unchanged(&self) -> bool {
        self.removed == 0
    }
}

/// A model that was stripped, not yet verified.
#[derive(Debug)]
pub struct Stripped {
    /// The dropouts that were found.
    pub sites: Vec<Site>,
    /// What was planned for each.
    pub plan: Plan,
    /// What was done.
    pub outcome: Outcome,
    /// The result.
    pub edited: Edited,
}

impl Stripped {
    /// Folds the scales that stay into the weights around them.
    ///
    /// # Errors
    /// As [`fold::fold`].
    pub fn fold_scales(&self) -> Result<Folded> {
        let options = fold::Options {
            only_dropout: true,
            ..fold::Options::default()
        };
        fold::fold(&self.edited.model, &options)
    }
}

/// Finds dropout, plans its removal, and removes it from a copy.
///
/// # Errors
/// The model is not sound ([`Model::check`]), or a site cannot be removed: then none is. Nor is one
/// if what is left would be dropout in another way than before.
pub fn strip(model: &Model, options: &Options) -> Result<Stripped> {
    strip_unnamed(model, options).map_err(|e| model.source().name_in(e))
}

fn strip_unnamed(model: &Model, options: &Options) -> Result<Stripped> {
    let values = Values::new(model);
    let sites = dropout::find_in(View::new(model, &values))?;
    let plan = plan(model, &values, &sites, options);
    let mut copy = model.clone();
    let outcome = apply(&mut copy, values, &sites, &plan)?;
    let edited = Edited::new(&copy)?;
    if !outcome.is_unchanged() {
        settled(&sites, &plan, &edited.model)?;
    }
    Ok(Stripped {
        sites,
        plan,
        outcome,
        edited,
    })
}

/// Checks that no mask of what is left is dropout that was none before: what a draw meets may show
/// only once other dropout is gone. Nobody could say then what both models compute at inference.
fn settled(sites: &[Site], plan: &Plan, after: &Model) -> Result<()> {
    let found = dropout::find_masks(View::new(after, &Values::new(after)))?;
    let applied: Vec<usize> = plan.applied().map(|step| step.site).collect();
    let masks = sites.iter().filter(|site| !site.exits.is_empty());
    let mut kept: Vec<&Site> = masks.filter(|site| !applied.contains(&site.id)).collect();
    for site in &found {
        let same = |old: &&Site| {
            let facts = |site: &Site| (site.form, site.kind, site.scaling, site.exits.len());
            facts(old) == facts(site)
                && old.rate == site.rate
                && old.entangled.is_some() == site.entangled.is_some()
        };
        let Some(place) = kept.iter().position(same) else {
            let why = "would only be recognised after other dropout is removed";
            return Err(Error::model(why).at(after.place(site.nodes[0])));
        };
        kept.swap_remove(place);
    }
    Ok(())
}

/// Plans the removal of sites.
pub fn plan(model: &Model, values: &Values, sites: &[Site], options: &Options) -> Plan {
    let gradients = mask::gradients(model, values);
    let steps = sites.iter().map(|site| Step {
        site: site.id,
        label: model.place(site.nodes[0]),
        action: action(model, values, site, (options, gradients.as_ref())),
    });
    Plan {
        steps: steps.collect(),
        convention: options.convention,
    }
}

fn action(
    model: &Model,
    values: &Values,
    site: &Site,
    (options, gradients): (&Options, Option<&Upstream>),
) -> Action {
    if !options.only.contains(&site.mode) {
        return Action::NoEffect(format!("{} dropout is not selected by --only", site.mode));
    }
    let (asked, name) = match site.form {
        Form::Scale => {
            return Action::NoEffect("a scale that inference needs".to_string());
        }
        Form::FrozenMask => (options.frozen_masks, Form::FrozenMask.word()),
        _ => (options.kinds.contains(&site.kind), site.kind.word()),
    };
    if !asked {
        return Action::NoEffect(format!("remove it with --kind {name}"));
    }
    let refusal = site.problem.clone().or_else(|| match site.form {
        Form::Operator => (site.entangled.clone())
            .or_else(|| mask::refusal(model, values, site, gradients))
            .or_else(|| operator::refusal(model, values, site, options.convention)),
        _ => random_mask::refusal(model, values, site),
    });
    refusal.map_or(Action::Apply, Action::Refused)
}

/// A place where dropout is cut off.
enum Cut<'s> {
    /// With the factor that stays, if one does.
    Operator(&'s Site, Option<Factor>),
    /// With the factor that stays, if one does: types are told by what edits take away.
    Exit(&'s Exit, Option<Factor>),
}

/// A scalar: its type and its bytes.
type Factor = (DataType, Vec<u8>);

/// Removes the sites that the plan says to remove.
///
/// # Errors
/// The model is not sound ([`Model::check`]), the plan refuses a site, or the edit would leave a value undefined; the model is then not to be
/// used.
pub fn apply(model: &mut Model, values: Values, sites: &[Site], plan: &Plan) -> Result<Outcome> {
    let order = model.check_order(&values)?;
    if let Some((step, why)) = plan.refusals().next() {
        return Err(Error::new(ErrorKind::Model, why).at(&step.label));
    }
    let applied: Vec<&Site> = plan.applied().map(|step| &sites[step.site]).collect();
    let inputs = graph_inputs(model, &values);
    let mut cuts: HashMap<NodeId, Vec<Cut<'_>>> = HashMap::default();
    for &site in &applied {
        if site.form == Form::Operator {
            let scales = plan.convention == Convention::Classic && site.rate != Some(0.0);
            let factor = site.classic_factor(model, &values).filter(|_| scales);
            let cut = Cut::Operator(site, factor);
            cuts.entry(site.nodes[0]).or_default().push(cut);
        }
        for exit in &site.exits {
            let factor = match exit.needs_scale() {
                true => exit.factor(model, &values),
                false => None,
            };
            let cut = Cut::Exit(exit, factor);
            cuts.entry(exit.node).or_default().push(cut);
        }
    }
    let called = prune::called(model);
    let mut strip = Strip {
        called,
        editor: Editor::new(model, values),
        outcome: Outcome::default(),
        moved: HashMap::default(),
        idle: Vec::new(),
    };
    // From the data on: the other way round, what used the last of a chain would be moved at each.
    for cut in order.iter().filter_map(|node| cuts.remove(node)).flatten() {
        match cut {
            Cut::Operator(site, factor) => operator::remove(&mut strip, site, factor)?,
            Cut::Exit(exit, factor) => random_mask::cut(&mut strip, exit, factor)?,
        }
    }
    let inputs: Vec<Name> = (inputs.into_iter())
        .map(|value| strip.editor.values()[value].name.clone())
        .collect();
    strip.clean(&applied)?;
    strip.outcome.removed = applied.len();
    let Strip {
        editor,
        mut outcome,
        ..
    } = strip;
    let main = editor.model().main();
    outcome
        .idle_inputs
        .extend(inputs.into_iter().filter(|name| {
            let value = editor.values().lookup(editor.model(), main, name);
            value.is_some_and(|value| !editor.values().is_used(value))
        }));
    editor.finish()?;
    Ok(outcome)
}

/// A model while dropout is cut out of it.
struct Strip<'m> {
    editor: Editor<'m>,
    outcome: Outcome,
    /// Values that are gone, and what took their place.
    moved: HashMap<ValueId, ValueId>,
    /// Values that dropout used and that perhaps nothing uses any more.
    idle: Vec<ValueId>,
    /// Functions that were called before.
    called: BTreeSet<usize>,
}

impl Strip<'_> {
    /// The value that has taken another's place, if that one is gone.
    fn now(&self, mut value: ValueId) -> ValueId {
        while self.editor.values()[value].producer == Producer::Gone
            && let Some(&next) = self.moved.get(&value)
        {
            value = next;
        }
        value
    }

    /// Removes what only dropout needed.
    fn clean(&mut self, applied: &[&Site]) -> Result<()> {
        for value in std::mem::take(&mut self.idle) {
            prune::prune(&mut self.editor, value, &mut self.outcome);
        }
        let sources: Vec<NodeId> = applied.iter().filter_map(|site| site.source()).collect();
        for &source in &sources {
            prune::behind(&mut self.editor, source, &mut self.outcome);
        }
        states::remove(&mut self.editor, &sources, &mut self.outcome)?;
        prune::functions(&mut self.editor, &self.called, &mut self.outcome);
        let left = |id: &&NodeId| {
            let model = self.editor.model();
            let mut graphs = model.graphs();
            let there = graphs.any(|(graph, _)| graph == id.graph);
            there && !model.node(**id).is_removed()
        };
        match sources.iter().find(left) {
            None => Ok(()),
            Some(&source) => {
                let why = "the draw is still used after its dropout was removed";
                Err(Error::model(why).at(self.editor.model().place(source)))
            }
        }
    }

    /// Lets everything that used `output` use `data`, with an `Identity` called `label` in the place of
    /// a removed node where one must stay.
    fn replace(
        &mut self,
        removed: NodeId,
        label: &Name,
        output: ValueId,
        data: ValueId,
    ) -> Result<()> {
        self.moved.insert(output, data);
        if let Some(why) = pass_through(&mut self.editor, removed, label, output, data)? {
            let name = self.editor.values()[output].name.to_string();
            self.outcome.identities.push((name, why));
        }
        Ok(())
    }
}

/// Inputs of the main graph that something uses.
pub(super) fn graph_inputs(model: &Model, values: &Values) -> Vec<ValueId> {
    let inputs = model.graph(model.main()).inputs.iter();
    inputs
        .filter_map(|info| values.lookup(model, model.main(), &info.name))
        .filter(|&value| values.is_used(value))
        .collect()
}
