//! `verify` of two folders: each model with the one of the same name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use dropout_onnx::report::one_line;
use dropout_onnx::verify::{Options, Verdict};

use super::{Args, Compared, told};
use crate::Status;
use crate::io::{Format, Global};
use crate::many::{Batch, Done, Words};
use crate::paths;
use crate::style::{LABEL, paint};

const WORDS: Words = Words {
    doing: "verifying",
    key: "path",
    done: "equal",
    found: "different",
    failed: "not shown",
};

pub fn run(
    folders: [&PathBuf; 2],
    args: &Args,
    options: &Options,
    global: &Global,
) -> Result<Status> {
    if let Some(evidence) = &args.verify.evidence {
        let evidence = evidence.display();
        bail!("--evidence {evidence}: is for one model at a time");
    }
    let mut names = BTreeSet::new();
    for folder in folders {
        for model in paths::models(std::slice::from_ref(folder))? {
            model.found.file()?;
            names.insert(model.below);
        }
    }
    let names: Vec<PathBuf> = names.into_iter().collect();
    let silent = global.silent();
    let models = names
        .iter()
        .flat_map(|name| folders.map(|folder| folder.join(name)));
    let models: Vec<PathBuf> = models.collect();
    let format = args.format()?;
    let report = args
        .output
        .open(models.iter().map(PathBuf::as_path), global)?;
    args.jobs.each(
        &names,
        PathBuf::as_path,
        |name| pair(name, folders, format, options, &silent),
        &Batch {
            words: &WORDS,
            format,
            report: &report,
            writes: false,
        },
        global,
    )
}

fn pair(
    name: &Path,
    folders: [&PathBuf; 2],
    format: Format,
    options: &Options,
    global: &Global,
) -> Result<Done> {
    let sides = folders.map(|folder| folder.join(name));
    for (side, folder) in sides.iter().zip(folders) {
        if side.symlink_metadata().is_err() {
            let (name, folder) = (name.display(), folder.display());
            bail!("{name}: is not in {folder}");
        }
    }
    let compared = Compared::new([&sides[0], &sides[1]], options, global)?;
    let (style, status) = told(&compared.verdict);
    let line = match format {
        Format::Json => format!("{}\n", compared.document()?),
        Format::Text => {
            let name = paint(LABEL, one_line(&name.to_string_lossy()));
            let why = match &compared.verdict {
                Verdict::NotShown { reason } => format!(": {}", one_line(reason)),
                _ => String::new(),
            };
            let verdict = paint(style, compared.verdict.word());
            format!("{name}: {verdict}{why}\n")
        }
    };
    Ok(Done { status, line })
}
