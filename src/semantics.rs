//! The meaning of a model: operators and facts about values. Reads, never edits.

pub(crate) mod operator;
pub(crate) mod shapes;
mod types;
