//! External data: elements in another file.
//!
//! Source: `onnx.proto`, `TensorProto.external_data`, and ONNX's `docs/ExternalData.md`.

use std::fmt::Debug;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::source::{Source, not_regular};

use super::{foreign, proto};

/// Where a tensor's elements are, relative to the model's folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ExternalData {
    /// The file as the model names it, a relative POSIX path; `None` if the model names none.
    pub location: Option<String>,
    /// Byte at which the elements begin, as written; absent means 0.
    pub offset: Option<String>,
    /// Bytes of the elements, as written; absent means up to the end of the file.
    pub length: Option<String>,
}

impl ExternalData {
    pub(crate) fn from_entries(entries: &[proto::StringStringEntry]) -> ExternalData {
        let value = |key: &str| {
            let entry = entries.iter().rev();
            entry
                .filter(|entry| entry.key.as_deref() == Some(key.as_bytes()))
                .map(|entry| entry.value.as_deref().unwrap_or_default())
                .map(|value| String::from_utf8_lossy(value).into_owned())
                .next()
        };
        ExternalData {
            location: value("location"),
            offset: value("offset"),
            length: value("length"),
        }
    }

    /// The file it names, if the name stays within the model's folder.
    ///
    /// # Errors
    /// The location is missing, absolute, or leaves the folder.
    pub fn relative_path(&self) -> Result<PathBuf> {
        let refuse = |why: String| Error::new(ErrorKind::Model, why);
        let Some(location) = &self.location else {
            return Err(refuse("external data without a location".into()));
        };
        let path = Path::new(location);
        let inside = !location.is_empty()
            && !location.contains(['\\', '\0', ':'])
            && path
                .components()
                .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            let why = format!("external data at `{location}`: not inside the model's folder");
            return Err(refuse(why));
        }
        Ok(path.to_path_buf())
    }

    /// Offset and length in bytes, as numbers.
    ///
    /// # Errors
    /// They are no numbers, or their sum overflows.
    pub fn span(&self) -> Result<(u64, Option<u64>)> {
        let number = |what: &str, text: &Option<String>| match text.as_deref() {
            None => Ok(None),
            Some(text) => text.trim().parse::<u64>().map(Some).map_err(|_| {
                Error::model(format!("external data: {what} `{text}` is not a number"))
            }),
        };
        let offset = number("offset", &self.offset)?.unwrap_or(0);
        let length = number("length", &self.length)?;
        if offset.checked_add(length.unwrap_or(0)).is_none() {
            let why = format!("external data: offset {offset} and length overflow");
            return Err(Error::model(why));
        }
        Ok((offset, length))
    }

    /// The bytes of the elements in their file.
    ///
    /// # Errors
    /// As [`ExternalData::span`]; the file is too short.
    pub(super) fn range(&self, file: &Source, expected: Option<u64>) -> Result<Range<u64>> {
        let (offset, length) = self.span()?;
        // without a length: what the type and shape ask for, or else up to the end of the file
        let length = length.or(expected);
        let length = length.unwrap_or(file.len().saturating_sub(offset));
        let end = offset.saturating_add(length);
        if end > file.len() {
            let head = file.bytes(0..file.len().min(foreign::HEAD))?;
            let why = match foreign::by_head(&head) {
                Some(foreign) => foreign.why(),
                None => format!(
                    "external data is too short: bytes {offset} to {end} of {}",
                    file.len()
                ),
            };
            return Err(file.name_in(Error::model(why)));
        }
        match expected {
            Some(expected) if length < expected => {
                let why = format!(
                    "external data is too short: {length} bytes, its type and shape ask for \
                     {expected}"
                );
                Err(file.name_in(Error::model(why)))
            }
            _ => Ok(offset..end),
        }
    }
}

/// Opens files of external data that are not in a folder but, for example, in a store of objects.
pub trait ExternalFiles: Debug + Send + Sync {
    /// Opens a file by its path relative to the model, which leads nowhere else.
    ///
    /// # Errors
    /// There is no such file.
    fn open(&self, path: &Path) -> Result<Source>;
}

/// Where the external data of a model is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    /// The folder of the model.
    pub folder: Option<PathBuf>,
    /// The folder of the file that the model in `folder` is a symbolic link to: in Hugging Face's cache, all files
    /// of a model are links to another folder.
    pub target: Option<PathBuf>,
    /// Not in a folder.
    pub files: Option<Arc<dyn ExternalFiles>>,
}

impl Outside {
    /// Next to a file.
    pub fn of(path: &Path) -> Outside {
        let link = path.is_symlink();
        let target = link.then(|| path.canonicalize().ok()).flatten();
        Outside {
            folder: path.parent().map(Path::to_path_buf),
            target: target.and_then(|target| target.parent().map(Path::to_path_buf)),
            files: None,
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As [`ExternalData::relative_path`]; the file is missing, or (through a symlink) outside the folder.
    pub fn open(&self, external: &ExternalData) -> Result<Source> {
        let path = external.relative_path()?;
        if let Some(files) = &self.files {
            return files.open(&path);
        }
        let folder = self.folder.as_deref().unwrap_or(Path::new(""));
        let path = folder.join(path);
        let cannot = |e| Error::io("cannot open external data", e).in_file(&path);
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let folder = folder.canonicalize().map_err(cannot)?;
        let real = path.canonicalize().map_err(cannot)?;
        let in_target = |target: &PathBuf| real.starts_with(target);
        if !real.starts_with(folder) && !self.target.as_ref().is_some_and(in_target) {
            let why = "external data: a symbolic link leads out of the model's folder";
            return Err(Error::model(why).in_file(&path));
        }
        // looked at before it is opened: a named pipe opens once something writes to it
        if let Some(why) = not_regular(&path.metadata().map_err(cannot)?) {
            let why = format!("external data {why}");
            return Err(Error::new(ErrorKind::Io, why).in_file(&path));
        }
        Source::open(&path)
    }
}
