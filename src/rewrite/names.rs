//! Names that a user gives: patterns.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, ErrorKind, Result};

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

pub(super) fn usage(why: String) -> Error {
    Error::new(ErrorKind::Usage, why)
}
