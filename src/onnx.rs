//! ONNX on the wire: a typed view of a model whose parts stay in file order and keep their bytes.
//!
//! Source: `onnx.proto` of ONNX 1.20 (IR version 13) and its `docs/IR.md`. Reading keeps of each
//! part what a graph is made of (names, operators, attributes, types, where the weights are) and
//! its position; [`Model::to_rope`] writes every part without an edit as its original bytes.

mod attribute;
mod check;
mod content;
#[cfg(feature = "tract")]
mod copy;
mod data_type;
mod distance;
mod edit;
mod external;
mod foreign;
mod graph;
mod ids;
mod metadata;
mod model;
mod name;
mod node;
mod proto;
mod read;
mod tensor;
mod uniform;
mod value_type;
mod values;
mod write;

#[doc(hidden)]
pub use attribute::{Attribute, AttributeValue};
#[doc(hidden)]
pub use check::Flaw;
#[doc(hidden)]
pub use content::ContentHash;
pub(crate) use content::{Place, encode_float, encode_number, floats, numbers};
#[cfg(feature = "tract")]
pub(crate) use copy::{CopiedAttribute, Copier, Piece};
pub use data_type::DataType;
pub(crate) use distance::distance;
pub(crate) use edit::{At, Elements, encode_tensor};
#[doc(hidden)]
pub use edit::{Editor, StatePlaces};
#[doc(hidden)]
pub use external::{ExternalData, ExternalFiles};
#[doc(hidden)]
pub use foreign::describe_folder;
pub use graph::Graph;
#[doc(hidden)]
pub use graph::{GraphKind, QuantizationAnnotation, ValueInfo};
pub use ids::{GraphId, NodeId};
pub(crate) use metadata::NamedField;
pub use model::Model;
#[doc(hidden)]
pub use model::{Function, OpsetImport, Property, Training};
pub use name::Name;
#[doc(hidden)]
pub use name::Names;
pub(crate) use name::contains;
pub use node::Node;
#[doc(hidden)]
pub use node::RANDOM_OPERATORS;
#[doc(hidden)]
pub use tensor::{SparseInitializer, Tensor};
pub(crate) use uniform::{FIRST, Uniform, same};
#[doc(hidden)]
pub use value_type::{Dimension, ValueType};
pub(crate) use values::ElementType;
pub use values::ValueId;
#[doc(hidden)]
pub use values::{Producer, Use, Value, Values};
