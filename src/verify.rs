//! Verification.
pub mod structure;
