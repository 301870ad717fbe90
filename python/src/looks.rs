//! What only looks at models: audit, verify, sample, show and diff.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dropout_onnx::audit::{Document, ModelAudit, Selection};
use dropout_onnx::keras::Archive;
use dropout_onnx::onnx::Model;
use dropout_onnx::report::{document, json};
use dropout_onnx::sample;
use dropout_onnx::show::{self, dot, svg, text};
use dropout_onnx::source::Destination;
use dropout_onnx::verify::evidence::Evidence;
use dropout_onnx::verify::{Demand, Verdict, verify};
use dropout_onnx::{Error, ErrorKind, Result, diff};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::long;
use crate::options::{Fed, Given, How, Limits, specs, word};

/// The audit document. A file that cannot be audited raises, or is an entry with an error.
#[pyfunction]
#[pyo3(signature = (models, select, allow, deny, read_weights, source, raises, progress))]
#[expect(clippy::too_many_arguments, reason = "options of a command")]
pub fn audit(
    py: Python<'_>,
    models: Vec<Given>,
    select: Vec<String>,
    allow: Vec<String>,
    deny: Vec<String>,
    read_weights: bool,
    source: Option<PathBuf>,
    raises: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    long(py, progress, move |progress| {
        let mut rules = Selection::default().read_weights(read_weights);
        for name in &select {
            rules = rules.select(name)?;
        }
        for name in &allow {
            rules = rules.allow(name)?;
        }
        for name in &deny {
            rules = rules.deny(name)?;
        }
        let source = source.map(|path| Archive::open(&path)).transpose()?;
        let (mut audits, all) = (Vec::new(), models.len());
        for (done, given) in models.into_iter().enumerate() {
            progress.tell("auditing", done, all);
            let name = given.name();
            let audited = given.during(|model| ModelAudit::with(&name, model, &rules));
            audits.push(match audited.map_err(|e| named(e, &name)) {
                Ok(mut audit) => {
                    if let Some(source) = &source {
                        audit.compare(source);
                    }
                    audit
                }
                Err(error) if raises || error.kind() == ErrorKind::Interrupted => {
                    return Err(error);
                }
                Err(error) => ModelAudit::failed(&name, &error),
            });
        }
        progress.tell("done", all, all);
        json::text(&Document::new(audits))
    })
}

/// The document of a comparison.
#[pyfunction(name = "verify")]
#[pyo3(signature = (before, after, outputs, how, evidence, progress))]
pub fn py_verify(
    py: Python<'_>,
    before: Given,
    after: Given,
    outputs: String,
    how: How,
    evidence: Option<PathBuf>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    long(py, progress, move |progress| {
        let Some(mut options) = how.options()? else {
            let why = "--verify none: nothing to do";
            return Err(Error::new(ErrorKind::Usage, why));
        };
        options.outputs = outputs.parse()?;
        let names = [before.name(), after.name()];
        progress.tell("reading", 0, 2);
        let (before, after) = (before.read()?, after.read()?);
        before.check_external()?;
        after.check_external()?;
        progress.tell("verifying", 1, 2);
        let found = verify(&before, &after, &options)?;
        if let Some(path) = evidence
            && found.verdict(Demand::Outputs) == Verdict::Equal
        {
            let [old, new] = names.each_ref().map(Path::new);
            let folder = path.parent().unwrap_or(Path::new(""));
            let evidence = Evidence::of(&found, (old, &before), (new, &after), folder)?;
            evidence.write(&Destination::new(&path)?)?;
        }
        progress.tell("done", 2, 2);
        document::text(&document::verify(&names[0], &names[1], &found)?)
    })
}

/// The document of evidence that is shown again.
#[pyfunction(name = "replay")]
#[pyo3(signature = (evidence, before, after, input, limits, progress))]
pub fn py_replay(
    py: Python<'_>,
    evidence: PathBuf,
    before: Option<Given>,
    after: Option<Given>,
    input: Vec<Fed>,
    limits: Limits,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    long(py, progress, move |progress| {
        progress.tell("reading", 0, 2);
        let shown = Evidence::read(&evidence)?;
        let folder = evidence.parent().unwrap_or(Path::new(""));
        let named = shown.paths(folder).map(|path| path.map(Given::Path));
        let [old, new] = named;
        let (Some(before), Some(after)) = (before.or(old), after.or(new)) else {
            let why = "a model had no file: pass before and after";
            return Err(Error::new(ErrorKind::Usage, why).in_file(&evidence));
        };
        let names = [before.name(), after.name()];
        let (before, after) = (before.read()?, after.read()?);
        progress.tell("verifying", 1, 2);
        let replay = shown.replay(&before, &after, &limits.host()?, &specs(input)?)?;
        progress.tell("done", 2, 2);
        let evidence = evidence.to_string_lossy();
        document::text(&document::replay(&evidence, &names, &replay)?)
    })
}

/// Figures of one output, by name, as the bytes of doubles.
type Figures = BTreeMap<&'static str, Py<PyBytes>>;

/// The document of a sampling, the figures of each output of each rate, and the plot.
#[pyfunction(name = "sample")]
#[pyo3(signature = (model, runs, seed, mask_seed, rates, classes, labels, per_site, dim, input, limits, progress))]
#[expect(clippy::too_many_arguments, reason = "options of a command")]
pub fn py_sample(
    py: Python<'_>,
    model: Given,
    runs: usize,
    seed: u64,
    mask_seed: Option<u64>,
    rates: Vec<f64>,
    classes: Vec<String>,
    labels: Vec<Fed>,
    per_site: bool,
    dim: BTreeMap<String, usize>,
    input: Vec<Fed>,
    limits: Limits,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(String, Vec<Vec<Figures>>, Vec<Vec<Figures>>, Option<String>)> {
    let (document, report) = long(py, progress, move |progress| {
        let classes = classes.iter().map(|spec| spec.parse());
        let options = sample::Options::default()
            .runs(runs)
            .seed(seed)
            .mask_seed(mask_seed)
            .rates(rates)
            .classes(classes.collect::<Result<_>>()?)
            .labels(crate::options::labels(labels)?)
            .per_site(per_site)
            .dims(dim)
            .inputs(specs(input)?)
            .host(limits.host()?);
        let name = model.name();
        let model = model.read()?;
        let mut all = 0;
        let mut watch = |done, of| {
            all = of;
            progress.tell("sampling", done, of);
        };
        let report = sample::sample(&model, &options, &mut watch);
        let report = report.map_err(|e| named(e, &name))?;
        progress.tell("done", all, all);
        let document = document::text(&document::sample(&name, &model, &report, None)?)?;
        Ok((document, report))
    })?;
    let all = |outputs: &[sample::Output]| outputs.iter().map(|o| figures(py, o)).collect();
    let samplings = report.samplings.iter().map(|at| all(&at.outputs)).collect();
    let per_site = report.per_site.iter().map(|at| all(&at.outputs)).collect();
    Ok((document, samplings, per_site, report.svg()))
}

fn figures(py: Python<'_>, output: &sample::Output) -> Figures {
    let classes = output.classes.as_ref();
    let all = [
        ("mean", Some(&output.mean)),
        ("std", Some(&output.std)),
        ("deterministic", output.deterministic.as_ref()),
        ("classes.mean", classes.map(|classes| &classes.mean)),
        ("entropy", classes.map(|classes| &classes.entropy)),
        ("agreement", classes.map(|classes| &classes.agreement)),
    ];
    let present = all
        .into_iter()
        .filter_map(|(name, figures)| Some((name, figures?)));
    let bytes = |figures: &Vec<f64>| figures.iter().flat_map(|x| x.to_ne_bytes()).collect();
    present
        .map(|(name, figures)| {
            let bytes: Vec<u8> = bytes(figures);
            (name, PyBytes::new(py, &bytes).unbind())
        })
        .collect()
}

/// A model in a format, and as the document.
#[pyfunction(name = "show")]
#[pyo3(signature = (model, format, anonymous, no_hash, strict))]
pub fn py_show(
    py: Python<'_>,
    model: Given,
    format: String,
    anonymous: bool,
    no_hash: bool,
    strict: bool,
) -> PyResult<(String, String)> {
    long(py, None, move |_| {
        let options = show::Options::default()
            .anonymous(anonymous)
            .no_hash(no_hash)
            .strict(strict);
        let name = model.name();
        let shown = model.during(|model| shown(model, &format, &options));
        shown.map_err(|e| named(e, &name))
    })
}

fn shown(model: &Model, format: &str, options: &show::Options) -> Result<(String, String)> {
    let document = show::document(model, options)?;
    let json = show::json::text(&document)?;
    let text = match format {
        "text" => text::text(&document),
        "json" => json.clone(),
        "dot" => dot::text(model, options)?,
        "svg" => svg::text(model, options)?,
        other => return Err(word("format", other, "text, json, dot or svg")),
    };
    Ok((text, json))
}

/// The document of a difference, in words, and as Markdown.
#[pyfunction(name = "diff")]
#[pyo3(signature = (before, after, progress))]
pub fn py_diff(
    py: Python<'_>,
    before: Given,
    after: Given,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(String, String, String)> {
    long(py, progress, move |progress| {
        progress.tell("reading", 0, 2);
        let names = [before.name(), after.name()];
        let (before, after) = (before.read()?, after.read()?);
        progress.tell("comparing", 1, 2);
        let options = diff::Options::default().values(true).structure(true);
        let found = diff::diff(&before, &after, &options)?;
        let mut lines = vec![diff::text::summary(&found)];
        lines.extend(diff::text::lines(&found));
        let [before, after] = &names;
        let document = document::text(&document::diff(&found, before, after)?)?;
        let markdown = diff::markdown::text(&found, before, after);
        progress.tell("done", 2, 2);
        Ok((document, lines.join("\n"), markdown))
    })
}

/// The error names its model, if that is a file.
fn named(error: Error, name: &str) -> Error {
    match name {
        "-" => error,
        name => error.in_file(name),
    }
}
