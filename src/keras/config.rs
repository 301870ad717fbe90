//! The layers of a configuration, and how they are connected.

use serde_json::Value;

use super::class::drops;
use super::{Archive, Layer};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::HashMap;

/// Reads the configuration of a model.
pub(super) fn read(config: &Value) -> Result<Archive> {
    let mut reader = Reader::default();
    let Some(model) = model(config) else {
        let class = config["class_name"].as_str().unwrap_or("its model");
        let why = format!(
            "{class} is a class of its own, so the archive has no list of its layers; only Functional and \
             Sequential models have one"
        );
        return Err(Error::new(ErrorKind::Unsupported, why));
    };
    let inner = reader.model(model, "");
    reader.link();
    let outputs = inner.outputs.iter();
    let outputs = outputs.filter_map(|name| reader.result(inner.scope, name, 0));
    let outputs: Vec<usize> = outputs.collect();
    let name = model["name"].as_str().unwrap_or_default().to_string();
    Ok(Archive {
        name,
        layers: reader.layers,
        outputs,
    })
}

/// The configuration of a Functional or Sequential model, whatever its class.
fn model(layer: &Value) -> Option<&Value> {
    let config = &layer["config"];
    config["layers"].is_array().then_some(config)
}

/// The layer or model of a name.
#[derive(Clone, Debug)]
enum Named {
    Layer(usize),
    Model(Inner),
}

/// A nested model.
#[derive(Clone, Debug, Default)]
struct Inner {
    /// Its layers of inputs.
    inputs: Vec<usize>,
    /// The layers of its results, by the names in its own scope.
    outputs: Vec<String>,
    scope: usize,
}

/// What a layer, or the inputs of a nested model, reads.
struct Link {
    /// The scope that the names are of.
    scope: usize,
    /// Names, and the number of the result.
    from: Vec<(String, usize)>,
    to: To,
}

enum To {
    Layer(usize),
    Inputs(Vec<usize>),
}

#[derive(Default)]
struct Reader {
    layers: Vec<Layer>,
    scopes: Vec<HashMap<String, Named>>,
    links: Vec<Link>,
}

impl Reader {
    /// Takes in a layer, or a model among the layers, and the number of its calls.
    fn layer(
        &mut self,
        layer: &Value,
        path: String,
        calls: usize,
        inputs: &mut Vec<usize>,
    ) -> (Named, To) {
        if let Some(config) = model(layer) {
            let first = self.layers.len();
            let inner = self.model(config, &path);
            for layer in &mut self.layers[first..] {
                layer.calls = layer.calls.saturating_mul(calls);
            }
            let to = To::Inputs(inner.inputs.clone());
            return (Named::Model(inner), to);
        }
        let class = layer["class_name"].as_str().unwrap_or_default();
        let index = self.layers.len();
        self.layers.push(Layer {
            path,
            class: class.to_string(),
            inputs: Vec::new(),
            calls,
            drops: drops(class, &layer["config"]),
        });
        if class == "InputLayer" {
            inputs.push(index);
        }
        (Named::Layer(index), To::Layer(index))
    }

    /// Takes in the layers of a model, below this path.
    fn model(&mut self, config: &Value, path: &str) -> Inner {
        let scope = self.scopes.len();
        self.scopes.push(HashMap::default());
        let layers = config["layers"].as_array().into_iter().flatten();
        let sequential = config.get("output_layers").is_none();
        let mut inner = Inner {
            scope,
            ..Inner::default()
        };
        let mut last: Option<String> = None;
        for layer in layers {
            let own = layer["name"]
                .as_str()
                .or_else(|| layer["config"]["name"].as_str());
            let name = own.unwrap_or_default().to_string();
            let full = match path.is_empty() {
                true => name.clone(),
                false => format!("{path}/{name}"),
            };
            let (from, calls) = match sequential {
                true => (last.iter().map(|last| (last.clone(), 0)).collect(), 1),
                false => inbound(&layer["inbound_nodes"]),
            };
            let (named, to) = self.layer(layer, full, calls, &mut inner.inputs);
            // a Sequential model may begin with any layer
            if sequential && last.is_none() && inner.inputs.is_empty() {
                match &named {
                    Named::Layer(index) => inner.inputs.push(*index),
                    Named::Model(first) => inner.inputs.extend(&first.inputs),
                }
            }
            self.links.push(Link { scope, from, to });
            self.scopes[scope].insert(name.clone(), named);
            last = Some(name);
        }
        if !sequential {
            let named = references(&config["input_layers"]).into_iter();
            let named = named.filter_map(|(name, result)| self.result(scope, &name, result));
            inner.inputs = named.collect();
        }
        inner.outputs = match sequential {
            true => last.into_iter().collect(),
            false => references(&config["output_layers"])
                .into_iter()
                .map(|(name, _)| name)
                .collect(),
        };
        inner
    }

    /// Connects the layers, once all are known.
    fn link(&mut self) {
        for link in std::mem::take(&mut self.links) {
            let found: Vec<usize> = link
                .from
                .iter()
                .filter_map(|(name, result)| self.result(link.scope, name, *result))
                .collect();
            match link.to {
                To::Layer(index) => self.layers[index].inputs.extend(found),
                To::Inputs(inputs) => {
                    for (input, from) in inputs.into_iter().zip(found) {
                        self.layers[input].inputs.push(from);
                    }
                }
            }
        }
    }

    /// The layer that a result of this name comes from.
    fn result(&self, scope: usize, name: &str, result: usize) -> Option<usize> {
        let (mut scope, mut name, mut result) = (scope, name, result);
        loop {
            match self.scopes[scope].get(name)? {
                Named::Layer(index) => return Some(*index),
                // nested models are finite, and deeper each time
                Named::Model(inner) => {
                    (scope, name, result) = (inner.scope, inner.outputs.get(result)?, 0);
                }
            }
        }
    }
}

/// What the calls of a layer read, and how many calls there are.
fn inbound(nodes: &Value) -> (Vec<(String, usize)>, usize) {
    let nodes = nodes.as_array().map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for node in nodes {
        found.extend(references(node));
    }
    (found, nodes.len())
}

/// References to results: `keras_history` of Keras 3, `["name", 0, 0]` of Keras 2.
fn references(value: &Value) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => match fields.get("keras_history") {
                Some(history) => open.push(history),
                None => open.extend(fields.values().rev()),
            },
            Value::Array(items) => match &items[..] {
                [
                    Value::String(name),
                    Value::Number(_),
                    Value::Number(result),
                    ..,
                ] => {
                    let result = result.as_u64().unwrap_or(0) as usize;
                    found.push((name.clone(), result));
                    open.extend(items[3..].iter().rev());
                }
                items => open.extend(items.iter().rev()),
            },
            _ => {}
        }
    }
    found
}
