//! The command line: arguments, exit statuses, and what is printed where.

mod baseline;
mod config;
mod diff;
mod examples;
mod fold;
mod formats;
mod help;
mod html;
mod insert;
mod isolation;
#[cfg(feature = "ort")]
mod libraries;
mod many;
mod places;
mod recorded;
mod rewriting;
mod rules;
mod sample;
mod schemas;
mod shells;
mod show;
mod strip;
mod verification;
