//! Baselines: read, compared with, and written.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use dropout_onnx::audit::baseline::{Baseline, Resolved, path_from};
use dropout_onnx::audit::{ModelAudit, Remark, Selection};
use dropout_onnx::report::one_line;

use crate::io::{self, Global, identity, same_file, same_place};
use crate::output::ReportFile;
use crate::verification::count;

/// Which findings are known.
#[derive(clap::Args)]
#[command(next_help_heading = "Baseline")]
pub struct BaselineArgs {
    /// Ignore findings that are recorded in this file
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Record the current findings in this file, and exit with 0
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

/// The baselines of a run.
pub struct Baselines {
    /// The baseline that was read.
    known: Option<Named>,
    /// The baseline to write.
    new: Option<(Named, ReportFile)>,
}

/// A baseline, and its place.
struct Named {
    path: PathBuf,
    /// Absolute and without links.
    folder: PathBuf,
    baseline: Baseline,
}

impl BaselineArgs {
    /// Reads the known findings, and checks that the new baseline can be written: not over `models` or
    /// `settings`.
    pub fn open<'p>(
        &self,
        models: impl Iterator<Item = &'p Path>,
        mut settings: impl Iterator<Item = &'p Path>,
        global: &Global,
    ) -> Result<Baselines> {
        let known = self.baseline.as_deref().map(known).transpose()?;
        let new = match self.write_baseline.as_deref() {
            Some(path) if settings.any(|other| same_place(other, path)) => {
                bail!("{}: is also read; name another file", path.display())
            }
            Some(path) => Some(new(path, models, global)?),
            None => None,
        };
        Ok(Baselines { known, new })
    }

    /// The files, which no report may be written over.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.baseline, &self.write_baseline];
        files.into_iter().filter_map(|file| file.as_deref())
    }
}

impl Baselines {
    /// Marks the findings of a model as known or new. Returns recorded findings that no longer occur.
    pub fn apply(&self, path: &Path, model: &mut ModelAudit, rules: &Selection) -> Vec<Resolved> {
        match &self.known {
            Some(known) if model.error.is_none() => {
                let path = path_from(&known.folder, &identity(path));
                known.baseline.apply(&path, model, rules)
            }
            _ => Vec::new(),
        }
    }

    /// Remarks about the baseline; `resolved` are findings that no longer occur.
    pub fn remarks(&self, mut resolved: Vec<Resolved>) -> Vec<Remark> {
        let Some(known) = &self.known else {
            return Vec::new();
        };
        for path in known.baseline.paths() {
            if known.folder.join(path).symlink_metadata().is_err() {
                resolved.extend(known.baseline.without(path));
            }
        }
        resolved.sort_by(|a, b| (&a.path, &a.rule).cmp(&(&b.path, &b.rule)));
        resolved.dedup();
        let name = known.path.to_string_lossy();
        // the file is written, and they are out of it
        let rewritten = (self.new.iter()).any(|(new, _)| same_file(&new.path, &known.path));
        let resolved = resolved.iter().filter(|_| !rewritten);
        resolved.map(|resolved| resolved.remark(&name)).collect()
    }

    /// Adds the findings of a model to the baseline to write.
    pub fn add(&mut self, path: &Path, model: &ModelAudit) {
        if let Some((new, _)) = &mut self.new {
            let path = path_from(&new.folder, &identity(path));
            new.baseline.add(&path, model);
        }
    }

    /// True if today's findings are known from now on.
    pub fn writes(&self) -> bool {
        self.new.is_some()
    }

    /// Writes the new baseline and reports it; refuses if a model could not be audited.
    pub fn write(&self, models: &[ModelAudit]) -> Result<Option<String>> {
        let Some((new, file)) = &self.new else {
            return Ok(None);
        };
        let path = new.path.display();
        if models.iter().any(|model| model.error.is_some()) {
            bail!("{path}: not written, because a model could not be audited");
        }
        file.write(&new.baseline.text()?)?;
        let findings = count(new.baseline.len(), "finding");
        Ok(Some(one_line(&format!("{path}: written, {findings}"))))
    }
}

/// Reads the known findings.
fn known(path: &Path) -> Result<Named> {
    if !path.exists() {
        let path = path.display();
        bail!("{path}: does not exist; create it with --write-baseline");
    }
    let baseline = read(path)?;
    Named::new(path, baseline)
}

/// An empty baseline; refuses to overwrite another file.
fn new<'p>(
    path: &Path,
    models: impl Iterator<Item = &'p Path>,
    global: &Global,
) -> Result<(Named, ReportFile)> {
    let file = ReportFile::new(path, models, global)?;
    let named = Named::new(path, Baseline::default())?;
    if path.exists() {
        read(path).context("not overwritten, because it is not a baseline; name another file")?;
    }
    Ok((named, file))
}

impl Named {
    fn new(path: &Path, baseline: Baseline) -> Result<Named> {
        let whole = identity(path);
        let Some(folder) = whole.parent().filter(|folder| folder.is_absolute()) else {
            bail!("{}: its folder does not exist", path.display());
        };
        Ok(Named {
            path: path.to_path_buf(),
            folder: folder.to_path_buf(),
            baseline,
        })
    }
}

/// No baseline is larger, in bytes.
const MOST: u64 = 1 << 30;

fn read(path: &Path) -> Result<Baseline> {
    let text = io::read_text(path, "baseline", MOST)?;
    Ok(Baseline::parse(&text).map_err(|e| e.in_file(path))?)
}
