//! What `diff` finds, and what it does not invent.

mod changes;
mod itself;
mod matching;
mod stripped;
mod values;

use dropout_onnx::diff::{self, Diff, Options};
use dropout_onnx::onnx::Model;

fn compare(before: &Model, after: &Model) -> Diff {
    diff::diff(before, after, &Options::default()).unwrap()
}

fn lines(before: &Model, after: &Model) -> Vec<String> {
    diff::text::lines(&compare(before, after))
}
