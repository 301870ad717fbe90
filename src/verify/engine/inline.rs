//! Model-local functions, put in place of their calls: tract knows no functions.
//!
//! Bodies see no outer names, so every name in a body that is not a parameter is its own and gets
//! the call's name in front of it. A parameter left out by the caller becomes the empty name; an
//! attribute that refers to one of the function's takes the caller's value, else the default, else
//! goes.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb;

use super::Unrunnable;
use super::decode::{FunctionExtra, OVERLOAD};

/// Bounds on what a small file may unfold to: calls within calls can double at every level.
const DEEPEST: usize = 64;
const MOST_NODES: usize = 1_000_000;

/// Domain, name, overload.
type Id = (String, String, String);

struct Inliner<'a> {
    functions: HashMap<Id, (&'a pb::FunctionProto, Option<&'a FunctionExtra>)>,
    /// Occurs in no name of the model.
    separator: String,
    /// Prefixes given out.
    taken: HashSet<String>,
    /// Functions being expanded, outermost first.
    stack: Vec<Id>,
    nodes: usize,
}

/// Replaces every call in the graph and its subgraphs by the function's body, and drops the
/// functions.
pub(super) fn inline(
    proto: &mut pb::ModelProto,
    extras: &[FunctionExtra],
) -> Result<(), Unrunnable> {
    let functions = std::mem::take(&mut proto.functions);
    let Some(graph) = &mut proto.graph else {
        return Ok(());
    };
    if functions.is_empty() {
        return Ok(());
    }
    let mut inliner = Inliner {
        functions: HashMap::new(),
        separator: separator(graph, &functions),
        taken: HashSet::new(),
        stack: Vec::new(),
        nodes: 0,
    };
    for (index, function) in functions.iter().enumerate() {
        let extra = extras.get(index);
        let overload = extra.map_or(String::new(), |extra| text(&extra.overload));
        let name = function.name.clone().unwrap_or_default();
        let domain = domain(function.domain.as_deref().unwrap_or_default());
        let id = (domain, name, overload);
        if inliner
            .functions
            .insert(id.clone(), (function, extra))
            .is_some()
        {
            return Err(Unrunnable::new(format!(
                "function {} is defined twice",
                shown(&id)
            )));
        }
    }
    graph.node = inliner.nodes(std::mem::take(&mut graph.node))?;
    Ok(())
}

impl<'a> Inliner<'a> {
    fn nodes(&mut self, nodes: Vec<pb::NodeProto>) -> Result<Vec<pb::NodeProto>, Unrunnable> {
        let mut flat = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            let id = call_id(&node);
            if let Some(&(function, extra)) = self.functions.get(&id) {
                self.call(&node, id, function, extra, &mut flat)?;
                continue;
            }
            for attribute in &mut node.attribute {
                for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                    graph.node = self.nodes(std::mem::take(&mut graph.node))?;
                }
            }
            self.count(1)?;
            flat.push(node);
        }
        Ok(flat)
    }

    fn call(
        &mut self,
        call: &pb::NodeProto,
        id: Id,
        function: &pb::FunctionProto,
        extra: Option<&FunctionExtra>,
        out: &mut Vec<pb::NodeProto>,
    ) -> Result<(), Unrunnable> {
        if self.stack.contains(&id) {
            return Err(Unrunnable::new(format!(
                "function {} calls itself",
                shown(&id)
            )));
        }
        if self.stack.len() >= DEEPEST {
            let why = format!("functions call each other more than {DEEPEST} deep");
            return Err(Unrunnable::new(why));
        }
        if call.input.len() > function.input.len() || call.output.len() > function.output.len() {
            return Err(Unrunnable::new(format!(
                "a call of function {} passes {} inputs and {} outputs; it has {} and {}",
                shown(&id),
                call.input.len(),
                call.output.len(),
                function.input.len(),
                function.output.len(),
            )));
        }
        self.count(1)?;
        let binding = self.bind(call, function, extra, out);
        let body: Vec<_> = function
            .node
            .iter()
            .map(|node| binding.node(node))
            .collect();
        self.stack.push(id);
        let body = self.nodes(body)?;
        self.stack.pop();
        out.extend(body);
        Ok(())
    }

    /// Names and attributes of one call. Where an input of the function is its output as well, the
    /// caller's two names are joined by an `Identity`.
    fn bind<'f>(
        &mut self,
        call: &'f pb::NodeProto,
        function: &'f pb::FunctionProto,
        extra: Option<&'f FunctionExtra>,
        out: &mut Vec<pb::NodeProto>,
    ) -> Binding<'f> {
        let mut names = HashMap::new();
        for (index, formal) in function.input.iter().enumerate() {
            let actual = call.input.get(index).map_or("", String::as_str);
            names.insert(formal.as_str(), actual);
        }
        for (formal, actual) in function.output.iter().zip(&call.output) {
            if actual.is_empty() {
                continue;
            }
            if let Some(input) = names.get(formal.as_str()) {
                out.push(pb::NodeProto {
                    op_type: "Identity".into(),
                    input: vec![(*input).to_string()],
                    output: vec![actual.clone()],
                    ..Default::default()
                });
            } else {
                names.insert(formal, actual);
            }
        }
        let mut attributes: HashMap<&str, &pb::AttributeProto> = HashMap::new();
        for default in extra.map_or(&[][..], |extra| &extra.attribute_proto) {
            attributes.insert(&default.name, default);
        }
        for given in &call.attribute {
            attributes.insert(&given.name, given);
        }
        Binding {
            names,
            attributes,
            prefix: self.prefix(call),
        }
    }

    /// The call's name with the separator: the same in a model from which other nodes were removed.
    fn prefix(&mut self, call: &pb::NodeProto) -> String {
        let output = call.output.iter().find(|name| !name.is_empty());
        let base = match (call.name.is_empty(), output) {
            (false, _) => &call.name,
            (true, Some(output)) => output,
            (true, None) => &call.op_type,
        };
        let mut prefix = format!("{base}{}", self.separator);
        let mut count = 1;
        while !self.taken.insert(prefix.clone()) {
            count += 1;
            prefix = format!("{base}{0}{count}{0}", self.separator);
        }
        prefix
    }

    fn count(&mut self, more: usize) -> Result<(), Unrunnable> {
        self.nodes += more;
        if self.nodes > MOST_NODES {
            let why = format!("its functions unfold to more than {MOST_NODES} nodes");
            return Err(Unrunnable::new(why));
        }
        Ok(())
    }
}

struct Binding<'f> {
    names: HashMap<&'f str, &'f str>,
    attributes: HashMap<&'f str, &'f pb::AttributeProto>,
    prefix: String,
}

impl Binding<'_> {
    fn name(&self, name: &str) -> String {
        match self.names.get(name) {
            Some(actual) => (*actual).to_string(),
            None if name.is_empty() => String::new(),
            None => format!("{}{name}", self.prefix),
        }
    }

    fn node(&self, node: &pb::NodeProto) -> pb::NodeProto {
        let name = match node.name.as_str() {
            "" => String::new(),
            name => format!("{}{name}", self.prefix),
        };
        pb::NodeProto {
            name,
            input: node.input.iter().map(|name| self.name(name)).collect(),
            output: node.output.iter().map(|name| self.name(name)).collect(),
            op_type: node.op_type.clone(),
            domain: node.domain.clone(),
            attribute: node
                .attribute
                .iter()
                .filter_map(|a| self.attribute(a))
                .collect(),
            doc_string: String::new(),
        }
    }

    fn attribute(&self, attribute: &pb::AttributeProto) -> Option<pb::AttributeProto> {
        if !attribute.ref_attr_name.is_empty() {
            let mut value = (*self.attributes.get(attribute.ref_attr_name.as_str())?).clone();
            value.name.clone_from(&attribute.name);
            return Some(value);
        }
        let mut copy = attribute.clone();
        for graph in copy.g.iter_mut().chain(&mut copy.graphs) {
            self.graph(graph);
        }
        Some(copy)
    }

    fn graph(&self, graph: &mut pb::GraphProto) {
        graph.node = graph.node.iter().map(|node| self.node(node)).collect();
        for tensor in &mut graph.initializer {
            tensor.name = self.name(&tensor.name);
        }
        for values in graph
            .sparse_initializer
            .iter_mut()
            .filter_map(|s| s.values.as_mut())
        {
            values.name = self.name(&values.name);
        }
        for value in graph
            .input
            .iter_mut()
            .chain(&mut graph.output)
            .chain(&mut graph.value_info)
        {
            value.name = self.name(&value.name);
        }
    }
}

fn call_id(node: &pb::NodeProto) -> Id {
    let overload = node.attribute.iter().find(|a| a.name == OVERLOAD);
    let overload = overload.map_or(String::new(), |a| text(&a.s));
    (domain(&node.domain), node.op_type.clone(), overload)
}

/// `ai.onnx` is the default domain by its other name.
fn domain(domain: &str) -> String {
    if domain == "ai.onnx" { "" } else { domain }.to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shown((domain, name, overload): &Id) -> String {
    match overload.as_str() {
        "" => format!("{domain}::{name}"),
        overload => format!("{domain}::{name}:{overload}"),
    }
}

/// A mark that stands in no name, so that a name made with it is new.
fn separator(graph: &pb::GraphProto, functions: &[pb::FunctionProto]) -> String {
    let longest = std::cell::Cell::new(0);
    let look = |name: &str| {
        let run = name
            .split(|c| c != '»')
            .map(|run| run.chars().count())
            .max();
        longest.set(longest.get().max(run.unwrap_or(0)));
    };
    names_in(&graph.node, &look);
    for value in graph.input.iter().chain(&graph.output) {
        look(&value.name);
    }
    for tensor in &graph.initializer {
        look(&tensor.name);
    }
    for function in functions {
        function
            .input
            .iter()
            .chain(&function.output)
            .for_each(|name| look(name));
        names_in(&function.node, &look);
    }
    "»".repeat(longest.get() + 1)
}

fn names_in(nodes: &[pb::NodeProto], look: &dyn Fn(&str)) {
    for node in nodes {
        look(&node.name);
        node.input
            .iter()
            .chain(&node.output)
            .for_each(|name| look(name));
        for attribute in &node.attribute {
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                names_in(&graph.node, look);
                for value in graph.input.iter().chain(&graph.output) {
                    look(&value.name);
                }
                for tensor in &graph.initializer {
                    look(&tensor.name);
                }
            }
        }
    }
}
