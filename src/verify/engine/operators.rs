//! Operators that tract is given: dropout and draws that can be repeated, and a node that observes.

pub(super) mod branches;
pub(super) mod dropout;
pub(super) mod random;
mod repeated;
pub(super) mod sequences;
pub(super) mod sizes;
pub(super) mod unrolled;
pub(in crate::verify) mod watch;
