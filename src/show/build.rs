//! From a model to its document.

use super::Options;
use super::document::{
    AttributeRecord, AttributeValueRecord, Document, FunctionRecord, GraphRecord, NodeRecord,
    Number, OpsetRecord, ProducerRecord, PropertyRecord, SCHEMA, Text, TrainingRecord, ValueRecord,
};
use super::elements::{self, short_hash};
use super::names::{Names, by_label};
use crate::error::Result;
use crate::onnx::{
    Attribute, AttributeValue, Function, Graph, GraphId, Model, Node, OpsetImport, Training,
    ValueInfo,
};
use crate::semantics::operator::schema;

/// Strings up to this size are shown whole.
const SHOWN_STRING: usize = 80;

pub(super) struct Builder<'m> {
    model: &'m Model,
    options: Options,
    names: Names<'m>,
}

impl<'m> Builder<'m> {
    pub fn new(model: &'m Model, options: Options) -> Builder<'m> {
        Builder {
            model,
            options,
            names: Names::new(model, options.anonymous),
        }
    }

    pub fn document(mut self) -> Result<Document> {
        let model = self.model;
        let graph = self.graph(model.main())?;
        let functions = (model.functions().iter().enumerate())
            .filter(|(index, _)| !model.is_removed_function(*index))
            .map(|(_, function)| self.function(function))
            .collect::<Result<_>>()?;
        let training = (model.training().iter())
            .map(|training| self.training(training))
            .collect::<Result<_>>()?;
        Ok(Document {
            schema: SCHEMA,
            anonymous: self.options.anonymous,
            hashes: !self.options.no_hash,
            lenient: self.options.is_lenient(),
            ir_version: model.ir_version,
            producer: ProducerRecord {
                name: model.producer_name.to_string(),
                version: (!self.options.is_lenient()).then(|| model.producer_version.to_string()),
            },
            opsets: opsets(&model.opset_imports),
            metadata: (model.metadata.iter())
                .map(|property| PropertyRecord {
                    key: property.key.to_string(),
                    value: property.value.to_string(),
                })
                .collect(),
            graph,
            functions,
            training,
        })
    }

    fn graph(&mut self, id: GraphId) -> Result<GraphRecord> {
        let graph = self.model.graph(id);
        let inputs = self.typed(id, &graph.inputs);
        let outputs = self.typed(id, &graph.outputs);
        let mut record = GraphRecord {
            name: (!self.options.anonymous).then(|| graph.name.to_string()),
            inputs,
            outputs,
            initializers: Vec::new(),
            sparse_initializers: Vec::new(),
            values: Vec::new(),
            quantized: Vec::new(),
            nodes: Vec::new(),
        };
        self.weights(id, graph, &mut record)?;
        record.nodes = self.nodes(id)?;
        Ok(record)
    }

    fn weights(&mut self, id: GraphId, graph: &Graph, record: &mut GraphRecord) -> Result<()> {
        for (_, tensor) in graph.initializers() {
            let mut weight = elements::tensor(self.model, tensor, &self.options)?;
            weight.name = Some(self.names.value(id, &tensor.name));
            record.initializers.push(weight);
        }
        for sparse in graph.sparse_initializers() {
            let mut weight = elements::sparse(self.model, sparse, &self.options)?;
            weight.name = Some(self.names.value(id, &sparse.values.name));
            record.sparse_initializers.push(weight);
        }
        for annotation in graph.annotations() {
            let value = self.names.value(id, &annotation.tensor_name);
            let by = self.names.values(id, &annotation.parameters);
            record.quantized.push((value, by));
        }
        let declared = match self.options.is_lenient() {
            true => &[],
            false => graph.value_infos(),
        };
        let mut infos: Vec<_> = (declared.iter())
            .map(|info| (self.names.value(id, &info.name), info))
            .collect();
        if self.options.anonymous {
            let name = |name: &Option<String>| name.clone().unwrap_or_default();
            (record.initializers).sort_by(|a, b| by_label(&name(&a.name), &name(&b.name)));
            (record.sparse_initializers).sort_by(|a, b| by_label(&name(&a.name), &name(&b.name)));
            record.quantized.sort_by(|a, b| by_label(&a.0, &b.0));
            infos.sort_by(|a, b| by_label(&a.0, &b.0));
        }
        let values = infos.into_iter().map(|(name, info)| ValueRecord {
            name,
            r#type: self.names.kind(info),
        });
        record.values = values.collect();
        Ok(())
    }

    fn typed(&mut self, graph: GraphId, infos: &[ValueInfo]) -> Vec<ValueRecord> {
        let infos = infos.iter().map(|info| ValueRecord {
            name: self.names.value(graph, &info.name),
            r#type: self.names.kind(info),
        });
        infos.collect()
    }

    fn nodes(&mut self, graph: GraphId) -> Result<Vec<NodeRecord>> {
        let body = self.model.graph(graph);
        let order = self.names.order(graph);
        (order.into_iter())
            .map(|index| self.node(graph, &body.nodes[index as usize]))
            .collect()
    }

    fn node(&mut self, graph: GraphId, node: &Node) -> Result<NodeRecord> {
        let lenient = self.options.is_lenient() && node.in_default_domain();
        let opset = (self.model.opset(graph, "")).filter(|_| lenient);
        let operator = node.op_type.to_string();
        let is_default = |attribute: &Attribute| {
            opset.is_some_and(|opset| schema::is_default(&operator, opset, attribute))
        };
        let attributes = by_name(node).into_iter();
        let attributes = attributes.filter(|attribute| !is_default(attribute));
        let attributes = attributes.map(|attribute| self.attribute(attribute));
        let attributes = attributes.collect::<Result<_>>()?;
        Ok(self.record(graph, node, attributes))
    }

    /// A node without the graphs inside it.
    pub fn shallow(&mut self, graph: GraphId, node: &Node) -> Result<NodeRecord> {
        let attributes = by_name(node).into_iter().map(|attribute| {
            Ok(AttributeRecord {
                name: attribute.name.to_string(),
                value: plain(self.model, attribute, &self.options)?,
            })
        });
        let attributes = attributes.collect::<Result<_>>()?;
        Ok(self.record(graph, node, attributes))
    }

    fn record(
        &mut self,
        graph: GraphId,
        node: &Node,
        attributes: Vec<AttributeRecord>,
    ) -> NodeRecord {
        let named = !node.name.is_empty() && !self.options.anonymous;
        NodeRecord {
            name: named.then(|| node.name.to_string()),
            domain: match node.in_default_domain() {
                true => String::new(),
                false => node.domain.to_string(),
            },
            op_type: node.op_type.to_string(),
            overload: node.overload.to_string(),
            inputs: self.names.values(graph, &node.inputs),
            outputs: self.names.values(graph, &node.outputs),
            attributes,
        }
    }

    fn attribute(&mut self, attribute: &Attribute) -> Result<AttributeRecord> {
        let value = match &attribute.value {
            AttributeValue::Graph(graph) => {
                AttributeValueRecord::Graph(Box::new(self.graph(*graph)?))
            }
            AttributeValue::Graphs(graphs) => {
                let graphs = graphs.iter().map(|graph| self.graph(*graph));
                AttributeValueRecord::Graphs(graphs.collect::<Result<_>>()?)
            }
            _ => plain(self.model, attribute, &self.options)?,
        };
        Ok(AttributeRecord {
            name: attribute.name.to_string(),
            value,
        })
    }

    fn function(&mut self, function: &Function) -> Result<FunctionRecord> {
        let id = function.body;
        let body = self.model.graph(id);
        let formal = |names: &mut Names<'_>, infos: &[ValueInfo]| {
            let infos = infos.iter().map(|info| names.value(id, &info.name));
            infos.collect::<Vec<_>>()
        };
        Ok(FunctionRecord {
            scope: self.model.scope(id),
            inputs: formal(&mut self.names, &body.inputs),
            outputs: formal(&mut self.names, &body.outputs),
            opsets: opsets(&function.opset_imports),
            attributes: function.attributes.iter().map(|a| a.to_string()).collect(),
            defaults: (function.defaults.iter())
                .map(|default| self.attribute(default))
                .collect::<Result<_>>()?,
            nodes: self.nodes(id)?,
        })
    }

    fn training(&mut self, training: &Training) -> Result<TrainingRecord> {
        let mut graph = |id: Option<GraphId>| id.map(|id| self.graph(id)).transpose();
        let (initialization, algorithm) =
            (graph(training.initialization)?, graph(training.algorithm)?);
        let pairs = training.bound.as_chunks::<2>().0.iter();
        let bindings = pairs.map(|[key, value]| {
            let key = self.names.bound(training, key);
            (key, self.names.bound(training, value))
        });
        Ok(TrainingRecord {
            bindings: bindings.collect(),
            initialization,
            algorithm,
        })
    }
}

fn by_name(node: &Node) -> Vec<&Attribute> {
    let mut attributes: Vec<&Attribute> = node.attributes.iter().collect();
    attributes.sort_by(|a, b| a.name.cmp(&b.name));
    attributes
}

/// The value of an attribute that holds no graph; of one that does, that it does.
pub(super) fn plain(
    model: &Model,
    attribute: &Attribute,
    options: &Options,
) -> Result<AttributeValueRecord> {
    use AttributeValueRecord as Record;
    let float = |f: &f32| Number(format!("{f:?}"));
    let string = |bytes: &Vec<u8>| match bytes.len() {
        0..=SHOWN_STRING => Text::Whole(String::from_utf8_lossy(bytes).into_owned()),
        len => Text::Long(format!("string of {len} bytes {}", short_hash(bytes))),
    };
    Ok(match &attribute.value {
        AttributeValue::Float(f) => Record::Float(float(f)),
        AttributeValue::Int(i) => Record::Int(*i),
        AttributeValue::String(s) => Record::String(string(s)),
        AttributeValue::Floats(f) => Record::Floats(f.iter().map(float).collect()),
        AttributeValue::Ints(i) => Record::Ints(i.clone()),
        AttributeValue::Strings(s) => Record::Strings(s.iter().map(string).collect()),
        AttributeValue::Tensor(tensor) => Record::Tensor(elements::tensor(model, tensor, options)?),
        AttributeValue::Tensors(tensors) => {
            let tensors = tensors.iter().map(|t| elements::tensor(model, t, options));
            Record::Tensors(tensors.collect::<Result<_>>()?)
        }
        AttributeValue::Sparse(sparse) => Record::Sparse(elements::sparse(model, sparse, options)?),
        AttributeValue::Reference(name, _) => Record::Reference(name.to_string()),
        AttributeValue::NewTensor(bytes) => {
            Record::Other(format!("new tensor {}", short_hash(bytes)))
        }
        AttributeValue::Graph(_) | AttributeValue::Graphs(_) => Record::Graphs(Vec::new()),
        AttributeValue::Other(range) => {
            let mut hasher = blake3::Hasher::new();
            model
                .source()
                .reader(range.clone())
                .hash_into(&mut hasher)?;
            let (length, hash) = (range.end - range.start, hasher.finalize().to_hex());
            Record::Other(format!("{length} bytes #{hash:.16}"))
        }
    })
}

fn opsets(imports: &[OpsetImport]) -> Vec<OpsetRecord> {
    let imports = imports.iter().map(|import| OpsetRecord {
        domain: import.domain.to_string(),
        version: import.version,
    });
    imports.collect()
}
