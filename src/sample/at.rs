//! A copy at one rate, on the engine.

use std::collections::BTreeMap;

use super::collect::Collector;
use super::{Options, Output};
use crate::dropout::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Model;
use crate::rewrite::strip;
use crate::verify::engine::{Meaning, Runnable, Stop, Subject, Value};
use crate::verify::run::{Settings, Setup, setup};

/// A copy at one rate.
pub(super) struct At<'a> {
    pub model: &'a Model,
    pub options: &'a Options,
    pub rate: Option<f64>,
    /// True of an output that a sigmoid makes.
    pub sigmoid: &'a dyn Fn(&str) -> bool,
}

impl At<'_> {
    fn meaning(&self) -> Meaning {
        Meaning::Training {
            seed: self.options.mask_seed.unwrap_or(self.options.seed),
            rate: self.rate,
        }
    }

    /// Finds with what it runs.
    pub fn setup(&self) -> Result<Setup> {
        let settings = Settings {
            runs: 1,
            seed: self.options.seed,
            dims: self.options.dims.clone(),
            inputs: self.options.inputs.clone(),
            meaning: self.meaning(),
            host: self.options.host.clone(),
            ..Settings::default()
        };
        setup(&subject(self.model), &settings).map_err(error)
    }

    /// The outputs at inference, by name: what strip leaves is run.
    pub fn inference(&self, stand: &Setup) -> Result<BTreeMap<String, Value>, String> {
        let options = strip::Options {
            kinds: Kind::ALL.to_vec(),
            strict: true,
            ..strip::Options::default()
        };
        let stripped = strip::strip(self.model, &options).map_err(|e| e.to_string())?;
        let subject = subject(stripped.edited.model());
        let host = &self.options.host;
        let runnable = host.load(&subject, Meaning::Inference, stand.mode, &stand.shapes);
        let runnable = runnable.map_err(|stop| stop.to_string())?;
        let values = runnable
            .run(&stand.inputs, 0)
            .map_err(|stop| stop.to_string())?;
        Ok(runnable.outputs().iter().cloned().zip(values).collect())
    }

    /// Runs it, and takes the outputs in.
    pub fn run(&self, stand: &Setup, watch: &mut dyn FnMut(usize)) -> Result<Vec<Output>> {
        let subject = subject(self.model);
        let host = &self.options.host;
        let runnable = host.load(&subject, self.meaning(), stand.mode, &stand.shapes);
        let runnable = runnable.map_err(error)?;
        let mut collectors: Vec<Collector> = Vec::new();
        for run in 0..self.options.runs {
            watch(run);
            let values = runnable.run(&stand.inputs, run as u64).map_err(error)?;
            if run == 0 {
                collectors = self.collectors(&runnable, &values)?;
            }
            for (collector, value) in collectors.iter_mut().zip(&values) {
                collector.push(value)?;
            }
        }
        Ok(collectors.into_iter().map(Collector::finish).collect())
    }

    fn collectors(&self, runnable: &Runnable, values: &[Value]) -> Result<Vec<Collector>> {
        let names = runnable.outputs();
        for spec in &self.options.classes {
            if !names.contains(&spec.output) {
                let why = format!(
                    "the model has no output {}; its outputs: {}",
                    spec.output,
                    names.join(", ")
                );
                return Err(Error::new(ErrorKind::Usage, why));
            }
        }
        let pairs = names.iter().zip(values);
        pairs
            .map(|(name, value)| {
                let mut specs = self.options.classes.iter();
                let spec = specs.find(|spec| spec.output == *name);
                Collector::new(name, value, spec, (self.sigmoid)(name))
            })
            .collect()
    }
}

fn subject(model: &Model) -> Subject<'_> {
    Subject {
        label: "the model",
        source: model.source(),
        folder: model.folder(),
        external: model.external_bytes(),
    }
}

fn error(stop: Stop) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Unrunnable(why) => {
            let way_out = match why.operator {
                Some(_) => {
                    "; to sample it with another runtime, make its operators active with \
                     `dropout-onnx set --mode active` (and disable optimizations in ONNX Runtime)"
                }
                None if why.is_final() => "",
                None => "; if this depends on the inputs, supply others with --input and --dim",
            };
            Error::new(ErrorKind::Unsupported, format!("{}{way_out}", why.reason))
        }
    }
}
