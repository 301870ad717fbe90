//! The models of the arguments: files, folders, and lists on standard input.

mod patterns;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use dropout_onnx::onnx::describe_folder;
use dropout_onnx::{Error, ErrorKind};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::{DirEntry, WalkBuilder};

use crate::io::{self, identity};

/// The names of models in folders.
const MODELS: &str = "*.onnx";

/// Where to look for models.
#[derive(clap::Args)]
pub struct PathArgs {
    /// Models, folders to search for models, and patterns such as `models/**/*.onnx`; `-` is a model from
    /// standard input
    #[arg(value_name = "PATH", required_unless_present_any = ["explain", "files_from"])]
    paths: Vec<PathBuf>,
    /// Read more paths from FILE, one per line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    files_from: Option<PathBuf>,
    /// Files to audit in folders: by name, or by path relative to the folder if PATTERN contains a `/`
    #[arg(long, value_name = "PATTERN", default_value = MODELS)]
    glob: Vec<String>,
    /// In folders, also audit files that `.gitignore` excludes
    #[arg(long)]
    no_ignore: bool,
}

/// A file to audit, or a path without one, with the reason.
pub enum Found {
    File(PathBuf),
    Nothing(PathBuf, Error),
}

impl PathArgs {
    /// Finds the files: in the order of the arguments, those of a folder sorted, none of them twice.
    pub fn find(&self) -> Result<Vec<Found>> {
        let search = Search::of(&self.glob, self.no_ignore)?;
        let listed = self.files_from.as_deref().map_or(Ok(Vec::new()), list)?;
        let models = search.models(self.paths.iter().chain(&listed));
        Ok(models.into_iter().map(|model| model.found).collect())
    }
}

/// A model of the arguments.
pub struct Model {
    pub found: Found,
    /// Its path below the folder in which it was searched for.
    pub below: PathBuf,
}

/// The models of these paths, folders and patterns, none of them twice.
pub fn models(paths: &[PathBuf]) -> Result<Vec<Model>> {
    let search = Search::of(&[MODELS.to_string()], false)?;
    Ok(search.models(paths))
}

/// True of arguments that may mean several models: a folder or a pattern.
pub fn is_many(path: &Path) -> bool {
    path.is_dir() || patterns::split(path).is_some()
}

/// The error of a folder or pattern where one model is expected; `advice` is what to do about several.
pub fn not_one(path: &Path, advice: &str) -> anyhow::Error {
    let kind = if path.is_dir() { "folder" } else { "pattern" };
    let why = describe_folder(path).unwrap_or_else(|| format!("is a {kind}; {advice}"));
    anyhow::anyhow!("{}: {why}", path.display())
}

/// The path of a model below the folder it was found in; that of `.` has lost its `./`.
fn below<'p>(folder: &Path, path: &'p Path) -> &'p Path {
    path.strip_prefix(folder).unwrap_or(path)
}

impl Found {
    pub fn path(&self) -> &Path {
        match self {
            Found::File(path) | Found::Nothing(path, _) => path,
        }
    }

    /// The file to read.
    ///
    /// # Errors
    /// There is none.
    pub fn file(&self) -> Result<&Path> {
        match self {
            Found::File(path) => Ok(path),
            Found::Nothing(_, error) => bail!("{error}"),
        }
    }
}

/// The paths that a file or standard input lists.
fn list(from: &Path) -> Result<Vec<PathBuf>> {
    let name = io::name(from).display();
    let text = io::read_text(from, "list of paths, one per line", 64 << 20)?;
    if text.contains(|c: char| c.is_control() && !"\n\r\t".contains(c)) {
        bail!("{name}: is not a list of paths, one per line");
    }
    let lines = text.lines().filter(|line| !line.is_empty());
    let paths: Vec<PathBuf> = lines.map(PathBuf::from).collect();
    if paths.is_empty() {
        bail!("{name}: no paths in the list");
    }
    Ok(paths)
}

fn globs(patterns: &[&String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .case_insensitive(pattern.as_str() == MODELS) // model.ONNX
            .build();
        set.add(glob.map_err(|e| anyhow::anyhow!("--glob {pattern}: {}", e.kind()))?);
    }
    Ok(set.build()?)
}

/// How folders are searched.
struct Search {
    /// Globs of names.
    names: GlobSet,
    /// Globs of paths below the folder.
    paths: GlobSet,
    asked: String,
    no_ignore: bool,
}

impl Search {
    fn of(globs: &[String], no_ignore: bool) -> Result<Search> {
        let (paths, names): (Vec<_>, Vec<_>) = globs.iter().partition(|glob| glob.contains('/'));
        Ok(Search {
            names: self::globs(&names)?,
            paths: self::globs(&paths)?,
            asked: globs.join(", "),
            no_ignore,
        })
    }

    fn models<'p>(&self, paths: impl IntoIterator<Item = &'p PathBuf>) -> Vec<Model> {
        let (mut models, mut seen) = (Vec::new(), HashSet::new());
        for path in paths {
            let mut found = Vec::new();
            self.add(path, &mut found);
            found.retain(|found| seen.insert(identity(found.path())));
            let folder = patterns::split(path).map_or(path.clone(), |(folder, _)| folder);
            models.extend(found.into_iter().map(|found| {
                let below = match folder.is_dir() {
                    true => below(&folder, found.path()).to_path_buf(),
                    false => PathBuf::from(found.path().file_name().unwrap_or_default()),
                };
                Model { found, below }
            }));
        }
        models
    }

    fn add(&self, path: &Path, found: &mut Vec<Found>) {
        if path.is_dir() {
            return self.walk(path, found);
        }
        let Some((folder, pattern)) = patterns::split(path) else {
            return found.push(Found::File(path.to_path_buf()));
        };
        match patterns::matching(&folder, &pattern) {
            Ok(paths) => {
                for path in paths {
                    match path.is_dir() {
                        true => self.walk(&path, found),
                        false => found.push(Found::File(path)),
                    }
                }
            }
            Err(error) => found.push(Found::Nothing(path.to_path_buf(), error.in_file(path))),
        }
    }

    fn walk(&self, folder: &Path, found: &mut Vec<Found>) {
        let before = found.len();
        let respect = !self.no_ignore;
        let walk = WalkBuilder::new(folder)
            .ignore(false)
            .parents(respect)
            .git_ignore(respect)
            .git_exclude(respect)
            .git_global(respect)
            .require_git(false)
            .sort_by_file_path(Path::cmp)
            .build();
        for entry in walk {
            match entry {
                Ok(entry) if self.wants(folder, &entry) => {
                    found.push(Found::File(plain(entry.path())));
                }
                Ok(_) => {}
                Err(error) => found.push(failed(folder, &error)),
            }
        }
        if found.len() == before {
            let mut why = format!("no file in this folder matches {}", self.asked);
            if respect {
                why.push_str("; hidden files and those in .gitignore are skipped (--no-ignore)");
            }
            let why = describe_folder(folder).unwrap_or(why);
            let error = Error::new(ErrorKind::Usage, why).in_file(folder);
            found.push(Found::Nothing(folder.to_path_buf(), error));
        }
    }

    /// True for files with a matching name and for links to them, or to nothing, which is reported.
    fn wants(&self, folder: &Path, entry: &DirEntry) -> bool {
        let path = entry.path();
        let file = match entry.file_type() {
            Some(kind) if kind.is_symlink() => path.metadata().map_or(true, |to| to.is_file()),
            Some(kind) => kind.is_file(),
            None => false,
        };
        let below = below(folder, path);
        file && (self.names.is_match(entry.file_name()) || self.paths.is_match(below))
    }
}

/// A place below `folder` that cannot be read.
fn failed(folder: &Path, error: &ignore::Error) -> Found {
    let place = plain(place(error).unwrap_or(folder));
    // Its words name the path, and not what the system said; the kind has its own.
    let why = match error.io_error() {
        Some(error) => Error::io("cannot read", error.kind().into()),
        None => Error::new(ErrorKind::Io, format!("cannot read: {error}")),
    };
    let why = why.in_file(&place);
    Found::Nothing(place, why)
}

fn place(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } => place(err),
        _ => None,
    }
}

/// Without the `./` of what was found in `.`.
fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_path_buf()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_folder_that_cannot_be_read_is_named_with_the_reason() {
        let denied = || Box::new(ignore::Error::Io(io::ErrorKind::PermissionDenied.into()));
        let depth = |err| Box::new(ignore::Error::WithDepth { depth: 1, err });
        let at = |err| {
            let path = PathBuf::from("./sub");
            Box::new(ignore::Error::WithPath { path, err })
        };
        for (error, expected) in [
            (at(depth(denied())), "sub: cannot read: permission denied"),
            (depth(at(denied())), "sub: cannot read: permission denied"),
            (denied(), "models: cannot read: permission denied"),
        ] {
            let Found::Nothing(place, why) = failed(Path::new("models"), &error) else {
                panic!("{error}");
            };
            assert_eq!(why.to_string(), expected);
            assert!(expected.starts_with(place.to_str().unwrap()));
        }
    }
}
