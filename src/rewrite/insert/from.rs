//! Dropout where a saved model of Keras has it.
//!
//! Layers of the source are found in the model by the names of its nodes. An exporter for inference leaves
//! nothing of a dropout, so what it dropped is found by the layer before it, and what reads it by those after.

mod layout;

use std::collections::BTreeSet;

use crate::dropout::{Examined, Kind};
use crate::error::Result;
use crate::hash::HashMap;
use crate::keras::{Archive, Layer, What};
use crate::onnx::{Name, NodeId, Use, ValueId};
use crate::rewrite::Rate;
use crate::rewrite::names::usage;
use crate::semantics::view::{ValueRef, View};

use super::choose::Chooser;
use super::flow::Flow;
use super::{Choice, Like, Unplaced};

/// Layers that an exporter for inference may leave nothing of.
const TRANSPARENT: &[&str] = &[
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "InputLayer",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
];

/// Finds where the dropout of a saved model belongs in `model`.
///
/// # Errors
/// The model is not sound, the source has no dropout, or none of it has a place.
pub fn from(model: &Examined<'_>, source: &Archive) -> Result<Like> {
    if source.dropouts().next().is_none() {
        return Err(usage("this Keras model has no dropout".into()));
    }
    let flow = Flow::new(model.facts())?;
    let layers = Chooser::new(&flow).layers()?.clone();
    if layers.is_empty() {
        let why = "this model does not declare layers, as exports of Keras' torch and jax backends: export it \
                   again with KERAS_BACKEND=tensorflow";
        return Err(model.model().source().name_in(usage(why.into())));
    }
    let of = layers.iter();
    let of = of.filter_map(|(&node, layer)| Some((node, source.layer_of(layer)?)));
    let finder = Finder::new(&flow, source, of.collect());
    let known = model
        .sites()?
        .iter()
        .filter_map(|site| site.layer.as_deref());
    let known: BTreeSet<usize> = known.filter_map(|layer| source.layer_of(layer)).collect();
    let mut found = Like::default();
    for (index, layer) in source.layers.iter().enumerate() {
        for drops in &layer.drops {
            let placed = match known.contains(&index) {
                true => Err("the model has it".to_string()),
                false => finder.choice(index, &drops.what, drops.rate),
            };
            match placed {
                Ok(choice) => found.choices.push(choice),
                Err(why) => found.unplaced.push(Unplaced {
                    dropout: format!(
                        "{} ({}, {} {})",
                        layer.path, layer.class, drops.argument, drops.rate
                    ),
                    why,
                }),
            }
        }
    }
    finder.in_rows(&mut found.choices);
    match (&found.choices[..], &found.unplaced[..]) {
        ([], [Unplaced { dropout, why }, ..]) => {
            let why =
                format!("no dropout of the Keras model has a place in this one: {dropout}: {why}");
            Err(model.model().source().name_in(usage(why)))
        }
        _ => Ok(found),
    }
}

struct Finder<'f, 'm> {
    flow: &'f Flow<'m>,
    source: &'f Archive,
    /// The layer of each node.
    of: HashMap<NodeId, usize>,
    /// The nodes of each layer, in order.
    nodes: HashMap<usize, Vec<NodeId>>,
    /// The layers that read each layer.
    readers: HashMap<usize, Vec<usize>>,
}

/// What reads the result of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Layer(usize),
    /// An output of the model.
    Output,
}

impl<'f, 'm> Finder<'f, 'm> {
    /// `of` is the layer of each node.
    fn new(flow: &'f Flow<'m>, source: &'f Archive, of: HashMap<NodeId, usize>) -> Self {
        let mut readers: HashMap<usize, Vec<usize>> = HashMap::default();
        for (index, layer) in source.layers.iter().enumerate() {
            for &input in &layer.inputs {
                readers.entry(input).or_default().push(index);
            }
        }
        let mut nodes: HashMap<usize, Vec<NodeId>> = HashMap::default();
        for node in flow.view.nodes() {
            if let Some(&layer) = of.get(&node.id) {
                nodes.entry(layer).or_default().push(node.id);
            }
        }
        Finder {
            flow,
            source,
            of,
            nodes,
            readers,
        }
    }

    fn view(&self) -> View<'m> {
        self.flow.view
    }

    fn layer(&self, index: usize) -> &Layer {
        &self.source.layers[index]
    }

    /// The choice for an argument of a layer, or why there is none.
    fn choice(&self, index: usize, what: &What, rate: f64) -> Result<Choice, String> {
        let layer = self.layer(index);
        if layer.calls > 1 {
            return Err(format!("its layer is called {} times", layer.calls));
        }
        let (value, readers, shared) = match what {
            What::Data(Kind::Dropout, shared) => {
                let (value, root) = self.before(index)?;
                (value, self.readers(index, root, value)?, shared.clone())
            }
            What::Data(kind, _) => {
                let kind = kind.word().replace('_', " ");
                return Err(format!("insert writes no {kind}"));
            }
            What::Attention => (self.softmax(index)?, None, Vec::new()),
            What::Sequence => {
                let (value, _) = self.before(index)?;
                (value, Some(self.own_uses(index, value)?), vec![1])
            }
            What::State => {
                return Err("it drops a state between the steps of a loop".into());
            }
            What::Directions => {
                return Err(
                    "each direction has a mask of its own, and both read the same data".into(),
                );
            }
            What::Unknown => {
                return Err(format!("what the class {} drops is not known", layer.class));
            }
        };
        let shared = match shared.is_empty() {
            true => None,
            false => Some(layout::axes(self.flow, value, &shared)?),
        };
        let view = self.view();
        let at: Name = view.value(value).name.clone();
        let rate = Rate::new(rate).map_err(|e| e.to_string())?;
        Ok(Choice {
            at: Some(at),
            scope: Some(globset::escape(&view.model.scope(view.model.main()))),
            rate: Some(rate),
            shared_axes: shared,
            readers,
            optional: true,
            ..Choice::default()
        })
    }

    /// The value that a layer reads, and the layer that it comes from.
    fn before(&self, index: usize) -> Result<(ValueId, usize), String> {
        let mut at = index;
        // a row of layers that the exporter left nothing of
        for _ in 0..self.source.layers.len() {
            let layer = self.layer(at);
            let &[input] = &layer.inputs[..] else {
                return Err(match layer.inputs.len() {
                    0 => "its input is not known".to_string(),
                    count => format!("`{}` reads {count} values", layer.path),
                });
            };
            let before = self.layer(input);
            if before.calls > 1 {
                return Err(format!(
                    "`{}`, which it reads, is called {} times",
                    before.path, before.calls
                ));
            }
            if self.nodes.contains_key(&input) {
                return Ok((self.result(input)?, input));
            }
            if before.class == "InputLayer" && before.inputs.is_empty() {
                return Ok((self.input(&before.path)?, input));
            }
            if !TRANSPARENT.contains(&before.class.as_str()) {
                let (path, class) = (&before.path, &before.class);
                return Err(format!(
                    "no node of this model is of `{path}` ({class}), which it reads"
                ));
            }
            at = input;
        }
        Err("its layers read each other".to_string())
    }

    /// The input of the model of this name, or its only one.
    fn input(&self, name: &str) -> Result<ValueId, String> {
        let view = self.view();
        let inputs = view.graph_inputs(view.model.main()).flatten();
        let inputs: Vec<ValueRef<'_>> =
            inputs.filter(|input| input.initializer.is_none()).collect();
        let named = inputs
            .iter()
            .find(|input| input.name.as_str() == Some(name));
        match (named, &inputs[..]) {
            (Some(input), _) | (None, [input]) => Ok(input.id),
            _ => Err(format!("this model has no input `{name}`")),
        }
    }

    /// The value that leaves a layer.
    fn result(&self, index: usize) -> Result<ValueId, String> {
        let view = self.view();
        let nodes = self.nodes[&index].iter().map(|&id| view.node(id));
        let nodes = nodes.filter(|node| node.id.graph == view.model.main());
        let values = nodes.flat_map(|node| node.produced());
        let values = values.filter(|&value| self.flow.is_data(value));
        let values = values.filter(|value| {
            value
                .element_type()
                .is_none_or(|element| element.is_float())
        });
        let leaves = |value: &ValueRef<'m>| {
            value.uses().any(|at| match at {
                Use::Input { node, .. } => {
                    self.of.get(&node) != Some(&index) && !view.node(node).is("Shape")
                }
                Use::Output { .. } => true,
                _ => false,
            })
        };
        let values: Vec<ValueId> = values.filter(leaves).map(|value| value.id).collect();
        let path = &self.layer(index).path;
        match values[..] {
            [value] => Ok(value),
            [] => Err(format!("nothing reads `{path}` in this model")),
            _ => Err(format!(
                "{} values leave `{path}` in this model",
                values.len()
            )),
        }
    }

    /// The Softmax inside a layer.
    fn softmax(&self, index: usize) -> Result<ValueId, String> {
        let view = self.view();
        let nodes = self.nodes.get(&index).into_iter().flatten();
        let nodes = nodes
            .map(|&id| view.node(id))
            .filter(|node| node.is("Softmax"));
        let found: Vec<_> = nodes.filter_map(|node| node.output(0)).collect();
        match &found[..] {
            [value] => Ok(value.id),
            _ => Err(format!(
                "its nodes in this model have {} Softmax operators, not one",
                found.len()
            )),
        }
    }

    /// The uses of a value by a layer.
    fn own_uses(&self, index: usize, value: ValueId) -> Result<Vec<Use>, String> {
        let uses = self.view().value(value).uses();
        let own = uses.filter(|at| match at {
            Use::Input { node, .. } => {
                self.of.get(node) == Some(&index) && !self.view().node(*node).is("Shape")
            }
            _ => false,
        });
        let own: Vec<Use> = own.collect();
        match own.is_empty() {
            true => Err("its nodes in this model do not read its data".into()),
            false => Ok(own),
        }
    }

    /// The uses of a value that read a dropout, where others do not; `None` if all do. `root`: the layer that
    /// the value is of.
    fn readers(
        &self,
        dropout: usize,
        root: usize,
        value: ValueId,
    ) -> Result<Option<Vec<Use>>, String> {
        let through = self.reached(dropout, None);
        let others = self.reached(root, Some(dropout));
        if others.is_empty() {
            return Ok(None);
        }
        if let Some(both) = through.intersection(&others).next() {
            let by = match both {
                Reader::Layer(index) => format!("`{}`", self.layer(*index).path),
                Reader::Output => "an output".to_string(),
            };
            return Err(format!("{by} reads its data with and without dropout"));
        }
        let mut uses = Vec::new();
        for at in self.view().value(value).uses() {
            let reader = match at {
                Use::Input { node, .. } => self.of.get(&node).map(|&index| Reader::Layer(index)),
                Use::Output { .. } => Some(Reader::Output),
                _ => continue,
            };
            match reader {
                Some(reader) if through.contains(&reader) => uses.push(at),
                Some(reader) if others.contains(&reader) => {}
                _ => {
                    let why = "its data is also read without dropout, and a node that reads it is of no known layer";
                    return Err(why.to_string());
                }
            }
        }
        match uses.is_empty() {
            true => Err("nothing in this model reads it".to_string()),
            false => Ok(Some(uses)),
        }
    }

    /// The layers with nodes that read a layer, past those without, except by way of one of them.
    fn reached(&self, start: usize, avoid: Option<usize>) -> BTreeSet<Reader> {
        let (mut found, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![start]);
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            if self.source.outputs.contains(&at) {
                found.insert(Reader::Output);
            }
            for &reader in self.readers.get(&at).into_iter().flatten() {
                match self.nodes.contains_key(&reader) {
                    _ if Some(reader) == avoid => {}
                    true => {
                        found.insert(Reader::Layer(reader));
                    }
                    false => open.push(reader),
                }
            }
        }
        found
    }

    /// Where several dropouts are at one value, they follow each other: all of its uses are written out.
    fn in_rows(&self, choices: &mut [Choice]) {
        let at = |choice: &Choice| choice.at.clone();
        let places: Vec<_> = choices.iter().map(at).collect();
        for choice in choices {
            let several = places.iter().filter(|place| **place == choice.at).count() > 1;
            let view = self.view();
            let value = choice
                .at
                .as_ref()
                .and_then(|name| view.lookup(view.model.main(), name));
            if let (true, None, Some(value)) = (several, &choice.readers, value) {
                let uses = value.uses();
                let uses = uses.filter(|at| matches!(at, Use::Input { .. } | Use::Output { .. }));
                choice.readers = Some(uses.collect());
            }
        }
    }
}
