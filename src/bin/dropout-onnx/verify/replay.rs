//! `verify --replay`: is what a document has evidence of still shown?

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dropout_onnx::report::{document, one_line};
use dropout_onnx::verify::Verdict;
use dropout_onnx::verify::evidence::Evidence;

use super::{Args, concluded};
use crate::Status;
use crate::io::{self, Format, Global};
use crate::style::{BAD, DIM, LABEL, paint, wrap};
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
    let (old, new) = io::read_both(&before, &after)?;
    let host = args.verify.limits.host()?;
    let progress = global.progress("verifying");
    let replay = evidence.replay(&old, &new, &host, &args.verify.feed.inputs)?;
    progress.finish_and_clear();
    let names = [&before, &after].map(|path| path.to_string_lossy());
    match args.format {
        Format::Json => {
            let document = document::replay(&path.to_string_lossy(), &names, &replay);
            io::print(&document::text(&document)?)?;
        }
        Format::Text if !global.quiet => {
            let mut text = String::new();
            let mut line = |label: &str, line: String| {
                for (index, part) in wrap(&line, 10).iter().enumerate() {
                    let label = if index == 0 { label } else { "" };
                    let label = paint(LABEL, format!("{label:<8}"));
                    let _ = writeln!(text, "{label}  {part}");
                }
            };
            let [before, after] = names.map(|name| one_line(&name));
            let document = one_line(&path.to_string_lossy());
            line("evidence", format!("{document}: {before} and {after}"));
            for note in &replay.notes {
                line("", paint(DIM, note));
            }
            if let Verdict::Different { why } = &replay.verdict {
                line("", paint(BAD, why));
            }
            if let Some(found) = &replay.verification {
                text.push_str(&verification::text(found, global.verbose));
            }
            io::print(&text)?;
        }
        Format::Text => {}
    }
    concluded(&replay.verdict, args.format, global)
}
