//! Strip, topology by topology: small models that each show one thing.
//!
//! [`check::strips`] asserts what holds for every one of them; the tests add what is special.

#[path = "../common/mod.rs"]
mod common;

#[path = "../common/stripped.rs"]
mod check;
mod classic;
mod constants;
mod functions;
mod masks;
mod plain;
mod preserved;
mod subgraphs;
mod training;
