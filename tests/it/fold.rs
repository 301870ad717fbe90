//! Fold, way by way: small models that each show one thing.
//!
//! [`check::folds`] asserts what holds for every one of them; the tests add what is special. Weights
//! are worked out here anew, in loops over their indices.

mod axes;
mod backward;
mod carried;
mod check;
mod fixtures;
mod forward;
mod generated;
mod joint;
mod mutants;
mod quantised;
mod refused;
mod rounding;
mod scopes;
mod stored;
