//! The first line of the text: its version and options.

use std::fmt;

use super::{Options, VERSION};

/// `dropout-onnx show 1`, then `anonymous` and `no-hash` where asked for, and `lenient` if both are and
/// `strict` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The version of the form.
    pub version: u32,
    /// The options of the text.
    pub options: Options,
}

const BEGINNING: &str = "dropout-onnx show ";

impl Header {
    /// That of a text of today.
    pub fn of(options: Options) -> Header {
        let version = VERSION;
        Header { version, options }
    }

    /// Reads the first line of a text; `None` if it is no text of `show`.
    pub fn parse(text: &str) -> Option<Header> {
        let mut words = text.lines().next()?.strip_prefix(BEGINNING)?.split(' ');
        let version = words.next()?.parse().ok()?;
        let mut options = Options::default();
        let mut lenient = false;
        for word in words {
            match word {
                "anonymous" => options.anonymous = true,
                "no-hash" => options.no_hash = true,
                "lenient" => lenient = true,
                _ => return None,
            }
        }
        options.strict = options.anonymous && options.no_hash && !lenient;
        Some(Header { version, options })
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BEGINNING}{}", self.version)?;
        let options = [
            (self.options.anonymous, " anonymous"),
            (self.options.no_hash, " no-hash"),
            (self.options.is_lenient(), " lenient"),
        ];
        (options.iter().filter(|(on, _)| *on)).try_for_each(|(_, word)| f.write_str(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        for bits in 0..5 {
            let header = Header::of(Options {
                anonymous: bits & 1 > 0 || bits == 4,
                no_hash: bits & 2 > 0 || bits == 4,
                strict: bits == 4,
            });
            assert_eq!(Header::parse(&format!("{header}\nmodel")), Some(header));
        }
        for other in ["", "model", "dropout-onnx show", "dropout-onnx show 1 loud"] {
            assert_eq!(Header::parse(other), None, "{other}");
        }
    }
}
