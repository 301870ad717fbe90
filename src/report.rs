//! Audits as text for programs and other tools: one file per format, each a function from
//! [`Document`](crate::audit::Document) or [`ModelAudit`](crate::audit::ModelAudit) to text.
//!
//! `document` has what the other commands report. What people read in a terminal is the command's own.

mod alike;
pub mod concise;
#[cfg(feature = "tract")]
#[doc(hidden)]
pub mod document;
pub mod github;
mod group;
pub mod html;
pub mod json;
pub mod jsonl;
#[cfg(feature = "junit")]
pub mod junit;
pub mod markdown;
mod place;
pub mod sarif;
mod summary;

pub use crate::escape::one_line;
pub use alike::{Alike, alike, alike_sites, kind, rate, rates};
pub use group::{Group, groups, help, help_in};
pub use summary::{summary, worst_first};
