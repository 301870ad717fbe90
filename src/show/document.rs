//! A model as data: what every format shows.

use serde::{Serialize, Serializer};

use super::Options;

/// The version of the document's form.
pub const SCHEMA: &str = "dropout-onnx/show/1";

/// A model.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// The version of this form.
    pub schema: &'static str,
    /// Names are made up.
    pub anonymous: bool,
    /// Large weights have hashes.
    pub hashes: bool,
    /// Its IR version.
    pub ir_version: i64,
    /// Who wrote it.
    pub producer: ProducerRecord,
    /// The operator sets it is written in.
    pub opsets: Vec<OpsetRecord>,
    /// What else it says about itself.
    pub metadata: Vec<PropertyRecord>,
    /// What it computes.
    pub graph: GraphRecord,
    /// Its functions.
    pub functions: Vec<FunctionRecord>,
    /// How it is trained.
    pub training: Vec<TrainingRecord>,
}

impl Document {
    /// What is shown.
    pub fn options(&self) -> Options {
        Options {
            anonymous: self.anonymous,
            no_hash: !self.hashes,
        }
    }
}

/// Who wrote a model.
#[derive(Clone, Debug, Serialize)]
pub struct ProducerRecord {
    /// The program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// An operator set.
#[derive(Clone, Debug, Serialize)]
pub struct OpsetRecord {
    /// Its domain; empty for ONNX' own.
    pub domain: String,
    /// Its version.
    pub version: i64,
}

/// A key and its value.
#[derive(Clone, Debug, Serialize)]
pub struct PropertyRecord {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A graph.
#[derive(Clone, Debug, Serialize)]
pub struct GraphRecord {
    /// Its name; `None` if names are made up.
    pub name: Option<String>,
    /// Its inputs, in order.
    pub inputs: Vec<ValueRecord>,
    /// Its outputs, in order.
    pub outputs: Vec<ValueRecord>,
    /// Its weights.
    pub initializers: Vec<TensorRecord>,
    /// Its sparse weights.
    pub sparse_initializers: Vec<SparseRecord>,
    /// Types of values in between.
    pub values: Vec<ValueRecord>,
    /// Values that are quantized, each with the values that say how.
    pub quantized: Vec<(String, Vec<String>)>,
    /// Its nodes.
    pub nodes: Vec<NodeRecord>,
}

/// A value and its type.
#[derive(Clone, Debug, Serialize)]
pub struct ValueRecord {
    /// Its name.
    pub name: String,
    /// Its type, as ONNX' text form spells it: `float[batch, 3]`.
    pub r#type: String,
}

/// A tensor.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TensorRecord {
    /// Its name; `None` in attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Element type.
    pub r#type: String,
    /// Sizes.
    pub shape: Vec<i64>,
    /// Its numbers, if they are few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<Vec<Number>>,
    /// The first 16 hexadecimal digits of the BLAKE3 of its elements, if they are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Its elements are in a file that is not there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// The file its elements are in, if not the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// A sparse tensor.
#[derive(Clone, Debug, Serialize)]
pub struct SparseRecord {
    /// Its name; `None` in attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Sizes.
    pub shape: Vec<i64>,
    /// What is not zero.
    pub values: TensorRecord,
    /// Where that is.
    pub indices: TensorRecord,
}

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeRecord {
    /// Its name; `None` if it has none, or names are made up.
    pub name: Option<String>,
    /// The domain of its operator; empty for ONNX' own.
    pub domain: String,
    /// Its operator.
    pub op_type: String,
    /// Which overload.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub overload: String,
    /// Its inputs; empty where absent.
    pub inputs: Vec<String>,
    /// Its outputs; empty where not wanted.
    pub outputs: Vec<String>,
    /// Its attributes, by name.
    pub attributes: Vec<AttributeRecord>,
}

/// An attribute.
#[derive(Clone, Debug, Serialize)]
pub struct AttributeRecord {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(flatten)]
    pub value: AttributeValueRecord,
}

/// What an attribute holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// The attribute of this name of the node that calls the function.
    Reference(String),
    /// A graph.
    Graph(Box<GraphRecord>),
    /// Graphs.
    Graphs(Vec<GraphRecord>),
    /// Anything else: its size and hash.
    Other(String),
}

/// A function.
#[derive(Clone, Debug, Serialize)]
pub struct FunctionRecord {
    /// What it is called: `function:domain::name`, then `:overload` if it has one.
    pub scope: String,
    /// Its inputs.
    pub inputs: Vec<String>,
    /// Its outputs.
    pub outputs: Vec<String>,
    /// The operator sets it is written in.
    pub opsets: Vec<OpsetRecord>,
    /// Its attributes without defaults.
    pub attributes: Vec<String>,
    /// Its attributes with defaults.
    pub defaults: Vec<AttributeRecord>,
    /// Its nodes.
    pub nodes: Vec<NodeRecord>,
}

/// How a model is trained.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingRecord {
    /// What is computed first.
    pub initialization: Option<GraphRecord>,
    /// What is computed in every step.
    pub algorithm: Option<GraphRecord>,
    /// What is assigned to what.
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
pub enum Text {
    /// All of it.
    Whole(String),
    /// What stands for it.
    Long(String),
}
