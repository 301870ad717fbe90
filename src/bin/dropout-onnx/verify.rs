//! `dropout-onnx verify`: do two models compute the same?

mod replay;

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use dropout_onnx::report::{document, one_line};
use dropout_onnx::verify::compare::Difference;
use dropout_onnx::verify::evidence::Evidence;
use dropout_onnx::verify::run::Outcome;
use dropout_onnx::verify::{Demand, Pairing, Verdict, Verification, verify};

use clap::builder::TypedValueParser;

use crate::Status;
use crate::completions::Offering;
use crate::io::{self, Format, Global};
use crate::style::{BAD, DIM, GOOD, LABEL, WARN, paint, wrap};
use crate::verification::{self, Verify};

/// Compare two models by structure, and by running both with tract on the same inputs
///
/// Dropout is treated as in inference in both models; `assumed` reports dropout that is still active.
/// Where a constant or a branch differs, equal outputs show equal models only if the runs reach every
/// difference: rows of Gather, sides of Where, branches of If, and constants that outputs depend on.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Original model
    #[arg(
        value_name = "BEFORE",
        required_unless_present = "replay",
        requires = "after"
    )]
    before: Option<PathBuf>,
    /// Changed model
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
    #[arg(long, value_name = "HOW", default_value = "by-name", value_parser = pairing())]
    outputs: Pairing,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    verify: Verify,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx verify model.onnx model.stripped.onnx
  dropout-onnx verify a.onnx b.onnx --input test_data_set_0 --rtol 1e-5
  dropout-onnx verify a.onnx b.onnx --verify structure
  dropout-onnx verify a.onnx b.onnx --outputs by-position
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
    let evidence = args.verify.evidence.as_deref();
    let evidence = evidence.map(|path| io::ReportFile::new(path, [&**old, &**new]));
    let evidence = evidence.transpose()?;
    let (before, after) = io::read_both(old, new)?;
    before.check_external()?;
    after.check_external()?;
    let progress = global.progress("verifying");
    let found = verify(&before, &after, &options)?;
    progress.finish_and_clear();
    let verdict = found.verdict(Demand::Outputs);
    let names = [old, new].map(|path| path.to_string_lossy());
    match args.format {
        Format::Json => {
            let [before, after] = names;
            let document = document::verify(&before, &after, &found);
            io::print(&document::text(&document)?)?;
        }
        Format::Text if !global.quiet => {
            let mut text = String::new();
            if let Some(assumed) = found
                .assumed
                .note(&one_line(&names[0]), &one_line(&names[1]))
            {
                for (index, line) in wrap(&assumed.to_string(), 10).iter().enumerate() {
                    let label = if index == 0 { "assumed" } else { "" };
                    let label = paint(LABEL, format!("{label:<8}"));
                    let _ = writeln!(text, "{label}  {line}");
                }
            }
            text.push_str(&verification::text(&found, global.verbose));
            if args.verify.is_exact() && numbers_differ(&found) {
                let hint = "compared exactly; allow for rounding with --rtol and --atol";
                let _ = writeln!(text, "{:15}{}", "", paint(DIM, hint));
            }
            io::print(&text)?;
        }
        Format::Text => {}
    }
    if let (Some(file), Verdict::Equal) = (evidence, &verdict) {
        let folder = file.folder().to_path_buf();
        let evidence = Evidence::of(&found, (old, &before), (new, &after), &folder)?;
        file.write(&evidence.text()?)?;
    }
    concluded(&verdict, args.format, global)
}

/// Prints the verdict, and the exit status that follows.
fn concluded(verdict: &Verdict, format: Format, global: &Global) -> Result<Status> {
    let (style, status) = match &verdict {
        Verdict::Equal => (GOOD, Status::Done),
        Verdict::Different { .. } => (BAD, Status::Found),
        Verdict::NotShown { .. } => (WARN, Status::Failed),
    };
    if format == Format::Text && !global.quiet {
        let label = paint(LABEL, format!("{:<8}", "verdict"));
        io::print(&format!("{label}  {}\n", paint(style, verdict.word())))?;
    }
    if let Verdict::NotShown { reason } = verdict {
        bail!("not shown to be equal or different: {reason}");
    }
    Ok(status)
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
