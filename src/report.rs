//! Audits as text for programs and other tools: one file per format, each a function from
//! [`Document`](crate::audit::Document) or [`ModelAudit`](crate::audit::ModelAudit) to text.
//!
//! `document` has what the other commands report. What people read in a terminal is the command's own.

mod alike;
#[doc(hidden)]
pub mod concise;
#[cfg(feature = "tract")]
#[doc(hidden)]
pub mod document;
#[doc(hidden)]
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

#[doc(hidden)]
pub use crate::escape::one_line;
#[doc(hidden)]
pub use alike::{Alike, alike, alike_sites, kind, rate, rates};
#[doc(hidden)]
pub use group::{Group, groups, help, help_in};
#[doc(hidden)]
pub use summary::{summary, worst_first};
