//! Insert: where dropout goes, how it is written, and that strip takes it out again.

mod acting;
mod check;
mod inverse;
#[cfg(feature = "keras")]
mod keras;
mod like;
mod preset_scores;
mod presets;
mod refusals;
mod selectors;
mod topologies;
mod versions;
