//! `verify` of two folders: each model with the one of the same name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use dropout_onnx::report::one_line;
use dropout_onnx::verify::{Options, Verdict};

use super::{Args, Compared};
use crate::Status;
use crate::io::{Format, Global};
use crate::many::{Done, Words};
use crate::paths::{self, Found};
use crate::style::{LABEL, paint};

const WORDS: Words = Words {
    doing: "verifying",
    key: "path",
    done: "equal",
    found: "different",
    failed: "not shown",
};

pub fn run(args: &Args, options: &Options, global: &Global) -> Result<Status> {
    let mut names = BTreeSet::new();
    for folder in [&args.before, &args.after] {
        for model in paths::models(std::slice::from_ref(folder))? {
            if let Found::Nothing(_, error) = model.found {
                bail!(error);
            }
            names.insert(model.below);
        }
    }
    let names: Vec<PathBuf> = names.into_iter().collect();
    let silent = global.silent();
    args.jobs.each(
        &names,
        PathBuf::as_path,
        |name| pair(name, args, options, &silent),
        &WORDS,
        args.format,
        global,
    )
}

fn pair(name: &Path, args: &Args, options: &Options, global: &Global) -> Result<Done> {
    let sides = [&args.before, &args.after].map(|folder| folder.join(name));
    for (side, folder) in sides.iter().zip([&args.before, &args.after]) {
        if side.symlink_metadata().is_err() {
            let (name, folder) = (name.display(), folder.display());
            bail!("{name}: is not in {folder}");
        }
    }
    let compared = Compared::new(&sides[0], &sides[1], options, global)?;
    let line = match args.format {
        Format::Json => format!("{}\n", compared.document()),
        Format::Text => {
            let name = paint(LABEL, one_line(&name.to_string_lossy()));
            let why = match &compared.verdict {
                Verdict::NotShown { reason } => format!(": {}", one_line(reason)),
                _ => String::new(),
            };
            let verdict = paint(compared.style(), compared.verdict.word());
            format!("{name}: {verdict}{why}\n")
        }
    };
    Ok(Done {
        status: compared.status(),
        line,
    })
}
