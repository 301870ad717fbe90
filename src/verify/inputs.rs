//! What a model is fed: random numbers, the same for both models, or data from files.

mod files;
mod made;
mod spec;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use tract_onnx::prelude::{DatumType, Tensor};

use super::engine::{Port, Stop, Value, element_name, elements, no_input};
use crate::error::{Error, ErrorKind};
use crate::source::Source;

pub(super) use made::{Range, make};
pub use spec::InputSpec;

/// The array in a file; of an archive that of this name.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn array(file: &Path, name: &str) -> Result<Value, Error> {
    match files::array(file, name) {
        Ok(tensor) => Ok(Value(tensor)),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Unrunnable(why)) => Err(Error::new(ErrorKind::Usage, why.reason).in_file(file)),
    }
}

/// The array of a `.npy` file in memory; or why not.
pub(crate) fn npy(bytes: Bytes) -> Result<Value, String> {
    files::npy(&Source::from_bytes(bytes)).map(Value)
}

/// Inputs asked for on the command line, read from their files.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Shapes without data, by input.
    shapes: BTreeMap<String, Vec<usize>>,
    /// Data for every run, by input.
    arrays: BTreeMap<String, Value>,
    /// One run each.
    pub(super) sets: Vec<TestSet>,
}

/// An ONNX `test_data_set_N` folder.
#[derive(Debug)]
pub(super) struct TestSet {
    /// The folder, for messages.
    pub(super) name: String,
    inputs: BTreeMap<String, Value>,
    /// Recorded outputs, by the output's name.
    pub(super) outputs: BTreeMap<String, Value>,
}

impl TestSet {
    /// Reads a folder.
    fn read(folder: &Path, ports: &[Port], outputs: &[String]) -> Result<TestSet, Stop> {
        let set = files::test_set(folder)?;
        let mut inputs = BTreeMap::new();
        for (index, name, tensor) in set.inputs {
            let named = ports.iter().find(|port| port.name == name);
            let Some(port) = named.or(ports.get(index)) else {
                let why = format!("input_{index}.pb matches no input of the model");
                return Err(usage(why, folder));
            };
            let value = fit(tensor, port).map_err(|why| usage(why, folder))?;
            inputs.insert(port.name.clone(), value);
        }
        let mut recorded = BTreeMap::new();
        for (index, name, tensor) in set.outputs {
            let named = outputs.iter().find(|output| **output == name);
            let Some(output) = named.or(outputs.get(index)) else {
                let why = format!("output_{index}.pb matches no output of the model");
                return Err(usage(why, folder));
            };
            recorded.insert(output.clone(), Value(tensor));
        }
        Ok(TestSet {
            name: folder.display().to_string(),
            inputs,
            outputs: recorded,
        })
    }
}

impl Given {
    /// Reads all files named, and makes their element types those of the model.
    ///
    /// # Errors
    /// A file cannot be read, holds something else, or does not fit the model.
    pub(super) fn read(
        specs: &[InputSpec],
        ports: &[Port],
        outputs: &[String],
    ) -> Result<Given, Stop> {
        let mut given = Given::default();
        for spec in specs {
            match spec {
                InputSpec::Shape { input, shape } => {
                    port(ports, input)?;
                    let before = given.shapes.insert(input.clone(), shape.clone());
                    if before.is_some_and(|before| before != *shape) {
                        let why = format!("input {input} has two shapes");
                        return Err(Error::new(ErrorKind::Usage, why).into());
                    }
                }
                InputSpec::Array { input, file } => {
                    let tensor = files::array(file, input)?;
                    given.take(tensor, port(ports, input)?, file)?;
                }
                InputSpec::Memory { input, npy } => {
                    let port = port(ports, input)?;
                    let read = files::npy(&Source::from_bytes(npy.clone()));
                    let taken = read.and_then(|tensor| given.take_any(tensor, port));
                    taken.map_err(|why| Error::new(ErrorKind::Usage, why))?;
                }
                InputSpec::Archive { file } => {
                    for (name, tensor) in files::archive(file)? {
                        given.take(tensor, port(ports, &name)?, file)?;
                    }
                }
                InputSpec::Tensor { file } => {
                    let (index, name, tensor) = files::input(file)?;
                    let named = ports.iter().find(|port| port.name == name);
                    let Some(port) = named.or(index.and_then(|index| ports.get(index))) else {
                        let why =
                            "it matches no input of the model; name one with --input NAME=FILE.pb";
                        return Err(usage(why.to_string(), file));
                    };
                    given.take(tensor, port, file)?;
                }
                InputSpec::TestSet { folder } => {
                    let set = TestSet::read(folder, ports, outputs)?;
                    given.sets.push(set);
                }
            }
        }
        given.check_sets()?;
        Ok(given)
    }

    /// Data of an input for every run.
    fn take(&mut self, tensor: Tensor, port: &Port, file: &Path) -> Result<(), Stop> {
        let taken = self.take_any(tensor, port);
        taken.map_err(|why| usage(why, file))
    }

    /// The same, wherever it is from; or why not.
    fn take_any(&mut self, tensor: Tensor, port: &Port) -> Result<(), String> {
        match self.arrays.insert(port.name.clone(), fit(tensor, port)?) {
            None => Ok(()),
            Some(_) => Err(format!("input {} has data twice", port.name)),
        }
    }

    /// The model is optimised for one shape per input, so all data must have it.
    fn check_sets(&self) -> Result<(), Stop> {
        let shapes = self.shapes();
        for set in &self.sets {
            for (name, value) in &set.inputs {
                if let Some(shape) = shapes.get(name)
                    && shape != value.shape()
                {
                    let why = format!(
                        "input {name} has shape {:?} here, {shape:?} elsewhere",
                        value.shape()
                    );
                    return Err(usage(why, Path::new(&set.name)));
                }
            }
        }
        for (name, value) in &self.arrays {
            if let Some(shape) = self.shapes.get(name)
                && shape != value.shape()
            {
                let why = format!(
                    "input {name} has shape {shape:?}, but its data has {:?}",
                    value.shape()
                );
                return Err(Error::new(ErrorKind::Usage, why).into());
            }
        }
        Ok(())
    }

    /// Shapes asked for, by input.
    pub(super) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let sets = self.sets.iter().rev().flat_map(|set| &set.inputs);
        let data = sets.chain(&self.arrays);
        let mut shapes: BTreeMap<_, _> = data
            .map(|(name, value)| (name.clone(), value.shape().to_vec()))
            .collect();
        shapes.extend(self.shapes.clone());
        shapes
    }

    /// The data for an input in this run, if there is any.
    pub(super) fn value(&self, input: &str, run: usize) -> Option<&Value> {
        let set = self.sets.get(run).and_then(|set| set.inputs.get(input));
        set.or_else(|| self.arrays.get(input))
    }
}

fn port<'p>(ports: &'p [Port], name: &str) -> Result<&'p Port, Stop> {
    let found = ports.iter().find(|port| port.name == name);
    found.ok_or_else(|| no_input(name, ports.iter()).into())
}

/// Converts between float types, and between integer types where every value survives: numpy's
/// defaults are double and int64, the model's seldom.
fn fit(tensor: Tensor, port: &Port) -> Result<Value, String> {
    let from = tensor.datum_type();
    let other = || {
        format!(
            "input {} is {}, but the data is {}",
            port.name,
            port.element,
            element_name(from)
        )
    };
    let to = port.datum().ok_or_else(other)?;
    if from == to {
        return Ok(Value(tensor));
    }
    let float =
        |datum: DatumType| matches!(datum, DatumType::F16 | DatumType::F32 | DatumType::F64);
    let integer = |datum: DatumType| datum.is_integer();
    let cast = || tensor.cast_to_dt(to).ok().map(|cast| cast.into_owned());
    let fitted = if float(from) && float(to) {
        cast()
    } else if integer(from) && integer(to) {
        cast().filter(|cast| {
            cast.cast_to_dt(from)
                .is_ok_and(|back| same_integers(&back, &tensor))
        })
    } else {
        None
    };
    fitted.map(Value).ok_or_else(other)
}

fn same_integers(one: &Tensor, two: &Tensor) -> bool {
    macro_rules! same {
        ($($integer:ty),*) => {
            $(elements::<$integer>(one) == elements::<$integer>(two))&&*
        };
    }
    same!(i8, i16, i32, i64, u8, u16, u32, u64)
}

fn usage(why: String, file: &Path) -> Stop {
    Stop::Error(Error::new(ErrorKind::Usage, why).in_file(file))
}
