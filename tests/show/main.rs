//! What `show` promises: see `docs/show.md`.
#![cfg(feature = "tract")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/everything.rs"]
mod everything;
#[path = "../common/rename.rs"]
mod rename;

mod anonymous;
mod contract;
mod pictures;

use dropout_onnx::onnx::Model;
use dropout_onnx::show::{self, Options};

const ANONYMOUS: Options = Options {
    anonymous: true,
    no_hash: false,
};

fn text(model: &Model, options: &Options) -> String {
    show::text::text(&show::document(model, options).unwrap())
}
