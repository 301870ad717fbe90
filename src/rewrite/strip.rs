//! Strip: dropout removed for inference.
//!
//! A `Dropout` passes its data through at inference, whatever its flags say: what used its output
//! uses its input. Where the output's name must live on (it is a graph's output), the producer of
//! the input takes that name; where that cannot be, an `Identity` stays. A mask that something uses
//! becomes all true.

mod mask;
mod prune;

use crate::dropout::{self, Form, MaskUse, Mode, OperatorVersion, Site, version};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashMap;
use crate::onnx::{Editor, Model, Name, Node, NodeId, Producer, Use, ValueId, Values};

use super::{Action, Edited, Plan, Step};

/// What to strip.
#[derive(Clone, Debug)]
pub struct Options {
    /// The modes whose sites are removed.
    pub only: Vec<Mode>,
}

impl Default for Options {
    /// All dropout goes, also what is still active.
    fn default() -> Self {
        Options {
            only: Mode::ALL.to_vec(),
        }
    }
}

/// What strip did, beyond what its plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Dropouts removed.
    pub removed: usize,
    /// Places where an `Identity` stays, and why.
    pub identities: Vec<(String, &'static str)>,
    /// Masks that became all true.
    pub masks: Vec<Name>,
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

/// Finds dropout, plans its removal, and removes it from a copy.
///
/// # Errors
/// The model is not sound ([`Model::check`]), or a site cannot be removed: then none is.
pub fn strip(model: &Model, options: &Options) -> Result<Stripped> {
    strip_unnamed(model, options).map_err(|e| model.source().name_in(e))
}

fn strip_unnamed(model: &Model, options: &Options) -> Result<Stripped> {
    let values = Values::new(model);
    let sites = dropout::find(model, &values)?;
    let plan = plan(model, &values, &sites, options);
    let mut copy = model.clone();
    let outcome = apply(&mut copy, values, &sites, &plan)?;
    let edited = Edited::new(&copy)?;
    Ok(Stripped {
        sites,
        plan,
        outcome,
        edited,
    })
}

/// Plans the removal of sites.
pub fn plan(model: &Model, values: &Values, sites: &[Site], options: &Options) -> Plan {
    let steps = sites.iter().map(|site| {
        let action = if !options.only.contains(&site.mode) {
            Action::NoEffect(format!("{} sites were not asked for", site.mode))
        } else if site.form != Form::Operator {
            Action::NoEffect("strip does not remove random masks yet".to_string())
        } else if let Some(problem) = &site.problem {
            Action::Refused(problem.clone())
        } else if let Some(why) = mask::refusal(model, values, site) {
            Action::Refused(why)
        } else {
            Action::Apply
        };
        Step {
            site: site.id,
            label: model.place(site.nodes[0]),
            action,
        }
    });
    Plan {
        steps: steps.collect(),
    }
}

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
    let mut outcome = Outcome::default();
    let inputs = graph_inputs(model, &values);
    let mut editor = Editor::new(model, values);
    let mut applied: HashMap<NodeId, &Site> = plan
        .applied()
        .map(|step| &sites[step.site])
        .map(|site| (site.nodes[0], site))
        .collect();
    // From the data on: the other way round, what used the last of a chain would be moved at each.
    for site in order.iter().filter_map(|node| applied.remove(node)) {
        remove(&mut editor, site, &mut outcome)?;
        outcome.removed += 1;
    }
    for input in inputs {
        if !editor.values().is_used(input) {
            outcome
                .idle_inputs
                .push(editor.values()[input].name.clone());
        }
    }
    editor.finish()?;
    Ok(outcome)
}

/// Inputs of the main graph that something uses.
fn graph_inputs(model: &Model, values: &Values) -> Vec<ValueId> {
    let inputs = model.graph(model.main()).inputs.iter();
    inputs
        .filter_map(|info| values.lookup(model, model.main(), &info.name))
        .filter(|&value| values.is_used(value))
        .collect()
}

fn remove(editor: &mut Editor<'_>, site: &Site, outcome: &mut Outcome) -> Result<()> {
    let id = site.nodes[0];
    let Some(data) = editor.values().input(id, 0) else {
        return Err(Error::model("has no data input").at(editor.model().place(id)));
    };
    let node = editor.model().node(id).clone();
    let others: Vec<ValueId> = (1..node.inputs.len())
        .filter_map(|input| editor.values().input(id, input))
        .collect();
    let output = editor.values().output(editor.model(), id, 0);
    let mask = editor.values().output(editor.model(), id, 1);
    // A mask of the data's type has to know it, and the data may lose its name below.
    let ones = match mask {
        Some(mask) if site.mask != MaskUse::Unused && editor.values().is_used(mask) => {
            let opset = editor.model().opset(id.graph, "").unwrap_or(1);
            let typed = version(opset) < OperatorVersion::InferenceBool;
            let name = editor.values()[mask].name.clone();
            let element = mask::element_type(editor.model(), editor.values(), site, typed)
                .ok_or_else(|| Error::model("the type of its mask is not known"))?;
            Some((name, element, opset))
        }
        _ => None,
    };
    editor.remove_node(id);
    if let Some(output) = output
        && let Some(why) = pass_through(editor, output, data)?
    {
        let name = editor.values()[output].name.clone();
        let identity = Node {
            name: node.name.clone(),
            inputs: vec![editor.values()[data].name.clone()],
            outputs: vec![name.clone()],
            ..Node::new("Identity")
        };
        outcome.identities.push((name.to_string(), why));
        editor.insert_node(id.graph, Some(id), identity);
    }
    if let Some((name, element, opset)) = ones {
        let data = editor.values()[data].name.clone();
        mask::insert_ones(editor, id, &data, &name, element, opset);
        outcome.masks.push(name);
    }
    for value in others {
        prune::prune(editor, value, outcome);
    }
    Ok(())
}

/// Lets everything that used `output` use `data`. Returns why that cannot be, if an `Identity` must
/// stay.
fn pass_through(
    editor: &mut Editor<'_>,
    output: ValueId,
    data: ValueId,
) -> Result<Option<&'static str>> {
    if !editor.values().is_used(output) {
        return Ok(None);
    }
    if editor.can_redirect(output, data) {
        editor.redirect(output, data)?;
        return Ok(None);
    }
    let name = editor.values()[output].name.clone();
    if editor.values()[data].graph == editor.values()[output].graph
        && editor.can_rename(data, &name)
    {
        editor.rename(data, &name)?;
        return Ok(None);
    }
    let values = editor.values();
    let (source, target) = (&values[data], &values[output]);
    let by_name = values
        .uses(output)
        .any(|at| !matches!(at, Use::Input { .. }));
    Ok(Some(match source.producer {
        _ if !by_name => "its input's name means something else where it is used",
        _ if source.graph != target.graph => "it is an output, and its input an outer value",
        Producer::Input(_) => "it is an output, and its input an input of the same graph",
        Producer::Initializer(_) | Producer::SparseInitializer(_) => {
            "it is an output, and its input an initializer"
        }
        _ => "it is an output, and so is its input",
    }))
}
