//! A rewrite from file to file, as every command and binding does it: read the model, check that
//! the result can be written, verify, and write only what is what it should be.
//!
//! The rewrite itself and the report are the caller's.

mod files;
mod same_file;
mod shared;
mod weights;

use std::io::Write;
use std::path::Path;

use crate::diff::{self, Diff};
use crate::dropout::Examined;
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Model;
use crate::rewrite::Edited;
use crate::source::Destination;
use crate::verify::evidence::Evidence;
use crate::verify::{Demand, Options, Verdict, Verification};

pub use files::{External, Files, Target};
#[doc(hidden)]
pub use files::{beside, may_write, name};
#[doc(hidden)]
pub use same_file::same_file;
use weights::Weights;

/// A rewrite that is about to begin: the model, and where the result will go.
#[derive(Debug)]
#[non_exhaustive]
pub struct Job {
    /// The original.
    before: Examined<'static>,
    files: Files,
    target: Target,
    external: Vec<Weights>,
    /// The file for the evidence.
    proof: Option<Destination>,
    verify: Option<Options>,
}

/// How it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended<'a> {
    /// What began.
    pub job: &'a Job,
    /// What the rewrite made.
    pub edited: &'a Edited,
    /// True if that is the original.
    pub unchanged: bool,
    /// What verification found, if it was asked for.
    pub verification: Option<Verification>,
    /// Whether the result was written.
    pub written: Written,
}

/// Whether a result was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Written {
    /// It was.
    Yes,
    /// No: there was nothing to do, and no file was named for a copy.
    Untouched,
    /// A dry run.
    DryRun,
    /// No: it does not compute what it should.
    Different,
}

impl Job {
    /// Reads the model, and checks that the result can be written: to `model.SUFFIX.onnx` if
    /// nothing else is asked for. `verify`: how; `None`, not at all.
    ///
    /// # Errors
    /// The model cannot be read, or the result must not go where it is asked to.
    pub fn open(
        files: Files,
        suffix: &str,
        verify: Option<Options>,
        read: impl FnOnce() -> Result<Model>,
    ) -> Result<Job> {
        let target = files.target(suffix)?;
        let proof = files.proof(&target, verify.is_some())?;
        let model = read()?;
        let external = files.external(&model, &target)?;
        if verify.is_some() {
            model.check_external()?;
        }
        Ok(Job {
            before: Examined::owning(model),
            files,
            target,
            external,
            proof,
            verify,
        })
    }

    /// The original.
    pub fn model(&self) -> &Model {
        self.before.model()
    }

    /// The original with its analysis and its dropout.
    pub fn before(&self) -> &Examined<'static> {
        &self.before
    }

    /// The options.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The destination of the result.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Verifies the result, and writes it if it is what it should be: to its file, or into `stream`
    /// where it has none. `unchanged`: it is the original.
    ///
    /// # Errors
    /// The result cannot be verified, or cannot be written; nothing is written then.
    pub fn conclude<'a>(
        &'a self,
        edited: &'a Edited,
        unchanged: bool,
        verify: impl FnOnce(&Options) -> Result<Verification>,
        stream: &mut dyn Write,
    ) -> Result<Ended<'a>> {
        let untouched = unchanged && !self.asks_for_a_copy();
        let mut end = Ended {
            job: self,
            edited,
            unchanged,
            verification: None,
            written: match untouched {
                true => Written::Untouched,
                false => Written::DryRun,
            },
        };
        if self.files.dry_run {
            return Ok(end);
        }
        if let Some(options) = &self.verify {
            let found = verify(options)?;
            let verdict = found.verdict(Demand::Rewrite);
            if self.proof.is_some() {
                Evidence::question(&found)?;
            }
            end.verification = Some(found);
            match verdict {
                Verdict::Equal => {}
                Verdict::Different { .. } => {
                    end.written = Written::Different;
                    return Ok(end);
                }
                Verdict::NotShown { reason } => {
                    let why = format!(
                        "the result cannot be verified, so nothing was written: {reason}. \
                         use --verify structure for a weaker check, or --verify none"
                    );
                    let error = Error::new(ErrorKind::Verification, why);
                    return Err(error.in_file(name(&self.files.input)));
                }
            }
        }
        if !untouched {
            let files = &self.files;
            if files.in_place {
                self.model().source().check_in_place()?;
            }
            files.write(&edited.rope, &self.target, &self.external, stream)?;
            end.written = Written::Yes;
        }
        self.prove(&end)?;
        Ok(end)
    }

    /// Writes the evidence.
    fn prove(&self, end: &Ended<'_>) -> Result<()> {
        let (Some(proof), Some(found)) = (&self.proof, &end.verification) else {
            return Ok(());
        };
        let input = self.files.input.as_path();
        let output = match (&self.target, end.written) {
            (_, Written::Untouched) => input,
            (Target::File(destination), _) => destination.named(),
            (Target::Stream, _) => Path::new("-"),
        };
        let (before, after) = (self.model(), end.edited.model());
        let folder = proof.real().parent().unwrap_or(Path::new(""));
        Evidence::of(found, (input, before), (output, after), folder)?.write(proof)
    }

    /// True if the result is written to a stream or to a file that was named.
    fn asks_for_a_copy(&self) -> bool {
        let stream = matches!(self.target, Target::Stream);
        stream || (self.files.output.is_some() && !self.files.in_place)
    }
}

impl Ended<'_> {
    /// The name of the destination; `None` if nothing was written.
    pub fn output(&self) -> Option<String> {
        match self.written {
            Written::Yes => Some(self.job.target.name()),
            Written::Untouched if self.job.files.in_place && !self.job.files.dry_run => {
                Some(self.job.target.name())
            }
            Written::Untouched | Written::DryRun | Written::Different => None,
        }
    }

    /// What the rewrite changed, by name.
    ///
    /// # Errors
    /// As [`diff::diff`].
    pub fn changes(&self) -> Result<Diff> {
        let (before, after) = (self.job.model(), self.edited.model());
        let options = diff::Options {
            values: true,
            ..diff::Options::default()
        };
        diff::diff(before, after, &options)
    }
}
