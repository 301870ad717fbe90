//! Insert: where dropout goes, how it is written, and that strip takes it out again.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/promises.rs"]
#[allow(dead_code)] // a part of it
mod promises;

mod acting;
mod check;
mod inverse;
mod presets;
mod refusals;
mod selectors;
mod topologies;
mod versions;
