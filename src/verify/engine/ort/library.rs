//! The shared library of ONNX Runtime: where it is, and which version.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::verify::engine::Unrunnable;

/// The variable that holds the path of the library.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The first version of the Python package with a library of its own.
const FIRST_PACKAGE: &str = "1.19";

/// The first version that the crate `ort` loads.
const FIRST: &str = "1.17";

/// Folders of the system that may hold it.
const SYSTEM: [&str; 7] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/homebrew/lib",
    "/opt/onnxruntime/lib",
];

/// A library in this process: there can be only one.
pub(in crate::verify::engine) struct Loaded {
    pub(super) environment: Environment,
    /// Its name and version.
    pub(super) version: String,
}

/// The path of the library: `given`, or that of the environment, an installed Python package or the system.
///
/// # Errors
/// It is nowhere.
pub(in crate::verify::engine) fn find(given: Option<&Path>) -> Result<PathBuf, Unrunnable> {
    if let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return library_in(&path).ok_or_else(|| {
            let what = match path.is_dir() {
                true => "a folder without the library",
                false => "no file",
            };
            let path = path.display();
            Unrunnable::ended(format!(
                "ONNX Runtime was not found: {VARIABLE}={path} is {what}"
            ))
        });
    }
    let folders = given.map(Path::to_path_buf).into_iter();
    let folders: Vec<PathBuf> = folders.chain(packages()).collect();
    let system = SYSTEM.iter().map(PathBuf::from);
    let mut found = folders
        .iter()
        .cloned()
        .chain(system)
        .filter_map(|folder| library_in(&folder));
    found.next().ok_or_else(|| {
        let old = folders.iter().find(|folder| folder.is_dir());
        Unrunnable::ended(match old {
            Some(folder) => format!(
                "the onnxruntime package in {} is too old: {FIRST_PACKAGE} is the first that other \
                 programs can load (`pip install --upgrade onnxruntime`)",
                folder.display(),
            ),
            None => {
                format!("ONNX Runtime was not found (`pip install onnxruntime`, or {VARIABLE})")
            }
        })
    })
}

/// The folders where Python's package `onnxruntime` keeps its library: of the environment that this program
/// is installed in, and of those that are active.
fn packages() -> impl Iterator<Item = PathBuf> {
    let own = env::current_exe().ok();
    let own = own.and_then(|program| Some(program.parent()?.parent()?.to_path_buf()));
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter();
    let active = active.filter_map(env::var_os).map(PathBuf::from);
    own.into_iter().chain(active).flat_map(|prefix| {
        let versions = std::fs::read_dir(prefix.join("lib")).into_iter().flatten();
        let versions = versions.flatten().map(|entry| entry.path());
        let versions = versions.filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("python3"))
        });
        let mut homes: Vec<PathBuf> = versions.collect();
        homes.push(prefix.join("Lib"));
        let folder = |home: PathBuf| home.join("site-packages/onnxruntime/capi");
        homes.into_iter().map(folder).collect::<Vec<_>>()
    })
}

/// The library in a folder; the folder may be the library itself.
fn library_in(folder: &Path) -> Option<PathBuf> {
    if folder.is_file() {
        return Some(folder.to_path_buf());
    }
    let names = std::fs::read_dir(folder).ok()?.flatten();
    let mut names: Vec<PathBuf> = names
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| {
                name.starts_with("libonnxruntime.so")
                    || name == "onnxruntime.dll"
                    || name.starts_with("libonnxruntime.") && name.ends_with(".dylib")
            })
        })
        .collect();
    names.sort();
    names.pop()
}

/// Loads the library, once in a process.
///
/// # Errors
/// It is nowhere, or cannot be loaded.
pub(in crate::verify::engine) fn loaded(
    library: Option<&Path>,
) -> Result<&'static Loaded, Unrunnable> {
    static LOADED: OnceLock<Result<Loaded, String>> = OnceLock::new();
    let path = find(library)?;
    let loaded = LOADED.get_or_init(|| load(&path));
    loaded
        .as_ref()
        .map_err(|why| Unrunnable::ended(why.clone()))
}

fn load(path: &Path) -> Result<Loaded, String> {
    let cannot = |why: &str| {
        let path = path.display();
        format!("ONNX Runtime cannot be loaded from {path}: {why}")
    };
    let builder = ort::init_from(path).map_err(|error| cannot(&reason(&error.to_string())))?;
    let environment = builder.with_name("dropout-onnx").with_telemetry(false);
    let environment = environment.build();
    let environment = environment.map_err(|error| cannot(error.message()))?;
    environment.set_log_level(LogLevel::Fatal);
    let version = version(path);
    Ok(Loaded {
        environment,
        version: format!("ONNX Runtime {version}"),
    })
}

/// Why a library cannot be loaded, by the words of the crate `ort`.
fn reason(words: &str) -> String {
    match words.split_once("but got '") {
        Some((_, found)) => {
            let found = found.trim_end_matches('\'');
            format!("it is version {found}, and {FIRST} or later is needed")
        }
        None if words.contains("does not export") => {
            "it is not a library of ONNX Runtime".to_string()
        }
        None => "it is not a shared library for this system, or needs another one".to_string(),
    }
}

/// The version in the name of the file or of the package around it; else the commit it was built from.
fn version(path: &Path) -> String {
    let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let name = file.file_name().and_then(|name| name.to_str());
    let digits = name.and_then(|name| {
        let start = name.find(|c: char| c.is_ascii_digit())?;
        let rest = &name[start..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        Some(
            rest[..end.unwrap_or(rest.len())]
                .trim_end_matches('.')
                .to_string(),
        )
    });
    digits
        .filter(|digits| digits.contains('.'))
        .unwrap_or_else(|| {
            let built = ort::info().split("git-commit-id=").nth(1);
            let commit = built.and_then(|rest| rest.split(',').next());
            commit.unwrap_or("of an unknown version").to_string()
        })
}
