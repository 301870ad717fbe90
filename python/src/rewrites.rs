//! The rewrites: strip, fold, insert and set.

use std::ffi::OsString;
use std::path::PathBuf;

use dropout_onnx::dropout::{Convention, Examined};
use dropout_onnx::job::{Ended, Files, Job, Target, Written};
use dropout_onnx::keras::Archive;
use dropout_onnx::report::document;
use dropout_onnx::rewrite::insert::{By, Choice, PlanFile, Unplaced, candidates, from, like};
use dropout_onnx::rewrite::{Acting, Edited, Rate, fold, insert, set, strip};
use dropout_onnx::verify::{Options, Verification, verify_change};
use dropout_onnx::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::call::{Progress, long};
use crate::options::{Given, How, Where, word};

/// Steps of a rewrite, for who watches.
const STEPS: usize = 4;

/// What a rewrite came to.
#[derive(IntoPyObject)]
struct Rewritten {
    /// The document.
    document: String,
    /// `yes`, `untouched`, `dry_run` or `different`.
    written: &'static str,
    /// The file of the result.
    path: Option<OsString>,
    /// Its bytes, where it has no file.
    data: Option<Py<PyBytes>>,
}

/// A rewrite under way.
struct Work<'a> {
    progress: &'a Progress<'a>,
    job: Job,
}

impl<'a> Work<'a> {
    fn open(
        (files, given): (Files, Given),
        verify: Option<Options>,
        suffix: &str,
        progress: &'a Progress<'a>,
    ) -> Result<Work<'a>> {
        progress.tell("reading", 0, STEPS);
        let job = Job::open(files, suffix, verify, || given.read())?;
        progress.tell("rewriting", 1, STEPS);
        Ok(Work { progress, job })
    }

    fn conclude(
        &self,
        edited: &Edited,
        unchanged: bool,
        verify: impl FnOnce(&Options) -> Result<Verification>,
        document: impl FnOnce(&Ended<'_>) -> Result<Value>,
    ) -> Result<Done> {
        let verify = |how: &Options| {
            self.progress.tell("verifying", 2, STEPS);
            let found = verify(how)?;
            self.progress.tell("writing", 3, STEPS);
            Ok(found)
        };
        let mut data = Vec::new();
        let end = self.job.conclude(edited, unchanged, verify, &mut data)?;
        let written = match end.written {
            _ if self.job.files().dry_run => "dry_run",
            Written::Yes => "yes",
            Written::Untouched => "untouched",
            Written::DryRun => "dry_run",
            _ => "different",
        };
        let path = match self.job.target() {
            Target::File(destination) => Some(destination.named().as_os_str().to_owned()),
            _ => None,
        };
        let done = Done {
            document: document::text(&document(&end)?)?,
            written,
            data: (path.is_none() && end.written == Written::Yes).then_some(data),
            path,
        };
        self.progress.tell("done", STEPS, STEPS);
        Ok(done)
    }

    /// An error is about this model.
    fn named(&self) -> impl Fn(Error) -> Error {
        let input = self.job.files().input.clone();
        move |error| match input.as_os_str() == "-" {
            true => error,
            false => error.in_file(&input),
        }
    }
}

struct Done {
    document: String,
    written: &'static str,
    path: Option<OsString>,
    data: Option<Vec<u8>>,
}

fn call(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Progress<'_>) -> Result<Done> + Send + 'static,
) -> PyResult<Rewritten> {
    let done = long(py, progress, work)?;
    Ok(Rewritten {
        document: done.document,
        written: done.written,
        path: done.path,
        data: done.data.map(|data| PyBytes::new(py, &data).unbind()),
    })
}

#[pyfunction(name = "strip")]
#[pyo3(signature = (
    files, verify, only, kind, convention, batchnorm, prune_inputs, fold, allow_unmeasured, r#where, plan, strict,
    progress
))]
#[expect(clippy::too_many_arguments, reason = "options of a command")]
pub fn py_strip(
    py: Python<'_>,
    files: Where,
    verify: How,
    only: Vec<String>,
    kind: Vec<String>,
    convention: String,
    batchnorm: bool,
    prune_inputs: bool,
    fold: bool,
    allow_unmeasured: bool,
    r#where: Vec<String>,
    plan: Option<PathBuf>,
    strict: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<impl for<'py> IntoPyObject<'py>> {
    call(py, progress, move |progress| {
        let convention: Convention = convention.parse()?;
        let filters = r#where.iter().map(|filter| filter.parse());
        let mut options = strip::Options::of_words(&only, &kind, convention)?
            .filters(filters.collect::<Result<_>>()?)
            .strict(strict)
            .batchnorm(batchnorm)
            .prune_inputs(prune_inputs)
            .allow_unmeasured(allow_unmeasured);
        if let Some(plan) = &plan {
            strip::PlanFile::read(plan)?.merge(&mut options)?;
        }
        let work = Work::open(files.files()?, verify.options()?, "stripped", progress)?;
        let stripped = strip::strip(work.job.before(), &options).map_err(work.named())?;
        let folded = match fold {
            true => Some(stripped.fold_scales()?),
            false => None,
        };
        let edited = folded.as_ref().map_or(&stripped.edited, |f| &f.edited);
        let same = folded.as_ref().is_none_or(|f| f.outcome.is_unchanged());
        work.conclude(
            edited,
            same && stripped.outcome.is_unchanged(),
            |how| stripped.verify(work.job.before(), folded.as_ref(), how),
            |end| document::strip(end, &stripped, folded.as_ref()),
        )
    })
}

#[pyfunction(name = "fold")]
#[pyo3(signature = (files, verify, only, at, progress))]
pub fn py_fold(
    py: Python<'_>,
    files: Where,
    verify: How,
    only: Option<String>,
    at: Vec<String>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<impl for<'py> IntoPyObject<'py>> {
    call(py, progress, move |progress| {
        let only_dropout = match only.as_deref() {
            None => false,
            Some("dropout") => true,
            Some(other) => return Err(word("only", other, "dropout")),
        };
        let options = fold::Options::default().only_dropout(only_dropout).at(at);
        let work = Work::open(files.files()?, verify.options()?, "folded", progress)?;
        let folded = fold::fold(work.job.before(), &options).map_err(work.named())?;
        work.conclude(
            &folded.edited,
            folded.outcome.is_unchanged(),
            |how| folded.verify(work.job.before(), how),
            |end| document::fold(end, &folded),
        )
    })
}

/// What to insert, and where.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Choices {
    rate: Option<f64>,
    mode: String,
    seed: Option<i64>,
    shared_axes: Option<Vec<i64>>,
    mask_output: bool,
    after: Vec<String>,
    name: Vec<String>,
    layer: Vec<String>,
    preset: Vec<String>,
    at: Vec<String>,
    plan: Option<PathBuf>,
    like: Option<Given>,
    from_: Option<PathBuf>,
}

impl Choices {
    /// The options, and dropout of another model that has no place in `before`.
    fn of(mut self, before: &Examined<'_>) -> Result<(insert::Options, Vec<Unplaced>)> {
        let (other, source) = (self.like.take(), self.from_.take());
        let mut options = self.options()?;
        let found = match (other, source) {
            (Some(_), Some(_)) => return Err(word("from_", "like", "one of both")),
            (Some(other), None) => like(before, &Examined::owning(other.read()?), options.rate)?,
            (None, Some(source)) => from(before, &Archive::open(&source)?)?,
            (None, None) => return Ok((options, Vec::new())),
        };
        options.choices.extend(found.choices);
        Ok((options, found.unplaced))
    }

    fn options(self) -> Result<insert::Options> {
        let by = [
            (By::After, &self.after),
            (By::Name, &self.name),
            (By::Layer, &self.layer),
            (By::Preset, &self.preset),
            (By::At, &self.at),
        ];
        let all = by.into_iter();
        let all = all.flat_map(|(by, texts)| texts.iter().map(move |text| (by, text)));
        let choices = all.map(|(by, text)| {
            let shared_axes = self.shared_axes.clone();
            let choice = Choice::parse(by, text)?;
            Ok(choice.shared_axes(shared_axes))
        });
        let acting: Acting = self.mode.parse()?;
        let given = acting != Acting::Inert;
        let mut options = insert::Options::default()
            .choices(choices.collect::<Result<_>>()?)
            .rate(self.rate.map(Rate::new).transpose()?)
            .acting(acting)
            .seed(self.seed)
            .mask_output(self.mask_output);
        if let Some(plan) = &self.plan {
            PlanFile::read(plan)?.merge(&mut options, given)?;
        }
        Ok(options)
    }
}

#[pyfunction(name = "insert")]
#[pyo3(signature = (files, verify, choices, progress))]
pub fn py_insert(
    py: Python<'_>,
    files: Where,
    verify: How,
    choices: Choices,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<impl for<'py> IntoPyObject<'py>> {
    call(py, progress, move |progress| {
        let work = Work::open(files.files()?, verify.options()?, "dropout", progress)?;
        let (options, unplaced) = choices.of(work.job.before()).map_err(work.named())?;
        let mut inserted = insert::insert(work.job.before(), &options).map_err(work.named())?;
        inserted.unplaced = unplaced;
        let expected = inserted.expected(&options);
        work.conclude(
            &inserted.edited,
            false,
            |how| {
                verify_change(
                    work.job.before(),
                    inserted.edited.examined(),
                    &expected,
                    how,
                )
            },
            |end| document::insert(end, &options, &inserted),
        )
    })
}

#[pyfunction(name = "insert_sites")]
#[pyo3(signature = (model, choices))]
pub fn py_insert_sites(py: Python<'_>, model: Given, choices: Choices) -> PyResult<String> {
    long(py, None, move |_| {
        let (name, options) = (model.name(), choices.options()?);
        let found = model.during(|model| candidates(model, &options))?;
        document::text(&document::insert_sites(&name, &found)?)
    })
}

#[pyfunction(name = "set")]
#[pyo3(signature = (files, verify, rate, mode, seed, r#where, progress))]
#[expect(clippy::too_many_arguments, reason = "options of a command")]
pub fn py_set(
    py: Python<'_>,
    files: Where,
    verify: How,
    rate: Option<f64>,
    mode: Option<String>,
    seed: Option<String>,
    r#where: Vec<String>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<impl for<'py> IntoPyObject<'py>> {
    call(py, progress, move |progress| {
        let filters = r#where.iter().map(|filter| filter.parse());
        let options = set::Options::default()
            .filters(filters.collect::<Result<_>>()?)
            .rate(rate.map(Rate::new).transpose()?)
            .acting(mode.map(|mode| mode.parse()).transpose()?)
            .seed(seed.map(|seed| seed.parse()).transpose()?);
        let work = Work::open(files.files()?, verify.options()?, "set", progress)?;
        let changed = set::set(work.job.before(), &options).map_err(work.named())?;
        let expected = changed.expected(&options).map_err(work.named())?;
        work.conclude(
            &changed.edited,
            changed.outcome.changed == 0,
            |how| verify_change(work.job.before(), changed.edited.examined(), &expected, how),
            |end| document::set(end, &options, &changed),
        )
    })
}

/// Panics, for the test that shows what becomes of that.
#[pyfunction]
pub fn _panic(py: Python<'_>) -> PyResult<()> {
    long(py, None, |_| -> Result<()> { panic!("asked for") })
}
