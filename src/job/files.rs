//! Where a rewrite reads from and writes to.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Model;
use crate::source::{Destination, Rope, Staged, stage, stage_link};
use crate::words::words;

use super::same_file::{or_here, same_file};
use super::shared::Shared;
use super::weights::Weights;

/// Where a rewrite reads from and writes to.
#[derive(Clone, Debug, Default, derive_setters::Setters)]
#[non_exhaustive]
pub struct Files {
    /// The model; `-` is a stream or memory.
    pub input: PathBuf,
    /// The file of the result; `-` is standard output. By default next to the input, named after the rewrite;
    /// in memory if the input is.
    pub output: Option<PathBuf>,
    /// Replace the input by the result.
    pub in_place: bool,
    /// Overwrite the output if it exists.
    pub force: bool,
    /// Write nothing.
    pub dry_run: bool,
    /// When the output is in another folder: also copy or link the files of weights next to the input.
    pub external_data: Option<External>,
    /// The file for the evidence of the verification.
    pub evidence: Option<PathBuf>,
    /// Do not wait until the files are on the disk.
    pub no_sync: bool,
}

words! {
    /// How files of weights are taken along.
    External {
        /// Copy them.
        Copy = "copy",
        /// Create hard links to them.
        Link = "link",
    }
}

/// A place that a result may go to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// A stream: standard output.
    Stream,
    /// A file.
    File(Destination),
}

impl Files {
    /// Finds the destination of the result, and refuses those that are not allowed. `suffix` is what the
    /// rewrite puts into a name: `stripped`.
    ///
    /// # Errors
    /// The destination is not allowed.
    pub fn target(&self, suffix: &str) -> Result<Target> {
        let stream = is_stream(&self.input);
        if self.in_place {
            if let Some(output) = &self.output {
                let why = "cannot be written, as --in-place replaces IN";
                return Err(refused(output, why));
            }
            if stream {
                let why = "--in-place needs a file, and IN is standard input";
                return Err(Error::new(ErrorKind::Usage, why));
            }
            let destination = Destination::new(&self.input)?.synced(!self.no_sync);
            if destination.exists() && !destination.real().is_file() {
                let why = "is not a file, and --in-place replaces a file";
                return Err(refused(&self.input, why));
            }
            let writable = self.force || self.dry_run || !destination.is_read_only();
            if !writable {
                return Err(refused(
                    &self.input,
                    "is read-only; replace it with --force",
                ));
            }
            return Ok(Target::File(destination));
        }
        let path = match &self.output {
            Some(path) if is_stream(path) => return Ok(Target::Stream),
            Some(path) => path.clone(),
            None if stream => return Ok(Target::Stream),
            None => beside(&self.input, suffix),
        };
        let destination = Destination::new(&path)?
            .with_mode_of(&self.input)
            .synced(!self.no_sync);
        if !stream && same_file(&self.input, destination.real()) {
            let why = "is both IN and OUT; use --in-place to replace it";
            return Err(refused(&path, why));
        }
        // a dry run is about the model, and the folder of the result may be made later
        let folder = or_here(destination.real().parent().unwrap_or(Path::new("")));
        if folder.is_dir() || !self.dry_run {
            may_write(&destination, self.force || self.dry_run)?;
        }
        Ok(Target::File(destination))
    }

    /// The files of weights to copy or link; an error if they would be missing.
    pub(super) fn external(&self, model: &Model, target: &Target) -> Result<Vec<Weights>> {
        let files = model.external_files()?;
        let destination = match (target, files.first()) {
            (Target::File(destination), _) => destination,
            // bytes in memory stay with who gave them, and so do their weights
            (Target::Stream, Some(file)) if self.output.is_some() => {
                let why = format!(
                    "its weights are in {}, which standard output cannot include; give a file \
                     as OUT",
                    file.display()
                );
                return Err(refused(name(&self.input), why));
            }
            (Target::Stream, _) => return Ok(Vec::new()),
        };
        let from = model.folder().unwrap_or(Path::new(""));
        let to = destination.real().parent().unwrap_or(Path::new(""));
        let input = name(&self.input);
        if let Some(file) = files
            .iter()
            .find(|file| same_file(&from.join(file), destination.real()))
        {
            let (file, input) = (file.display(), input.display());
            let why = format!("OUT would overwrite {file}, the weights of {input}");
            return Err(refused(destination.named(), why));
        }
        if files.is_empty() || same_file(or_here(from), or_here(to)) {
            return Ok(Vec::new());
        }
        if self.external_data.is_none() {
            let why = format!(
                "its weights are in {} next to it, and OUT is in a different folder; \
                 add --external-data copy or link",
                files[0].display()
            );
            return Err(refused(input, why));
        }
        let ranges = model.external_ranges()?.into_iter();
        let weights = ranges.map(|(file, used)| Weights {
            from: from.join(&file),
            to: to.join(&file),
            used,
        });
        let weights: Vec<Weights> = weights.collect();
        self.may_replace(&weights, destination)?;
        Ok(weights)
    }

    /// Refuses to overwrite files of weights, if it is not asked for or another model uses them.
    fn may_replace(&self, weights: &[Weights], destination: &Destination) -> Result<()> {
        let there = weights.iter().filter(|weights| weights.to.exists());
        let there: Vec<&Weights> = there.collect();
        let Some(first) = there.first() else {
            return Ok(());
        };
        if !self.force && !self.dry_run {
            let why = "already exists; overwrite it with --force";
            return Err(refused(&first.to, why));
        }
        let top = or_here(destination.real().parent().unwrap_or(Path::new("")));
        let mut folders: BTreeSet<&Path> = BTreeSet::from([top]);
        for weights in &there {
            let around = weights.to.ancestors().skip(1).map(or_here);
            folders.extend(around.take_while(|&folder| folder != top));
        }
        let shared = Shared::of(folders, destination.real());
        for Weights { from, to: copy, .. } in there {
            if let Some(user) = shared.user_of_others(copy, from)? {
                let user = user.display();
                let why = format!(
                    "holds weights that {user} also uses, and they differ from those that would \
                     replace them; write OUT to another folder"
                );
                return Err(refused(copy, why));
            }
        }
        Ok(())
    }

    /// The destination of the evidence.
    ///
    /// # Errors
    /// It is not allowed, or nothing will be verified.
    pub(super) fn proof(&self, target: &Target, verified: bool) -> Result<Option<Destination>> {
        let Some(path) = &self.evidence else {
            return Ok(None);
        };
        let why = match (self.dry_run, verified) {
            (true, _) => "a dry run has no evidence",
            (_, false) => "there is no evidence without verification",
            _ => {
                let destination = Destination::new(path)?.synced(!self.no_sync);
                let model = matches!(target, Target::File(to) if to.real() == destination.real());
                if model || same_file(&self.input, destination.real()) {
                    return Err(refused(
                        path,
                        "is IN or OUT; name another file for the evidence",
                    ));
                }
                may_write(&destination, self.force)?;
                return Ok(Some(destination));
            }
        };
        Err(refused(path, why))
    }

    /// Writes the result and its files of weights: all of them, or none.
    pub(super) fn write(
        &self,
        rope: &Rope,
        target: &Target,
        external: &[Weights],
        stream: &mut dyn Write,
    ) -> Result<()> {
        let moved = external
            .iter()
            .filter(|weights| !same_file(&weights.from, &weights.to));
        let moved: Vec<&Weights> = moved.collect();
        let copies = moved.iter().map(|weights| weights.copy(!self.no_sync));
        let copies: Vec<(Destination, Rope)> = copies.collect::<Result<_>>()?;
        let staged = copies.iter().zip(moved);
        let staged = staged.map(|((to, rope), weights)| match self.external_data {
            Some(External::Link) => stage_link(to, &weights.from),
            _ => stage(to, rope),
        });
        let staged: Vec<Staged<'_>> = staged.collect::<Result<_>>()?;
        let model = match target {
            Target::File(destination) => Some(stage(destination, rope)?),
            Target::Stream => None,
        };
        staged
            .into_iter()
            .chain(model)
            .try_for_each(Staged::commit)?;
        if let Target::Stream = target {
            let written = rope.write_to(&mut &mut *stream);
            written
                .and_then(|()| stream.flush().map_err(|e| Error::io("cannot write", e)))
                .map_err(|e| e.in_file("standard output"))?;
        }
        Ok(())
    }
}

/// Refuses places that a result must not go to.
///
/// # Errors
/// It is a folder, an existing file if not `force`d, or in no folder.
pub fn may_write(destination: &Destination, force: bool) -> Result<()> {
    let path = destination.named();
    if destination.real().is_dir() {
        return Err(refused(path, "is a folder; give a file in it"));
    }
    if destination.real().is_file() && !force {
        return Err(refused(path, "already exists; overwrite it with --force"));
    }
    let folder = or_here(destination.real().parent().unwrap_or(Path::new("")));
    if !folder.is_dir() {
        let (folder, exists) = (folder.display(), folder.exists());
        let why = match exists {
            true => format!("{folder} is not a folder"),
            false => format!("the folder {folder} does not exist"),
        };
        return Err(refused(path, why));
    }
    Ok(())
}

impl Target {
    /// Where the result is, in words.
    pub fn name(&self) -> String {
        match self {
            Target::Stream => "standard output".to_string(),
            Target::File(destination) => destination.named().display().to_string(),
        }
    }
}

/// What a model is called in messages.
pub fn name(path: &Path) -> &Path {
    match is_stream(path) {
        true => Path::new("standard input"),
        false => path,
    }
}

fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

fn refused(path: &Path, why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, why).in_file(path)
}

/// `model.onnx` and `stripped` make `model.stripped.onnx`.
pub fn beside(input: &Path, suffix: &str) -> PathBuf {
    let mut name = input.file_stem().map_or_else(OsString::new, OsString::from);
    name.push(".");
    name.push(suffix);
    if let Some(extension) = input.extension() {
        name.push(".");
        name.push(extension);
    }
    input.with_file_name(name)
}
