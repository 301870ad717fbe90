//! `dropout-onnx verify`: do two models compute the same?

mod folders;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anstyle::Style;
use anyhow::{Result, bail};
use dropout_onnx::report::{document, one_line};
use dropout_onnx::verify::compare::Difference;
use dropout_onnx::verify::run::Outcome;
use dropout_onnx::verify::{Demand, Options, Pairing, Verdict, Verification, verify};

use clap::builder::TypedValueParser;
use serde_json::Value;

use crate::Status;
use crate::completions::Offering;
use crate::io::{self, Format, Global};
use crate::many::Jobs;
use crate::paths;
use crate::style::{BAD, DIM, GOOD, LABEL, WARN, paint, wrap};
use crate::verification::{self, Verify};

/// Compare two models, by structure and by running both
///
/// Both models are run with tract on the same inputs. Dropout is treated as in inference in both;
/// `assumed` reports dropout that is still active. Equal outputs do not show equal models if a constant, a branch or the order of outputs differs,
/// because random inputs may not reach the difference.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Original model, or a folder of models
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// Changed model, or a folder with models of the same names
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// Compare outputs of the same name, or at the same position
    #[arg(long, value_name = "HOW", default_value = "by-name", value_parser = pairing())]
    outputs: Pairing,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
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

Exit status: 0 equal; 1 different: outputs, or with --verify structure the structures; 2 not shown:
the models cannot be run, or the outputs agree but a constant, a branch or the interface differs
(--verify run judges by the outputs alone).";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let Some(mut options) = args.verify.options()? else {
        bail!("--verify none: nothing to do");
    };
    options.outputs = args.outputs;
    match [&args.before, &args.after].map(|path| path.is_dir()) {
        [true, true] => folders::run(args, &options, global),
        [false, false] => {
            let compared = Compared::new(&args.before, &args.after, &options, global)?;
            compared.report(args, global)
        }
        [_, after] => {
            let folder = if after { &args.after } else { &args.before };
            Err(paths::not_one(
                folder,
                "BEFORE and AFTER are two models or two folders",
            ))
        }
    }
}

/// Two models and what was found.
struct Compared {
    names: [String; 2],
    found: Verification,
    verdict: Verdict,
}

impl Compared {
    fn new(before: &Path, after: &Path, options: &Options, global: &Global) -> Result<Compared> {
        let names = [before, after].map(|path| path.to_string_lossy().into_owned());
        let (before, after) = io::read_both(before, after)?;
        before.check_external()?;
        after.check_external()?;
        let progress = global.progress("verifying");
        let found = verify(&before, &after, options)?;
        progress.finish_and_clear();
        Ok(Compared {
            verdict: found.verdict(Demand::Outputs),
            names,
            found,
        })
    }

    fn status(&self) -> Status {
        match &self.verdict {
            Verdict::Equal => Status::Done,
            Verdict::Different { .. } => Status::Found,
            Verdict::NotShown { .. } => Status::Failed,
        }
    }

    fn style(&self) -> Style {
        match &self.verdict {
            Verdict::Equal => GOOD,
            Verdict::Different { .. } => BAD,
            Verdict::NotShown { .. } => WARN,
        }
    }

    fn document(&self) -> Value {
        let [before, after] = &self.names;
        document::verify(before, after, &self.found)
    }

    /// Reports the only two models.
    fn report(&self, args: &Args, global: &Global) -> Result<Status> {
        match args.format {
            Format::Json => io::print(&document::text(&self.document())?)?,
            Format::Text if !global.quiet => io::print(&self.text(args, global))?,
            Format::Text => {}
        }
        if let Verdict::NotShown { reason } = &self.verdict {
            bail!("not shown to be equal or different: {reason}");
        }
        Ok(self.status())
    }

    fn text(&self, args: &Args, global: &Global) -> String {
        let mut text = String::new();
        let [before, after] = &self.names;
        if let Some(assumed) = (self.found.assumed).note(&one_line(before), &one_line(after)) {
            for (index, line) in wrap(&assumed.to_string(), 10).iter().enumerate() {
                let label = if index == 0 { "assumed" } else { "" };
                let label = paint(LABEL, format!("{label:<8}"));
                let _ = writeln!(text, "{label}  {line}");
            }
        }
        text.push_str(&verification::text(&self.found, global.verbose));
        if args.verify.is_exact() && numbers_differ(&self.found) {
            let hint = "compared exactly; allow for rounding with --rtol and --atol";
            let _ = writeln!(text, "{:15}{}", "", paint(DIM, hint));
        }
        let label = paint(LABEL, format!("{:<8}", "verdict"));
        let verdict = paint(self.style(), self.verdict.word());
        let _ = writeln!(text, "{label}  {verdict}");
        text
    }
}

/// Is the difference one of numbers, such as a fold makes by rounding?
fn numbers_differ(found: &Verification) -> bool {
    let run = found.run.as_ref().map(|run| &run.outcome);
    matches!(run, Some(Outcome::Different(Difference::Value { .. })))
}

fn pairing() -> impl TypedValueParser<Value = Pairing> {
    let parse = |text: &str| text.parse().map_err(|e: dropout_onnx::Error| e.to_string());
    Offering::new(parse, Pairing::ALL.iter().map(|pairing| pairing.word()))
}
