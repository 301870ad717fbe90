//! The steps that are common to all rewriting subcommands: read, verify, write, report.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;

use anyhow::Result;
use bytesize::ByteSize;
use dropout_onnx::job::{Ended, Job, Target, Written};
use dropout_onnx::onnx::Model;
use dropout_onnx::report::one_line;
use dropout_onnx::rewrite::Edited;
use dropout_onnx::verify::acting::Expected;
use dropout_onnx::verify::run::Outcome;
use dropout_onnx::verify::{Options, Verification, verify_change};

use crate::Status;
use crate::io::{self, Files, Format, Global};
use crate::lines::Lines;
use crate::output;
use crate::style::{BAD, GOOD, NO_BREAK, WARN, paint};
use crate::verification::{self, Verify};

/// A rewrite that is about to begin.
pub struct Rewriting<'a> {
    job: Job,
    global: &'a Global,
}

/// How it ended.
pub struct Conclusion<'a> {
    end: Ended<'a>,
    /// True if every step is printed.
    pub verbose: bool,
    quiet: bool,
}

impl<'a> Rewriting<'a> {
    /// Reads the model, and checks that the result can be written.
    pub fn open(files: &Files, verify: &Verify, global: &'a Global, suffix: &str) -> Result<Self> {
        let read = || io::read(&files.input);
        let files = files
            .asked()
            .evidence(verify.evidence.clone())
            .no_sync(global.no_sync);
        let job = Job::open(files, suffix, verify.options()?, read)?;
        Ok(Rewriting { job, global })
    }

    /// Verifies the result, and writes it if it is what it should be.
    pub fn conclude(
        &'a self,
        edited: &'a Edited,
        unchanged: bool,
        verify: impl FnOnce(&Options) -> dropout_onnx::Result<Verification>,
    ) -> Result<Conclusion<'a>> {
        let verify = |options: &Options| {
            let progress = self.global.progress("verifying");
            let found = verify(options);
            progress.finish_and_clear();
            found
        };
        let mut stream: Box<dyn std::io::Write> = match self.job.target() {
            Target::Stream => Box::new(std::io::stdout().lock()),
            _ => Box::new(std::io::sink()),
        };
        Ok(Conclusion {
            end: self.job.conclude(edited, unchanged, verify, &mut stream)?,
            verbose: self.global.verbose,
            quiet: self.global.quiet,
        })
    }

    /// The same of a rewrite that changes what dropout does: `expected`.
    pub fn conclude_change(
        &'a self,
        edited: &'a Edited,
        unchanged: bool,
        expected: &Expected,
    ) -> Result<Conclusion<'a>> {
        self.conclude(edited, unchanged, |how| {
            verify_change(self.before(), edited.examined(), expected, how)
        })
    }

    /// The name of the model in messages.
    pub fn name(&self) -> &Path {
        io::name(&self.files().input)
    }
}

impl Deref for Rewriting<'_> {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.job
    }
}

impl<'a> Deref for Conclusion<'a> {
    type Target = Ended<'a>;

    fn deref(&self) -> &Ended<'a> {
        &self.end
    }
}

impl Conclusion<'_> {
    pub fn status(&self) -> Status {
        match self.written {
            Written::Different => Status::Found,
            _ => Status::Done,
        }
    }

    /// Verification and the destination in a few words, after others.
    pub fn words(&self) -> String {
        let name = self.job.target().name();
        let verified = match &self.verification {
            Some(found) if found.identical => "",
            Some(found) => match found.run.as_ref().map(|run| &run.outcome) {
                Some(Outcome::Equal) => ", verified by running both models",
                _ => ", verified by structure",
            },
            None => "",
        };
        match self.written {
            Written::Yes if self.unchanged => format!("; copied to {name}"),
            Written::Yes => format!("{verified}; written to {name}"),
            Written::Untouched => "; nothing written".to_string(),
            Written::DryRun if self.unchanged => format!("; would be copied to {name}"),
            Written::DryRun => format!("; would be written to {name}"),
            _ => "; the result differs, so nothing was written".to_string(),
        }
    }

    /// The result of verification, the sizes and the destination, as text.
    pub fn text(&self, lines: &mut Lines) {
        if self.verbose {
            match self.changes() {
                Ok(diff) => lines.diff(&diff),
                Err(e) => lines.line("changed", paint(WARN, format!("cannot be listed: {e}"))),
            }
        }
        match &self.verification {
            Some(found) => verification::tell(lines, found, self.verbose),
            None if self.written == Written::Yes => {
                lines.line("verified", paint(WARN, "no (--verify none)"));
            }
            None => {}
        }
        let (before, after) = (self.job.model(), self.edited.model());
        let operators = operators(before, after);
        if !operators.is_empty() {
            lines.line("nodes", operators.join(", "));
        }
        let size = |bytes| ByteSize(bytes).display().iec();
        let (before, after) = (before.source().len(), self.edited.rope.len());
        let sizes = match before == after {
            true => format!("{}, unchanged", size(before)),
            false => {
                let more = if after < before { "less" } else { "more" };
                let by = size(before.abs_diff(after));
                format!("{} -> {} ({by} {more})", size(before), size(after))
            }
        };
        lines.line("size", sizes);
        let (name, input) = (self.job.target().name(), self.job.files().input.display());
        let copy = match self.unchanged {
            true => format!(", a copy of {input}"),
            false => String::new(),
        };
        let written = match self.written {
            Written::Yes => paint(GOOD, name) + &copy,
            Written::Untouched => format!("nothing: {input} needs no change"),
            Written::DryRun => format!("nothing (dry run); would be {name}{copy}"),
            _ => paint(BAD, "nothing: the result differs from the original"),
        };
        lines.line("written", written);
        let shown = matches!(self.written, Written::Yes | Written::Untouched);
        if let Some(evidence) = self.job.files().evidence.as_ref().filter(|_| shown) {
            lines.line("evidence", evidence.display().to_string());
        }
    }

    /// Prints the report; to standard error if the model is written to standard output.
    pub fn print(&self, text: &str, format: Format) -> Result<()> {
        let different = self.written == Written::Different;
        match self.job.target() {
            _ if self.quiet && format == Format::Text && !different => {}
            Target::Stream => io::print_aside(text),
            _ => output::print(text)?,
        }
        Ok(())
    }
}

/// The operators whose number changed, with their numbers before and after: `Dropout 3 -> 0`.
fn operators(before: &Model, after: &Model) -> Vec<String> {
    let mut numbers: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for (side, model) in [before, after].into_iter().enumerate() {
        for (_, node) in model.nodes() {
            numbers.entry(node.op_type.to_string()).or_default()[side] += 1;
        }
    }
    let changed = numbers
        .iter()
        .filter(|(_, [before, after])| before != after);
    changed
        .map(|(operator, [before, after])| {
            let operator = one_line(operator);
            format!("{operator}{NO_BREAK}{before}{NO_BREAK}->{NO_BREAK}{after}")
        })
        .collect()
}
