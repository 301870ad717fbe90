//! Snapshots of many models in a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::check::Outcome;
use super::{Args, checked};
use crate::Status;
use crate::io::{Format, Global};
use crate::many::{Batch, Done, Words};
use crate::output::Report;
use crate::paths::{self, Model};

/// Compares all models with their snapshots in `folder`, or writes these.
pub fn run(args: &Args, folder: &Path, update: bool, global: &Global) -> Result<Status> {
    if folder.is_file() {
        let folder = folder.display();
        bail!("{folder}: is a file; the snapshots of several models are in a folder");
    }
    let models = paths::models(&args.inputs)?;
    if let Some([a, b]) = same_name(&models) {
        let [name, a, b] = [&a.below, a.found.path(), b.found.path()].map(|path| path.display());
        bail!("{a} and {b} would have the same snapshot, {name}.snap");
    }
    let words = Words {
        doing: "comparing",
        key: "path",
        done: if update { "up to date" } else { "unchanged" },
        found: "changed",
        failed: "failed",
    };
    args.jobs.each(
        &models,
        |model| model.found.path(),
        |model| one(args, model, folder, update, global),
        &Batch {
            words: &words,
            format: Format::Text,
            report: &Report::printed(global),
            writes: update,
        },
        global,
    )
}

fn one(args: &Args, model: &Model, folder: &Path, update: bool, global: &Global) -> Result<Done> {
    let path = model.found.file()?;
    let snapshot = snapshot(folder, &model.below);
    if let (Some(folder), true) = (snapshot.parent(), update) {
        let cannot = || format!("{}: cannot create the folder", folder.display());
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    let checked = checked(args, path, &snapshot, update, global)?;
    Ok(Done {
        status: checked.status(),
        // what is unchanged is counted
        line: match checked.outcome {
            Outcome::Unchanged => String::new(),
            Outcome::Changed | Outcome::Written => checked.text,
        },
    })
}

/// `NAME.onnx.snap`, below the folder as the model is below its own.
fn snapshot(folder: &Path, below: &Path) -> PathBuf {
    let mut name = folder.join(below).into_os_string();
    name.push(".snap");
    name.into()
}

/// Two models whose snapshots have the same name.
fn same_name(models: &[Model]) -> Option<[&Model; 2]> {
    let mut sorted: Vec<&Model> = models.iter().collect();
    sorted.sort_by_key(|model| &model.below);
    let pairs = sorted
        .windows(2)
        .find(|pair| pair[0].below == pair[1].below);
    pairs.map(|pair| [pair[0], pair[1]])
}
