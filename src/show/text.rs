//! The text for people and snapshots.

use std::fmt::{self, Write};

use super::document::{
    AttributeRecord, AttributeValueRecord, Document, FunctionRecord, GraphRecord, NodeRecord,
    Number, OpsetRecord, SparseRecord, TensorRecord, Text, ValueRecord,
};
use super::header::Header;

/// Writes a document as text; its first line is a [`Header`].
pub fn text(document: &Document) -> String {
    let mut printer = Printer::default();
    printer.line(0, format_args!("{}", Header::of(document.options())));
    printer.model(document);
    printer.0
}

#[derive(Default)]
struct Printer(String);

impl Printer {
    fn line(&mut self, depth: usize, text: fmt::Arguments<'_>) {
        for _ in 0..depth {
            self.0.push_str("  ");
        }
        // writing to a String cannot fail
        let _ = self.0.write_fmt(text);
        self.0.push('\n');
    }

    fn model(&mut self, model: &Document) {
        let (ir, producer) = (model.ir_version, &model.producer);
        let name = Quoted(&producer.name);
        let version = producer.version.as_deref().map(Quoted);
        let version = version.map_or(String::new(), |version| format!(" {version}"));
        self.line(
            0,
            format_args!("model ir_version {ir} producer {name}{version}"),
        );
        self.opsets(&model.opsets);
        for property in &model.metadata {
            let (key, value) = (Quoted(&property.key), Quoted(&property.value));
            self.line(1, format_args!("metadata {key} = {value}"));
        }
        self.graph(0, &model.graph, "graph");
        for function in &model.functions {
            self.function(function);
        }
        for (index, training) in model.training.iter().enumerate() {
            let graphs = [
                ("initialization", &training.initialization),
                ("algorithm", &training.algorithm),
            ];
            for (what, graph) in graphs {
                if let Some(graph) = graph {
                    self.graph(0, graph, &format!("training_info[{index}].{what}"));
                }
            }
            for (key, value) in &training.bindings {
                let (key, value) = (Quoted(key), Quoted(value));
                let line = format_args!("training_info[{index}] binds {key} = {value}");
                self.line(0, line);
            }
        }
    }

    fn opsets(&mut self, opsets: &[OpsetRecord]) {
        for opset in opsets {
            let domain = match opset.domain.is_empty() {
                true => "ai.onnx".to_string(),
                false => Quoted(&opset.domain).to_string(),
            };
            self.line(1, format_args!("opset {domain} {}", opset.version));
        }
    }

    fn function(&mut self, function: &FunctionRecord) {
        let (scope, inputs) = (&function.scope, Names(&function.inputs));
        let outputs = Names(&function.outputs);
        self.line(0, format_args!("{scope}({inputs}) -> ({outputs})"));
        self.opsets(&function.opsets);
        for name in &function.attributes {
            self.line(1, format_args!("attribute {}", Quoted(name)));
        }
        for default in &function.defaults {
            self.line(1, format_args!("attribute {}", Pair(default, " = ")));
        }
        self.nodes(1, &function.nodes);
    }

    fn graph(&mut self, depth: usize, graph: &GraphRecord, what: &str) {
        match &graph.name {
            Some(name) => self.line(depth, format_args!("{what} {}", Quoted(name))),
            None => self.line(depth, format_args!("{what}")),
        }
        self.values(depth + 1, "input", &graph.inputs);
        self.values(depth + 1, "output", &graph.outputs);
        let depth = depth + 1;
        for tensor in &graph.initializers {
            let name = Quoted(tensor.name.as_deref().unwrap_or_default());
            self.line(depth, format_args!("initializer {name}: {tensor}"));
        }
        for sparse in &graph.sparse_initializers {
            let name = Quoted(sparse.name.as_deref().unwrap_or_default());
            let SparseRecord {
                shape,
                values,
                indices,
                ..
            } = sparse;
            let line = format_args!("sparse {name}: {shape:?} values {values} at {indices}");
            self.line(depth, line);
        }
        self.values(depth, "value", &graph.values);
        for (value, by) in &graph.quantized {
            let line = format_args!("quantized {} by {}", Quoted(value), Names(by));
            self.line(depth, line);
        }
        self.nodes(depth, &graph.nodes);
    }

    fn values(&mut self, depth: usize, what: &str, values: &[ValueRecord]) {
        for value in values {
            let name = Quoted(&value.name);
            self.line(depth, format_args!("{what} {name}: {}", value.r#type));
        }
    }

    fn nodes(&mut self, depth: usize, nodes: &[NodeRecord]) {
        for node in nodes {
            self.line(depth, format_args!("{node}"));
            for attribute in &node.attributes {
                let what = format!("{} graph", Quoted(&attribute.name));
                for graph in graphs(attribute) {
                    self.graph(depth + 1, graph, &what);
                }
            }
        }
    }
}

fn graphs(attribute: &AttributeRecord) -> &[GraphRecord] {
    match &attribute.value {
        AttributeValueRecord::Graph(graph) => std::slice::from_ref(graph),
        AttributeValueRecord::Graphs(graphs) => graphs,
        _ => &[],
    }
}

/// Without the graphs inside it.
impl fmt::Display for NodeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = ", Names(&self.outputs))?;
        if !self.domain.is_empty() {
            write!(f, "{}::", Quoted(&self.domain))?;
        }
        write!(f, "{}", Quoted(&self.op_type))?;
        if !self.overload.is_empty() {
            write!(f, ":{}", Quoted(&self.overload))?;
        }
        write!(f, "({})", Names(&self.inputs))?;
        let plain = self.attributes.iter().filter(|a| graphs(a).is_empty());
        let shown: Vec<_> = plain.map(|a| Pair(a, "=").to_string()).collect();
        if !shown.is_empty() {
            write!(f, " {{{}}}", shown.join(", "))?;
        }
        match &self.name {
            Some(name) => write!(f, " # {}", Quoted(name)),
            None => Ok(()),
        }
    }
}

/// An attribute: name, separator, value.
struct Pair<'a>(&'a AttributeRecord, &'static str);

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pair(attribute, between) = self;
        write!(f, "{}{between}{}", Quoted(&attribute.name), attribute.value)
    }
}

impl fmt::Display for AttributeValueRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use AttributeValueRecord as Record;
        fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
            f.write_str("[")?;
            for (i, item) in items.iter().enumerate() {
                let comma = if i > 0 { ", " } else { "" };
                write!(f, "{comma}{item}")?;
            }
            f.write_str("]")
        }
        match self {
            Record::Float(number) => write!(f, "{number}"),
            Record::Int(i) => write!(f, "{i}"),
            Record::String(text) => write!(f, "{text}"),
            Record::Other(text) => f.write_str(text),
            Record::Floats(numbers) => list(f, numbers),
            Record::Ints(ints) => list(f, ints),
            Record::Strings(strings) => list(f, strings),
            Record::Tensor(tensor) => write!(f, "{tensor}"),
            Record::Tensors(tensors) => list(f, tensors),
            Record::Sparse(sparse) => write!(
                f,
                "sparse {:?} values {} at {}",
                sparse.shape, sparse.values, sparse.indices
            ),
            Record::Reference(name) => write!(f, "@{}", Quoted(name)),
            Record::Graph(_) | Record::Graphs(_) => f.write_str("graph"),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Whole(text) => write!(f, "{text:?}"),
            Text::Long(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Without its name: type, shape, numbers or hash, and where they are.
impl fmt::Display for TensorRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.r#type, self.shape)?;
        if let Some(elements) = &self.elements {
            let elements: Vec<_> = elements.iter().map(|number| number.0.as_str()).collect();
            write!(f, " {{{}}}", elements.join(", "))?;
        }
        if let Some(hash) = &self.hash {
            write!(f, " #{hash}")?;
        }
        if self.missing {
            f.write_str(" missing")?;
        }
        match &self.location {
            Some(location) => write!(f, " in {location:?}"),
            None => Ok(()),
        }
    }
}

/// A name, quoted where it would be mistaken for something else.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:+@$".contains(c);
        match !self.0.is_empty() && self.0.chars().all(plain) {
            true => f.write_str(self.0),
            false => write!(f, "{:?}", self.0),
        }
    }
}

struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}", Quoted(name))?;
        }
        Ok(())
    }
}
