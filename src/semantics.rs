//! The meaning of a model: operators and facts about values. Reads, never edits.

#[allow(dead_code, reason = "the rooms move to it one by one")]
pub(crate) mod analysis;
#[allow(dead_code, reason = "the rooms move to it one by one")]
pub(crate) mod calls;
pub(crate) mod draws;
pub(crate) mod operator;
pub(crate) mod shapes;
mod types;
#[allow(dead_code, reason = "the rooms move to it one by one")]
pub(crate) mod view;
