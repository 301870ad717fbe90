//! An output while runs come in.

use super::Output;
use super::classes::Counter;
use super::moments::Moments;
use crate::error::{Error, ErrorKind, Result};
use crate::verify::engine::Value;

/// One output while runs come in.
pub(super) struct Collector {
    name: String,
    shape: Vec<usize>,
    /// How far the sum of a distribution may be from 1.
    tolerance: f64,
    moments: Moments,
    classes: Option<Counter>,
}

impl Collector {
    /// An output of this shape; `asked`: somebody said that it has classes.
    pub fn new(name: &str, first: &Value, asked: bool) -> Result<Collector> {
        let float = ["float16", "float", "double"].contains(&first.element_type());
        let classes = Counter::new(first.shape(), asked).filter(|_| float);
        if asked && classes.is_none() {
            let (shape, element) = (first.shape(), first.element_type());
            let why = format!(
                "output {name} is {element}{shape:?}: classes are floats along a last axis of at least 2"
            );
            return Err(Error::new(ErrorKind::Usage, why));
        }
        Ok(Collector {
            name: name.to_string(),
            shape: first.shape().to_vec(),
            tolerance: if first.element_type() == "float16" {
                1e-2
            } else {
                1e-3
            },
            moments: Moments::default(),
            classes,
        })
    }

    /// Takes in a run.
    pub fn push(&mut self, value: &Value) -> Result<()> {
        let numbers = value.to_f64();
        if value.shape() != self.shape || numbers.len() != value.len() {
            let (name, shape, other) = (&self.name, &self.shape, value.shape());
            let why = match numbers.len() == value.len() {
                true => {
                    format!("output {name} has shape {shape:?} in one run and {other:?} in another")
                }
                false => format!("output {name} holds no numbers"),
            };
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        self.moments.push(&numbers);
        let tolerance = self.tolerance;
        let fits = |counter: &mut Counter| counter.push(&numbers, tolerance);
        if !self.classes.as_mut().is_some_and(fits) {
            self.classes = None;
        }
        Ok(())
    }

    pub fn finish(self) -> Output {
        Output {
            name: self.name,
            shape: self.shape,
            deterministic: None,
            mean: self.moments.mean().to_vec(),
            std: self.moments.std(),
            classes: self.classes.map(Counter::finish),
        }
    }
}
