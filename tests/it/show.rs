//! What `show` promises: see `docs/show.md`.

mod anonymous;
mod contract;
mod pictures;

use dropout_onnx::onnx::Model;
use dropout_onnx::show::{self, Options};

const ANONYMOUS: Options = Options {
    anonymous: true,
    no_hash: false,
    strict: false,
};

fn text(model: &Model, options: &Options) -> String {
    show::text::text(&show::document(model, options).unwrap())
}
