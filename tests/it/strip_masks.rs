//! Strip of dropout that is written as masks: small models that each show one thing.
//!
//! [`crate::common::stripped::strips`] asserts what holds for every one of them; the tests add what is special.

mod generated;
mod meetings;
mod misjudged;
mod neighbours;
mod scales;
mod scopes;
mod spelt;
mod switches;
mod together;
