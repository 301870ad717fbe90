//! The options of a verification in a document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dropout::Convention;
use crate::error::{Error, ErrorKind, Result};
use crate::verify::compare::Tolerance;
use crate::verify::engine::{Host, Meaning};
use crate::verify::inputs::InputSpec;
use crate::verify::{Options, Pairing, run};

/// How the models were compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::verify) struct How {
    /// Whether structures were compared.
    structure: bool,
    /// What `Dropout` operators mean at inference.
    convention: Convention,
    /// Whether masks that cannot be measured are accepted.
    allow_unmeasured: bool,
    /// Which outputs are compared.
    outputs: Pairing,
    /// How both were run; null if they were not.
    run: Option<Runs>,
}

/// How both models were run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Runs {
    /// The number of runs.
    runs: usize,
    /// The seed of the random inputs.
    seed: u64,
    /// Sizes of symbolic dimensions.
    dims: BTreeMap<String, usize>,
    /// Shapes and data of inputs, as `--input` takes them.
    inputs: Vec<String>,
    /// Inputs whose data was in memory: it has to be given again.
    memory: Vec<String>,
    /// How far outputs may differ.
    tolerance: Tolerance,
}

impl How {
    /// The options; `None` if they ask for what a document cannot have.
    pub fn of(options: &Options) -> Option<How> {
        Some(How {
            structure: options.structure,
            convention: options.convention,
            allow_unmeasured: options.allow_unmeasured,
            outputs: options.outputs,
            run: match &options.run {
                Some(settings) => Some(Runs::of(settings)?),
                None => None,
            },
        })
    }

    /// The options, to run models here. `inputs` replace those of the document.
    pub fn options(&self, host: &Host, inputs: &[InputSpec]) -> Result<Options> {
        let run = self.run.as_ref();
        Ok(Options {
            structure: self.structure,
            convention: self.convention,
            allow_unmeasured: self.allow_unmeasured,
            outputs: self.outputs,
            run: run.map(|run| run.settings(host, inputs)).transpose()?,
        })
    }
}

impl Runs {
    fn of(settings: &run::Settings) -> Option<Runs> {
        let memory = settings.inputs.iter().filter_map(|spec| match spec {
            InputSpec::Memory { input, .. } => Some(input.clone()),
            _ => None,
        });
        let inputs = settings.inputs.iter();
        let inputs = inputs.filter(|spec| !matches!(spec, InputSpec::Memory { .. }));
        (settings.meaning == Meaning::Inference).then(|| Runs {
            runs: settings.runs,
            seed: settings.seed,
            dims: settings.dims.clone(),
            inputs: inputs.map(ToString::to_string).collect(),
            memory: memory.collect(),
            tolerance: settings.tolerance,
        })
    }

    fn settings(&self, host: &Host, given: &[InputSpec]) -> Result<run::Settings> {
        let inputs = match given {
            [] => self.specs()?,
            given => given.to_vec(),
        };
        Ok(run::Settings {
            runs: self.runs,
            seed: self.seed,
            dims: self.dims.clone(),
            inputs,
            tolerance: self.tolerance,
            host: host.clone(),
            ..run::Settings::default()
        })
    }

    fn specs(&self) -> Result<Vec<InputSpec>> {
        if let Some(input) = self.memory.first() {
            let why = format!(
                "the data of input {input} was in memory: give all inputs again with --input"
            );
            return Err(Error::new(ErrorKind::Usage, why));
        }
        self.inputs.iter().map(|spec| spec.parse()).collect()
    }
}
