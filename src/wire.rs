//! Protobuf without ONNX: where the fields of a message are, and how to write new ones.
//!
//! Nothing here copies or re-encodes what was read. A [`Field`] is a place in a [`crate::source::Source`]; a field
//! that no edit names is written as the bytes at that place.
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

mod decode;
mod encode;
mod field;
mod varint;
mod window;

pub use decode::{Leaf, decode_leaf, decode_message};
pub use encode::{bytes_field, bytes_head, reframe, varint_field};
pub use field::{Field, Kind};
pub use varint::{Varint, decode_varint, put_varint};
pub use window::{Fields, Window};
