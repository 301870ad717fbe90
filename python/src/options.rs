//! What Python hands over, as the library wants it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::remote::Ranges;
use bytes::Bytes;
use dropout_onnx::job::Files;
use dropout_onnx::onnx::Model;
use dropout_onnx::sample::{LabelData, Labels};
use dropout_onnx::source::Source;
use dropout_onnx::verify::compare::Tolerance;
use dropout_onnx::verify::engine::{Host, Isolation};
use dropout_onnx::verify::inputs::InputSpec;
use dropout_onnx::verify::{Options, run::Settings};
use dropout_onnx::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

/// A model: its bytes, its path, or ranges of it.
#[derive(FromPyObject)]
pub enum Given {
    Bytes(PyBackedBytes),
    Path(PathBuf),
    Ranges(Ranges),
}

impl Given {
    /// What the command line calls it: `-` is a stream there, and memory here.
    pub fn path(&self) -> PathBuf {
        match self {
            Given::Bytes(_) | Given::Ranges(_) => "-".into(),
            Given::Path(path) if path.as_os_str() == "-" => "./-".into(),
            Given::Path(path) => path.clone(),
        }
    }

    /// The same, in documents.
    pub fn name(&self) -> String {
        match self {
            Given::Ranges(ranges) => ranges.name.clone(),
            _ => self.path().to_string_lossy().into_owned(),
        }
    }

    /// Reads it; bytes are not copied.
    pub fn read(self) -> Result<Model> {
        match self {
            Given::Path(path) => Model::open(path),
            Given::Bytes(bytes) => Model::read(Source::from_bytes(Bytes::from_owner(bytes))),
            Given::Ranges(ranges) => {
                let why =
                    "only audit, show and insert_sites read by ranges; read or download it first";
                let error = Error::new(ErrorKind::Unsupported, why);
                Err(match ranges.name.as_str() {
                    "-" => error,
                    name => error.in_file(name),
                })
            }
        }
    }

    /// Reads it for `work`, and refuses an object of a store that has changed meanwhile.
    pub fn during<T>(self, work: impl FnOnce(&Model) -> Result<T>) -> Result<T> {
        match self {
            Given::Ranges(ranges) => ranges.during(work),
            _ => work(&self.read()?),
        }
    }
}

/// Where a rewrite reads from and writes to.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Where {
    model: Given,
    out: Option<PathBuf>,
    in_place: bool,
    force: bool,
    dry_run: bool,
    external_data: Option<String>,
    evidence: Option<PathBuf>,
    sync: bool,
}

impl Where {
    /// For the library, and the model.
    pub fn files(self) -> Result<(Files, Given)> {
        let external_data = self.external_data.map(|how| match how.parse() {
            Ok(external) => Ok(external),
            Err(_) => Err(word("external_data", &how, "copy or link")),
        });
        let files = Files::default()
            .input(self.model.path())
            .output(self.out)
            .in_place(self.in_place)
            .force(self.force)
            .dry_run(self.dry_run)
            .external_data(external_data.transpose()?)
            .evidence(self.evidence)
            .no_sync(!self.sync);
        Ok((files, self.model))
    }
}

/// How a result is verified.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct How {
    verify: String,
    runs: usize,
    seed: u64,
    #[pyo3(item("dim"))]
    dims: BTreeMap<String, usize>,
    input: Vec<Fed>,
    rtol: Option<f64>,
    atol: Option<f64>,
    limits: Limits,
}

/// How models are run, and the limits of the process that runs them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Limits {
    /// The command of this wheel; without it models run in this process.
    program: Option<PathBuf>,
    timeout: Option<u64>,
    memory_limit: Option<Size>,
    engine: String,
    /// The folder with the library of the package `onnxruntime`, if that is installed.
    library: Option<PathBuf>,
}

/// A number of bytes, or a size in words.
#[derive(FromPyObject)]
enum Size {
    Bytes(u64),
    Text(String),
}

impl Limits {
    /// For the library.
    pub fn host(self) -> Result<Host> {
        let mut host = Host::default();
        host.engines = self.engine.parse()?;
        host.library = self.library;
        let Some(program) = self.program else {
            return Ok(host);
        };
        let mut isolation = Isolation::new(program);
        isolation.timeout = self.timeout.map(Duration::from_secs);
        isolation.memory = match self.memory_limit {
            None => None,
            Some(Size::Bytes(bytes)) => Some(bytes),
            Some(Size::Text(text)) => Some(Isolation::parse_memory(&text)?),
        };
        host.isolation = Some(isolation);
        Ok(host)
    }
}

impl How {
    /// The library's options; `None` without verification.
    pub fn options(self) -> Result<Option<Options>> {
        let settings = Settings::default()
            .runs(self.runs)
            .seed(self.seed)
            .dims(self.dims)
            .inputs(specs(self.input)?)
            .tolerance(Tolerance::asked(self.rtol, self.atol)?)
            .host(self.limits.host()?);
        Ok(match self.verify.as_str() {
            "all" => Some(Options::asked(true, Some(settings))),
            "structure" => Some(Options::asked(true, None)),
            "run" => Some(Options::asked(false, Some(settings))),
            "none" => None,
            other => return Err(word("verify", other, "all, structure, run or none")),
        })
    }
}

/// What an input is fed: as the command line writes it, an array as `numpy.save` writes it, or a shape.
#[derive(FromPyObject)]
pub enum Fed {
    Spec(String),
    Array((String, PyBackedBytes)),
    Shape((String, Vec<usize>)),
}

/// For the library.
pub fn specs(fed: Vec<Fed>) -> Result<Vec<InputSpec>> {
    let spec = |fed| match fed {
        Fed::Spec(text) => text.parse(),
        Fed::Shape((input, shape)) => Ok(InputSpec::Shape { input, shape }),
        Fed::Array((input, npy)) => Ok(InputSpec::Memory {
            input,
            npy: Bytes::from_owner(npy),
        }),
    };
    fed.into_iter().map(spec).collect()
}

/// Labels; those of the only classifier have no name.
pub fn labels(fed: Vec<Fed>) -> Result<Vec<Labels>> {
    let labels = |fed| match fed {
        Fed::Spec(text) => text.parse(),
        Fed::Shape((output, _)) => Err(word("labels", &output, "an array or a file")),
        Fed::Array((output, npy)) => Ok(Labels::new(
            (!output.is_empty()).then_some(output),
            LabelData::Npy(Bytes::from_owner(npy)),
        )),
    };
    fed.into_iter().map(labels).collect()
}

/// An invalid word of an option.
pub fn word(option: &str, given: &str, words: &str) -> Error {
    let why = format!("{option}={given:?}: expected {words}");
    Error::new(ErrorKind::Usage, why)
}
