//! A model as data, for all formats.

use serde::{Serialize, Serializer};

use super::Options;

/// The version of the document.
pub const SCHEMA: &str = "dropout-onnx/show/1";

/// A model.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Document {
    /// The version of the document.
    pub schema: &'static str,
    /// True if names are omitted.
    pub anonymous: bool,
    /// True if large weights have hashes.
    pub hashes: bool,
    /// True if what does not affect the result is omitted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lenient: bool,
    /// Its IR version.
    pub ir_version: i64,
    /// The program that wrote it.
    pub producer: ProducerRecord,
    /// The operator sets it imports.
    pub opsets: Vec<OpsetRecord>,
    /// Its metadata.
    pub metadata: Vec<PropertyRecord>,
    /// Its main graph.
    pub graph: GraphRecord,
    /// Its functions.
    pub functions: Vec<FunctionRecord>,
    /// Its training graphs.
    pub training: Vec<TrainingRecord>,
}

impl Document {
    /// The options of the document.
    pub fn options(&self) -> Options {
        Options {
            anonymous: self.anonymous,
            no_hash: !self.hashes,
            strict: self.anonymous && !self.hashes && !self.lenient,
        }
    }
}

/// The program that wrote a model.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProducerRecord {
    /// The program.
    pub name: String,
    /// Its version; `None` if it is omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// An operator set.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OpsetRecord {
    /// Its domain; empty for the default domain.
    pub domain: String,
    /// Its version.
    pub version: i64,
}

/// A key and its value.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PropertyRecord {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A graph.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GraphRecord {
    /// Its name; `None` if names are omitted.
    pub name: Option<String>,
    /// Its inputs, in order.
    pub inputs: Vec<ValueRecord>,
    /// Its outputs, in order.
    pub outputs: Vec<ValueRecord>,
    /// Its weights.
    pub initializers: Vec<TensorRecord>,
    /// Its sparse weights.
    pub sparse_initializers: Vec<SparseRecord>,
    /// Declared types of intermediate values.
    pub values: Vec<ValueRecord>,
    /// Quantization annotations: each value with its parameters.
    pub quantized: Vec<(String, Vec<String>)>,
    /// Its nodes.
    pub nodes: Vec<NodeRecord>,
}

/// A value and its type.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ValueRecord {
    /// Its name.
    pub name: String,
    /// Its type in the text format of ONNX: `float[batch, 3]`.
    pub r#type: String,
}

/// A tensor.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct TensorRecord {
    /// Its name; `None` in attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Element type.
    pub r#type: String,
    /// Its dimensions.
    pub shape: Vec<i64>,
    /// Its elements, if there are at most eight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<Vec<Number>>,
    /// The first 16 hexadecimal digits of the BLAKE3 hash of its elements, if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Its elements are in a missing file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// The external-data file of its elements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// A sparse tensor.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SparseRecord {
    /// Its name; `None` in attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its dimensions.
    pub shape: Vec<i64>,
    /// The nonzero elements.
    pub values: TensorRecord,
    /// Their indices.
    pub indices: TensorRecord,
}

/// A node.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct NodeRecord {
    /// Its name; `None` if it has none, or names are omitted.
    pub name: Option<String>,
    /// The domain of its operator; empty for the default domain.
    pub domain: String,
    /// Its operator.
    pub op_type: String,
    /// The overload of its operator.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub overload: String,
    /// Its inputs; empty if omitted.
    pub inputs: Vec<String>,
    /// Its outputs; empty if omitted.
    pub outputs: Vec<String>,
    /// Its attributes, by name.
    pub attributes: Vec<AttributeRecord>,
}

/// An attribute.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AttributeRecord {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(flatten)]
    pub value: AttributeValueRecord,
}

/// The value of an attribute.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttributeValueRecord {
    /// A float.
    Float(Number),
    /// An integer.
    Int(i64),
    /// A string.
    String(Text),
    /// Floats.
    Floats(Vec<Number>),
    /// Integers.
    Ints(Vec<i64>),
    /// Strings.
    Strings(Vec<Text>),
    /// A tensor.
    Tensor(TensorRecord),
    /// Tensors.
    Tensors(Vec<TensorRecord>),
    /// A sparse tensor.
    Sparse(SparseRecord),
    /// A reference to this attribute of the calling node.
    Reference(String),
    /// A graph.
    Graph(Box<GraphRecord>),
    /// Graphs.
    Graphs(Vec<GraphRecord>),
    /// Any other value: its size and hash.
    Other(String),
}

/// A function.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FunctionRecord {
    /// Its name: `function:domain::name`, then `:overload` if it has one.
    pub scope: String,
    /// Its inputs.
    pub inputs: Vec<String>,
    /// Its outputs.
    pub outputs: Vec<String>,
    /// The operator sets it imports.
    pub opsets: Vec<OpsetRecord>,
    /// Its attributes without defaults.
    pub attributes: Vec<String>,
    /// Its attributes with defaults.
    pub defaults: Vec<AttributeRecord>,
    /// Its nodes.
    pub nodes: Vec<NodeRecord>,
}

/// A training graph.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TrainingRecord {
    /// The initialization graph.
    pub initialization: Option<GraphRecord>,
    /// The graph of a training step.
    pub algorithm: Option<GraphRecord>,
    /// The assignments.
    pub bindings: Vec<(String, String)>,
}

/// A number or a boolean, as text: the shortest that is it in its type. In JSON a number where JSON
/// has it, else (`inf`, `NaN`) a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(pub String);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.as_str();
        if let Ok(number) = text.parse::<i64>() {
            serializer.serialize_i64(number)
        } else if let Ok(truth) = text.parse::<bool>() {
            serializer.serialize_bool(truth)
        } else {
            match text.parse::<f64>() {
                Ok(number) if number.is_finite() => serializer.serialize_f64(number),
                _ => serializer.serialize_str(text),
            }
        }
    }
}

/// A string of an attribute; of a long one its size and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Text {
    /// All of it.
    Whole(String),
    /// A placeholder.
    Long(String),
}
