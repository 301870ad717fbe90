//! Reading a model: one pass over its graphs, past its weights.

mod attribute;

use crate::hash::HashMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::source::Source;
use crate::wire::{Field, Fields, Kind, Window, decode_leaf};

use super::external::Outside;
use super::foreign;
use super::graph::{Graph, GraphKind, Part, QuantizationAnnotation, Slot, ValueInfo};
use super::ids::{GraphId, NodeId};
use super::model::{Function, Model, OpsetImport, Property, Training};
use super::name::{Interner, Name};
use super::node::Node;
use super::proto;
use super::tensor::{SparseInitializer, Tensor};

/// The maximum nesting depth of graphs. The limit of protobuf, 100 messages, allows 32.
pub(crate) const GRAPH_DEPTH: usize = 128;

/// Fields of leaf messages are decoded up to this size; larger ones stay where they are.
const SMALL: u64 = 64 << 10;

impl Model {
    /// Opens a model. Its external data, if any, is in the same folder.
    ///
    /// # Errors
    /// The file cannot be read, is no protobuf, or holds no graph.
    pub fn open(path: impl AsRef<Path>) -> Result<Model> {
        let path = path.as_ref();
        Source::open(path)
            .map_err(|error| match foreign::describe_folder(path) {
                Some(why) => Error::new(error.kind(), why).in_file(path),
                None => error,
            })
            .and_then(Model::read)
    }

    /// Reads a model. External data is expected in the folder of the source's file, if it has one.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn read(source: Source) -> Result<Model> {
        let outside = source.path().map(Outside::of).unwrap_or_default();
        let mut model = Model::read_in(source, None)?;
        model.outside = outside;
        Ok(model)
    }

    /// Reads a model whose external data is in `folder`.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn read_in(source: Source, folder: Option<PathBuf>) -> Result<Model> {
        let mut reader = Reader {
            window: Window::new(&source),
            names: Interner::default(),
            graphs: Vec::new(),
        };
        let parts = reader
            .model()
            .map_err(|e| explain(e, &source))
            .map_err(|e| source.name_in(e))?;
        let graphs = std::mem::take(&mut reader.graphs);
        let header = parts.header;
        Ok(Model {
            outside: Outside {
                folder,
                ..Outside::default()
            },
            fields: parts.fields,
            ir_version: header.ir_version.unwrap_or(0),
            producer_name: proto::name(header.producer_name),
            producer_version: proto::name(header.producer_version),
            opset_imports: opset_imports(header.opset_import),
            metadata: (header.metadata_props.into_iter())
                .map(|entry| Property {
                    key: proto::name(entry.key),
                    value: proto::name(entry.value),
                })
                .collect(),
            graphs,
            callees: callees(&parts.functions),
            functions: parts.functions,
            removed_functions: BTreeSet::new(),
            training: parts.training,
            source,
        })
    }
}

/// Describes a file that is not a model.
fn explain(error: Error, source: &Source) -> Error {
    if !matches!(error.kind(), ErrorKind::Protobuf | ErrorKind::Model) {
        return error;
    }
    let head = source.bytes(0..source.len().min(foreign::HEAD));
    let head = head.unwrap_or_default();
    let named = source.path().and_then(foreign::by_name);
    if let Some(foreign) = foreign::by_head(&head).or(named) {
        return Error::new(error.kind(), foreign.why());
    }
    if error.kind() != ErrorKind::Protobuf {
        return error;
    }
    if foreign::is_text(&head) {
        return Error::new(error.kind(), foreign::TEXT.why());
    }
    let why = format!("not a readable ONNX model: {}", error.why());
    let mut explained = Error::new(ErrorKind::Protobuf, why);
    if let Some(offset) = error.offset() {
        explained = explained.at_offset(offset);
    }
    explained
}

struct Parts {
    fields: Vec<Field>,
    header: proto::ModelHeader,
    functions: Vec<Function>,
    training: Vec<Training>,
}

struct Reader<'a> {
    window: Window<'a>,
    names: Interner,
    graphs: Vec<Graph>,
}

impl Reader<'_> {
    fn fields(&mut self, message: Range<u64>) -> Result<Vec<Field>> {
        let mut out = Vec::new();
        let mut fields = Fields::new(message);
        while let Some(field) = self.window.next(&mut fields)? {
            out.push(field);
        }
        Ok(out)
    }

    fn model(&mut self) -> Result<Parts> {
        let all = 0..self.window.source().len();
        if all.is_empty() {
            return Err(Error::model("the file is empty"));
        }
        let fields = self.fields(all.clone())?;
        let header = decode_leaf::<proto::ModelHeader>(&mut self.window, all, SMALL, |field| {
            matches!(field.number, 1..=5 | 8 | 14)
        })?;
        let of = |number| {
            let matching = fields.iter().filter(move |f| f.is_bytes(number));
            matching.copied().collect::<Vec<_>>()
        };
        let graph = of(7);
        if graph.is_empty() {
            return Err(Error::model(
                "the model has no graph; it may be another protobuf file, such as a TensorFlow model or a tensor",
            ));
        }
        let main = self.graph(GraphKind::Main, None, &graph, 0)?;
        let mut functions = Vec::new();
        for (index, field) in of(25).into_iter().enumerate() {
            functions.push(self.function(index, field)?);
        }
        let mut training = Vec::new();
        for (index, field) in of(20).into_iter().enumerate() {
            training.push(self.training(index, field, main)?);
        }
        Ok(Parts {
            header: header.value,
            functions,
            training,
            fields,
        })
    }

    fn training(&mut self, index: usize, field: Field, main: GraphId) -> Result<Training> {
        let fields = self.fields(field.payload())?;
        let frames = |number| {
            let matching = fields.iter().filter(move |f| f.is_bytes(number));
            matching.copied().collect::<Vec<_>>()
        };
        let mut bound = Vec::new();
        for field in fields.iter().filter(|f| f.is_bytes(3) || f.is_bytes(4)) {
            let entry: proto::StringStringEntry = self.leaf(field.payload())?;
            bound.extend([proto::name(entry.key), proto::name(entry.value)]);
        }
        let mut graph = |kind, parent, frames: Vec<Field>| match frames.is_empty() {
            true => Ok(None),
            false => self.graph(kind, parent, &frames, 0).map(Some),
        };
        Ok(Training {
            initialization: graph(GraphKind::TrainingInitialization(index), None, frames(1))?,
            algorithm: graph(GraphKind::TrainingAlgorithm(index), Some(main), frames(2))?,
            bound,
        })
    }

    fn function(&mut self, index: usize, field: Field) -> Result<Function> {
        let header: proto::FunctionHeader =
            decode_leaf(&mut self.window, field.payload(), SMALL, |field| {
                matches!(field.number, 1 | 6 | 9 | 10 | 13)
            })?
            .value;
        let id = self.open(GraphKind::Function(index), None);
        let mut graph = Graph::new(GraphKind::Function(index), None);
        graph.frames.push(0);
        let (mut slots, mut defaults) = (Vec::new(), Vec::new());
        let mut fields = Fields::new(field.payload());
        while let Some(field) = self.window.next(&mut fields)? {
            let mut part = Part::Verbatim;
            if field.kind == Kind::Bytes {
                match field.number {
                    4 => graph.inputs.push(self.formal(&field)?),
                    5 => graph.outputs.push(self.formal(&field)?),
                    7 => {
                        part = Part::Node(graph.nodes.len() as u32);
                        let node = self.node(id, graph.nodes.len(), field, 0)?;
                        graph.nodes.push(node);
                    }
                    11 => {
                        defaults.push(self.attribute(None, field)?);
                    }
                    12 => {
                        part = Part::ValueInfo(graph.value_infos.len() as u32);
                        graph.value_infos.push(self.value_info(&field)?);
                    }
                    _ => {}
                }
            }
            slots.push(Slot { field, part });
        }
        graph.slots = slots.into();
        self.graphs[id.0 as usize] = graph;
        Ok(Function {
            domain: proto::name(header.domain),
            name: proto::name(header.name),
            overload: proto::name(header.overload),
            body: id,
            attributes: header
                .attribute
                .iter()
                .map(|name| Name::from(&name[..]))
                .collect(),
            defaults,
            opset_imports: opset_imports(header.opset_import),
        })
    }

    fn formal(&mut self, field: &Field) -> Result<ValueInfo> {
        Ok(ValueInfo {
            name: self.name(field)?,
            type_bytes: None,
        })
    }

    /// Takes the next graph id, so that a graph comes before the graphs inside it.
    fn open(&mut self, kind: GraphKind, parent: Option<GraphId>) -> GraphId {
        self.graphs.push(Graph::new(kind, parent));
        GraphId((self.graphs.len() - 1) as u32)
    }

    /// Reads a graph from all occurrences of its field, which protobuf merges.
    fn graph(
        &mut self,
        kind: GraphKind,
        parent: Option<GraphId>,
        occurrences: &[Field],
        depth: usize,
    ) -> Result<GraphId> {
        if depth > GRAPH_DEPTH {
            let why = format!("graphs nested more than {GRAPH_DEPTH} deep");
            let at = occurrences.first().map_or(0, |field| field.range().start);
            return Err(Error::model(why).at_offset(at));
        }
        let id = self.open(kind.clone(), parent);
        let mut graph = Graph::new(kind, parent);
        let mut slots = Vec::new();
        for &occurrence in occurrences {
            graph.frames.push(slots.len());
            let mut fields = Fields::new(occurrence.payload());
            while let Some(field) = self.window.next(&mut fields)? {
                let part = self.part(&mut graph, id, field, depth)?;
                slots.push(Slot { field, part });
            }
        }
        graph.slots = slots.into();
        self.graphs[id.0 as usize] = graph;
        Ok(id)
    }

    fn part(&mut self, graph: &mut Graph, id: GraphId, field: Field, depth: usize) -> Result<Part> {
        if field.kind != Kind::Bytes {
            return Ok(Part::Verbatim);
        }
        let part = match field.number {
            1 => {
                let node = self.node(id, graph.nodes.len(), field, depth)?;
                graph.nodes.push(node);
                Part::Node((graph.nodes.len() - 1) as u32)
            }
            2 => {
                graph.name = self.name(&field)?;
                Part::Verbatim
            }
            5 => {
                let tensor = Tensor::read(&mut self.window, &[field.payload()])?;
                graph.initializers.push(tensor);
                Part::Initializer((graph.initializers.len() - 1) as u32)
            }
            11 => {
                graph.inputs.push(self.value_info(&field)?);
                Part::Verbatim
            }
            12 => {
                graph.outputs.push(self.value_info(&field)?);
                Part::Verbatim
            }
            13 => {
                graph.value_infos.push(self.value_info(&field)?);
                Part::ValueInfo((graph.value_infos.len() - 1) as u32)
            }
            14 => {
                let proto: proto::TensorAnnotation = self.leaf(field.payload())?;
                let parameters = proto.quant_parameter_tensor_names.into_iter();
                graph.annotations.push(QuantizationAnnotation {
                    tensor_name: proto::name(proto.tensor_name),
                    parameters: parameters.map(|entry| proto::name(entry.value)).collect(),
                });
                Part::Annotation((graph.annotations.len() - 1) as u32)
            }
            15 => {
                let sparse = self.sparse(&field)?;
                graph.sparse_initializers.push(sparse);
                Part::Verbatim
            }
            _ => Part::Verbatim,
        };
        Ok(part)
    }

    fn sparse(&mut self, field: &Field) -> Result<SparseInitializer> {
        let fields = self.fields(field.payload())?;
        let ranges = |number| {
            let matching = fields.iter().filter(move |f| f.is_bytes(number));
            matching.map(Field::payload).collect::<Vec<_>>()
        };
        let proto =
            decode_leaf::<proto::SparseTensor>(&mut self.window, field.payload(), SMALL, |f| {
                f.number == 3
            })?;
        Ok(SparseInitializer {
            values: Tensor::read(&mut self.window, &ranges(1))?,
            indices: Tensor::read(&mut self.window, &ranges(2))?,
            dims: proto.value.dims,
        })
    }

    fn leaf<T: prost::Message + Default>(&mut self, message: Range<u64>) -> Result<T> {
        Ok(decode_leaf(&mut self.window, message, SMALL, |_| true)?.value)
    }

    fn value_info(&mut self, field: &Field) -> Result<ValueInfo> {
        let mut info = ValueInfo {
            name: Name::default(),
            type_bytes: None,
        };
        let mut fields = Fields::new(field.payload());
        while let Some(field) = self.window.next(&mut fields)? {
            if field.is_bytes(1) {
                info.name = self.name(&field)?;
            } else if field.is_bytes(2) {
                info.type_bytes = Some(self.name(&field)?);
            }
        }
        Ok(info)
    }

    fn node(&mut self, graph: GraphId, index: usize, field: Field, depth: usize) -> Result<Node> {
        let id = NodeId {
            graph,
            index: index as u32,
        };
        let mut node = Node::default();
        let mut fields = Fields::new(field.payload());
        while let Some(field) = self.window.next(&mut fields)? {
            if field.kind != Kind::Bytes {
                continue;
            }
            match field.number {
                1 => node.inputs.push(self.name(&field)?),
                2 => node.outputs.push(self.name(&field)?),
                // its own, as a rule: nothing is gained by a search for equal ones
                3 => node.name = Name::from(self.window.peek(field.payload())?),
                4 => node.op_type = self.name(&field)?,
                5 => {
                    let attribute = self.attribute(Some((id, depth)), field)?;
                    node.attributes.push(attribute);
                }
                7 => node.domain = self.name(&field)?,
                8 => node.overload = self.name(&field)?,
                9 => node.has_metadata = true,
                _ => {}
            }
        }
        Ok(node)
    }

    fn name(&mut self, field: &Field) -> Result<Name> {
        let bytes = self.window.peek(field.payload())?;
        Ok(self.names.name(bytes))
    }
}

fn opset_imports(imports: Vec<proto::OperatorSetId>) -> Vec<OpsetImport> {
    let imports = imports.into_iter();
    imports
        .map(|import| OpsetImport {
            domain: proto::name(import.domain),
            version: import.version.unwrap_or(0),
        })
        .collect()
}

fn callees(functions: &[Function]) -> HashMap<Name, Vec<usize>> {
    let mut by_name: HashMap<Name, Vec<usize>> = HashMap::default();
    for (index, function) in functions.iter().enumerate() {
        by_name
            .entry(function.name.clone())
            .or_default()
            .push(index);
    }
    by_name
}
