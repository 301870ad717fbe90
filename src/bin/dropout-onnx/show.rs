//! `dropout-onnx show`: the model as stable text.

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
/// Everything the model computes with: inputs and outputs, weights as hashes of their elements,
/// nodes with their attributes, inner graphs, functions, metadata.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// How it is shown: text if not given; with --check, as the snapshot is
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Leave names of values, nodes and graphs away: models that differ in names alone look the same
    #[arg(long)]
    anonymous: bool,
    /// Do not read large weights
    #[arg(long)]
    no_hash: bool,
    /// Compare with a snapshot, and print what differs
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Write the snapshot anew where it differs, or is not there yet
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
  dropout-onnx show model.onnx --check model.snap            has the model changed?
  dropout-onnx show model.onnx --anonymous                   whatever its values are called
  dropout-onnx show model.onnx --format svg > dropout.svg
  dropout-onnx show model.onnx --format dot | dot -Tpdf > model.pdf

Exit status: 0 printed, or as the snapshot; 1 not as the snapshot; 2 it could not do the job.";

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
            bail!("--check compares text and json: a picture is no snapshot")
        }
        (Some(format), _) => format,
        (None, true) => Format::Json,
        (None, false) => Format::Text,
    };
    // a snapshot says what it shows, unless something else is asked for
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
