//! Where models run: in this process, or in one of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::backend::{About, Read, Ready, Values};
use super::isolation::Isolation;
use super::process::Isolated;
use super::{
    Engines, Fill, Meaning, Mode, Port, Shapes, Stop, Subject, TRACT, Value, engines, shapes,
};
use crate::error::{Error, ErrorKind};
use crate::verify::engine::watch::Seen;

/// Where models run, and with which engines.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Host {
    /// A process of their own, which may crash, hang or run out of memory without harm. Without it
    /// they run in this process: panics are caught, but a model that overflows its stack or asks for
    /// more memory than there is ends the process, and one that never ends never returns.
    pub isolation: Option<Isolation>,
    /// Which engines may run them.
    pub engines: Engines,
    /// The library of ONNX Runtime, or the folder that holds it; otherwise it is looked for.
    pub library: Option<PathBuf>,
}

impl Host {
    /// In processes of their own.
    pub fn isolated(isolation: Isolation) -> Host {
        Host {
            isolation: Some(isolation),
            ..Host::default()
        }
    }

    /// The modes in which models are run, in the order in which they are tried.
    pub(in crate::verify) fn modes(&self) -> impl Iterator<Item = Mode> {
        let asked = self.engines == Engines::Ort;
        let is_wanted = asked || cfg!(feature = "ort");
        Mode::of(self.engines).filter(move |mode| is_wanted || *mode != Mode::OnnxRuntime)
    }

    /// The engines in words: what is tried where nothing runs.
    pub(crate) fn names(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for mode in self.modes() {
            let name = match mode {
                Mode::OnnxRuntime => mode.engine(),
                _ => TRACT,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }

    /// Reads a model. Of the file no more than 1 MiB is in memory in addition to the decoded model, and of the
    /// decoded model nothing is left at the end: the weights are held once.
    ///
    /// # Errors
    /// The source cannot be read; or the engine cannot read the model, lacks an operator or an element
    /// type it uses, or misses a value; or the process that should run it ended.
    pub fn read(&self, subject: &Subject, meaning: Meaning, mode: Mode) -> Result<Parsed, Stop> {
        // what is missing is known without a process
        let library = match mode {
            Mode::OnnxRuntime => engines::library(self.library.as_deref())?,
            _ => None,
        };
        let library = library.as_deref();
        let engine = match &self.isolation {
            None => engines::of(mode, library)?,
            Some(isolation) => Box::new(Isolated { isolation, library }),
        };
        let (about, model) = engine.read(subject, meaning, mode)?;
        Ok(Parsed { about, model })
    }

    /// Reads a model and makes it ready to run with inputs of these shapes.
    ///
    /// # Errors
    /// The source cannot be read, or the engine cannot run the model.
    pub fn load(
        &self,
        subject: &Subject,
        meaning: Meaning,
        mode: Mode,
        shapes: &Shapes,
    ) -> Result<Runnable, Stop> {
        self.read(subject, meaning, mode)?.runnable(shapes)
    }
}

/// A model that an engine has read, its symbolic dimensions still open.
#[non_exhaustive]
pub struct Parsed {
    about: About,
    model: Box<dyn Read>,
}

/// A model ready to run.
pub struct Runnable {
    about: About,
    model: Box<dyn Ready>,
}

impl Parsed {
    /// The inputs to feed, in the order of the graph. An input with an initializer keeps it.
    pub fn inputs(&self) -> &[Port] {
        &self.about.ports
    }

    /// Names of the outputs, in the order of the graph.
    pub fn outputs(&self) -> &[String] {
        &self.about.outputs
    }

    /// What a reader of the result should know.
    pub fn notes(&self) -> &[String] {
        &self.about.notes
    }

    /// The engine and its version.
    pub(in crate::verify) fn engine(&self) -> &str {
        &self.about.engine
    }

    /// Operators that draw random numbers, other than Dropout, and how often they occur.
    pub fn random_operators(&self) -> &BTreeMap<String, usize> {
        &self.about.random
    }

    /// The same in words: `Bernoulli ×1, RandomNormal ×2`; `None` if there are none.
    pub fn draws(&self) -> Option<String> {
        let counts = self.about.random.iter();
        let counts: Vec<String> = counts.map(|(name, n)| format!("{name} ×{n}")).collect();
        (!counts.is_empty()).then(|| counts.join(", "))
    }

    /// Sizes for all inputs: `given` by input, then `dims` by the name of the dimension, the rest
    /// from `fill`.
    ///
    /// # Errors
    /// A name that is not the model's, or a shape that contradicts it or another; an input too
    /// large, or declared without a shape and not given one.
    pub fn choose(
        &self,
        dims: &BTreeMap<String, usize>,
        given: &BTreeMap<String, Vec<usize>>,
        fill: Fill,
    ) -> Result<Shapes, Stop> {
        shapes::choose(&self.about.ports, dims, given, fill)
    }

    /// Analyses and optimises the model for these shapes.
    ///
    /// # Errors
    /// A shape is missing, or the engine cannot.
    pub fn runnable(self, shapes: &Shapes) -> Result<Runnable, Stop> {
        let model = self.model.ready(shapes)?;
        let about = self.about;
        Ok(Runnable { about, model })
    }
}

impl Runnable {
    /// Names of the outputs, in the order of the graph.
    pub fn outputs(&self) -> &[String] {
        &self.about.outputs
    }

    /// Computes the outputs, in the order of the graph. `run` numbers the draws: the same number
    /// draws the same masks and random numbers, another number others.
    ///
    /// # Errors
    /// An input is missing (a usage error), or the engine cannot.
    pub fn run(&self, inputs: &Values, run: u64) -> Result<Vec<Value>, Stop> {
        Ok(self.run_watched(inputs, run)?.0)
    }

    /// As [`Runnable::run`]; and what watching nodes saw.
    pub(in crate::verify) fn run_watched(
        &self,
        inputs: &Values,
        run: u64,
    ) -> Result<(Vec<Value>, Vec<Seen>), Stop> {
        for port in &self.about.ports {
            if !inputs.contains_key(&port.name) {
                let why = format!("there is no value for input {}", port.name);
                return Err(Error::new(ErrorKind::Usage, why).into());
            }
        }
        self.model.run(inputs, run)
    }
}
