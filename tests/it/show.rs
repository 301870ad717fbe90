//! What `show` promises: see `docs/show.md`.

mod anonymous;
mod contract;
mod pictures;

use dropout_onnx::onnx::Model;
use dropout_onnx::show::{self, Options};

fn anonymous() -> Options {
    Options::default().anonymous(true)
}

fn text(model: &Model, options: &Options) -> String {
    show::text::text(&show::document(model, options).unwrap())
}
