//! Showing that two models compute the same.

#[cfg(feature = "tract")]
pub mod compare;
#[cfg(feature = "tract")]
pub mod engine;
#[cfg(feature = "tract")]
pub mod inputs;
#[cfg(feature = "tract")]
mod operator;
#[cfg(feature = "tract")]
mod random;
#[cfg(feature = "tract")]
pub mod run;
