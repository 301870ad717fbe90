//! What the benchmarks are made of. Each uses a part of it.
#![allow(dead_code)]

mod builder;
pub mod cases;
pub mod generate;
pub mod measure;
mod proto;
pub mod setup;
pub mod table;
