//! Patterns among the arguments, for shells that do not expand them and patterns in quotes.

use std::path::{Component, Path, PathBuf};

use dropout_onnx::{Error, ErrorKind};
use globset::GlobBuilder;
use ignore::WalkBuilder;

/// The folder in which a pattern begins, and the pattern below it; `None` for other paths, and for files
/// whose names only look like one.
pub fn split(path: &Path) -> Option<(PathBuf, String)> {
    let special = |component: &Component<'_>| {
        let text = component.as_os_str().to_str();
        text.is_some_and(|text| text.contains(['*', '?', '[', '{']))
    };
    if path.symlink_metadata().is_ok() {
        return None;
    }
    let components: Vec<Component<'_>> = path.components().collect();
    let (folder, pattern) = components.split_at(components.iter().position(special)?);
    let pattern: Option<Vec<&str>> = (pattern.iter())
        .map(|component| component.as_os_str().to_str())
        .collect();
    Some((folder.iter().collect(), pattern?.join("/")))
}

/// The files and folders that match, sorted; without hidden ones, as in a shell.
///
/// # Errors
/// The pattern is invalid, or nothing matches.
pub fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let usage = |why: String| Error::new(ErrorKind::Usage, why);
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = glob.map_err(|e| usage(format!("not a valid pattern: {}", e.kind())))?;
    let glob = glob.compile_matcher();
    let root = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let depth = match pattern.contains("**") {
        true => None,
        false => Some(pattern.split('/').count()),
    };
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(true)
        .max_depth(depth)
        .sort_by_file_path(Path::cmp)
        .build();
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in walk.filter_map(Result::ok) {
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        // all folders match `**`: their files are enough
        if glob.is_match(below) && !(is_folder && pattern.ends_with("**")) {
            found.push(below.to_path_buf());
        }
    }
    match found.is_empty() {
        true => Err(usage("nothing matches this pattern".to_string())),
        false => Ok(found.into_iter().map(|below| folder.join(below)).collect()),
    }
}
