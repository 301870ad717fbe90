//! What `cargo bench --bench strip` is made of.

mod builder;
pub mod cases;
mod generate;
mod measure;
mod proto;
mod table;
