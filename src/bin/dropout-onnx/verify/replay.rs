//! `verify --replay`: is what a document has evidence of still shown?

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dropout_onnx::report::{document, one_line};
use dropout_onnx::verify::Verdict;
use dropout_onnx::verify::evidence::Evidence;

use super::{Args, concluded};
use crate::Status;
use crate::io::{self, Global};
use crate::style::{BAD, DIM, paint};
use crate::verification;

/// Shows the same again of the files that the evidence names, or of those given.
pub fn run(path: &Path, args: &Args, global: &Global) -> Result<Status> {
    let evidence = Evidence::read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let [before, after] = evidence.paths(folder);
    let given = |given: &Option<PathBuf>, named: Option<PathBuf>, which: &str| {
        given.clone().or(named).with_context(|| {
            let path = path.display();
            format!("{path}: {which} had no file; name it: verify --replay FILE BEFORE AFTER")
        })
    };
    let before = given(&args.before, before, "the original")?;
    let after = given(&args.after, after, "the result")?;
    let report = args.output.open([before.as_path(), &after], global)?;
    let (old, new) = io::read_both(&before, &after)?;
    let host = args.verify.limits.host()?;
    let progress = global.progress("verifying");
    let replay = evidence.replay(&old, &new, &host, &args.verify.feed.inputs)?;
    progress.finish_and_clear();
    let names = [&before, &after].map(|path| path.to_string_lossy());
    let document = || document::replay(&path.to_string_lossy(), &names, &replay);
    args.write(&report, &replay.verdict, document, |lines| {
        let [before, after] = names.each_ref().map(|name| one_line(name));
        let document = one_line(&path.to_string_lossy());
        lines.line("evidence", format!("{document}: {before} and {after}"));
        for note in &replay.notes {
            lines.line("", paint(DIM, note));
        }
        if let Verdict::Different { why } = &replay.verdict {
            lines.line("", paint(BAD, why));
        }
        if let Some(found) = &replay.verification {
            verification::tell(lines, found, global.verbose);
        }
    })?;
    concluded(&replay.verdict)
}
