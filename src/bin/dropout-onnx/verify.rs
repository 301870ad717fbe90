//! `dropout-onnx verify`: do two models compute the same?

mod folders;
mod replay;

use std::path::{Path, PathBuf};

use anstyle::Style;
use anyhow::{Result, bail};
use dropout_onnx::onnx::Model;
use dropout_onnx::report::{document, one_line};
use dropout_onnx::verify::compare::Difference;
use dropout_onnx::verify::evidence::Evidence;
use dropout_onnx::verify::run::Outcome;
use dropout_onnx::verify::{Demand, Options, Pairing, Verdict, Verification, verify};

use serde_json::Value;

use crate::Status;
use crate::completions::choices;
use crate::io::{self, Format, Global};
use crate::lines::Lines;
use crate::many::Jobs;
use crate::output::{self, Output, Report, ReportFile};
use crate::paths;
use crate::style::{BAD, DIM, GOOD, WARN, paint};
use crate::verification::{self, Verify};

/// Compare two models, by structure and by running both
///
/// Both models are run with tract on the same inputs. Dropout is treated as in inference in both;
/// `assumed` reports dropout that is still active. Where a constant or a branch differs, equal outputs
/// show equal models only if the runs reach every difference: rows of Gather, sides of Where, branches
/// of If, bodies of Loop and Scan, and constants that outputs depend on.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Original model, or a folder of models
    #[arg(
        value_name = "BEFORE",
        required_unless_present = "replay",
        requires = "after"
    )]
    before: Option<PathBuf>,
    /// Changed model, or a folder with models of the same names
    #[arg(value_name = "AFTER")]
    after: Option<PathBuf>,
    /// Show again what FILE is evidence of: on the files that it names, or on BEFORE and AFTER
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "evidence", "verify", "outputs", "runs", "seed", "dims", "rtol", "atol",
        ]
    )]
    replay: Option<PathBuf>,
    /// Compare outputs of the same name, or at the same position
    #[arg(long, value_name = "HOW", default_value = "by-name", value_parser = choices(Pairing::ALL, |it| (it.word(), it.about())))]
    outputs: Pairing,
    /// Format of the report [default: text, or by FILE's extension]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    verify: Verify,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx verify model.onnx model.stripped.onnx
  dropout-onnx verify a.onnx b.onnx --input test_data_set_0 --rtol 1e-5
  dropout-onnx verify a.onnx b.onnx --verify structure
  dropout-onnx verify a.onnx b.onnx --outputs by-position
  dropout-onnx verify models/ stripped/             each model with the one of the same name
  dropout-onnx verify a.onnx b.onnx --evidence evidence.json
  dropout-onnx verify --replay evidence.json

Exit status: 0 equal; 1 different: outputs, or with --verify structure the structures; 2 not shown:
the models cannot be run, or the outputs agree but the runs do not reach what differs
(--verify run judges by the outputs alone). Of --replay: 0 still shown; 1 another model, or
something else is found; 2 not shown.";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    if let Some(evidence) = &args.replay {
        return replay::run(evidence, args, global);
    }
    let Some(mut options) = args.verify.options()? else {
        bail!("--verify none: nothing to do");
    };
    let (Some(old), Some(new)) = (&args.before, &args.after) else {
        bail!("two models are needed: BEFORE and AFTER");
    };
    options.outputs = args.outputs;
    match [old, new].map(|path| path.is_dir()) {
        [true, true] => folders::run([old, new], args, &options, global),
        [false, false] => one([old, new], args, &options, global),
        [_, after] => Err(paths::not_one(
            if after { new } else { old },
            "BEFORE and AFTER are two models or two folders",
        )),
    }
}

/// Compares and reports the only two models, with evidence if it is asked for.
fn one(paths: [&Path; 2], args: &Args, options: &Options, global: &Global) -> Result<Status> {
    let evidence = args.verify.evidence.as_deref();
    let evidence = evidence.map(|path| ReportFile::new(path, paths, global));
    let evidence = evidence.transpose()?;
    let report = args.output.open(paths, global)?;
    let compared = Compared::new(paths, options, global)?;
    args.write(
        &report,
        &compared.verdict,
        || compared.document(),
        |lines| {
            compared.tell(lines, args, global);
        },
    )?;
    if let (Some(file), Verdict::Equal) = (evidence, &compared.verdict) {
        let folder = file.folder().to_path_buf();
        let [before, after] = &compared.models;
        let (old, new) = ((paths[0], before), (paths[1], after));
        file.write(&Evidence::of(&compared.found, old, new, &folder)?.text()?)?;
    }
    concluded(&compared.verdict)
}

impl Args {
    fn format(&self) -> Result<Format> {
        let format = output::format(self.format, self.output.file(), output::value, || Ok(None))?;
        Ok(format.unwrap_or(Format::Text))
    }

    /// Writes the report of two models; the text ends with the verdict.
    fn write(
        &self,
        report: &Report,
        verdict: &Verdict,
        document: impl FnOnce() -> dropout_onnx::Result<Value>,
        tell: impl FnOnce(&mut Lines),
    ) -> Result<()> {
        report.write(&match self.format()? {
            Format::Json => document::text(&document()?)?,
            Format::Text if report.is_quiet() => String::new(),
            Format::Text => {
                let mut lines = Lines::default();
                tell(&mut lines);
                let (style, _) = told(verdict);
                lines.line("verdict", paint(style, verdict.word()));
                lines.into_text()
            }
        })
    }
}

/// Two models and what was found.
struct Compared {
    names: [String; 2],
    models: [Model; 2],
    found: Verification,
    verdict: Verdict,
}

impl Compared {
    fn new(paths: [&Path; 2], options: &Options, global: &Global) -> Result<Compared> {
        let (before, after) = io::read_both(paths[0], paths[1])?;
        before.check_external()?;
        after.check_external()?;
        let progress = global.progress("verifying");
        let found = verify(&before, &after, options)?;
        progress.finish_and_clear();
        Ok(Compared {
            names: paths.map(|path| path.to_string_lossy().into_owned()),
            models: [before, after],
            verdict: found.verdict(Demand::Outputs),
            found,
        })
    }

    fn document(&self) -> dropout_onnx::Result<Value> {
        let [before, after] = &self.names;
        document::verify(before, after, &self.found)
    }

    fn tell(&self, lines: &mut Lines, args: &Args, global: &Global) {
        let [before, after] = &self.names;
        if let Some(assumed) = (self.found.assumed).note(&one_line(before), &one_line(after)) {
            lines.line("assumed", assumed.to_string());
        }
        verification::tell(lines, &self.found, global.verbose);
        if args.verify.is_exact() && numbers_differ(&self.found) {
            let hint = "compared exactly; allow for rounding with --rtol and --atol";
            lines.items("", &[format!("     {}", paint(DIM, hint))]);
        }
    }
}

/// The colour of a verdict, and the exit status that follows from it.
fn told(verdict: &Verdict) -> (Style, Status) {
    match verdict {
        Verdict::Equal => (GOOD, Status::Done),
        Verdict::Different { .. } => (BAD, Status::Found),
        _ => (WARN, Status::Failed),
    }
}

/// The exit status of a verdict.
fn concluded(verdict: &Verdict) -> Result<Status> {
    if let Verdict::NotShown { reason } = verdict {
        bail!("not shown to be equal or different: {reason}");
    }
    Ok(told(verdict).1)
}

/// Is the difference one of numbers, such as a fold makes by rounding?
fn numbers_differ(found: &Verification) -> bool {
    let run = found.run.as_ref().map(|run| &run.outcome);
    matches!(run, Some(Outcome::Different(Difference::Value { .. })))
}
