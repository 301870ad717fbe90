//! What every rewriting subcommand does around its rewrite: read, verify, write, tell.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use dropout_onnx::diff::{self, Diff};
use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::Edited;
use dropout_onnx::verify::{Demand, Options, Verdict, Verification};
use serde_json::{Value, json};

use crate::Status;
use crate::io::{self, Files, Format, Global, Target};
use crate::style::{BAD, GOOD, LABEL, WARN, paint};
use crate::verification::{self, Verify};

/// A rewrite that is about to begin: the model, and where the result will go.
pub struct Rewriting<'a> {
    pub model: Model,
    files: &'a Files,
    global: &'a Global,
    target: Target,
    external: Vec<(PathBuf, PathBuf)>,
    verify: Option<Options>,
}

/// How it ended.
pub struct Conclusion<'a> {
    rewriting: &'a Rewriting<'a>,
    edited: &'a Edited,
    verification: Option<Verification>,
    written: Written,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    /// In place, with nothing to do.
    Untouched,
    DryRun,
    Different,
}

impl<'a> Rewriting<'a> {
    /// Reads the model, and sees to it that the result can be written: to `model.SUFFIX.onnx` if
    /// nothing else is asked for.
    pub fn open(
        files: &'a Files,
        verify: &Verify,
        global: &'a Global,
        suffix: &str,
    ) -> Result<Self> {
        let verify = verify.options()?;
        let target = files.target(suffix)?;
        let model = io::read(&files.input)?;
        let external = files.external(&model, &target)?;
        if verify.is_some() {
            model.check_external()?;
        }
        Ok(Rewriting {
            model,
            files,
            global,
            target,
            external,
            verify,
        })
    }

    /// Verifies the result, and writes it if it is what it should be.
    pub fn conclude(
        &'a self,
        edited: &'a Edited,
        unchanged: bool,
        verify: impl FnOnce(&Model, &Model, &Options) -> dropout_onnx::Result<Verification>,
    ) -> Result<Conclusion<'a>> {
        let mut end = Conclusion {
            rewriting: self,
            edited,
            verification: None,
            written: Written::DryRun,
        };
        if self.files.dry_run {
            return Ok(end);
        }
        if let Some(options) = &self.verify {
            let progress = self.global.progress("verifying");
            let found = verify(&self.model, &edited.model, options)?;
            progress.finish_and_clear();
            let verdict = found.verdict(Demand::Rewrite);
            end.verification = Some(found);
            match verdict {
                Verdict::Equal => {}
                Verdict::Different { .. } => {
                    end.written = Written::Different;
                    return Ok(end);
                }
                Verdict::Unverifiable { reason } => bail!(
                    "{}: the result cannot be verified, so nothing was written: {reason}. \
                     --verify structure asks for less, --verify none for nothing",
                    io::name(&self.files.input).display()
                ),
            }
        }
        end.written = match self.files.in_place && unchanged {
            true => Written::Untouched,
            false => {
                self.files
                    .write(&edited.rope, &self.target, &self.external)?;
                Written::Yes
            }
        };
        Ok(end)
    }
}

impl Conclusion<'_> {
    pub fn status(&self) -> Status {
        match self.written {
            Written::Different => Status::Found,
            _ => Status::Done,
        }
    }

    /// The report for programs: what every rewrite tells, around what this one found and did.
    pub fn document(&self, subcommand: &str, parts: Value) -> Result<String> {
        let output = match self.written {
            Written::Yes | Written::Untouched => Some(self.rewriting.target.name()),
            Written::DryRun | Written::Different => None,
        };
        let (before, after) = (self.rewriting.model.source().len(), self.edited.rope.len());
        let mut document = json!({
            "schema": format!("dropout-onnx/{subcommand}/1"),
            "input": self.rewriting.files.input.to_string_lossy(),
            "output": output,
            "bytes": {"before": before, "after": after},
        });
        let end = json!({
            "verification": self.verification.as_ref().map(verification::document),
            "diff": self.changes()?,
        });
        for part in [parts, end] {
            if let (Value::Object(all), Value::Object(part)) = (&mut document, part) {
                all.extend(part);
            }
        }
        json_text(&document)
    }

    /// What the rewrite changed, by name.
    fn changes(&self) -> dropout_onnx::Result<Diff> {
        let (before, after) = (&self.rewriting.model, &self.edited.model);
        diff::diff(before, after, &diff::Options::default())
    }

    /// What verification found, the sizes and where the result is, for people.
    pub fn text(&self, lines: &mut Lines) {
        if self.rewriting.global.verbose {
            match self.changes() {
                Ok(diff) => lines.diff(&diff),
                Err(e) => lines.line("changed", paint(WARN, format!("cannot be told: {e}"))),
            }
        }
        match &self.verification {
            Some(found) => {
                let verbose = self.rewriting.global.verbose;
                lines.0.push_str(&verification::text(found, verbose));
            }
            None if self.written == Written::Yes => {
                lines.line("verified", paint(WARN, "not at all, as asked"));
            }
            None => {}
        }
        let before = digits(self.rewriting.model.source().len());
        lines.line(
            "size",
            format!("{before} -> {} bytes", digits(self.edited.rope.len())),
        );
        let name = self.rewriting.target.name();
        let written = match self.written {
            Written::Yes => paint(GOOD, name),
            Written::Untouched => {
                let input = self.rewriting.files.input.display();
                format!("nothing: {input} is as it should be")
            }
            Written::DryRun => format!("nothing: a dry run; it would be {name}"),
            Written::Different => paint(BAD, "nothing: the result is not the original"),
        };
        lines.line("written", written);
    }

    /// Prints the report: beside the model, if that takes standard output.
    pub fn print(&self, text: &str, format: Format) -> Result<()> {
        let different = self.written == Written::Different;
        match self.rewriting.target {
            _ if self.rewriting.global.quiet && format == Format::Text && !different => {}
            Target::Stdout => io::print_aside(text),
            Target::File(_) => io::print(text)?,
        }
        Ok(())
    }
}

/// A report for people: lines with labels.
#[derive(Default)]
pub struct Lines(String);

impl Lines {
    pub fn line(&mut self, label: &str, text: String) {
        let label = paint(LABEL, format!("{label:<8}"));
        let _ = writeln!(self.0, "{label}  {text}");
    }

    /// Every difference, after what it comes down to.
    fn diff(&mut self, diff: &Diff) {
        self.line("changed", diff::text::summary(diff));
        for line in crate::diff::lines(diff) {
            self.line("", line);
        }
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

/// A document for programs.
pub fn json_text(document: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}

/// A number with its digits in groups of three.
fn digits(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
