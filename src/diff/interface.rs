//! A pair of graphs, less its nodes: inputs, outputs, weights, types in between.

use std::collections::BTreeMap;

use super::compare::{Found, change_of};
use super::{Change, Kind, Part, tensors};
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{Graph, GraphId, Name, Producer, SparseInitializer, Tensor, ValueId, ValueInfo};
use crate::semantics::view::View;
use crate::show::tensor_text;

impl Found<'_> {
    pub(super) fn graph(&mut self, a: GraphId, b: GraphId) -> Result<()> {
        let scope = self.scope(a);
        let (old, new) = (self.before.model.graph(a), self.after.model.graph(b));
        let place = (
            scope.as_str(),
            Part::Graph,
            old.name.as_str().unwrap_or("?"),
        );
        self.renamed(place, "name".to_string(), &old.name, &new.name);
        let fields = (
            self.before.model.graph_fields(a)?,
            self.after.model.graph_fields(b)?,
        );
        self.fields((&scope, Part::Graph, ""), &fields.0, &fields.1);
        self.inputs(&scope, a, b);
        self.outputs(&scope, a, b);
        self.weights(&scope, a, b)?;
        self.types(&scope, a, b);
        self.quantization(&scope, old, new);
        self.nodes(&scope, a, b)
    }

    fn inputs(&mut self, scope: &str, a: GraphId, b: GraphId) {
        let (old, new) = (self.before.model.graph(a), self.after.model.graph(b));
        let mut places = Vec::new();
        for info in &old.inputs {
            let name = info.name.to_string();
            let place = (scope, Part::Input, name.as_str());
            let value = self.before.lookup(a, &info.name).map(|value| value.id);
            let same = value.and_then(|value| self.matching.values.get(&value));
            let index = same.and_then(|&value| input(self.after, b, value));
            match index.and_then(|index| Some((index, new.inputs.get(index)?))) {
                Some((index, other)) => {
                    places.push(index);
                    self.pair_of_infos(place, info, other);
                }
                None => self.changed(place, None, kind(info), None),
            }
        }
        for (index, info) in new.inputs.iter().enumerate() {
            if !places.contains(&index) {
                let name = info.name.to_string();
                self.changed((scope, Part::Input, &name), None, None, kind(info));
            }
        }
        self.order(scope, "inputs", &places);
    }

    /// Pairs by name, and the rest by position.
    fn outputs(&mut self, scope: &str, a: GraphId, b: GraphId) {
        let (old, new) = (self.before.model.graph(a), self.after.model.graph(b));
        let named = |name: &Name| new.outputs.iter().position(|info| info.name == *name);
        let mut places = Vec::new();
        for (index, info) in old.outputs.iter().enumerate() {
            let name = info.name.to_string();
            let place = (scope, Part::Output, name.as_str());
            let in_place = new
                .outputs
                .get(index)
                .filter(|other| !old.outputs.iter().any(|info| info.name == other.name));
            let other = named(&info.name).or(in_place.map(|_| index));
            let Some(other) = other.filter(|other| !places.contains(other)) else {
                self.changed(place, None, kind(info), None);
                continue;
            };
            places.push(other);
            self.pair_of_infos(place, info, &new.outputs[other]);
            let values = (
                self.before.lookup(a, &info.name).map(|value| value.id),
                (self.after.lookup(b, &new.outputs[other].name)).map(|value| value.id),
            );
            self.wire(place, None, values.0, values.1);
        }
        for (index, info) in new.outputs.iter().enumerate() {
            if !places.contains(&index) {
                let name = info.name.to_string();
                self.changed((scope, Part::Output, &name), None, None, kind(info));
            }
        }
        self.order(scope, "outputs", &places);
    }

    fn pair_of_infos(&mut self, place: (&str, Part, &str), old: &ValueInfo, new: &ValueInfo) {
        self.renamed(place, None, &old.name, &new.name);
        self.changed(place, "type".to_string(), kind(old), kind(new));
    }

    /// Reports a changed order.
    pub(super) fn order(&mut self, scope: &str, what: &str, places: &[usize]) {
        if !places.is_sorted() {
            let change = change_of(scope, Part::Graph, what, Kind::Moved);
            self.changes.push(Change {
                what: Some("order".into()),
                ..change
            });
        }
    }

    fn weights(&mut self, scope: &str, a: GraphId, b: GraphId) -> Result<()> {
        let (old, new) = (self.before.model.graph(a), self.after.model.graph(b));
        let mut rest: HashMap<ValueId, Weight<'_>> = HashMap::default();
        let theirs = weights(new);
        for weight in &theirs {
            if let Some(value) = self.after.lookup(b, weight.name()).map(|value| value.id) {
                rest.insert(value, *weight);
            }
        }
        for weight in weights(old) {
            let name = weight.name().to_string();
            let place = (scope, Part::Initializer, name.as_str());
            let value = self.before.lookup(a, weight.name()).map(|value| value.id);
            let same = value.and_then(|value| self.matching.values.get(&value));
            match same.and_then(|value| rest.remove(value)) {
                Some(other) => self.pair_of_weights(place, weight, other)?,
                None => {
                    let text = weight.text(self.before)?;
                    self.changed(place, None, Some(text), None);
                }
            }
        }
        for weight in theirs {
            let value = self.after.lookup(b, weight.name()).map(|value| value.id);
            if value.is_some_and(|value| rest.remove(&value).is_some()) {
                let (name, text) = (weight.name().to_string(), weight.text(self.after)?);
                let place = (scope, Part::Initializer, name.as_str());
                self.changed(place, None, None, Some(text));
            }
        }
        Ok(())
    }

    fn pair_of_weights(
        &mut self,
        place: (&str, Part, &str),
        old: Weight<'_>,
        new: Weight<'_>,
    ) -> Result<()> {
        self.renamed(place, None, old.name(), new.name());
        let (Weight::Dense(a), Weight::Dense(b)) = (old, new) else {
            let texts = (old.text(self.before)?, new.text(self.after)?);
            let what = "elements".to_string();
            self.changed(place, what, Some(texts.0), Some(texts.1));
            return Ok(());
        };
        self.tensors(place, a, b)
    }

    /// Compares two tensors.
    pub(super) fn tensors(
        &mut self,
        (scope, part, name): (&str, Part, &str),
        before: &Tensor,
        after: &Tensor,
    ) -> Result<()> {
        let change = change_of(scope, part, name, Kind::Changed);
        let before = tensors::Side {
            model: self.before.model,
            tensor: before,
        };
        let after = tensors::Side {
            model: self.after.model,
            tensor: after,
        };
        let change = tensors::compare(change, before, after, self.options.values)?;
        self.changes.extend(change);
        Ok(())
    }

    /// Types of values that are there before and after.
    fn types(&mut self, scope: &str, a: GraphId, b: GraphId) {
        let typed = |side: View<'_>, graph: GraphId| {
            let infos = side.model.graph(graph).value_infos().iter();
            let infos = infos.filter_map(|info| {
                let value = side.lookup(graph, &info.name)?;
                // what an interface says of a value counts, not this
                value.node().map(|_| (value.id, kind(info)))
            });
            infos.collect::<Vec<_>>()
        };
        let theirs: HashMap<_, _> = typed(self.after, b).into_iter().collect();
        let mut seen = HashSet::default();
        for (value, old) in typed(self.before, a) {
            let Some(&same) = self.matching.values.get(&value) else {
                continue;
            };
            seen.insert(same);
            let name = self.before.values[value].name.to_string();
            let new = theirs.get(&same).cloned().flatten();
            // an output of the graph has its type there
            if new.is_some() || !is_output(self.after, b, same) {
                let place = (scope, Part::Value, name.as_str());
                self.changed(place, "type".to_string(), old, new);
            }
        }
        for (value, new) in typed(self.after, b) {
            let Some(same) = self.matching.values_back.get(&value) else {
                continue;
            };
            if seen.contains(&value) || is_output(self.before, a, *same) {
                continue;
            }
            let name = self.before.values[*same].name.to_string();
            let place = (scope, Part::Value, name.as_str());
            self.changed(place, "type".to_string(), None, new);
        }
    }

    fn quantization(&mut self, scope: &str, old: &Graph, new: &Graph) {
        let annotated = |graph: &Graph| {
            let all = graph.annotations().iter();
            let all = all.map(|a| (a.tensor_name.to_string(), format!("{:?}", a.parameters)));
            all.collect::<BTreeMap<_, _>>()
        };
        let (old, new) = (annotated(old), annotated(new));
        let added = new.keys().filter(|name| !old.contains_key(*name));
        for name in old.keys().chain(added) {
            let values = (old.get(name).cloned(), new.get(name).cloned());
            let what = "quantization".to_string();
            self.changed((scope, Part::Value, name), what, values.0, values.1);
        }
    }
}

/// An initializer.
#[derive(Clone, Copy)]
enum Weight<'m> {
    Dense(&'m Tensor),
    Sparse(&'m SparseInitializer),
}

impl Weight<'_> {
    fn name(&self) -> &Name {
        match self {
            Weight::Dense(tensor) => &tensor.name,
            Weight::Sparse(sparse) => &sparse.values.name,
        }
    }

    fn text(&self, side: View<'_>) -> Result<String> {
        Ok(match self {
            Weight::Dense(tensor) => tensor_text(side.model, tensor)?,
            Weight::Sparse(sparse) => format!(
                "sparse {:?} values {} at {}",
                sparse.dims,
                tensor_text(side.model, &sparse.values)?,
                tensor_text(side.model, &sparse.indices)?
            ),
        })
    }
}

fn weights(graph: &Graph) -> Vec<Weight<'_>> {
    let dense = graph
        .initializers()
        .map(|(_, tensor)| Weight::Dense(tensor));
    let sparse = graph.sparse_initializers().iter().map(Weight::Sparse);
    dense.chain(sparse).collect()
}

/// Which input of a graph a value is.
fn input(side: View<'_>, graph: GraphId, value: ValueId) -> Option<usize> {
    let of = &side.values[value];
    match of.producer {
        Producer::Input(index) if of.graph == graph => Some(index as usize),
        _ => None,
    }
}

/// True of a value that is an output of a graph.
fn is_output(side: View<'_>, graph: GraphId, value: ValueId) -> bool {
    let name = &side.values[value].name;
    let mut outputs = side.model.graph(graph).outputs.iter();
    outputs.any(|info| info.name == *name)
}

fn kind(info: &ValueInfo) -> Option<String> {
    Some(info.value_type().to_string())
}
