//! The text of a model: stable, so that tests can snapshot it and people can compare it.
//!
//! Everything a model computes with is there: inputs, outputs, initializers with a hash of their
//! elements, nodes in file order with their attributes, and graphs inside them, indented. Small
//! tensors show their numbers. The same model gives the same text on every machine.

use std::fmt::{self, Write};

use crate::error::Result;
use crate::onnx::{
    Attribute, AttributeValue, DataType, Graph, GraphId, Model, Name, Node, OpsetImport, Tensor,
    ValueInfo, floats,
};

/// Tensors with at most so many elements are shown with their numbers.
const SHOWN: u64 = 8;

/// Writes the text of a model.
///
/// # Errors
/// Elements that have to be hashed cannot be read.
///
/// # Examples
/// ```
/// # fn main() -> dropout_onnx::Result<()> {
/// let model = dropout_onnx::onnx::Model::open("fixtures/keras_course_infer_op15.onnx")?;
/// let text = dropout_onnx::show::text(&model)?;
/// assert!(text.starts_with("model"));
/// # Ok(())
/// # }
/// ```
pub fn text(model: &Model) -> Result<String> {
    let mut printer = Printer {
        model,
        out: String::new(),
    };
    printer.model()?;
    Ok(printer.out)
}

struct Printer<'m> {
    model: &'m Model,
    out: String,
}

impl Printer<'_> {
    fn line(&mut self, depth: usize, text: fmt::Arguments<'_>) {
        for _ in 0..depth {
            self.out.push_str("  ");
        }
        // writing to a String cannot fail
        let _ = self.out.write_fmt(text);
        self.out.push('\n');
    }

    fn model(&mut self) -> Result<()> {
        let model = self.model;
        let (ir, name) = (model.ir_version, Quoted(&model.producer_name));
        let version = Quoted(&model.producer_version);
        self.line(
            0,
            format_args!("model ir_version {ir} producer {name} {version}"),
        );
        self.opsets(1, &model.opset_imports);
        for property in &model.metadata {
            let (key, value) = (Quoted(&property.key), Quoted(&property.value));
            self.line(1, format_args!("metadata {key} = {value}"));
        }
        self.graph(0, model.main(), "graph")?;
        for function in model.functions() {
            let scope = model.scope(function.body);
            let body = model.graph(function.body);
            let (inputs, outputs) = (List(&body.inputs), List(&body.outputs));
            self.line(0, format_args!("{scope}({inputs}) -> ({outputs})"));
            self.opsets(1, &function.opset_imports);
            for name in &function.attributes {
                self.line(1, format_args!("attribute {}", Quoted(name)));
            }
            for default in &function.defaults {
                let value = self.attribute(default)?;
                self.line(
                    1,
                    format_args!("attribute {} = {value}", Quoted(&default.name)),
                );
            }
            self.nodes(1, function.body)?;
        }
        for (index, training) in model.training().iter().enumerate() {
            let graphs = [
                ("initialization", training.initialization),
                ("algorithm", training.algorithm),
            ];
            for (what, graph) in graphs {
                if let Some(graph) = graph {
                    self.graph(0, graph, &format!("training_info[{index}].{what}"))?;
                }
            }
            for pair in training.bound.chunks(2) {
                let [key, value] = pair else { continue };
                let (key, value) = (Quoted(key), Quoted(value));
                self.line(
                    0,
                    format_args!("training_info[{index}] binds {key} = {value}"),
                );
            }
        }
        Ok(())
    }

    fn opsets(&mut self, depth: usize, imports: &[OpsetImport]) {
        for import in imports {
            let domain = match import.domain.is_empty() {
                true => "ai.onnx".to_string(),
                false => Quoted(&import.domain).to_string(),
            };
            self.line(depth, format_args!("opset {domain} {}", import.version));
        }
    }

    fn graph(&mut self, depth: usize, id: GraphId, what: &str) -> Result<()> {
        let graph = self.model.graph(id);
        self.line(depth, format_args!("{what} {}", Quoted(&graph.name)));
        let typed = |infos: &[ValueInfo], out: &mut Self, what: &str| {
            for info in infos {
                let (name, kind) = (Quoted(&info.name), info.value_type());
                out.line(depth + 1, format_args!("{what} {name}: {kind}"));
            }
        };
        typed(&graph.inputs, self, "input");
        typed(&graph.outputs, self, "output");
        self.initializers(depth + 1, graph)?;
        self.nodes(depth + 1, id)
    }

    fn initializers(&mut self, depth: usize, graph: &Graph) -> Result<()> {
        for (_, tensor) in graph.initializers() {
            let value = self.tensor(tensor)?;
            let name = Quoted(&tensor.name);
            self.line(depth, format_args!("initializer {name}: {value}"));
        }
        for sparse in graph.sparse_initializers() {
            let (values, indices) = (self.tensor(&sparse.values)?, self.tensor(&sparse.indices)?);
            let (name, dims) = (Quoted(&sparse.values.name), &sparse.dims);
            let line = format_args!("sparse {name}: {dims:?} values {values} at {indices}");
            self.line(depth, line);
        }
        for info in graph.value_infos() {
            let (name, kind) = (Quoted(&info.name), info.value_type());
            self.line(depth, format_args!("value {name}: {kind}"));
        }
        for annotation in graph.annotations() {
            let (name, by) = (
                Quoted(&annotation.tensor_name),
                Names(&annotation.parameters),
            );
            self.line(depth, format_args!("quantized {name} by {by}"));
        }
        Ok(())
    }

    fn nodes(&mut self, depth: usize, id: GraphId) -> Result<()> {
        let model = self.model;
        for (_, node) in model.graph(id).nodes() {
            self.node(depth, node)?;
        }
        Ok(())
    }

    fn node(&mut self, depth: usize, node: &Node) -> Result<()> {
        let mut operator = String::new();
        if !node.in_default_domain() {
            let _ = write!(operator, "{}::", Quoted(&node.domain));
        }
        let _ = write!(operator, "{}", Quoted(&node.op_type));
        if !node.overload.is_empty() {
            let _ = write!(operator, ":{}", Quoted(&node.overload));
        }
        let mut attributes: Vec<&Attribute> = node.attributes.iter().collect();
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        let mut shown = Vec::new();
        for attribute in attributes.iter().filter(|a| a.graphs().is_empty()) {
            shown.push(format!(
                "{}={}",
                Quoted(&attribute.name),
                self.attribute(attribute)?
            ));
        }
        let (outputs, inputs) = (Names(&node.outputs), Names(&node.inputs));
        let mut line = format!("{outputs} = {operator}({inputs})");
        if !shown.is_empty() {
            let _ = write!(line, " {{{}}}", shown.join(", "));
        }
        if !node.name.is_empty() {
            let _ = write!(line, " # {}", Quoted(&node.name));
        }
        self.line(depth, format_args!("{line}"));
        for attribute in attributes {
            for &graph in attribute.graphs() {
                let what = format!("{} graph", Quoted(&attribute.name));
                self.graph(depth + 1, graph, &what)?;
            }
        }
        Ok(())
    }

    fn attribute(&self, attribute: &Attribute) -> Result<String> {
        fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
            format!(
                "[{}]",
                items.iter().map(show).collect::<Vec<_>>().join(", ")
            )
        }
        let string = |bytes: &bytes::Bytes| match bytes.len() {
            0..=80 => format!("{:?}", String::from_utf8_lossy(bytes)),
            len => format!("string of {len} bytes {}", short_hash(bytes)),
        };
        Ok(match &attribute.value {
            AttributeValue::Float(f) => format!("{f:?}"),
            AttributeValue::Int(i) => i.to_string(),
            AttributeValue::String(s) => string(s),
            AttributeValue::Floats(f) => list(f, |f| format!("{f:?}")),
            AttributeValue::Ints(i) => list(i, i64::to_string),
            AttributeValue::Strings(s) => list(s, string),
            AttributeValue::Tensor(tensor) => self.tensor(tensor)?,
            AttributeValue::Tensors(tensors) => {
                let shown = tensors.iter().map(|tensor| self.tensor(tensor));
                format!("[{}]", shown.collect::<Result<Vec<_>>>()?.join(", "))
            }
            AttributeValue::Sparse(sparse) => format!(
                "sparse {:?} values {} at {}",
                sparse.dims,
                self.tensor(&sparse.values)?,
                self.tensor(&sparse.indices)?
            ),
            AttributeValue::Reference(name, _) => format!("@{}", Quoted(name)),
            AttributeValue::NewTensor(bytes) => format!("new tensor {}", short_hash(bytes)),
            AttributeValue::Graph(_) | AttributeValue::Graphs(_) => "graph".to_string(),
            AttributeValue::Other(range) => {
                let bytes = self.model.source().bytes(range.clone())?;
                format!("{} bytes {}", bytes.len(), short_hash(&bytes))
            }
        })
    }

    fn tensor(&self, tensor: &Tensor) -> Result<String> {
        let dims: Vec<String> = tensor.dims.iter().map(i64::to_string).collect();
        let kind = format!("{}[{}]", tensor.data_type, dims.join(", "));
        let mut elements = String::new();
        if tensor.elements().is_some_and(|count| count <= SHOWN) && tensor.external.is_none() {
            let bytes = self.model.small_elements(tensor, 16 * SHOWN)?;
            if let Some(numbers) = bytes.and_then(|b| numbers(tensor.data_type, &b)) {
                let _ = write!(elements, "{{{}}}", numbers.join(", "));
            }
        }
        if elements.is_empty() {
            elements = match self.model.content_hash(tensor) {
                Ok(hash) => format!("#{hash}"),
                Err(_) if tensor.external.is_some() => "missing".to_string(),
                Err(e) => return Err(e),
            };
        }
        if let Some(external) = &tensor.external {
            let location = external.location.clone().unwrap_or_default();
            let _ = write!(elements, " in {location:?}");
        }
        Ok(format!("{kind} {elements}"))
    }
}

/// The first 16 hexadecimal digits of the BLAKE3 of some bytes.
fn short_hash(bytes: &[u8]) -> String {
    format!("#{:.16}", blake3::hash(bytes).to_hex())
}

/// The elements of a small tensor in words; `None` for types without numbers.
fn numbers(data_type: DataType, bytes: &[u8]) -> Option<Vec<String>> {
    fn each<const N: usize, T: fmt::Debug>(
        bytes: &[u8],
        f: impl Fn([u8; N]) -> T,
    ) -> Option<Vec<String>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| {
            chunks
                .iter()
                .map(|&chunk| format!("{:?}", f(chunk)))
                .collect()
        })
    }
    match data_type {
        DataType::FLOAT => each(bytes, f32::from_le_bytes),
        DataType::INT64 => each(bytes, i64::from_le_bytes),
        DataType::INT32 => each(bytes, i32::from_le_bytes),
        DataType::UINT8 => each(bytes, u8::from_le_bytes),
        DataType::INT8 => each(bytes, i8::from_le_bytes),
        DataType::BOOL => each(bytes, |[b]: [u8; 1]| b != 0),
        other => {
            let floats = floats(other, bytes)?;
            Some(floats.iter().map(|f| format!("{f:?}")).collect())
        }
    }
}

/// A name, quoted where it would be mistaken for something else.
struct Quoted<'a>(&'a Name);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:+@$".contains(c);
        match self.0.as_str() {
            Some(text) if !text.is_empty() && text.chars().all(plain) => f.write_str(text),
            _ => write!(f, "{:?}", String::from_utf8_lossy(self.0.as_bytes())),
        }
    }
}

struct Names<'a>(&'a [Name]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}", Quoted(name))?;
        }
        Ok(())
    }
}

struct List<'a>(&'a [ValueInfo]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, info) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}", Quoted(&info.name))?;
        }
        Ok(())
    }
}
