//! Folding: constants and attributes take factors, and the factors are removed.

mod constants;

use std::collections::BTreeMap;

use crate::error::Result;
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, Model, Name, NodeId, Producer, ValueId, Values,
};
use crate::rewrite::Action;
use crate::rewrite::bypass::pass_through;
use crate::verify::structure::ScaledAttribute;

use super::change::Change;
use super::factor::{Spread, is_power_of_two};
use super::operand::Holder;
use super::outcome::{Outcome, Scaled};
use super::propagate::label;
use super::step::Step;

/// An input of a node that changes.
type Place = (NodeId, usize);

struct Fold<'m> {
    editor: Editor<'m>,
    outcome: Outcome,
}

/// Folds the factors of a plan.
///
/// # Errors
/// Weights cannot be read, or the edit would leave a value undefined; the model is then not to be
/// used.
pub(super) fn apply(
    model: &mut Model,
    values: Values,
    steps: &[Step],
    changes: &[Change],
    rounded: &[DataType],
) -> Result<Outcome> {
    let mut fold = Fold {
        editor: Editor::new(model, values),
        outcome: Outcome {
            exact: changes.iter().all(is_exact),
            rounded: rounded.to_vec(),
            ..Outcome::default()
        },
    };
    let mut constants: BTreeMap<Holder, BTreeMap<Place, Vec<Spread>>> = BTreeMap::new();
    let mut attributes: BTreeMap<(NodeId, &'static str), f64> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Weights {
                node,
                input,
                holder,
                spread,
            } => {
                let places = constants.entry(*holder).or_default();
                let spreads = places.entry((*node, *input)).or_default();
                spreads.push(spread.clone());
            }
            Change::Attribute { node, name, by } => {
                *attributes.entry((*node, *name)).or_insert(1.0) *= by;
            }
        }
    }
    for (holder, places) in constants {
        fold.scale(holder, places)?;
    }
    for ((node, name), by) in attributes {
        fold.attribute(node, name, by);
    }
    for step in steps.iter().filter(|step| step.action == Action::Apply) {
        fold.take_out(step)?;
    }
    let Fold {
        editor,
        mut outcome,
    } = fold;
    for scaled in &mut outcome.allowed.attributes {
        let output = editor.model().node(scaled.node).output(0);
        scaled.output = output.cloned().unwrap_or_default();
    }
    editor.finish()?;
    outcome.exact &= outcome.lost.is_empty();
    Ok(outcome)
}

fn is_exact(change: &Change) -> bool {
    match change {
        Change::Weights { spread, .. } => spread.elements.iter().all(|&e| is_power_of_two(e)),
        Change::Attribute { by, .. } => is_power_of_two(*by),
    }
}

impl Fold<'_> {
    fn attribute(&mut self, id: NodeId, name: &'static str, by: f64) {
        let node = self.editor.view().node(id);
        let new = (f64::from(node.float(name, 1.0)) * by) as f32;
        self.outcome.attributes.push(Scaled {
            node: label(node),
            name,
            is: new,
        });
        self.outcome.allowed.attributes.push(ScaledAttribute {
            node: id,
            attribute: name.into(),
            output: Name::default(),
        });
        let attribute = Attribute::new(name, AttributeValue::Float(new));
        self.editor.set_attribute(id, attribute);
    }

    /// Lets what uses a product use its data.
    fn take_out(&mut self, step: &Step) -> Result<()> {
        let node = self.editor.view().node(step.node);
        let label = node.name.clone();
        let input = |input| node.input(input).map(|value| value.id);
        let (data, constant) = (input(step.data), input(1 - step.data));
        let output = node.output(0).map(|value| value.id);
        self.editor.remove_node(step.node);
        self.outcome.folded += 1;
        let factor = (step.node, step.data);
        self.outcome.allowed.factors.push(factor);
        if let (Some(data), Some(output)) = (data, output) {
            let stays = pass_through(&mut self.editor, step.node, &label, output, data)?;
            self.outcome.identities.extend(stays);
        }
        if let Some(constant) = constant {
            self.clear(constant);
        }
        Ok(())
    }

    /// Removes a constant that nothing uses any more.
    fn clear(&mut self, constant: ValueId) {
        let value = self.editor.view().value(constant);
        if value.is_used() {
            return;
        }
        let name = value.name.clone();
        match (value.get().producer, value.node()) {
            (Producer::Initializer(_), _) => self.editor.remove_initializer(constant),
            (Producer::Input(_), _) => return self.outcome.idle_inputs.push(name),
            (_, Some(node)) if matches!(node.op(), "Constant" | "Identity") => {
                let (id, of) = (node.id, node.input(0).map(|of| of.id));
                self.editor.remove_node(id);
                if let Some(of) = of {
                    self.clear(of);
                }
            }
            _ => return,
        }
        self.outcome.removed.push(name);
    }
}
