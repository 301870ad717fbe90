//! External data: elements in another file.
//!
//! Source: `onnx.proto`, `TensorProto.external_data`, and ONNX's `docs/ExternalData.md`.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::source::not_regular;

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

    /// Opens the file and finds the elements in it. Returns the file's path and the bytes' range.
    ///
    /// # Errors
    /// As [`ExternalData::relative_path`] and [`ExternalData::span`]; the file is missing, too
    /// short, or (through a symlink) outside the folder.
    pub fn locate(&self, folder: &Path, expected: Option<u64>) -> Result<(PathBuf, u64, u64)> {
        let path = folder.join(self.relative_path()?);
        let (offset, length) = self.span()?;
        let cannot = |e| Error::io("cannot open external data", e).in_file(&path);
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let real_folder = folder.canonicalize().map_err(cannot)?;
        if !path
            .canonicalize()
            .map_err(cannot)?
            .starts_with(real_folder)
        {
            let why = "external data: a symbolic link leads out of the model's folder";
            return Err(Error::model(why).in_file(&path));
        }
        // looked at before it is opened: a named pipe opens once something writes to it
        if let Some(why) = not_regular(&path.metadata().map_err(cannot)?) {
            let why = format!("external data {why}");
            return Err(Error::new(ErrorKind::Io, why).in_file(&path));
        }
        let meta = File::open(&path)
            .and_then(|file| file.metadata())
            .map_err(cannot)?;
        // without a length: what the type and shape ask for, or else up to the end of the file
        let length = length.or(expected);
        let length = length.unwrap_or(meta.len().saturating_sub(offset));
        if offset
            .checked_add(length)
            .is_none_or(|end| end > meta.len())
        {
            let mut head = Vec::new();
            let read =
                File::open(&path).and_then(|file| file.take(foreign::HEAD).read_to_end(&mut head));
            read.map_err(cannot)?;
            if let Some(foreign) = foreign::by_head(&head) {
                return Err(Error::model(foreign.why()).in_file(&path));
            }
            let why = format!(
                "external data is too short: bytes {offset} to {} of {}",
                offset.saturating_add(length),
                meta.len()
            );
            return Err(Error::model(why).in_file(&path));
        }
        if let Some(expected) = expected
            && length < expected
        {
            let why = format!(
                "external data is too short: {length} bytes, its type and shape ask for {expected}"
            );
            return Err(Error::model(why).in_file(&path));
        }
        Ok((path, offset, length))
    }
}
