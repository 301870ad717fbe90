//! The meaning of a model: operators and facts about values. Reads, never edits.

pub(crate) mod analysis;
pub(crate) mod batch_norm;
pub(crate) mod calls;
pub(crate) mod control_flow;
pub(crate) mod draws;
pub(crate) mod facts;
pub(crate) mod foreign;
#[cfg(feature = "tract")]
pub(crate) mod inline;
pub(crate) mod operator;
pub(crate) mod scalar;
mod types;
pub(crate) mod view;
