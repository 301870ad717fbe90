//! Set: rates, modes and seeds of dropout that is there.

mod check;
mod filters;
mod masks;
mod mutants;
mod operators;
