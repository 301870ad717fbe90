//! `dropout-onnx show`: a model as stable text or as a picture.

mod check;
mod many;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use dropout_onnx::onnx::Model;
use dropout_onnx::show::{self, Header, Options, document, dot, json, svg, text};

use check::{Checked, Snapshot};

use crate::Status;
use crate::io::{self, Global};
use crate::many::Jobs;
use crate::output::{self, Output};
use crate::paths;

/// Print a model as stable text, for snapshots and for reading
///
/// The text has everything that the model computes with: inputs and outputs, hashes of weights, nodes
/// with their attributes, subgraphs, functions and metadata. docs/show.md describes it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model to read; `-` is standard input
    ///
    /// With --check or --write-snapshots also several models, folders and patterns.
    #[arg(value_name = "IN", required = true)]
    inputs: Vec<PathBuf>,
    /// Output format [default: text, or by FILE's extension; with --check, that of the snapshot]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    output: Output,
    /// Omit the names of values, nodes and graphs
    ///
    /// Renaming them then changes nothing.
    #[arg(long)]
    anonymous: bool,
    /// Omit the hashes of weights, and do not read them
    #[arg(long)]
    no_hash: bool,
    /// With --anonymous and --no-hash, keep details that do not affect the result
    ///
    /// These are the producer's version, declared types of intermediate values, and attributes at their
    /// defaults.
    #[arg(long, requires = "anonymous", requires = "no_hash")]
    strict: bool,
    /// Compare with a snapshot and print the differences
    ///
    /// Several models are compared with the snapshots in a folder: NAME.onnx with NAME.onnx.snap.
    #[arg(long, value_name = "PATH", conflicts_with = "output")]
    check: Option<PathBuf>,
    /// Create or update the snapshot
    #[arg(long, requires = "check")]
    update: bool,
    /// Create or update the snapshots of all models in this folder
    ///
    /// The same as --check DIR --update, and creates the folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["check", "output"])]
    write_snapshots: Option<PathBuf>,
    #[command(flatten)]
    jobs: Jobs,
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
  dropout-onnx show models/ --write-snapshots snapshots      writes snapshots/NAME.onnx.snap
  dropout-onnx show models/ --check snapshots
  dropout-onnx show model.onnx --output dropout.svg
  dropout-onnx show model.onnx --format dot | dot -Tpdf > model.pdf

Exit status: 0 printed, or equal to the snapshot; 1 different from the snapshot; 2 error.";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let updated = args.write_snapshots.as_ref().map(|folder| (folder, true));
    let snapshots = updated.or(args.check.as_ref().map(|path| (path, args.update)));
    let several = args.inputs.len() > 1 || paths::is_many(&args.inputs[0]);
    let Some((path, update)) = snapshots else {
        let advice = "add --check DIR or --write-snapshots DIR for the snapshots";
        return match &args.inputs[..] {
            [input] if several => Err(paths::not_one(input, advice)),
            [input] => print(args, input, global),
            _ => bail!("show prints one model; {advice} of several"),
        };
    };
    if several || args.write_snapshots.is_some() || path.is_dir() {
        return many::run(args, path, update, global);
    }
    let checked = checked(args, &args.inputs[0], path, update, global)?;
    if !global.quiet {
        output::print(&checked.text)?;
    }
    Ok(checked.status())
}

fn print(args: &Args, input: &Path, global: &Global) -> Result<Status> {
    let report = args.output.open([input], global)?;
    let model = io::read(input)?;
    let format = output::format(args.format, args.output.file(), output::value, || Ok(None))?;
    let format = format.unwrap_or(Format::Text);
    report.write(&rendered(format, input, &model, &options(args))?)?;
    Ok(Status::Done)
}

fn options(args: &Args) -> Options {
    Options::default()
        .anonymous(args.anonymous)
        .no_hash(args.no_hash)
        .strict(args.strict)
}

/// Compares a model with its snapshot.
fn checked(
    args: &Args,
    input: &Path,
    path: &Path,
    update: bool,
    global: &Global,
) -> Result<Checked> {
    let model = io::read(input)?;
    let mut options = options(args);
    let snapshot = Snapshot::open(path, input, global)?;
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
    let text = rendered(format, input, &model, &options)?;
    let now = (format == Format::Json, Header::of(options));
    check::run(&snapshot, now, &text, update)
}

fn rendered(
    format: Format,
    input: &Path,
    model: &Model,
    options: &show::Options,
) -> Result<String> {
    let text = match format {
        Format::Text => document(model, options).map(|document| text::text(&document)),
        Format::Json => document(model, options).and_then(|document| json::text(&document)),
        Format::Dot => dot::text(model, options),
        Format::Svg => svg::text(model, options),
    };
    Ok(text.map_err(|e| e.in_file(io::name(input)))?)
}
