#![forbid(unsafe_code)]
pub mod error;
pub mod onnx;
pub mod source;
pub mod wire;
