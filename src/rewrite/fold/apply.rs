//! Folding: weights multiplied, attributes set, factors taken out.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, GraphId, Model, Name, Node, NodeId, Producer,
    Tensor, Use, ValueId, Values, encode_tensor,
};
use crate::rewrite::bypass::pass_through;

use super::factor::{Spread, is_power_of_two};
use super::operand::Holder;
use super::targets::Change;
use super::{Action, Step, weights};

/// What fold did, beyond what its plan says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Factors folded.
    pub folded: usize,
    /// Weights with other elements now, and their size in bytes.
    pub weights: Vec<(Name, u64)>,
    /// Weights that are copies of others, which something else uses: copy, original, and what the copy
    /// adds in bytes.
    pub copies: Vec<(Name, Name, u64)>,
    /// Of all these, those whose elements were in another file and are in the model now.
    pub embedded: Vec<Name>,
    /// Weights of which some elements lose digits because they are so small now, and how many.
    pub lost: Vec<(Name, u64)>,
    /// Element types that are rounded to otherwise now: those of weights, of factors, and of what they
    /// were carried through.
    pub rounded: Vec<DataType>,
    /// Attributes that took a factor: node, attribute and what it is now.
    pub attributes: Vec<(String, &'static str, f32)>,
    /// Places where an `Identity` stays, and why.
    pub identities: Vec<(String, &'static str)>,
    /// Constants that nothing uses any more, and that went.
    pub removed: Vec<Name>,
    /// Graph inputs that stay in the interface although nothing uses them any more.
    pub idle_inputs: Vec<Name>,
    /// True if every factor is a power of two: then nothing is rounded, but for what is very small.
    pub exact: bool,
    /// What changed, for verification.
    pub trace: Trace,
}

impl Outcome {
    /// True if the model is as it was.
    pub fn is_unchanged(&self) -> bool {
        self.folded == 0
    }
}

/// What may differ between a model and what fold made of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Factors of the model before, each with the input that is the data.
    pub factors: Vec<(NodeId, usize)>,
    /// Weights.
    pub weights: Vec<TracedWeights>,
    /// Attributes.
    pub attributes: Vec<TracedAttribute>,
}

/// Weights that took factors.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedWeights {
    /// The node of the model before that uses them.
    pub node: NodeId,
    /// Which of its inputs they are.
    pub input: usize,
    /// The graph of the model after that they are in.
    pub graph: GraphId,
    /// What they are called there.
    pub name: Name,
}

/// An attribute that took a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedAttribute {
    /// The node of the model before.
    pub node: NodeId,
    /// The attribute.
    pub attribute: &'static str,
    /// The first output of the node in the model after.
    pub output: Name,
}

/// An input of a node that changes.
type Place = (NodeId, usize);

struct Fold<'m> {
    editor: Editor<'m>,
    outcome: Outcome,
}

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
    let mut tensors: BTreeMap<Holder, BTreeMap<Place, Vec<Spread>>> = BTreeMap::new();
    let mut attributes: BTreeMap<(NodeId, &'static str), f64> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Weights {
                node,
                input,
                holder,
                spread,
            } => {
                let places = tensors.entry(*holder).or_default();
                places
                    .entry((*node, *input))
                    .or_default()
                    .push(spread.clone());
            }
            Change::Attribute { node, name, by } => {
                *attributes.entry((*node, *name)).or_insert(1.0) *= by;
            }
        }
    }
    for (holder, places) in tensors {
        fold.weights(holder, places)?;
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
    for traced in &mut outcome.trace.attributes {
        let output = editor.model().node(traced.node).output(0);
        traced.output = output.cloned().unwrap_or_default();
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
    /// Multiplies a constant, for those who use it so; who else uses it keeps the old one.
    fn weights(&mut self, holder: Holder, places: BTreeMap<Place, Vec<Spread>>) -> Result<()> {
        let mut groups: Vec<(Vec<Spread>, Vec<Place>)> = Vec::new();
        for (place, spreads) in places {
            match groups.iter_mut().find(|(known, _)| *known == spreads) {
                Some((_, places)) => places.push(place),
                None => groups.push((spreads, vec![place])),
            }
        }
        let base = self.base(holder)?;
        let tensor = self.tensor(holder)?.clone();
        let bytes = tensor.expected_bytes().unwrap_or(0);
        if !self.outcome.rounded.contains(&tensor.data_type) {
            self.outcome.rounded.push(tensor.data_type);
        }
        let used = |at: Use, places: &[Place]| match at {
            Use::Input { node, input } => places.contains(&(node, input as usize)),
            _ => false,
        };
        if let [(spreads, places)] = &groups[..]
            && self.editor.values().uses(base).all(|at| used(at, places))
            && places
                .iter()
                .all(|&(node, input)| self.editor.values().input(node, input) == Some(base))
        {
            let name = self.editor.values()[base].name.clone();
            let lost = weights::lost(self.editor.model(), &tensor, spreads)?;
            self.outcome
                .lost
                .extend((lost > 0).then(|| (name.clone(), lost)));
            self.in_place(holder, &tensor, spreads.clone())?;
            self.trace(places, base, &name);
            self.outcome.weights.push((name.clone(), bytes));
            self.outcome
                .embedded
                .extend(tensor.external.is_some().then_some(name));
            return Ok(());
        }
        for (spreads, places) in groups {
            let lost = weights::lost(self.editor.model(), &tensor, &spreads)?;
            let copy = self.copy(holder, base, &tensor, spreads)?;
            for &(node, input) in &places {
                self.editor.set_input(node, input, copy);
            }
            let name = self.editor.values()[copy].name.clone();
            let original = self.editor.values()[base].name.clone();
            self.trace(&places, copy, &name);
            self.outcome
                .embedded
                .extend(tensor.external.is_some().then(|| name.clone()));
            self.outcome
                .lost
                .extend((lost > 0).then(|| (name.clone(), lost)));
            self.outcome.copies.push((name, original, bytes));
        }
        Ok(())
    }

    fn trace(&mut self, places: &[Place], value: ValueId, name: &Name) {
        let graph = self.editor.values()[value].graph;
        self.outcome
            .trace
            .weights
            .extend(places.iter().map(|&(node, input)| TracedWeights {
                node,
                input,
                graph,
                name: name.clone(),
            }));
    }

    fn tensor(&self, holder: Holder) -> Result<&Tensor> {
        let model = self.editor.model();
        match holder {
            Holder::Initializer(graph, index) => Ok(model.graph(graph).initializer(index)),
            Holder::Constant(id) => match model.node(id).attribute("value").map(|a| &a.value) {
                Some(AttributeValue::Tensor(tensor)) => Ok(tensor),
                _ => Err(Error::model("has no tensor").at(model.place(id))),
            },
        }
    }

    /// The value that a constant is.
    fn base(&self, holder: Holder) -> Result<ValueId> {
        let (model, values) = (self.editor.model(), self.editor.values());
        let found = match holder {
            Holder::Initializer(graph, index) => {
                values.lookup(model, graph, &model.graph(graph).initializer(index).name)
            }
            Holder::Constant(id) => values.output(model, id, 0),
        };
        found.ok_or_else(|| Error::model("a constant has no name"))
    }

    fn in_place(&mut self, holder: Holder, tensor: &Tensor, spreads: Vec<Spread>) -> Result<()> {
        let elements = weights::scaled(self.editor.model(), tensor, spreads)?;
        match holder {
            Holder::Initializer(graph, index) => self.editor.set_elements(graph, index, elements),
            Holder::Constant(id) => {
                let bytes = elements.bytes(0..elements.len())?;
                let value = encode_tensor(&tensor.name, tensor.data_type, &tensor.dims, &bytes);
                let value = Attribute::new("value", AttributeValue::NewTensor(value));
                self.editor.set_attribute(id, value);
            }
        }
        Ok(())
    }

    /// A constant beside another, called after it.
    fn copy(
        &mut self,
        holder: Holder,
        base: ValueId,
        tensor: &Tensor,
        spreads: Vec<Spread>,
    ) -> Result<ValueId> {
        let hint = format!("{}/folded", self.editor.values()[base].name);
        let name = self.editor.fresh_name(&hint);
        let model = self.editor.model();
        let elements = weights::scaled(model, tensor, spreads)?;
        let (graph, before) = match holder {
            Holder::Initializer(graph, _) => (graph, NodeId { graph, index: 0 }),
            Holder::Constant(id) => (id.graph, id),
        };
        let (data_type, dims) = (tensor.data_type, &tensor.dims);
        if self.editor.takes_initializers(graph) {
            self.editor
                .add_elements(graph, &name, data_type, dims, &elements);
        } else {
            let bytes = elements.bytes(0..elements.len())?;
            let value = Attribute::tensor((data_type, dims, &bytes));
            let constant = Node::new("Constant").with(value);
            self.editor
                .put_as((graph, Some(before)), name.clone(), constant);
        }
        let (model, values) = (self.editor.model(), self.editor.values());
        let copy = values.lookup(model, graph, &name);
        copy.ok_or_else(|| Error::model(format!("`{name}` was not inserted")))
    }

    fn attribute(&mut self, id: NodeId, name: &'static str, by: f64) {
        let node = self.editor.model().node(id);
        let old = match node.attribute(name).map(|a| &a.value) {
            Some(AttributeValue::Float(f)) => f64::from(*f),
            _ => 1.0,
        };
        let new = (old * by) as f32;
        let label = format!("{} `{}`", node.op_type, self.editor.model().label(id));
        let attribute = Attribute::new(name, AttributeValue::Float(new));
        self.editor.set_attribute(id, attribute);
        self.outcome.attributes.push((label, name, new));
        self.outcome.trace.attributes.push(TracedAttribute {
            node: id,
            attribute: name,
            output: Name::default(),
        });
    }

    /// Lets what uses a product use its data.
    fn take_out(&mut self, step: &Step) -> Result<()> {
        let id = step.node;
        let (model, values) = (self.editor.model(), self.editor.values());
        let label = model.node(id).name.clone();
        let (data, output) = (values.input(id, step.data), values.output(model, id, 0));
        let constant = values.input(id, 1 - step.data);
        self.editor.remove_node(id);
        self.outcome.folded += 1;
        self.outcome.trace.factors.push((id, step.data));
        if let (Some(data), Some(output)) = (data, output)
            && let Some(why) = pass_through(&mut self.editor, id, &label, output, data)?
        {
            let name = self.editor.values()[output].name.to_string();
            self.outcome.identities.push((name, why));
        }
        if let Some(constant) = constant {
            self.clear(constant);
        }
        Ok(())
    }

    /// Takes out a constant that nothing uses any more.
    fn clear(&mut self, constant: ValueId) {
        let (model, values) = (self.editor.model(), self.editor.values());
        if values.is_used(constant) {
            return;
        }
        let known = &values[constant];
        let name = known.name.clone();
        match known.producer {
            Producer::Initializer(_) => self.editor.remove_initializer(constant),
            Producer::Input(_) => return self.outcome.idle_inputs.push(name),
            Producer::Node { node, .. } => {
                let of = values.input(node, 0);
                let is = |op: &str| model.node(node).is(op);
                if !is("Constant") && !is("Identity") {
                    return;
                }
                self.editor.remove_node(node);
                if let Some(of) = of {
                    self.clear(of);
                }
            }
            Producer::SparseInitializer(_) | Producer::Gone => return,
        }
        self.outcome.removed.push(name);
    }
}
