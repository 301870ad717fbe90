//! Configurations: their files, and the models they apply to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use dropout_onnx::audit::baseline::path_from;
use dropout_onnx::audit::config::{Config, Day, FILE_NAME, Format, Usage};
use dropout_onnx::audit::{ModelAudit, Remark, Selection};

use crate::io::{self, identity};
use crate::paths::Found;

/// Where the configuration comes from.
#[derive(clap::Args, Default)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// Use this configuration for all models [default: for each, the nearest dropout-onnx.toml in its
    /// folder or a parent]. Other options take precedence over it
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Use no configuration
    #[arg(long)]
    no_config: bool,
    /// Date at which allowances are judged for expiry [default: today, in UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Day>,
}

/// A configuration, and its rules under those of the command line.
struct Loaded {
    /// As messages name it.
    name: String,
    /// Absolute, without links.
    folder: PathBuf,
    config: Config,
    rules: Selection,
}

/// The configurations of a run.
pub struct Configs {
    loaded: Vec<Loaded>,
    /// For each model, which is its.
    of: Vec<Option<usize>>,
    /// The rules of models that have none.
    rules: Selection,
    today: Day,
}

impl ConfigArgs {
    /// Reads the configurations of all models; `rules` are those of the command line.
    pub fn load(&self, found: &[Found], rules: &Selection) -> Result<Configs> {
        let mut configs = Configs {
            loaded: Vec::new(),
            of: vec![None; found.len()],
            rules: rules.clone(),
            today: self.today.map_or_else(today, Ok)?,
        };
        if let Some(file) = &self.config {
            configs.loaded.push(load(file, rules)?);
            configs.of.fill(Some(0));
        } else if !self.no_config {
            let mut nearest = Nearest::default();
            for (of, found) in configs.of.iter_mut().zip(found) {
                *of = nearest.of(found.path(), rules)?;
            }
            configs.loaded = nearest.loaded;
        }
        Ok(configs)
    }
}

impl Configs {
    /// The rules to audit a model by.
    pub fn rules(&self, model: usize) -> &Selection {
        self.loaded(model)
            .map_or(&self.rules, |loaded| &loaded.rules)
    }

    /// Allows what the configuration of a model allows.
    pub fn apply(&self, index: usize, path: &Path, model: &mut ModelAudit) -> Vec<Usage> {
        let Some(loaded) = self.loaded(index) else {
            return Vec::new();
        };
        model.configuration = Some(loaded.name.clone());
        let path = path_from(&loaded.folder, &identity(path));
        loaded.config.apply(&path, model, &loaded.rules, self.today)
    }

    /// Remarks about the allowances; `usages` are those of each model.
    pub fn remarks(&self, usages: &[Vec<Usage>]) -> Vec<Remark> {
        let loaded = self.loaded.iter().enumerate();
        let remarks = loaded.flat_map(|(index, loaded)| {
            let of = self.of.iter().zip(usages);
            let ours = of.filter(|(of, _)| **of == Some(index));
            let ours: Vec<Vec<Usage>> = ours.map(|(_, usages)| usages.clone()).collect();
            loaded.config.remarks(&loaded.name, &ours, self.today)
        });
        remarks.collect()
    }

    /// The format that the configurations ask for.
    pub fn format(&self) -> Result<Option<Format>> {
        let mut asked = self.loaded.iter().filter_map(|loaded| {
            let format = loaded.config.format()?;
            Some((&loaded.name, format))
        });
        let Some((name, format)) = asked.next() else {
            return Ok(None);
        };
        if let Some((other, _)) = asked.find(|(_, other)| *other != format) {
            bail!("{name} and {other} set different values of `format`; choose one with --format");
        }
        Ok(Some(format))
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.loaded.iter().map(|loaded| Path::new(&loaded.name))
    }

    fn loaded(&self, model: usize) -> Option<&Loaded> {
        self.of
            .get(model)
            .copied()
            .flatten()
            .map(|index| &self.loaded[index])
    }
}

/// Configurations by folder, each looked for and read once.
#[derive(Default)]
struct Nearest {
    loaded: Vec<Loaded>,
    known: HashMap<PathBuf, Option<usize>>,
}

impl Nearest {
    fn of(&mut self, model: &Path, rules: &Selection) -> Result<Option<usize>> {
        let Some(folder) = folder(model) else {
            return Ok(None);
        };
        let mut found = None;
        let mut passed = Vec::new();
        for folder in folder.ancestors() {
            if let Some(known) = self.known.get(folder) {
                found = *known;
                break;
            }
            passed.push(folder.to_path_buf());
            let file = folder.join(FILE_NAME);
            if file.symlink_metadata().is_ok() {
                self.loaded.push(load(&near(&file), rules)?);
                found = Some(self.loaded.len() - 1);
                break;
            }
        }
        self.known
            .extend(passed.into_iter().map(|folder| (folder, found)));
        Ok(found)
    }
}

/// The folder of a model, without links; for a pipe, the current folder.
fn folder(model: &Path) -> Option<PathBuf> {
    match model.metadata() {
        Ok(meta) if !meta.is_file() && !meta.is_dir() => std::env::current_dir().ok(),
        _ => identity(model).parent().map(Path::to_path_buf),
    }
}

/// The path as people would write it: from the current folder, if it is in it.
fn near(file: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let below = here
        .ok()
        .and_then(|here| Some(file.strip_prefix(here).ok()?.to_path_buf()));
    below.unwrap_or_else(|| file.to_path_buf())
}

/// No configuration is larger, in bytes.
const MOST: u64 = 16 << 20;

fn load(file: &Path, rules: &Selection) -> Result<Loaded> {
    let text = io::read_text(file, "configuration", MOST)?;
    let config = Config::parse(text.trim_start_matches('\u{feff}'));
    let config = config.map_err(|e| e.in_file(file))?;
    let folder = identity(file).parent().map(Path::to_path_buf);
    Ok(Loaded {
        name: file.to_string_lossy().into_owned(),
        folder: folder.unwrap_or_default(),
        rules: rules.clone().over(config.rules().clone()),
        config,
    })
}

fn today() -> Result<Day> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Day::from_unix(i64::try_from(since.as_secs())?))
}
