#![forbid(unsafe_code)]
pub mod error;
pub mod source;
#[cfg(feature = "tract")]
pub mod verify;
