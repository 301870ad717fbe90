#![forbid(unsafe_code)]
pub mod dropout;
pub mod error;
pub mod onnx;
pub mod rewrite;
pub mod source;
pub mod wire;
