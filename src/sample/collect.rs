//! An output while runs come in.

use super::Output;
use super::classes::{ClassSpec, Counter, candidates};
use super::moments::Moments;
use crate::error::{Error, ErrorKind, Result};
use crate::verify::engine::Value;

/// One output while runs come in.
pub(super) struct Collector {
    name: String,
    element_type: &'static str,
    shape: Vec<usize>,
    /// How far the sum of a distribution may be from 1.
    tolerance: f64,
    moments: Moments,
    /// Readings that every run fitted.
    readings: Vec<Counter>,
    /// The caller declared it a classifier's.
    asked: bool,
}

impl Collector {
    /// An output of this shape; `spec`: the declared classes; `sigmoid`: its producer.
    ///
    /// # Errors
    /// The output cannot be read as declared.
    pub fn new(
        name: &str,
        first: &Value,
        spec: Option<&ClassSpec>,
        sigmoid: bool,
    ) -> Result<Collector> {
        let (shape, element) = (first.shape(), first.element_type());
        let readings = candidates(name, shape, spec, sigmoid)?;
        let asked = spec.is_some() && !readings.is_empty();
        let float = ["float16", "float", "double"].contains(&element);
        if asked && !float {
            let why = format!("output {name} is {element}{shape:?}, but a classifier has floats");
            return Err(Error::new(ErrorKind::Usage, why));
        }
        Ok(Collector {
            name: name.to_string(),
            element_type: element,
            shape: shape.to_vec(),
            tolerance: match element {
                "float16" => 1e-2,
                _ => 1e-3,
            },
            moments: Moments::default(),
            readings: if float { readings } else { Vec::new() },
            asked,
        })
    }

    /// Takes in a run.
    ///
    /// # Errors
    /// Its shape differs from earlier runs, or it cannot be read as declared.
    pub fn push(&mut self, value: &Value) -> Result<()> {
        let numbers = value.to_f64();
        if value.shape() != self.shape || numbers.len() != value.len() {
            let (name, shape, other) = (&self.name, &self.shape, value.shape());
            let why = match numbers.len() == value.len() {
                true => {
                    format!("output {name} has shape {shape:?} in one run and {other:?} in another")
                }
                false => format!("output {name} does not contain numbers"),
            };
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        self.moments.push(&numbers);
        let mut unfit = None;
        let tolerance = self.tolerance;
        self.readings
            .retain_mut(|reading| match reading.push(&numbers, tolerance) {
                Ok(()) => true,
                Err(why) => {
                    unfit.get_or_insert(why);
                    false
                }
            });
        match unfit {
            Some(why) if self.asked && self.readings.is_empty() => {
                let why = format!(
                    "output {} does not match --classes: {why}; {0}=logits and {0}=binary-logits \
                     accept any numbers",
                    self.name
                );
                Err(Error::new(ErrorKind::Usage, why))
            }
            _ => Ok(()),
        }
    }

    pub fn finish(self) -> Output {
        let mut readings = self.readings.into_iter();
        Output {
            name: self.name,
            element_type: self.element_type,
            shape: self.shape,
            deterministic: None,
            not_finite: self.moments.not_finite(),
            std: self.moments.std(),
            mean: self.moments.mean(),
            classes: readings.next().and_then(Counter::finish),
        }
    }
}
