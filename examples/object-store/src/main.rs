//! Audits models in a store of objects by ranges: s3://, http(s):// and file://.
//!
//! Credentials and options of the store are environment variables (`AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID`, …).

use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dropout_onnx::audit::{ModelAudit, Selection};
use dropout_onnx::onnx::{ExternalFiles, Model};
use dropout_onnx::source::{ReadAt, Source};
use dropout_onnx::{Error, ErrorKind};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, parse_url_opts};
use tokio::runtime::Runtime;
use url::Url;

/// The smallest range that is asked for: parts of a graph are close together.
const BLOCK: u64 = 128 << 10;

/// A store, and what waits for it.
#[derive(Clone, Debug)]
struct Store {
    objects: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    /// The folder of the model.
    folder: Path,
}

/// An object as it was when it was opened.
#[derive(Debug)]
struct Object {
    store: Store,
    path: Path,
    size: u64,
    e_tag: Option<String>,
    /// The last block that was read, and its position.
    last: Mutex<(u64, Bytes)>,
}

impl Store {
    fn open(&self, path: Path) -> dropout_onnx::Result<Source> {
        let about = self.runtime.block_on(self.objects.head(&path));
        let about = about.map_err(|e| failed(&path, &e))?;
        let size = about.size;
        let object = Object {
            store: self.clone(),
            path,
            size,
            e_tag: about.e_tag,
            last: Mutex::default(),
        };
        Ok(Source::computed(size, object))
    }
}

/// External data is next to the model.
impl ExternalFiles for Store {
    fn open(&self, path: &FilePath) -> dropout_onnx::Result<Source> {
        let path = path.to_string_lossy();
        self.open(path.split('/').fold(self.folder.clone(), |folder, part| folder.join(part)))
    }
}

impl Object {
    /// One request. The store refuses it if the object has changed.
    fn range(&self, start: u64, end: u64) -> dropout_onnx::Result<Bytes> {
        let options = GetOptions {
            range: Some((start..end).into()),
            if_match: self.e_tag.clone(),
            ..GetOptions::default()
        };
        let read = async { self.store.objects.get_opts(&self.path, options).await?.bytes().await };
        let bytes = self.store.runtime.block_on(read);
        let bytes = bytes.map_err(|e| failed(&self.path, &e))?;
        match bytes.len() as u64 == end - start {
            true => Ok(bytes),
            false => Err(Error::new(ErrorKind::Io, format!("{}: a range is cut off", self.path))),
        }
    }
}

impl ReadAt for Object {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> dropout_onnx::Result<()> {
        let end = offset + buffer.len() as u64;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if offset < last.0 || end > last.0 + last.1.len() as u64 {
            let bytes = self.range(offset, end.max((offset + BLOCK).min(self.size)))?;
            *last = (offset, bytes);
        }
        let from = (offset - last.0) as usize;
        buffer.copy_from_slice(&last.1[from..from + buffer.len()]);
        Ok(())
    }
}

fn failed(path: &Path, error: &object_store::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{path}: {error}"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Arc::new(Runtime::new()?);
    for name in std::env::args().skip(1) {
        // keys are written in lower case there
        let options = std::env::vars().map(|(key, value)| (key.to_lowercase(), value));
        let (objects, path) = parse_url_opts(&Url::parse(&name)?, options)?;
        let mut folder: Vec<_> = path.parts().collect();
        folder.pop();
        let store = Store {
            objects: objects.into(),
            runtime: runtime.clone(),
            folder: folder.into_iter().collect(),
        };
        let model = Model::read(store.open(path)?)?.with_external(Arc::new(store));
        let audit = ModelAudit::with(&name, &model, &Selection::default())?;
        let verdict = audit.verdict.map(|verdict| verdict.to_string());
        println!("{name}: {}", verdict.unwrap_or_default());
    }
    Ok(())
}
