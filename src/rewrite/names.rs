//! Names that a user gives: patterns, and what to suggest for a name that does not exist.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, ErrorKind, Result};

/// How many names a message lists.
const LISTED: usize = 12;

/// A pattern in which `*` is any text, also across slashes. A set, as that refuses what is too large
/// to compile, where a lone matcher panics.
pub(super) fn glob(pattern: &str) -> Result<GlobSet> {
    let glob = GlobBuilder::new(pattern).literal_separator(false).build();
    let set = glob.and_then(|glob| GlobSetBuilder::new().add(glob).build());
    set.map_err(|e| {
        let shown: String = pattern.chars().take(100).collect();
        usage(format!("`{shown}` is not a pattern: {}", e.kind()))
    })
}

/// The closest existing name, or all names if they are few.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    let distance = |other: &&&str| strsim::damerau_levenshtein(name, other);
    let near = names
        .iter()
        .filter(|other| other.len().abs_diff(name.len()) <= name.len() / 3)
        .map(|other| (distance(&other), other))
        .min();
    match near {
        Some((far, near)) if far <= name.len() / 3 => format!("; did you mean `{near}`?"),
        _ if names.is_empty() => String::new(),
        _ => format!(
            "; there are {}",
            listed(names.iter().map(ToString::to_string))
        ),
    }
}

pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut names: Vec<String> = names.take(LISTED).collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

pub(super) fn usage(why: String) -> Error {
    Error::new(ErrorKind::Usage, why)
}
