//! Strip of dropout that is written as masks: small models that each show one thing.
//!
//! [`check::strips`] asserts what holds for every one of them; the tests add what is special.

#[path = "../common/mod.rs"]
mod common;

#[path = "../common/stripped.rs"]
mod check;
mod generated;
#[path = "../common/mask_gen.rs"]
mod mask_gen;
mod meetings;
mod misjudged;
mod neighbours;
#[path = "../common/promises.rs"]
#[allow(dead_code)]
mod promises;
mod scales;
mod scopes;
mod spelt;
mod switches;
