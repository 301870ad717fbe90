//! Labels: the true classes of the rows of an output, and how many of them are found.

use std::path::PathBuf;
use std::str::FromStr;

use bytes::Bytes;

use super::{Classes, Options, Output};
use crate::error::{Error, ErrorKind, Result};
use crate::verify::inputs;
use crate::verify::run::Setup;

/// The true classes of the rows of an output.
///
/// ```
/// use dropout_onnx::sample::Labels;
/// let labels: Labels = "scores=labels.npy".parse()?;
/// assert_eq!(labels.output.as_deref(), Some("scores"));
/// assert_eq!("labels.npy".parse::<Labels>()?.output, None);
/// # Ok::<(), dropout_onnx::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labels {
    /// The output; `None`: the only one that is a classifier's.
    pub output: Option<String>,
    /// The numbers of the classes, from 0, one for each row.
    pub data: LabelData,
}

/// Where labels are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelData {
    /// A file: `.npy`, `.npz` (the array of the output's name, or `labels`) or `.pb`.
    File(PathBuf),
    /// What a `.npy` file would hold, in memory.
    Npy(Bytes),
}

impl Labels {
    /// Labels of an output; of the only classifier, without one.
    pub fn new(output: Option<String>, data: LabelData) -> Labels {
        Labels { output, data }
    }
}

impl FromStr for Labels {
    type Err = Error;

    /// `FILE` or `OUTPUT=FILE`.
    fn from_str(text: &str) -> Result<Self> {
        let (output, file) = match text.rsplit_once('=') {
            Some((output, file)) => (Some(output.to_string()), file),
            None => (None, text),
        };
        if file.is_empty() || output.as_deref() == Some("") {
            let why = format!("--labels {text}: expected FILE.npy or OUTPUT=FILE.npy");
            return Err(usage(why));
        }
        Ok(Labels {
            output,
            data: LabelData::File(file.into()),
        })
    }
}

/// Labels that were read.
pub(super) struct Read {
    output: Option<String>,
    shape: Vec<usize>,
    classes: Vec<f64>,
}

/// Reads all labels.
///
/// # Errors
/// A file cannot be read, or an output has labels twice.
pub(super) fn read(options: &Options) -> Result<Vec<Read>> {
    let mut all: Vec<Read> = Vec::new();
    for labels in &options.labels {
        if all.iter().any(|other| other.output == labels.output) {
            let of = labels.output.as_deref().unwrap_or("the output");
            return Err(usage(format!("the labels of {of} are given twice")));
        }
        let name = labels.output.as_deref().unwrap_or("labels");
        let array = match &labels.data {
            LabelData::File(file) => inputs::array(file, name)?,
            LabelData::Npy(npy) => {
                let read = inputs::npy(npy.clone());
                read.map_err(|why| usage(format!("labels: {why}")))?
            }
        };
        all.push(Read {
            output: labels.output.clone(),
            shape: array.shape().to_vec(),
            classes: array.to_f64(),
        });
    }
    Ok(all)
}

/// Refuses labels of data that was not supplied.
pub(super) fn belong(options: &Options, stand: &Setup) -> Result<()> {
    match options.labels.is_empty() || stand.made.len() < stand.shapes.inputs.len() {
        true => Ok(()),
        false => Err(usage(
            "--labels needs the data that the labels belong to; supply it with --input".into(),
        )),
    }
}

/// Compares the classes of outputs with their labels.
///
/// # Errors
/// An output is no classifier's, or its rows and its labels do not match.
pub(super) fn apply(labels: &[Read], outputs: &mut [Output]) -> Result<()> {
    for labels in labels {
        let output = labels.find(outputs)?;
        let (name, deterministic) = (&output.name, output.deterministic_top());
        let Some(classes) = &mut output.classes else {
            let why = format!(
                "output {name} is not a classifier's, so it has no labels; declare how to read it with \
                 --classes, for example {name}=logits"
            );
            return Err(usage(why));
        };
        let truth = labels.of(name, classes)?;
        classes.accuracy = Some(share(&classes.top, &truth));
        classes.deterministic_accuracy = deterministic.map(|top| share(&top, &truth));
    }
    Ok(())
}

/// The share of rows where both are the same.
fn share(top: &[usize], truth: &[usize]) -> f64 {
    let right = top.iter().zip(truth).filter(|(top, truth)| top == truth);
    right.count() as f64 / truth.len() as f64
}

impl Read {
    fn find<'o>(&self, outputs: &'o mut [Output]) -> Result<&'o mut Output> {
        let names: Vec<&str> = outputs.iter().map(|output| &*output.name).collect();
        let names = names.join(", ");
        let place = match &self.output {
            Some(name) => outputs.iter().position(|output| output.name == *name),
            None => {
                let mut all = (0..outputs.len()).filter(|&at| outputs[at].classes.is_some());
                let first = all.next();
                match all.next() {
                    Some(_) => {
                        let why = format!(
                            "several outputs are classifiers'; name one: --labels OUTPUT=FILE ({names})"
                        );
                        return Err(usage(why));
                    }
                    None if outputs.len() == 1 => Some(0),
                    None => first,
                }
            }
        };
        let why = match &self.output {
            Some(name) => format!("the model has no output {name}; its outputs: {names}"),
            None => format!(
                "--labels: no output is a classifier's; declare one with --classes ({names})"
            ),
        };
        let found = place.and_then(|place| outputs.get_mut(place));
        found.ok_or_else(|| usage(why))
    }

    /// The class of each row.
    fn of(&self, output: &str, classes: &Classes) -> Result<Vec<usize>> {
        let long = |shape: &[usize]| -> Vec<usize> {
            shape.iter().copied().filter(|&size| size != 1).collect()
        };
        if long(&self.shape) != long(&classes.shape) || self.classes.is_empty() {
            let (rows, shape) = (&classes.shape, &self.shape);
            let why = format!(
                "the labels of output {output} have shape {shape:?}, but its rows have shape {rows:?}; \
                 a label is the number of a class"
            );
            return Err(usage(why));
        }
        let class = |(row, &label): (usize, &f64)| {
            let is_class = label.fract() == 0.0 && (0.0..classes.count as f64).contains(&label);
            let count = classes.count;
            let why = format!(
                "label {label} of row {row} of output {output} is not the number of one of its {count} \
                 classes, from 0"
            );
            is_class.then_some(label as usize).ok_or_else(|| usage(why))
        };
        self.classes.iter().enumerate().map(class).collect()
    }
}

fn usage(why: String) -> Error {
    Error::new(ErrorKind::Usage, why)
}
