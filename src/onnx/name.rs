//! Names: bytes that ought to be UTF-8.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use triomphe::ThinArc;

/// The name of a value, node, operator or domain, byte for byte as in the file. ONNX asks for
/// UTF-8; a file that has something else is still read, compared and written back unharmed.
///
/// A pointer to shared bytes: a model has each of its names once, and clones share it.
#[derive(Clone, Default)]
pub struct Name(Option<ThinArc<(), u8>>);

/// The type that holds the inputs, and the outputs, of a node: few have more than two.
pub type Names = smallvec::SmallVec<[Name; 2]>;

impl Name {
    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| &bytes.slice)
    }

    /// The name as text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The name as text for reports, with replacement characters for what is not UTF-8.
    pub(crate) fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// True of the empty name: an optional input or output that is absent.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Where its bytes are, in steps of their alignment: names at one place are equal, and a model's
    /// equal names are at one place. 0 of the empty name.
    pub(super) fn address(&self) -> u64 {
        let of = |bytes: &ThinArc<(), u8>| bytes.ptr().addr() / 16;
        self.0.as_ref().map_or(0, of) as u64
    }
}

/// True if some bytes contain others.
pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Makes equal names share their bytes.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    /// Each with its hash, so that growing reads none.
    names: HashTable<(u64, Name)>,
    hasher: RandomState,
    recent: Recent<Name>,
}

impl Interner {
    /// The name with these bytes.
    pub fn name(&mut self, bytes: &[u8]) -> Name {
        let hash = self.hasher.hash_one(bytes);
        let recent = self.recent.at(hash);
        if recent.as_bytes() == bytes {
            return recent.clone();
        }
        let is = |(other, name): &(u64, Name)| *other == hash && name.as_bytes() == bytes;
        let entry = self.names.entry(hash, is, |(hash, _)| *hash);
        let entry = entry.or_insert_with(|| (hash, Name::from(bytes)));
        recent.clone_from(&entry.get().1);
        recent.clone()
    }
}

/// What was last looked up, by hash: nodes use what nodes shortly before them make, and few operators.
/// This little is always near, and a table of a million names is not.
#[derive(Clone, Debug)]
pub(super) struct Recent<T>(Box<[T]>);

impl<T> Recent<T> {
    /// The only place for what has this hash.
    pub fn at(&mut self, hash: u64) -> &mut T {
        let place = hash as usize % self.0.len();
        &mut self.0[place]
    }
}

impl<T: Default> Default for Recent<T> {
    fn default() -> Self {
        Recent((0..512).map(|_| T::default()).collect())
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Name(bytes.map(|bytes| ThinArc::from_header_and_slice((), bytes)))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => a.ptr() == b.ptr() || a.slice == b.slice,
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

impl Eq for Name {}

/// As its bytes, because it can be borrowed as them.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        // nothing is not compared by `memcmp`, which reads at no address slowly
        match &self.0 {
            Some(bytes) => bytes.slice == *other.as_bytes(),
            None => other.is_empty(),
        }
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text())
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_text())
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
        String::deserialize(from).map(Name::from)
    }
}

/// As text in documents.
#[cfg(test)]
impl schemars::JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}
