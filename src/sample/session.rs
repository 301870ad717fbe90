//! All runs of one sampling.

use std::collections::BTreeMap;

use super::at::At;
use super::{
    Options, Output, Report, Sampling, caveats, classes, copy, is_sampled, labels, per_site,
};
use crate::dropout::{Examined, Side, Site};
use crate::error::Result;
use crate::onnx::{Model, Name};
use crate::semantics::view::View;
use crate::verify::engine::Value;
use crate::verify::run::Setup;

/// As [`super::sample`], of options that were checked.
pub(super) fn sample(
    model: &Model,
    options: &Options,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Report> {
    let examined = Examined::new(model);
    let Side { view, sites, .. } = examined.side()?;
    let sampled = sampled(model, sites);
    if sampled.is_empty() {
        return Err(caveats::none(view, sites));
    }
    caveats::valid(model, &sampled, options)?;
    if options.rates.is_empty() {
        caveats::settled(model, &sampled, options)?;
    }
    let rates: Vec<Option<f64>> = match options.rates[..] {
        [] => vec![None],
        ref rates => rates.iter().copied().map(Some).collect(),
    };
    let alone = if options.per_site { sampled.len() } else { 0 };
    let mut session = Session {
        options,
        labels: labels::read(options)?,
        stand: None,
        done: 0,
        all: options.runs.saturating_mul(rates.len() + alone),
        watch,
        report: empty(options, sites),
    };
    for &rate in &rates {
        let outputs = session.outputs(view, &sampled, rate, None)?;
        let notes = outputs.iter().filter_map(caveats::not_finite);
        session.report.notes.extend(notes);
        session.report.samplings.push(Sampling { rate, outputs });
    }
    let first = session.report.samplings.first();
    let inference: Inference = (first.iter())
        .flat_map(|at| &at.outputs)
        .map(|output| (output.name.clone(), output.deterministic.clone()))
        .collect();
    for site in sampled.iter().take(alone) {
        let edited = per_site::alone(model, sites, site)?;
        let examined = edited.examined();
        let only = self::sampled(examined.model(), examined.sites()?);
        let outputs = session.outputs(examined.view(), &only, rates[0], Some(&inference))?;
        let sampling = per_site::sampling(model, site, outputs);
        session.report.per_site.push(sampling);
    }
    let mut report = session.report;
    report.notes.extend(unmoved(&report));
    report.notes.dedup();
    Ok(report)
}

/// The report before the first run.
fn empty(options: &Options, sites: &[Site]) -> Report {
    Report {
        samplings: Vec::new(),
        per_site: Vec::new(),
        runs: options.runs,
        seed: options.seed,
        mask_seed: options.mask_seed.unwrap_or(options.seed),
        shapes: BTreeMap::new(),
        made: Vec::new(),
        chosen: BTreeMap::new(),
        notes: Vec::new(),
        engine: options.host.names(),
        sites: sites.to_vec(),
    }
}

/// Outputs at inference, by name; `None` of one that has not the elements of the runs.
type Inference = BTreeMap<String, Option<Vec<f64>>>;

/// The dropouts that are sampled, each node once.
fn sampled<'s>(model: &Model, sites: &'s [Site]) -> Vec<&'s Site> {
    let sampled = Site::each_node(sites).filter(|site| is_sampled(model, site));
    sampled.collect()
}

/// A note if nothing changed between runs.
fn unmoved(report: &Report) -> Option<String> {
    let still = |output: &Output| output.std.iter().all(|&std| std == 0.0);
    let drops = |at: &&Sampling| at.rate != Some(0.0);
    let mut dropping = report.samplings.iter().filter(drops).peekable();
    let all = dropping.peek().is_some() && dropping.all(|at| at.outputs.iter().all(still));
    let note = "every run had the same result: no output depends on the dropout";
    all.then(|| note.to_string())
}

/// The runs so far.
struct Session<'a> {
    options: &'a Options,
    labels: Vec<labels::Read>,
    /// What the first copy was found to run with: the inputs of all runs.
    stand: Option<Setup>,
    /// Runs that were made, and all of them.
    done: usize,
    all: usize,
    watch: &'a mut dyn FnMut(usize, usize),
    report: Report,
}

impl Session<'_> {
    /// The outputs with these dropouts on. `inference`: the outputs at inference, if they are known.
    fn outputs(
        &mut self,
        view: View<'_>,
        sampled: &[&Site],
        rate: Option<f64>,
        inference: Option<&Inference>,
    ) -> Result<Vec<Output>> {
        let options = self.options;
        let given = |name: &Name| caveats::is_given(options, &name.to_string());
        let copy = copy::of(view, sampled, rate, &given)?;
        let on = At {
            model: copy.edited.model(),
            options,
            rate,
            sigmoid: &|output| classes::is_sigmoid(view, output),
        };
        let stand = match self.stand.take() {
            Some(stand) => stand,
            None => self.stand(&on, view, sampled, copy.notes)?,
        };
        let stand = self.stand.insert(stand);
        let known = match inference {
            Some(known) => Ok(known.clone()),
            None => on.inference(stand).map(|values| {
                let numbers = |(name, value): (String, Value)| (name, Some(value.to_f64()));
                values.into_iter().map(numbers).collect()
            }),
        };
        let (done, all, watch) = (self.done, self.all, &mut *self.watch);
        let mut outputs = on.run(stand, &mut |run| watch(done + run, all))?;
        self.done += options.runs;
        let known = known.unwrap_or_else(|why| {
            let note = format!("no deterministic output: {why}");
            self.report.notes.push(note);
            Inference::new()
        });
        for output in &mut outputs {
            let values = known.get(&output.name).cloned().flatten();
            output.deterministic = values.filter(|values| values.len() == output.mean.len());
        }
        labels::apply(&self.labels, &mut outputs)?;
        Ok(outputs)
    }

    /// What the first copy runs with, and what a reader should know of it.
    fn stand(
        &mut self,
        on: &At<'_>,
        view: View<'_>,
        sampled: &[&Site],
        notes: Vec<String>,
    ) -> Result<Setup> {
        let (model, options) = (view.model, self.options);
        let found = on.setup();
        let found = found.map_err(|e| caveats::not_run(model, sampled, options, e))?;
        caveats::drawn_rate(view, sampled, options, &found)?;
        labels::belong(options, &found)?;
        let report = &mut self.report;
        report.shapes = found.shapes.inputs.clone();
        report.engine.clone_from(&found.engine);
        report.made = found.made.clone();
        report.chosen = found.shapes.chosen.clone();
        report.notes.extend(found.notes.iter().cloned());
        report.notes.extend(notes);
        let notes = caveats::notes(view, &report.sites, options);
        report.notes.extend(notes);
        Ok(found)
    }
}
