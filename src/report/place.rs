//! Paths as other tools want them: relative, with `/`, as URIs.

use std::path::{Component, Path, PathBuf};

/// The path relative to `base`, with `/` between its parts; `None` if it lies elsewhere. Nothing is
/// looked up: a relative path is resolved against `base`, and `..` removes a part.
pub fn relative(base: &Path, path: &str) -> Option<String> {
    let whole = plain(&base.join(path));
    let below = whole.strip_prefix(plain(base)).ok()?;
    let parts = below.iter().map(|part| part.to_string_lossy());
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The URI of a path: relative to `base` if it lies below, else a `file` URI.
pub fn uri(base: &Path, path: &str) -> Uri {
    if let Some(below) = relative(base, path) {
        return Uri::Relative(encoded(&below, ""));
    }
    let whole = plain(&base.join(path)).to_string_lossy().into_owned();
    let whole = match std::path::MAIN_SEPARATOR {
        '/' => whole,
        other => whole.replace(other, "/"),
    };
    // A colon stands in the drive of a Windows path only.
    let whole = encoded(whole.trim_start_matches('/'), ":");
    Uri::Absolute(format!("file:///{whole}"))
}

/// A reference to a file.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Uri {
    /// To one below the base.
    Relative(String),
    /// To one elsewhere.
    Absolute(String),
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// Percent-encoded (RFC 3986, 2.1), except for `/` and `also`.
fn encoded(path: &str, also: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        let c = char::from(byte);
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' | '/' => out.push(c),
            c if also.contains(c) => out.push(c),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_below_the_base_are_relative() {
        for (path, expected) in [
            ("a.onnx", Some("a.onnx")),
            ("./models//a.onnx", Some("models/a.onnx")),
            ("models/../a.onnx", Some("a.onnx")),
            ("../here/a.onnx", Some("a.onnx")),
            ("/work/here/b/a.onnx", Some("b/a.onnx")),
            ("../a.onnx", None),
            ("/work/herein/a.onnx", None),
            ("standard/../..", None),
            (".", None),
        ] {
            let found = relative(Path::new("/work/here"), path);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn uris_are_encoded() {
        let uri = |path| uri(Path::new("/work/here"), path);
        let relative = |text: &str| Uri::Relative(text.to_string());
        assert_eq!(uri("a b%c.onnx"), relative("a%20b%25c.onnx"));
        assert_eq!(uri("c:d\n#?.onnx"), relative("c%3Ad%0A%23%3F.onnx"));
        assert_eq!(uri("層.onnx"), relative("%E5%B1%A4.onnx"));
        let elsewhere = Uri::Absolute("file:///work/a%20b.onnx".to_string());
        assert_eq!(uri("../a b.onnx"), elsewhere);
    }
}
