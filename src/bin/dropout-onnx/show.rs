//! `dropout-onnx show`: the model as stable text.

use std::path::PathBuf;

use anyhow::Result;

use crate::Status;
use crate::io;

/// Print a model as stable text, for snapshots and for reading
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx show model.onnx
  diff <(dropout-onnx show a.onnx) <(dropout-onnx show b.onnx)

Exit status: 0 printed; 2 it could not do the job.";

pub fn run(args: &Args) -> Result<Status> {
    let model = io::read(&args.input)?;
    let text = dropout_onnx::show::text(&model).map_err(|e| e.in_file(io::name(&args.input)))?;
    io::print(&text)?;
    Ok(Status::Done)
}
