//! `strip --check`: is there anything to strip? For hooks and CI.

use std::path::Path;

use anyhow::Result;
use dropout_onnx::diff;
use dropout_onnx::report::{document, one_line};
use dropout_onnx::rewrite::strip::{Stripped, strip};
use serde_json::{Value, json};

use super::{Args, options};
use crate::Status;
use crate::io::{self, Format, Global};
use crate::style::{GOOD, WARN, paint};
use crate::verification::count;

/// Looks at every model; one that cannot be stripped does not keep it from the others.
pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let (mut status, mut records) = (Status::Done, Vec::new());
    let paths = [&args.files.input].into_iter();
    for path in paths.chain(&args.files.output).chain(&args.many.more) {
        match check(path, args, global) {
            Ok((changes, record)) => {
                if changes && status == Status::Done {
                    status = Status::Found;
                }
                records.push(record);
            }
            Err(error) => {
                io::complain(&error);
                status = Status::Failed;
                let path = path.to_string_lossy();
                records.push(json!({"path": path, "error": format!("{error:#}")}));
            }
        }
    }
    if args.format == Format::Json {
        let document = json!({"schema": "dropout-onnx/strip-check/1", "models": records});
        io::print(&document::text(&document)?)?;
    }
    Ok(status)
}

/// True if strip would change a model.
fn check(path: &Path, args: &Args, global: &Global) -> Result<(bool, Value)> {
    let model = io::read(path)?;
    let stripped = strip(&model, &options(args)?).map_err(|e| e.in_file(io::name(path)))?;
    let changes = !stripped.outcome.is_unchanged();
    if args.format == Format::Text && !global.quiet {
        let mut text = format!(
            "{}: {}\n",
            one_line(&path.to_string_lossy()),
            words(&stripped)
        );
        if global.verbose && changes {
            let found = diff::diff(&model, stripped.edited.model(), &diff::Options::default())?;
            for line in crate::diff::lines(&found) {
                text.push_str(&format!("  {line}\n"));
            }
        }
        io::print(&text)?;
    }
    let record = json!({
        "path": path.to_string_lossy(),
        "would_change": changes,
        "dropouts": stripped.outcome.removed,
        "batchnorm": stripped.outcome.batch_norms,
        "error": null,
    });
    Ok((changes, record))
}

fn words(stripped: &Stripped) -> String {
    let norms = stripped.outcome.batch_norms;
    match (stripped.outcome.removed, stripped.sites.len()) {
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
        (some, _) => format!("{} to strip", paint(WARN, count(some, "dropout layer"))),
    }
}
