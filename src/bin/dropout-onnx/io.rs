//! Arguments that subcommands share: where models come from and go to, colours, messages.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstream::ColorChoice;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use dropout_onnx::Error;
use dropout_onnx::job::{self, External};
use dropout_onnx::onnx::Model;
use dropout_onnx::report::one_line;
use dropout_onnx::source::Source;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::completions::choices;
use crate::style;
pub use dropout_onnx::job::{beside, may_write, name, same_file};

/// Options of every subcommand.
#[derive(Args, Clone, Copy)]
pub struct Global {
    /// When to use colours; auto: if the output is a terminal and NO_COLOR is not set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print every dropout and every step
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Do not wait until written files are on the disk; if the system crashes, they may be lost
    #[arg(long, global = true, hide_short_help = true)]
    pub no_sync: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs; of many models, one line each
    #[value(alias = "jsonl")]
    Json,
}

/// The format of a report that can be a plan file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Text,
    /// For programs; of many models, one line each
    #[value(alias = "jsonl")]
    Json,
    /// With --sites (insert) or --dry-run (strip): a plan file, to edit and pass to --plan
    Toml,
}

impl PlanFormat {
    /// The format of the report around it; a plan file needs `option`.
    pub fn of_report(self, planned: bool, option: &str) -> Result<Format> {
        match self {
            PlanFormat::Json => Ok(Format::Json),
            PlanFormat::Toml if !planned => bail!("--format toml requires {option}"),
            PlanFormat::Text | PlanFormat::Toml => Ok(Format::Text),
        }
    }
}

impl Global {
    /// Applies the options that concern the whole run.
    pub fn apply(&self) {
        let choice = match self.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        choice.write_global();
    }

    /// The same, without reports and progress.
    pub fn silent(&self) -> Global {
        Global {
            quiet: true,
            verbose: false,
            ..*self
        }
    }

    /// A spinner with a description of the current step, if standard error is a terminal.
    pub fn progress(&self, doing: &'static str) -> ProgressBar {
        self.show(ProgressBar::new_spinner(), doing)
    }

    /// The same with a progress bar, if there are several steps.
    pub fn bar(&self, doing: &'static str, number: usize) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
        match style {
            Ok(style) if number > 1 => {
                let bar = ProgressBar::new(number as u64).with_style(style);
                self.show(bar, doing)
            }
            _ => self.progress(doing),
        }
    }

    fn show(&self, bar: ProgressBar, doing: &'static str) -> ProgressBar {
        if self.quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_message(doing);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// Reads a model from a file, or from standard input if the path is `-`.
pub fn read(path: &Path) -> Result<Model, Error> {
    if path != Path::new("-") {
        return Model::open(path);
    }
    Source::from_reader(std::io::stdin().lock())
        .and_then(|source| Model::read_in(source, Some(PathBuf::new())))
        .map_err(|e| e.in_file(name(path)))
}

/// Reads a text file, or standard input, of at most `most` bytes; messages call it `what`.
pub fn read_text(path: &Path, what: &str, most: u64) -> Result<String> {
    let failed = |e| Error::io("cannot read", e).in_file(path);
    let file: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(path).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    let mut file = file.take(most + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    let path = name(path).display();
    if bytes.len() as u64 > most {
        bail!("{path}: is not a {what}: larger than {} MB", most >> 20);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => bail!("{path}: is not a {what}: not UTF-8"),
    }
}

/// The same for every way to write a path; links keep names of their own.
pub fn identity(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// True of two names of one file, whether or not it exists yet.
pub fn same_place(a: &Path, b: &Path) -> bool {
    same_file(a, b) || identity(a) == identity(b)
}

/// Reads two models to compare.
pub fn read_both(before: &Path, after: &Path) -> Result<(Model, Model)> {
    if before == Path::new("-") && after == before {
        bail!("BEFORE and AFTER are both standard input; one of them must be a file");
    }
    Ok((read(before)?, read(after)?))
}

/// Writes a report to standard error.
pub fn print_aside(text: &str) {
    // There is nowhere left to say that this failed.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Prints an error to standard error.
pub fn complain(error: &anyhow::Error) {
    let error = one_line(&format!("{error:#}"));
    print_aside(&format!("{} {error}\n", style::paint(style::BAD, "error:")));
}

/// Prints an error about one of many models, with its path if the message names another file.
pub fn complain_of(path: &Path, error: &str) {
    let path = name(path).display().to_string();
    complain(&match error.contains(&path) {
        true => anyhow::anyhow!("{error}"),
        false => anyhow::anyhow!("{path}: {error}"),
    });
}

/// Prints a warning to standard error.
pub fn warn(text: &str) {
    let warning = style::paint(style::WARN, "warning:");
    print_aside(&format!("{warning} {}\n", one_line(text)));
}

/// The input and output of a rewrite.
#[derive(Args, Clone)]
#[command(next_help_heading = None::<&'static str>)]
pub struct Files {
    /// Model to read; `-` is standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// File to write; `-` is standard output [default: next to IN]
    ///
    /// The default is named after the rewrite, for example model.stripped.onnx.
    #[arg(value_name = "OUT", conflicts_with = "out")]
    pub output: Option<PathBuf>,
    /// File to write, instead of OUT
    #[arg(
        short,
        long = "output",
        value_name = "OUT",
        conflicts_with = "in_place"
    )]
    out: Option<PathBuf>,
    /// Replace IN with the result
    #[arg(short, long)]
    pub in_place: bool,
    /// Overwrite OUT, and files of weights copied next to it, if they exist
    #[arg(short, long)]
    force: bool,
    /// Print what would be done and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// If OUT is in a different folder, also copy or link the external-data files next to IN
    #[arg(long, value_name = "HOW", value_parser = choices(External::ALL, |it| (it.word(), it.about())))]
    external_data: Option<External>,
}

impl Files {
    /// The same for another model; `output` replaces a named output.
    pub fn of(&self, input: &Path, output: Option<&Path>) -> Files {
        Files {
            input: input.to_path_buf(),
            output: output.map(Path::to_path_buf),
            out: None,
            ..self.clone()
        }
    }

    /// The same, for the library.
    pub fn asked(&self) -> job::Files {
        let output = self.output.as_ref().or(self.out.as_ref()).cloned();
        let stream = (!self.in_place && self.input == Path::new("-")).then(|| "-".into());
        job::Files::default()
            .input(self.input.clone())
            .output(output.or(stream))
            .in_place(self.in_place)
            .force(self.force)
            .dry_run(self.dry_run)
            .external_data(self.external_data)
    }
}
