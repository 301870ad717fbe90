//! ONNX Runtime, from a library that is looked for when a model needs it.
//!
//! Optimisations are off, and one thread computes. Operators that draw random numbers are replaced in the
//! copy that is run by operators of this crate: what they draw is what tract draws.

pub(super) mod library;

mod operators;
mod tensor;

use std::path::Path;
use std::sync::Mutex;

use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};

use super::backend::{About, Engine, Read, Ready, Values};
use super::copy::Copy;
use super::draws::in_run;
use super::mend::{self, Repair};
use super::port::ports;
use super::watch::{Seen, seeing};
use super::{Meaning, Mode, Port, Shapes, Stop, Subject, Unrunnable, Value, isolation};
use crate::interrupt;
use crate::source::Source;
use library::Loaded;

static LOADING: Mutex<()> = Mutex::new(());

/// ONNX Runtime.
pub(super) struct Ort(pub(super) &'static Loaded);

/// A model that ONNX Runtime has loaded.
struct Model {
    ports: Vec<Port>,
    session: Mutex<Session>,
}

impl Engine for Ort {
    fn read(
        &self,
        subject: &Subject,
        meaning: Meaning,
        _: Mode,
    ) -> Result<(About, Box<dyn Read>), Stop> {
        let Ort(runtime) = self;
        let repairs: Vec<&Repair> = mend::ORT.iter().collect();
        let copy = Copy::of(subject.source, meaning, &repairs)?;
        if let (None, Some(tensor)) = (subject.folder, external(&copy.model)) {
            return Err(Unrunnable::no_folder(&tensor).into());
        }
        let ports = ports(&copy.model)?;
        let bytes = bytes(&copy.source()?)?;
        let session = {
            // what all sessions share is not made for two at once
            let _alone = LOADING.lock();
            session(runtime, subject.folder)
                .and_then(|mut builder| builder.commit_from_memory(&bytes))
                .map_err(|error| cannot("load", &error))?
        };
        let about = About {
            engine: runtime.version.clone(),
            ports: ports.clone(),
            outputs: (session.outputs().iter())
                .map(|output| output.name().to_string())
                .collect(),
            notes: copy.notes,
            random: copy.random,
        };
        let session = Mutex::new(session);
        Ok((about, Box::new(Model { ports, session })))
    }
}

/// How all models are run.
fn session(runtime: &Loaded, folder: Option<&Path>) -> ort::Result<SessionBuilder> {
    let mut builder = Session::builder(&runtime.environment)?
        .with_optimization_level(GraphOptimizationLevel::Disable)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_operators(operators::domain()?)?;
    if let Some(folder) = folder.and_then(Path::to_str) {
        let folder = if folder.is_empty() { "." } else { folder };
        let key = "session.model_external_initializers_file_folder_path";
        builder = builder.with_config_entry(key, folder)?;
    }
    Ok(builder)
}

/// A tensor whose elements are in another file.
fn external(model: &crate::onnx::Model) -> Option<String> {
    let mut tensors = model.graphs().flat_map(|(_, graph)| graph.initializers());
    let tensor = tensors.find(|(_, tensor)| tensor.external.is_some())?.1;
    Some(format!("tensor {}", tensor.name))
}

fn bytes(source: &Source) -> Result<Vec<u8>, Stop> {
    let mut bytes = vec![0; usize::try_from(source.len()).unwrap_or(usize::MAX)];
    source.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// An error of ONNX Runtime: the first line of it.
fn cannot<R>(doing: &str, error: &ort::Error<R>) -> Unrunnable {
    let message = error.message().trim();
    let failed = ["std::bad_alloc", "Failed to allocate memory"];
    if failed.iter().any(|failed| message.contains(failed)) {
        return Unrunnable::ended(isolation::allocation_failed("ONNX Runtime"));
    }
    let line = without_place(message.lines().next().unwrap_or_default());
    let short = match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    Unrunnable::new(format!("ONNX Runtime cannot {doing} this model: {short}"))
}

/// An error without the file, line and function of ONNX Runtime's source that it begins with.
fn without_place(line: &str) -> String {
    let found = [".cc:", ".h:"].iter().find_map(|end| line.find(end));
    let place = found.and_then(|at| {
        let start = line[..at].rfind(' ').map_or(0, |space| space + 1);
        let mut depth = 0;
        let end = line[at..].find(|c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ')' && depth == 0
        });
        Some(start..at + end? + 1)
    });
    let mut line = line.to_string();
    if let Some(place) = place {
        line.replace_range(place, "");
    }
    line.trim_start().trim_start_matches("const ").to_string()
}

impl Read for Model {
    fn ready(self: Box<Self>, _: &Shapes) -> Result<Box<dyn Ready>, Stop> {
        Ok(self)
    }
}

impl Ready for Model {
    fn run(&self, inputs: &Values, run: u64) -> Result<(Vec<Value>, Vec<Seen>), Stop> {
        let mut fed: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for port in &self.ports {
            if let Some(value) = inputs.get(&port.name) {
                let value = tensor::to_ort(value).map_err(|error| cannot("run", &error))?;
                fed.push((&port.name, value.into()));
            }
        }
        let mut session = self.session.lock().unwrap_or_else(|lock| lock.into_inner());
        let (outputs, seen) = in_run(run, || {
            seeing(|| {
                let outputs = session.run(fed).map_err(|error| cannot("run", &error))?;
                let values = outputs.iter();
                let values = values.map(|(name, value)| tensor::from_ort(name, &value));
                values.collect::<Result<Vec<Value>, Unrunnable>>()
            })
        });
        interrupt::check()?;
        Ok((outputs?, seen))
    }
}
