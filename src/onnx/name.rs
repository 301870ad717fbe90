//! Names: bytes that ought to be UTF-8.

use std::borrow::Borrow;
use std::fmt;

use bytes::Bytes;

/// The name of a value, node, operator or domain, byte for byte as in the file. ONNX asks for
/// UTF-8; a file that has something else is still read, compared and written back unharmed.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Bytes);

impl Name {
    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// True of the empty name: an optional input or output that is absent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A copy that keeps no window of the file alive.
    pub(crate) fn detached(&self) -> Name {
        Name(Bytes::copy_from_slice(&self.0))
    }
}

impl From<Bytes> for Name {
    fn from(bytes: Bytes) -> Self {
        Name(bytes)
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Name(text.into())
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Name(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}
