//! Broken rewrites are called different, and harmless ones equal: by structure, by run, or by both.

mod broken;
mod check;
mod equalities;
mod fixture;
mod inner;
mod masks;
mod models;
mod neutral;
mod outputs;
mod rounding;
mod weights;
