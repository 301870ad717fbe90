//! Figures as numpy's `.npz`.

use std::io::Cursor;

use ndarray::{ArrayD, IxDyn, arr0, arr1};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpzError};

use super::{Output, Report};
use crate::error::{Error, ErrorKind, Result};

type Writer = NpzWriter<Cursor<Vec<u8>>>;

pub(super) fn write(report: &Report) -> Result<Vec<u8>> {
    arrays(report).map_err(|error| {
        let why = format!("the figures cannot be written as .npz: {error}");
        Error::new(ErrorKind::Unsupported, why)
    })
}

fn arrays(report: &Report) -> Result<Vec<u8>, WriteNpzError> {
    let rates: Vec<f64> = report.samplings.iter().filter_map(|at| at.rate).collect();
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    writer.add_array("runs", &arr0(report.runs as u64))?;
    writer.add_array("seed", &arr0(report.seed))?;
    writer.add_array("mask_seed", &arr0(report.mask_seed))?;
    if !rates.is_empty() {
        writer.add_array("rates", &arr1(&rates))?;
    }
    let first = report.samplings.first().map_or(&[][..], |at| &at.outputs);
    for (index, output) in first.iter().enumerate() {
        let at = report.samplings.iter();
        let all: Vec<&Output> = at.filter_map(|at| at.outputs.get(index)).collect();
        let rows = output.classes.as_ref().map_or(&[][..], |of| &of.shape);
        let mut stacks = Stacks {
            writer: &mut writer,
            name: &output.name,
            all: &all,
            swept: !rates.is_empty(),
        };
        stacks.add("mean", &output.shape, |o| Some(o.mean.clone()))?;
        stacks.add("std", &output.shape, |o| Some(o.std.clone()))?;
        stacks.add("deterministic", &output.shape, |o| o.deterministic.clone())?;
        stacks.add("probabilities", &output.shape, |o| {
            Some(o.classes.as_ref()?.mean.clone())
        })?;
        stacks.add("entropy", rows, |o| {
            Some(o.classes.as_ref()?.entropy.clone())
        })?;
        stacks.add("agreement", rows, |o| {
            Some(o.classes.as_ref()?.agreement.clone())
        })?;
        stacks.add("accuracy", &[], |o| {
            Some(vec![o.classes.as_ref()?.accuracy?])
        })?;
        stacks.add("top", rows, |o| {
            let top = o.classes.as_ref()?.top.iter();
            Some(top.map(|&class| class as u64).collect())
        })?;
    }
    Ok(writer.finish()?.into_inner())
}

/// The figures of one output, at every rate.
struct Stacks<'a> {
    writer: &'a mut Writer,
    name: &'a str,
    all: &'a [&'a Output],
    /// Rates are along a first axis.
    swept: bool,
}

impl Stacks<'_> {
    /// Adds one kind of figure, if all rates have it.
    fn add<T: WritableElement>(
        &mut self,
        what: &str,
        shape: &[usize],
        of: impl Fn(&Output) -> Option<Vec<T>>,
    ) -> Result<(), WriteNpzError> {
        let figures: Option<Vec<Vec<T>>> = self.all.iter().map(|output| of(output)).collect();
        let mut dims = shape.to_vec();
        if self.swept {
            dims.insert(0, self.all.len());
        }
        let stacked = figures.map(|figures| figures.into_iter().flatten().collect());
        let array = stacked.map(|figures| ArrayD::from_shape_vec(IxDyn(&dims), figures));
        match array {
            Some(Ok(array)) => self
                .writer
                .add_array(format!("{}.{what}", self.name), &array),
            // outputs of another shape at another rate are no stack
            _ => Ok(()),
        }
    }
}
