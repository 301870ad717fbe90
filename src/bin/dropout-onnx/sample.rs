//! `dropout-onnx sample`: a model run many times with its dropout on.

mod told;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use dropout_onnx::report::document;
use dropout_onnx::sample::{Options, sample};
use dropout_onnx::source::{Destination, Rope, write_atomic};

use crate::Status;
use crate::io::{self, Global};
use crate::verification::Feed;

/// Run a model with dropout on: mean and spread of its outputs
///
/// Monte-Carlo dropout (Gal & Ghahramani 2016), with tract. All dropout acts, in a copy in memory, also
/// what is inert in the file; the deterministic output stands beside the mean. An output that is a
/// distribution (softmax) also gets its predictive entropy, in nats, and its agreement: the share of
/// runs with the same class on top. The same seed gives the same figures on one machine.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The model; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Runs, at every rate
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: usize,
    /// Seed of the masks, and of inputs that are not given
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Set every dropout to these rates, one after the other, and plot spread against rate
    #[arg(long, value_name = "P", value_delimiter = ',', value_parser = rate)]
    rates: Vec<f64>,
    /// The last axis of this output are classes, though it is no distribution: softmax makes one
    #[arg(long, value_name = "OUTPUT")]
    classes: Vec<String>,
    #[command(flatten)]
    feed: Feed,
    /// How the figures are written; by the name of FILE if not given, else text
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write the figures of every element into this file: .json, .npz (numpy) or text
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the plot goes (SVG); beside FILE or IN if not given
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(short, long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx sample model.onnx --runs 100 --seed 7
  dropout-onnx sample model.onnx --input x=data.npy -o figures.npz
  dropout-onnx sample model.onnx --rates 0.1,0.2,0.3,0.5   also writes model.sample.svg
  dropout-onnx sample logits.onnx --classes logits --format json

Exit status: 0 sampled; 2 it could not do the job (no dropout in the model, for one), nothing is
written.";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For numpy; needs --output
    Npz,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(rate) if (0.0..1.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number from 0 up to, not including, 1".to_string()),
    }
}

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let (format, output, plot) = (args.format(), args.destination()?, args.plot()?);
    if format == Format::Npz && output.is_none() {
        bail!("--format npz: name a file for it (--output FILE.npz)");
    }
    let options = Options {
        runs: args.runs,
        seed: args.seed,
        rates: args.rates.clone(),
        classes: args.classes.clone(),
        dims: args.feed.dims()?,
        inputs: args.feed.inputs.clone(),
    };
    let model = io::read(&args.input)?;
    model.check_external()?;
    let all = args.runs.saturating_mul(args.rates.len().max(1));
    let bar = global.bar("sampling", all);
    let report = sample(&model, &options, &mut |done, _| {
        bar.set_position(done as u64)
    });
    bar.finish_and_clear();
    let report = report.map_err(|e| e.in_file(io::name(&args.input)))?;

    let told = told::Told::new(&model, &report);
    let name = args.input.to_string_lossy();
    let bytes = match format {
        Format::Text => plain(&told.text(true)).into_bytes(),
        Format::Json => document::text(&document::sample(&name, &model, &report))?.into_bytes(),
        Format::Npz => report.npz()?,
    };
    let mut written = Vec::new();
    if let Some(destination) = &output {
        written.push(write(destination, bytes.clone())?);
    }
    if let Some(destination) = &plot
        && let Some(svg) = report.svg()
    {
        written.push(write(destination, svg.into_bytes())?);
    }
    match (&output, format) {
        (None, Format::Json) => io::print(&String::from_utf8_lossy(&bytes))?,
        _ if global.quiet => {}
        _ => io::print(&(told.text(global.verbose) + &told::written(&written)))?,
    }
    Ok(Status::Done)
}

/// Text without the styles that are for terminals.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn write(destination: &Destination, bytes: Vec<u8>) -> Result<String> {
    let mut rope = Rope::new();
    rope.push(bytes);
    write_atomic(destination, &rope)?;
    Ok(destination.named().display().to_string())
}

impl Args {
    fn format(&self) -> Format {
        let extension = self.output.as_ref().and_then(|file| file.extension());
        let extension = extension.map(|extension| extension.to_string_lossy().to_lowercase());
        self.format.unwrap_or(match extension.as_deref() {
            Some("json") => Format::Json,
            Some("npz") => Format::Npz,
            _ => Format::Text,
        })
    }

    fn destination(&self) -> Result<Option<Destination>> {
        self.output
            .as_ref()
            .map(|file| self.may_write(file))
            .transpose()
    }

    /// Where the plot goes, if there is one.
    fn plot(&self) -> Result<Option<Destination>> {
        let several = self.rates.iter().any(|rate| *rate != self.rates[0]);
        let file = match (&self.plot, &self.output) {
            (Some(_), _) if !several => bail!("--plot: spread against rate takes several --rates"),
            _ if !several => return Ok(None),
            (Some(file), _) => file.clone(),
            (None, Some(output)) => output.with_extension("svg"),
            (None, None) if self.input == Path::new("-") => return Ok(None),
            (None, None) => io::beside(&self.input, "sample").with_extension("svg"),
        };
        if self.output.as_ref() == Some(&file) {
            bail!(
                "{}: cannot be the figures and the plot; --plot names another file",
                file.display()
            );
        }
        self.may_write(&file).map(Some)
    }

    fn may_write(&self, file: &Path) -> Result<Destination> {
        let destination = Destination::new(file)?;
        if io::same_file(&self.input, destination.real()) {
            bail!("{}: is IN, which is not overwritten", file.display());
        }
        io::may_write(&destination, self.force)?;
        Ok(destination)
    }
}
