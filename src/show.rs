//! A model as stable text, for snapshot tests and for reading.
//!
//! Everything a model computes with is there: inputs, outputs, initializers with a hash of their
//! elements, nodes with their attributes, graphs inside them, functions, metadata. Small tensors show
//! their numbers. The same model gives the same text on every machine. `docs/show.md` is the
//! contract: the first line has the version of the format.
//!
//! One file per format: [`mod@text`], [`json`], [`dot`] and [`svg`].

mod build;
mod document;
pub mod dot;
mod elements;
mod header;
pub mod json;
mod labels;
mod marks;
mod names;
pub mod svg;
pub mod text;

use crate::error::Result;
use crate::onnx::{Attribute, GraphId, Model, Node, Tensor};
use build::Builder;

pub use document::Document;
#[doc(hidden)]
pub use document::{
    AttributeRecord, AttributeValueRecord, FunctionRecord, GraphRecord, NodeRecord, Number,
    OpsetRecord, ProducerRecord, PropertyRecord, SparseRecord, TensorRecord, Text, TrainingRecord,
    ValueRecord,
};
#[doc(hidden)]
pub use header::Header;

/// The version of the text's and the document's form. It changes when the same model gives another
/// text.
pub const VERSION: u32 = 1;

/// Options of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// Omit the names of values, nodes, graphs and symbolic dimensions, and order nodes independently of
    /// names: models that differ only in names have the same text.
    pub anonymous: bool,
    /// Omit the hashes of large weights, and do not read them.
    pub no_hash: bool,
    /// With both, keep what does not affect the result: the producer's version, declared types of
    /// intermediate values, attributes at their defaults.
    pub strict: bool,
}

impl Options {
    /// True if only what affects the result is shown: without names and hashes, unless strict.
    pub fn is_lenient(&self) -> bool {
        self.anonymous && self.no_hash && !self.strict
    }
}

/// The complete text of a model.
///
/// # Errors
/// Elements to be hashed cannot be read.
///
/// # Examples
/// In a test, with [insta](https://insta.rs): when the model changes, `cargo insta review` shows how.
/// ```
/// # fn main() -> dropout_onnx::Result<()> {
/// let model = dropout_onnx::onnx::Model::open("fixtures/keras_course_infer_op15.onnx")?;
/// let text = dropout_onnx::show::text(&model)?;
/// let first_lines: Vec<&str> = text.lines().take(3).collect();
/// insta::assert_snapshot!(first_lines.join("\n"), @r#"
/// dropout-onnx show 1
/// model ir_version 8 producer tf2onnx "1.16.1 15c810"
///   opset ai.onnx 15
/// "#);
/// # Ok(())
/// # }
/// ```
pub fn text(model: &Model) -> Result<String> {
    Ok(text::text(&document(model, &Options::default())?))
}

/// A model as data.
///
/// # Errors
/// Like [`text()`].
pub fn document(model: &Model, options: &Options) -> Result<Document> {
    Builder::new(model, *options).document()
}

/// The value of an attribute in one line; `graph` where it is one.
pub(crate) fn attribute_text(model: &Model, attribute: &Attribute) -> Result<String> {
    Ok(build::plain(model, attribute, &Options::default())?.to_string())
}

/// A tensor in one line: type, shape, its numbers or their hash.
pub(crate) fn tensor_text(model: &Model, tensor: &Tensor) -> Result<String> {
    Ok(elements::tensor(model, tensor, &Options::default())?.to_string())
}

/// A node in one line, without its name and the graphs inside it.
pub(crate) fn node_text(model: &Model, graph: GraphId, node: &Node) -> Result<String> {
    let options = Options::default();
    let mut record = Builder::new(model, options).shallow(graph, node)?;
    record.name = None;
    Ok(record.to_string())
}
