//! `dropout-onnx sample`: Monte Carlo dropout.

mod told;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use dropout_onnx::job::Target;
use dropout_onnx::report::document;
use dropout_onnx::rewrite::Rate;
use dropout_onnx::sample::{ClassSpec, Labels, Options, sample};
use dropout_onnx::source::{Destination, Rope, write_atomic};

use crate::Status;
use crate::io::{self, Global};
use crate::output;
use crate::verification::{Feed, Limits};

/// Run a model with dropout on; report mean and spread of outputs
///
/// This is Monte Carlo dropout (Gal & Ghahramani 2016), run with tract. Dropout is made active in a copy
/// in memory, whatever its mode and operator version in the file, and random masks draw from a seeded
/// generator. Standard deviations are sample standard deviations (divided by N-1). The same seed gives
/// the same figures on one machine.
///
/// For a classifier, the report adds the predictive entropy in nats, and the agreement: the share of
/// runs with the same top class. An output is treated as a classifier's if it has probabilities or
/// log-probabilities along its last axis or along axis 1 in every run, or if it is the result of a
/// sigmoid with one element per row. Use --classes for others, such as logits or several sigmoids.
///
/// Only these figures are kept, not the outputs of single runs. A .npz file contains OUTPUT.mean,
/// OUTPUT.std, OUTPUT.deterministic and OUTPUT.probabilities in the shape of the output,
/// OUTPUT.entropy, OUTPUT.agreement and OUTPUT.top in the shape of its rows, and with --labels
/// OUTPUT.accuracy, and the numbers runs, seed and mask_seed. All are float64, except for OUTPUT.top and these
/// numbers, which are integers. With --rates it also has rates, and the other arrays get a leading axis for
/// them. The figures of --per-site are in JSON only, where NaN is null.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model to read; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Number of runs, at each rate; at least 2
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: usize,
    /// Seed of the random inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Seed of the masks [default: the value of --seed]
    #[arg(long, value_name = "N")]
    mask_seed: Option<u64>,
    /// Set all dropout to each of these rates in turn, and plot spread against rate
    #[arg(long, value_name = "P", value_delimiter = ',')]
    rates: Vec<Rate>,
    /// How to read an output as a classifier's: OUTPUT=HOW or OUTPUT=HOW@AXIS. HOW is probabilities,
    /// logits (softmax is applied), binary (each element is a probability), binary-logits (sigmoid is
    /// applied) or none; OUTPUT alone is probabilities if they sum to 1, and logits otherwise
    #[arg(long, value_name = "OUTPUT[=HOW]")]
    classes: Vec<ClassSpec>,
    /// True classes of the rows of an output, to report accuracy
    ///
    /// One class number per row, counted from 0 (.npy, .npz or .pb). Write OUTPUT=FILE if there are several
    /// classifiers. Without labels, a sweep over --rates shows how uncertain
    /// the model is at each rate, but not which rate is best.
    #[arg(long, value_name = "FILE")]
    labels: Vec<Labels>,
    /// Also run each dropout alone, to see which moves outputs most
    ///
    /// The other dropout is removed for these runs. The plot has a bar for each dropout. Takes at most one
    /// of --rates.
    #[arg(long)]
    per_site: bool,
    #[command(flatten)]
    feed: Feed,
    #[command(flatten)]
    limits: Limits,
    /// Format of the figures [default: text, or by FILE's extension]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write the figures of every element to this file (.json, .npz for NumPy, or text); `-` is standard
    /// output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// File for the plot, as SVG [default: next to FILE, or next to IN unless that is `-`]
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Overwrite existing files
    #[arg(short, long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx sample model.onnx --runs 100 --seed 7
  dropout-onnx sample model.onnx --input x=data.npy -o figures.npz
  dropout-onnx sample model.onnx --rates 0.1,0.2,0.3,0.5   also writes model.sample.svg
  dropout-onnx sample model.onnx --rates 0.1,0.3,0.5 --input x=data.npy --labels labels.npy
  dropout-onnx sample model.onnx --per-site
  dropout-onnx sample model.onnx --classes y=logits --format json
  dropout-onnx sample model.onnx --classes tags=binary-logits --classes attention=none

Exit status: 0 sampled; 2 error, nothing is written. A model without dropout is an error, because a
spread of 0 would look like certainty.";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For NumPy; requires --output
    Npz,
}

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let (output, plot) = (args.destination(global)?, args.plot(global)?);
    let format = args.format()?;
    if format == Format::Npz && output.is_none() {
        bail!("--format npz requires --output FILE.npz, or `-` for standard output");
    }
    let options = args.options()?;
    let model = io::read(&args.input)?;
    let all = args.runs.saturating_mul(args.rates.len().max(1));
    let bar = global.bar("sampling", all);
    let report = sample(&model, &options, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64)
    });
    bar.finish_and_clear();
    let report = report.map_err(|e| e.in_file(io::name(&args.input)))?;

    let plot = plot.zip(report.svg());
    let plot_file = plot.as_ref().map(|(destination, _)| destination.named());
    let told = told::Told::new(&model, &report, &args.classes);
    let bytes = || -> Result<Vec<u8>> {
        Ok(match format {
            Format::Text => output::plain(&told.text(true)).into_bytes(),
            Format::Json => {
                let name = args.input.to_string_lossy();
                let document = document::sample(&name, &model, &report, plot_file)?;
                document::text(&document)?.into_bytes()
            }
            Format::Npz => report.npz()?,
        })
    };
    let to_stdout = match &output {
        Some(Target::Stream) => true,
        Some(_) => false,
        None => format == Format::Json,
    };
    let mut written = Vec::new();
    if let Some(Target::File(destination)) = &output {
        written.push(write(destination, bytes()?)?);
    }
    if let Some((destination, svg)) = &plot {
        written.push(write(destination, svg.clone().into_bytes())?);
    }
    if to_stdout {
        output::print_bytes(&bytes()?)?;
    } else if !global.quiet {
        output::print(&(told.text(global.verbose) + &told::written(&written)))?;
    }
    Ok(Status::Done)
}

fn write(destination: &Destination, bytes: Vec<u8>) -> Result<String> {
    let mut rope = Rope::new();
    rope.push(bytes);
    write_atomic(destination, &rope)?;
    Ok(destination.named().display().to_string())
}

impl Args {
    fn options(&self) -> Result<Options> {
        Ok(Options::default()
            .runs(self.runs)
            .seed(self.seed)
            .mask_seed(self.mask_seed)
            .rates(self.rates.iter().map(|rate| rate.value()).collect())
            .classes(self.classes.clone())
            .labels(self.labels.clone())
            .per_site(self.per_site)
            .dims(self.feed.dims()?)
            .inputs(self.feed.inputs.clone())
            .host(self.limits.host()?))
    }

    fn format(&self) -> Result<Format> {
        let file = self
            .output
            .as_deref()
            .filter(|file| *file != Path::new("-"));
        let format = output::format(self.format, file, output::value, || Ok(None))?;
        Ok(format.unwrap_or(Format::Text))
    }

    /// Where the figures go, if not only to people.
    fn destination(&self, global: &Global) -> Result<Option<Target>> {
        match &self.output {
            None => Ok(None),
            Some(file) if file == Path::new("-") => Ok(Some(Target::Stream)),
            Some(file) => Ok(Some(Target::File(self.may_write(file, global)?))),
        }
    }

    /// The destination of the plot, if there is one.
    fn plot(&self, global: &Global) -> Result<Option<Destination>> {
        let several = self.per_site || self.rates.iter().any(|rate| *rate != self.rates[0]);
        let stdio = Path::new("-");
        let file = match (&self.plot, &self.output) {
            (Some(_), _) if !several => bail!("--plot requires several --rates, or --per-site"),
            (Some(file), _) if file == stdio => bail!("--plot -: the plot needs a file"),
            _ if !several => return Ok(None),
            (Some(file), _) => file.clone(),
            (None, Some(output)) if output != stdio => output.with_extension("svg"),
            _ if self.input == stdio => return Ok(None),
            _ => io::beside(&self.input, "sample").with_extension("svg"),
        };
        if self.output.as_ref() == Some(&file) {
            bail!(
                "{}: is the file of the figures; name another file with --plot",
                file.display()
            );
        }
        self.may_write(&file, global).map(Some)
    }

    fn may_write(&self, file: &Path, global: &Global) -> Result<Destination> {
        let destination = Destination::new(file)?.synced(!global.no_sync);
        if io::same_file(&self.input, destination.real()) {
            bail!("{}: is IN; name another file", file.display());
        }
        io::may_write(&destination, self.force)?;
        Ok(destination)
    }
}
