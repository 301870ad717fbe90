//! Which values were chosen, and by what.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use globset::GlobSet;

use crate::dropout::Layers;
use crate::error::{Error, Result};
use crate::hash::HashMap;
use crate::onnx::{GraphId, Model, Name, NodeId, Use, ValueId};
use crate::rewrite::names::{glob, usage};
use crate::semantics::view::View;
use crate::words::instead;

use super::flow::Flow;
use super::position::Positions;
use super::{Choice, Options};

/// The choice that selects some readers of a value; none, if it is all of them.
type Part = Option<usize>;

/// Finds the values that each choice selects.
pub(super) struct Chooser<'f, 'm> {
    flow: &'f Flow<'m>,
    /// What presets know, once one was asked for.
    positions: OnceCell<Positions>,
    layers: Layers<'m>,
    /// The layer of each node, once one was asked for.
    of_nodes: Option<HashMap<NodeId, String>>,
}

impl<'f, 'm> Chooser<'f, 'm> {
    pub fn new(flow: &'f Flow<'m>) -> Self {
        Chooser {
            flow,
            positions: OnceCell::new(),
            layers: Layers::new(flow.facts),
            of_nodes: None,
        }
    }

    /// What presets know.
    ///
    /// # Errors
    /// As [`Positions::new`].
    pub fn positions(&self) -> Result<&Positions> {
        match self.positions.get() {
            Some(known) => Ok(known),
            None => {
                let positions = Positions::new(self.flow)?;
                Ok(self.positions.get_or_init(|| positions))
            }
        }
    }

    /// The layer of each node with one.
    pub fn layers(&mut self) -> Result<&HashMap<NodeId, String>> {
        let mut known: HashMap<NodeId, String> = HashMap::default();
        if self.of_nodes.is_none() {
            for node in self.flow.view.nodes() {
                known.extend(self.layers.of(node.id)?.map(|layer| (node.id, layer)));
            }
        }
        Ok(self.of_nodes.get_or_insert(known))
    }

    /// The values that choices select, each with the choice that applies there, by position: the
    /// narrowest.
    ///
    /// # Errors
    /// As [`Chooser::values`]; and if two that count alike want different things at one value.
    pub fn all(&mut self, options: &Options) -> Result<BTreeMap<(ValueId, Part), usize>> {
        let mut chosen: BTreeMap<(ValueId, Part), usize> = BTreeMap::new();
        for (index, choice) in options.choices.iter().enumerate() {
            let part = choice.readers.as_ref().map(|_| index);
            for value in self.values(choice)? {
                let parts = chosen.range((value, None)..=(value, Some(usize::MAX)));
                let mut clashes = parts.filter(|((_, other), _)| part.is_none() || other.is_none());
                let Some((&key, &other)) = clashes.next() else {
                    chosen.insert((value, part), index);
                    continue;
                };
                let before = &options.choices[other];
                let rate = |choice: &Choice| options.rate_of(choice);
                let same = rate(before) == rate(choice) && before.shared_axes == choice.shared_axes;
                match choice.narrowness().cmp(&before.narrowness()) {
                    Ordering::Greater => {
                        chosen.remove(&key);
                        chosen.insert((value, part), index);
                    }
                    Ordering::Less => {}
                    Ordering::Equal if same && key.1 == part => {}
                    Ordering::Equal => {
                        let name = &self.flow.view.values[value].name;
                        return Err(usage(format!(
                            "`{name}` is selected by {before} and by {choice}, which differ; \
                             override both with --at"
                        )));
                    }
                }
            }
        }
        Ok(chosen)
    }

    /// The values that a choice selects, at least one.
    ///
    /// # Errors
    /// It selects none; the message lists the alternatives.
    pub fn values(&mut self, choice: &Choice) -> Result<BTreeSet<ValueId>> {
        let view = self.flow.view;
        let mut all: Option<BTreeSet<ValueId>> = None;
        let mut meet = |found: BTreeSet<ValueId>| {
            all = Some(match all.take() {
                Some(all) => all.intersection(&found).copied().collect(),
                None => found,
            });
        };
        let scopes = self.in_scope(choice)?;
        if let Some(name) = &choice.at {
            meet(BTreeSet::from([self.named(name, scopes.as_deref())?]));
        }
        if let Some(preset) = choice.preset {
            meet(self.positions()?.of(preset));
        }
        if let Some(op_type) = &choice.after {
            let nodes = view.nodes().filter(|node| node.op_type == op_type.as_str());
            let found: BTreeSet<ValueId> =
                nodes.filter_map(|node| Some(node.output(0)?.id)).collect();
            if found.is_empty() {
                return Err(self.no_operator(op_type));
            }
            meet(found);
        }
        if let Some(pattern) = &choice.name {
            meet(named_like(view, &glob(pattern)?));
        }
        if let Some(pattern) = &choice.layer {
            let alone = choice.at.is_none()
                && choice.preset.is_none()
                && choice.after.is_none()
                && choice.name.is_none();
            meet(self.in_layers(pattern, alone)?);
        }
        let mut all = all.unwrap_or_else(|| view.values.ids().collect());
        if let Some(scopes) = scopes {
            all.retain(|&value| scopes.contains(&view.values[value].graph));
        }
        match all.is_empty() {
            true => Err(usage(format!("{choice} matches nothing in this model"))),
            false => Ok(all),
        }
    }

    /// The graphs that a choice is limited to, if it is.
    fn in_scope(&self, choice: &Choice) -> Result<Option<Vec<GraphId>>> {
        let Some(pattern) = &choice.scope else {
            return Ok(None);
        };
        let (model, glob) = (self.flow.view.model, glob(pattern)?);
        let scopes = model.graphs().map(|(id, _)| (id, model.scope(id)));
        let scopes: Vec<(GraphId, String)> = scopes.collect();
        let found = scopes.iter().filter(|(_, scope)| glob.is_match(scope));
        let found: Vec<GraphId> = found.map(|&(id, _)| id).collect();
        if found.is_empty() {
            let names = scopes.iter().map(|(_, scope)| scope.as_str());
            let hint = instead(pattern, names);
            return Err(usage(format!("no scope matches `{pattern}`{hint}")));
        }
        Ok(Some(found))
    }

    /// The value of this name: the main graph's, or the only one of an inner graph.
    fn named(&self, name: &Name, scopes: Option<&[GraphId]>) -> Result<ValueId> {
        let (view, model) = (self.flow.view, self.flow.view.model);
        let fits = |graph| scopes.is_none_or(|scopes| scopes.contains(&graph));
        if let Some(value) = view.lookup(model.main(), name)
            && fits(model.main())
        {
            return Ok(value.id);
        }
        let graphs = model.graphs().map(|(id, _)| id).filter(|&id| fits(id));
        let graphs: Vec<_> = graphs.filter(|&id| view.values.defines(id, name)).collect();
        match graphs[..] {
            [graph] => {
                let value = view.lookup(graph, name).map(|value| value.id);
                value.ok_or_else(|| usage(format!("there is no value `{name}`")))
            }
            [] => {
                let names = all_names(model);
                let hint = instead(&name.to_string(), names.iter().map(String::as_str));
                Err(usage(format!("there is no value `{name}`{hint}")))
            }
            _ => {
                let scopes: Vec<_> = graphs.iter().map(|&graph| model.scope(graph)).collect();
                Err(usage(format!(
                    "`{name}` is a value in each of {}; select one with `scope` in a plan file",
                    scopes.join(", ")
                )))
            }
        }
    }

    fn no_operator(&self, op_type: &str) -> Error {
        let nodes = self.flow.view.model.nodes();
        let names: BTreeSet<String> = nodes.map(|(_, node)| node.op_type.to_string()).collect();
        let instead = instead(op_type, names.iter().map(String::as_str));
        usage(format!("no node has the operator `{op_type}`{instead}"))
    }

    /// Alone: the outputs of layers. With other criteria: all values in them.
    fn in_layers(&mut self, pattern: &str, alone: bool) -> Result<BTreeSet<ValueId>> {
        let glob = glob(pattern)?;
        let layers = self.layers()?.clone();
        let mut of_path: HashMap<&str, Option<&str>> = HashMap::default();
        let mut of_node: HashMap<NodeId, &str> = HashMap::default();
        for (&id, path) in &layers {
            let layer = of_path
                .entry(path)
                .or_insert_with(|| outermost(path, &glob));
            of_node.extend(layer.map(|layer| (id, layer)));
        }
        if of_node.is_empty() {
            let names: BTreeSet<&str> = layers.values().map(String::as_str).collect();
            return Err(usage(match names.is_empty() {
                true => format!("no layer matches `{pattern}`: this file does not declare layers"),
                false => format!(
                    "no layer matches `{pattern}`{}",
                    instead(pattern, names.iter().copied())
                ),
            }));
        }
        let flow = self.flow;
        let mut found = BTreeSet::new();
        for (&id, &layer) in &of_node {
            let outputs = flow.view.node(id).produced();
            let outputs = outputs.filter(|&value| flow.is_data(value));
            let outputs = outputs.filter(|value| {
                let outside = |at| match at {
                    Use::Input { node, .. } => of_node.get(&node) != Some(&layer),
                    Use::Output { .. } => true,
                    Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => false,
                };
                !alone || value.uses().any(outside)
            });
            found.extend(outputs.map(|value| value.id));
        }
        Ok(found)
    }
}

/// The shortest path that a path begins with and that matches.
fn outermost<'p>(path: &'p str, glob: &GlobSet) -> Option<&'p str> {
    let ends = path.match_indices(['/', '.']).map(|(end, _)| end);
    let mut starts = ends.chain([path.len()]).map(|end| &path[..end]);
    starts.find(|start| glob.is_match(start))
}

/// Values of nodes that match, and first outputs of nodes whose names do.
fn named_like(view: View<'_>, glob: &GlobSet) -> BTreeSet<ValueId> {
    let matches = |name: &Name| !name.is_empty() && glob.is_match(name.to_string());
    let mut found = BTreeSet::new();
    for node in view.nodes() {
        let whole = matches(&node.name);
        for (output, value) in node.outputs().enumerate() {
            let value = value.filter(|value| whole && output == 0 || matches(&value.name));
            found.extend(value.map(|value| value.id));
        }
    }
    found
}

fn all_names(model: &Model) -> Vec<String> {
    let mut names = BTreeMap::new();
    for (_, node) in model.nodes() {
        let outputs = node.outputs.iter().filter(|name| !name.is_empty());
        names.extend(outputs.map(|name| (name.to_string(), ())));
    }
    let inputs = model.graph(model.main()).inputs.iter();
    names.extend(inputs.map(|info| (info.name.to_string(), ())));
    names.into_keys().collect()
}
