#![forbid(unsafe_code)]
pub mod audit;
pub mod dropout;
pub mod error;
pub mod onnx;
pub mod rewrite;
pub mod show;
pub mod source;
pub mod verify;
pub mod wire;

pub use error::{Error, ErrorKind, Result};
