//! Set: rates, modes and seeds of dropout that is there.

#[path = "../common/mod.rs"]
mod common;

mod check;
mod filters;
mod masks;
mod operators;
