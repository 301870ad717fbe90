//! Strip, topology by topology: small models that each show one thing.
//!
//! [`crate::common::stripped::strips`] asserts what holds for every one of them; the tests add what is special.

mod batch_norm;
mod classic;
mod constants;
mod conventions;
mod functions;
mod inputs;
mod masks;
mod plain;
mod preserved;
mod subgraphs;
mod training;
