//! The document as JSON.

use serde::Deserialize;

use super::{Document, Header, Options};
use crate::error::Result;

/// What `schema` is, before the version of the form.
const SCHEMA: &str = "dropout-onnx/show/";

/// The document, indented.
///
/// # Errors
/// None that a document of [`super::document`] can cause.
pub fn text(document: &Document) -> Result<String> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}

/// The header of a document; `None` if the text is not a document of `show`.
pub fn header(text: &str) -> Option<Header> {
    #[derive(Deserialize)]
    struct Beginning {
        schema: String,
        anonymous: bool,
        hashes: bool,
        #[serde(default)]
        lenient: bool,
    }
    let beginning: Beginning = serde_json::from_str(text).ok()?;
    let version = beginning.schema.strip_prefix(SCHEMA)?.parse().ok()?;
    let options = Options {
        anonymous: beginning.anonymous,
        no_hash: !beginning.hashes,
        strict: beginning.anonymous && !beginning.hashes && !beginning.lenient,
    };
    Some(Header { version, options })
}
