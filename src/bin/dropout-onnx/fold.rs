//! `dropout-onnx fold`: factors folded into weights.

use anstyle::Style;
use anyhow::Result;
use clap::ValueEnum;
use dropout_onnx::report::document;
use dropout_onnx::rewrite::Action;
use dropout_onnx::rewrite::fold::{Folded, Lost, Options, Scaled, Step, Weight, fold};

use crate::Status;
use crate::io::{Format, Global};
use crate::lines::Lines;
use crate::many::{self, Done, Report, Reported, Work};
use crate::rewriting::{Conclusion, Rewriting};
use crate::style::{DIM, GOOD, Table, WARN, paint};
use crate::verification::count;

/// Fold constant factors into the weights around them
///
/// Such factors are the scale of classic dropout, for example. A factor is a Mul or Div by a constant that is a scalar or per-channel. It is moved downstream into
/// the weights of MatMul, Gemm, Conv, ConvTranspose, BatchNormalization or recurrent layers, or upstream
/// into those or the weights of normalisations, past operators that commute with it: Relu, pooling,
/// Transpose and the like. A factor that cannot be moved is kept, and the report gives the reason.
/// Weights are multiplied in 64-bit floating point and rounded once; weights with other readers are
/// copied.
/// Upstream of an operator that rounds or compares (QuantizeLinear, Round, ArgMax) only powers of two are
/// folded: the last digit of any other factor could change the result.
///
/// Before the result is written, its structure is compared with the original's, except for the factors
/// and the scaled weights, and both models are run with tract: outputs must be equal within the
/// tolerance of the element type.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Fold only factors that dropout left: recognised scales, and those that strip inserted
    #[arg(long, value_name = "WHICH")]
    only: Option<Only>,
    /// Fold only the factor with this output or node name, or fail
    #[arg(long, value_name = "NAME")]
    at: Vec<String>,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    work: Work,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Dropout,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx fold --dry-run model.onnx            lists each fold, and why other factors are kept
  dropout-onnx fold model.onnx                      writes model.folded.onnx
  dropout-onnx fold --only dropout model.onnx
  dropout-onnx fold --at p2o.pd_op.dropout.0.0 model.onnx --rtol 1e-5
  dropout-onnx strip model.onnx - | dropout-onnx fold - clean.onnx

Exit status: 0 folded and verified, or nothing to fold; 1 the result differs; 2 error. Nothing is
written unless the status is 0.";

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    many::run(
        &args.work,
        "folded",
        args.format,
        global,
        |rewriting, report| rewrite(args, rewriting, report),
    )
}

/// Folds the factors of one model.
fn rewrite(args: &Args, rewriting: &Rewriting<'_>, report: Report<'_>) -> Result<Done> {
    let options = Options::default()
        .only_dropout(args.only == Some(Only::Dropout))
        .at(args.at.clone());
    let folded = fold(rewriting.before(), &options);
    let folded = folded.map_err(|e| e.in_file(rewriting.name()))?;
    let unchanged = folded.outcome.is_unchanged();
    let end = rewriting.conclude(&folded.edited, unchanged, |options| {
        folded.verify(rewriting.before(), options)
    })?;
    report(&Reported {
        end: &end,
        words: &|| match folded.outcome.folded {
            0 => "nothing to fold".to_string(),
            some => format!("{} folded", count(some, "factor")),
        },
        document: &|| document::fold(&end, &folded),
        text: &|| {
            let mut lines = Lines::default();
            tell(&mut lines, &folded, &end);
            end.text(&mut lines);
            lines.into_text()
        },
    })
}

/// What was planned and done, for people: all of the plan, where it is a dry run.
pub fn tell(lines: &mut Lines, folded: &Folded, end: &Conclusion<'_>) {
    let verbose = end.verbose;
    let outcome = &folded.outcome;
    let steps = &folded.plan.steps;
    let found = match steps.len() {
        0 => "no constant factor in this file".to_string(),
        some => format!(
            "{}, {} can be folded",
            count(some, "constant factor"),
            outcome.folded
        ),
    };
    lines.line("found", found);
    let shown = match verbose || end.job.files().dry_run {
        true => usize::MAX,
        false => 12,
    };
    let table = table(steps.iter().take(shown), verbose);
    lines.table("", &table);
    if steps.len() > shown {
        let more = format!("and {} more; -v lists them all", steps.len() - shown);
        lines.line("", paint(DIM, more));
    }
    for Weight { name, bytes, .. } in &outcome.weights {
        lines.line("scaled", format!("`{name}`, {bytes} bytes"));
    }
    for copy in &outcome.copies {
        let (name, of) = (&copy.name, copy.of.clone().unwrap_or_default());
        let why = format!("`{of}` has other readers: {} bytes more", copy.bytes);
        lines.line("copied", format!("`{name}`: {why}"));
    }
    for Lost { name, elements, .. } in &outcome.lost {
        let elements = count(usize::try_from(*elements).unwrap_or(usize::MAX), "element");
        let why = "became so small that digits are lost";
        lines.line("lost", format!("`{name}`: {elements} {why}"));
    }
    for Scaled { node, name, is, .. } in &outcome.attributes {
        lines.line("scaled", format!("{name} of {node} to {is}"));
    }
    for name in &outcome.embedded {
        let from = "from external data into the model";
        lines.line("moved", format!("`{name}`: {from}"));
    }
    lines.identities(&outcome.identities);
    lines.idle_inputs(&outcome.idle_inputs, "");
}

fn table<'a>(steps: impl Iterator<Item = &'a Step>, verbose: bool) -> Table {
    let mut table = Table::default();
    for step in steps {
        let factor = match &step.factor {
            Some(factor) => format!("x {factor}"),
            None => "x ?".to_string(),
        };
        let (style, word, mut what) = match &step.action {
            Action::Apply => (GOOD, "folded", format!("into {}", step.into.join(", "))),
            Action::NoEffect(why) => (DIM, "stays", why.to_string()),
            Action::Refused(why) => (WARN, "stays", why.to_string()),
            _ => (WARN, "stays", String::new()),
        };
        if verbose && !step.through.is_empty() {
            what.push_str(&format!(", through {}", step.through.join(", ")));
        }
        table.row(vec![
            (style, word.to_string()),
            (Style::new(), factor),
            (DIM, step.label.clone()),
            (Style::new(), what),
        ]);
    }
    table
}
