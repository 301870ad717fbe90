//! `dropout-onnx show`: a model as stable text or as a picture.

mod check;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;
use dropout_onnx::onnx::Model;
use dropout_onnx::show::{self, Header, Options, document, dot, json, svg, text};

use crate::Status;
use crate::io::{self, Global};

/// Print a model as stable text, for snapshots and for reading
///
/// The text has everything that the model computes with: inputs and outputs, hashes of weights, nodes
/// with their attributes, subgraphs, functions and metadata. docs/show.md describes it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model to read; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Output format [default: text; with --check, that of the snapshot]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Omit the names of values, nodes and graphs, so that renaming them changes nothing
    #[arg(long)]
    anonymous: bool,
    /// Omit the hashes of weights, and do not read them
    #[arg(long)]
    no_hash: bool,
    /// Compare with a snapshot and print the differences
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Create or update the snapshot
    #[arg(long, requires = "check")]
    update: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people and snapshots
    Text,
    /// For programs
    Json,
    /// For Graphviz
    Dot,
    /// A picture of the graph around each dropout, for browsers
    Svg,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx show model.onnx
  dropout-onnx show model.onnx --check model.snap --update   writes model.snap
  dropout-onnx show model.onnx --check model.snap            exits with 1 if the model changed
  dropout-onnx show model.onnx --anonymous                   the same for any names of values
  dropout-onnx show model.onnx --format svg > dropout.svg
  dropout-onnx show model.onnx --format dot | dot -Tpdf > model.pdf

Exit status: 0 printed, or equal to the snapshot; 1 different from the snapshot; 2 error.";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let model = io::read(&args.input)?;
    let mut options = Options {
        anonymous: args.anonymous,
        no_hash: args.no_hash,
    };
    let format = args.format.unwrap_or(Format::Text);
    let Some(path) = &args.check else {
        io::print(&rendered(format, args, &model, &options)?)?;
        return Ok(Status::Done);
    };
    let snapshot = check::Snapshot::open(path, &args.input)?;
    let format = match (args.format, snapshot.is_json()) {
        (Some(Format::Dot | Format::Svg), _) => {
            bail!("--check compares text and json: dot and svg are not stable")
        }
        (Some(format), _) => format,
        (None, true) => Format::Json,
        (None, false) => Format::Text,
    };
    // the options of the snapshot, unless others are given
    if let (Some(header), true) = (snapshot.header(), options == Options::default()) {
        options = header.options;
    }
    let text = rendered(format, args, &model, &options)?;
    let now = (format == Format::Json, Header::of(options));
    check::run(&snapshot, now, &text, args.update, global)
}

fn rendered(format: Format, args: &Args, model: &Model, options: &show::Options) -> Result<String> {
    let text = match format {
        Format::Text => document(model, options).map(|document| text::text(&document)),
        Format::Json => document(model, options).and_then(|document| json::text(&document)),
        Format::Dot => dot::text(model, options),
        Format::Svg => svg::text(model, options),
    };
    Ok(text.map_err(|e| e.in_file(io::name(&args.input)))?)
}
