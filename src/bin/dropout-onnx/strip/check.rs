//! `strip --check`: is there anything to strip? For hooks and CI.

use std::path::Path;

use anyhow::Result;
use dropout_onnx::audit::{ModelAudit, Selection, TOOL};
use dropout_onnx::diff;
use dropout_onnx::onnx::Model;
use dropout_onnx::report::one_line;
use dropout_onnx::rewrite::strip::{Stripped, strip};
use serde_json::{Value, json};

use super::{Args, options};
use crate::Status;
use crate::config::{ConfigArgs, Configs};
use crate::io::{self, Format, Global};
use crate::many::{Batch, Done, Words};
use crate::output::{self, Report};
use crate::paths::{self, Found};
use crate::style::{DIM, GOOD, WARN, paint};
use crate::verification::count;

/// Rules about dropout that is there: who allows one of them for a dropout accepts it.
const PRESENCE: &[&str] = &[
    "active-dropout",
    "frozen-mask",
    "leftover-dropout",
    "runtime-dropout",
];

const WORDS: Words = Words {
    doing: "checking",
    key: "path",
    done: "with nothing to strip",
    found: "to strip",
    failed: "failed",
};

/// Looks at every model; one that cannot be stripped does not keep it from the others. Dropout that an
/// `[[allow]]` in the nearest `dropout-onnx.toml` accepts is counted, and does not decide the status.
pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let models = paths::models(&args.work.many.paths(&args.work.files))?;
    let found: Vec<Found> = models.into_iter().map(|model| model.found).collect();
    let configs = ConfigArgs::default().load(&found, &Selection::default())?;
    let format = args.format.of_report(false, "--dry-run")?;
    let all = global.verbose || found.len() == 1;
    let indexed: Vec<(usize, &Found)> = found.iter().enumerate().collect();
    let status = args.work.many.jobs.each(
        &indexed,
        |(_, found)| found.path(),
        |(index, found)| {
            let checked = check(*index, found, &configs, args, global)?;
            Ok(Done {
                status: checked.status(),
                line: match format {
                    Format::Json => format!("{}\n", checked.document(found.path())),
                    Format::Text if all || checked.changes => checked.text,
                    Format::Text => String::new(),
                },
            })
        },
        &Batch {
            words: &WORDS,
            format,
            report: &Report::printed(global),
            writes: false,
        },
        global,
    )?;
    if status == Status::Found && format == Format::Text && !global.quiet {
        let help = "dropout-onnx strip --in-place removes it";
        output::print(&format!("{}\n", paint(DIM, help)))?;
    }
    Ok(status)
}

/// What strip would do to a model.
struct Checked {
    changes: bool,
    /// Dropouts that strip would remove.
    removed: usize,
    /// Those of them that the configuration allows.
    allowed: usize,
    /// Batch normalizations that strip would switch to inference.
    batch_norms: usize,
    text: String,
}

impl Checked {
    /// Found if strip would change the model, and not only where that is allowed.
    fn status(&self) -> Status {
        let more = self.batch_norms > 0 || self.removed == 0 || self.removed > self.allowed;
        match self.changes && more {
            true => Status::Found,
            false => Status::Done,
        }
    }

    fn document(&self, path: &Path) -> Value {
        json!({
            "schema": "dropout-onnx/strip-check/1",
            "tool": TOOL,
            "path": path.to_string_lossy(),
            "would_change": self.changes,
            "dropouts": self.removed,
            "batchnorm": self.batch_norms,
            "allowed": self.allowed,
        })
    }
}

fn check(
    index: usize,
    found: &Found,
    configs: &Configs,
    args: &Args,
    global: &Global,
) -> Result<Checked> {
    let path = found.file()?;
    let model = io::read(path)?;
    let stripped = strip(&model, &options(args)?).map_err(|e| e.in_file(io::name(path)))?;
    let allowed = match stripped.outcome.removed {
        0 => 0,
        _ => allowed(index, path, &model, &stripped, configs)?,
    };
    let mut checked = Checked {
        changes: !stripped.outcome.is_unchanged(),
        removed: stripped.outcome.removed,
        batch_norms: stripped.outcome.batch_norms,
        allowed,
        text: format!(
            "{}: {}\n",
            one_line(&path.to_string_lossy()),
            words(&stripped, allowed)
        ),
    };
    if global.verbose && checked.changes {
        let found = diff::diff(&model, stripped.edited.model(), &diff::Options::default())?;
        for line in crate::diff::lines(&found) {
            checked.text.push_str(&format!("  {line}\n"));
        }
    }
    Ok(checked)
}

/// The number of dropouts that strip would remove although the configuration allows them.
fn allowed(
    index: usize,
    path: &Path,
    model: &Model,
    stripped: &Stripped,
    configs: &Configs,
) -> Result<usize> {
    let mut audit = ModelAudit::with(&path.to_string_lossy(), model, &Selection::default())?;
    configs.apply(index, path, &mut audit);
    let accepted = audit.findings.iter().filter(|finding| {
        let accepts = finding.allowed.is_some() && PRESENCE.contains(&finding.rule);
        let removes = (stripped.plan.applied()).any(|step| finding.site == Some(step.site));
        accepts && removes
    });
    Ok(accepted.count())
}

fn words(stripped: &Stripped, allowed: usize) -> String {
    let removed = stripped.outcome.removed;
    let norms = stripped.outcome.batch_norms;
    match (removed, stripped.sites.len()) {
        (0, _) if norms > 0 => {
            let norms = format!("{norms} BatchNormalization to switch to inference");
            paint(WARN, norms)
        }
        (0, 0) => paint(GOOD, "no dropout in this file"),
        (0, some) => format!(
            "{} to strip; {} would be kept",
            paint(GOOD, "nothing"),
            count(some, "dropout layer")
        ),
        (some, _) if some == allowed => format!(
            "{} to strip; {} allowed",
            paint(GOOD, "nothing"),
            count(some, "dropout layer")
        ),
        (some, _) if allowed > 0 => format!(
            "{} to strip; {allowed} more allowed",
            paint(WARN, count(some - allowed, "dropout layer"))
        ),
        (some, _) => format!("{} to strip", paint(WARN, count(some, "dropout layer"))),
    }
}
