//! Arguments of verification, and its results in words.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::Style;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum, value_parser};
use dropout_onnx::verify::compare::Tolerance;
use dropout_onnx::verify::engine::{Engines, Host, Isolation};
use dropout_onnx::verify::inputs::InputSpec;
use dropout_onnx::verify::run::{Outcome, RunReport, Settings};
use dropout_onnx::verify::{Options, Verification, acting, measure, reach, structure};

use crate::completions::choices;
use crate::lines::Lines;
use crate::style::{BAD, DIM, GOOD, WARN, paint};

/// How a result is verified.
#[derive(Args)]
#[command(next_help_heading = "Verification")]
pub struct Verify {
    /// Compare the structure of both models, run both with tract, or do both (all) or neither (none)
    #[arg(long, value_name = "HOW", default_value = "all")]
    pub verify: How,
    /// Number of runs with random inputs
    ///
    /// More are added if there is only one, or if an output is the same in all of them.
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Seed of the random inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    pub feed: Feed,
    /// Relative tolerance [default: exact]
    #[arg(long, value_name = "R", value_parser = tolerance)]
    rtol: Option<f64>,
    /// Absolute tolerance [default: exact]
    #[arg(long, value_name = "A", value_parser = tolerance)]
    atol: Option<f64>,
    /// Write the evidence to FILE, with all that is needed to repeat it: verify --replay FILE
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
}

/// How models are run, and the limits of the process that runs them.
#[derive(Args)]
pub struct Limits {
    /// The engine that runs models
    #[arg(long, value_name = "ENGINE", default_value = "auto", value_parser = choices(Engines::ALL, |it| (it.word(), it.about())))]
    engine: Engines,
    /// Time limit in seconds for loading a model, and for each run of it [default: 30, and 4 for every
    /// MiB of the model, up to 300]
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Memory limit for running a model, for instance 8GiB [default: 2 GiB, and 4 times the size of the
    /// model, but at most three quarters of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory_limit: Option<u64>,
}

impl Limits {
    /// A process of this same program, with these limits.
    pub fn host(&self) -> Result<Host> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut isolation = Isolation::new(program);
        isolation.timeout = self.timeout.map(Duration::from_secs);
        isolation.memory = self.memory_limit;
        let mut host = Host::isolated(isolation);
        host.engines = self.engine;
        Ok(host)
    }
}

/// The inputs of the runs.
#[derive(Args)]
pub struct Feed {
    /// Size of a symbolic dimension, for example `batch=4`
    #[arg(long = "dim", value_name = "NAME=SIZE", value_parser = dim)]
    dims: Vec<(String, usize)>,
    /// Shape or data of an input: `x:1,3,224,224`, `x=data.npy`
    ///
    /// Also `all=data.npz`, a folder of ONNX test data (`test_data_set_0`), or one `input_0.pb` of such a
    /// folder.
    #[arg(long = "input", value_name = "SPEC")]
    pub inputs: Vec<InputSpec>,
}

impl Feed {
    /// Sizes of symbolic dimensions, by name.
    pub fn dims(&self) -> Result<BTreeMap<String, usize>> {
        let mut dims = BTreeMap::new();
        for (name, size) in &self.dims {
            if dims
                .insert(name.clone(), *size)
                .is_some_and(|old| old != *size)
            {
                bail!("--dim {name}: two different sizes");
            }
        }
        Ok(dims)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum How {
    All,
    Structure,
    Run,
    None,
}

fn dim(text: &str) -> Result<(String, usize), String> {
    let parsed = text.rsplit_once('=').and_then(|(name, size)| {
        let size: usize = size.trim().parse().ok()?;
        (!name.is_empty()).then(|| (name.to_string(), size))
    });
    parsed.ok_or_else(|| "expected NAME=SIZE, for example batch=4".to_string())
}

fn memory(text: &str) -> Result<u64, String> {
    Isolation::parse_memory(text).map_err(|e| e.to_string())
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("a tolerance must be a number >= 0".to_string()),
    }
}

impl Verify {
    /// Are outputs compared to the bit, as nothing else was asked for?
    pub fn is_exact(&self) -> bool {
        self.rtol.is_none() && self.atol.is_none()
    }

    /// The library's options; `None` without verification.
    pub fn options(&self) -> Result<Option<Options>> {
        let settings = Settings::default()
            .runs(self.runs)
            .seed(self.seed)
            .dims(self.feed.dims()?)
            .inputs(self.feed.inputs.clone())
            .tolerance(Tolerance::asked(self.rtol, self.atol)?)
            .host(self.limits.host()?);
        Ok(match self.verify {
            How::All => Some(Options::asked(true, Some(settings))),
            How::Structure => Some(Options::asked(true, None)),
            How::Run => Some(Options::asked(false, Some(settings))),
            How::None => None,
        })
    }
}

/// What verification found, for people: a line each way.
pub fn tell(lines: &mut Lines, verification: &Verification, verbose: bool) {
    let mut found = Vec::new();
    if verification.identical {
        found.push(paint(GOOD, "identical bytes").to_string());
    } else if let Some(structure) = &verification.structure {
        found.push(match structure {
            structure::Verdict::Same { outputs } => {
                let same = paint(GOOD, "identical");
                let but = match &verification.allowed {
                    Some(allowed) => format!(", except for the changes: {allowed}"),
                    None => String::new(),
                };
                format!("structure: {same} for {}{but}", count(*outputs, "output"))
            }
            structure::Verdict::Different(mismatch) => {
                format!("structure: {} {mismatch}", paint(WARN, "different:"))
            }
            _ => format!("structure: {}", paint(WARN, "not compared")),
        });
    }
    if let Some(measured) = &verification.measured {
        found.extend(self::measured(measured, verbose));
    }
    if let Some(run) = &verification.run {
        found.push(format!("run: {}", self::run(run)));
        if verbose {
            let shapes = run
                .shapes
                .iter()
                .map(|(input, shape)| format!("{input}{shape:?}"));
            let shapes: Vec<_> = shapes.collect();
            if !shapes.is_empty() {
                found.push(format!("     inputs {}", shapes.join(", ")));
            }
            found.push(format!(
                "     {} ran both models {}",
                run.mode.engine(),
                run.mode
            ));
            let reference = run.reference.iter();
            found.extend(reference.map(|note| format!("     {note}")));
        }
        found.extend(run.notes.iter().map(|note| format!("     note: {note}")));
        for difference in &run.recorded {
            found.push(format!(
                "     {} the test data (before) and the original (after) differ: {difference}",
                paint(WARN, "note:")
            ));
        }
    }
    if let Some(reached) = &verification.reached {
        found.extend(self::reached(reached, verbose));
    }
    if let Some(acting) = &verification.acting {
        found.extend(self::acting(acting, verbose));
    }
    lines.items("verified", &found);
}

/// A line about several places, and one for each that is not as it should be; all of them if `verbose`.
/// `places`: each with its outcome.
fn graded(
    line: impl FnOnce(usize) -> String,
    places: impl Iterator<Item = (String, Style, String)>,
    verbose: bool,
) -> Vec<String> {
    let places: Vec<_> = places.collect();
    let good = places.iter().filter(|(_, style, _)| *style == GOOD).count();
    let shown = places
        .iter()
        .filter(|(_, style, _)| verbose || *style != GOOD);
    let shown = shown.map(|(place, style, what)| format!("     {place}: {}", paint(*style, what)));
    [line(good)].into_iter().chain(shown).collect()
}

/// `2 of 3 masks`, in the colour of all or not all.
fn share(good: usize, all: usize, what: &str) -> String {
    let style = if good == all { GOOD } else { WARN };
    paint(style, format!("{good} of {}", count(all, what)))
}

/// The masks that were removed, by the original's own nodes.
fn measured(report: &measure::Report, verbose: bool) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    let places = report.sites.iter().map(|site| {
        let (style, what) = (style_of(&site.outcome), site.outcome.to_string());
        if style == GOOD && !kinds.contains(&what) {
            kinds.push(what.clone());
        }
        (site.place.clone(), style, what)
    });
    let places: Vec<_> = places.collect();
    let line = |good| {
        let share = share(good, report.sites.len(), "mask");
        match &kinds[..] {
            [] => format!("measured: {share}"),
            [only] => format!("measured: {share}: {only}"),
            _ => format!("measured: {share}: each as assumed"),
        }
    };
    graded(line, places.into_iter(), verbose)
}

fn style_of(outcome: &measure::Outcome) -> Style {
    match outcome {
        measure::Outcome::AsAssumed { .. } => GOOD,
        measure::Outcome::Unlike { .. } => BAD,
        _ => WARN,
    }
}

/// The places that differ in structure, and whether runs reach them.
fn reached(report: &reach::Report, verbose: bool) -> Vec<String> {
    let all = report.places.len();
    let line = |good| format!("reached: {} by the runs", share(good, all, "difference"));
    let places = report.places.iter().map(|place| {
        let (style, what) = match &place.unreached {
            Some(why) => (WARN, why.clone()),
            None => (GOOD, "reached".to_string()),
        };
        (place.place.clone(), style, what)
    });
    graded(line, places, verbose)
}

/// The observed effect of active dropout.
fn acting(report: &acting::Report, verbose: bool) -> Vec<String> {
    let observed = report.sites.iter();
    let observed = observed.filter(|site| site.outcome == acting::Outcome::AsSaid);
    let dropping = observed.filter(|site| site.rate > 0.0);
    let draws: usize = dropping.map(|site| site.draws).sum();
    let inert = report.sites.iter().all(|site| site.rate == 0.0);
    let line = |good| {
        let share = format!("{good} of {}", count(report.sites.len(), "site"));
        let (share, runs) = (paint(GOOD, share), count(report.runs, "run"));
        match inert {
            true => format!("sampled: {share} inert ({runs})"),
            false => format!(
                "sampled: {share} at the requested rates, within 5 standard deviations, and reproducible \
                 with a seed ({runs}, {draws} draws, seed {})",
                report.seed,
            ),
        }
    };
    let places = report.sites.iter().map(|site| {
        let style = match site.outcome {
            acting::Outcome::AsSaid => GOOD,
            acting::Outcome::Unlike(_) => BAD,
            _ => WARN,
        };
        (format!("`{}`", site.output), style, site.to_string())
    });
    graded(line, places, verbose)
}

fn run(report: &RunReport) -> String {
    match &report.outcome {
        Outcome::Equal => {
            let dims: Vec<_> = (report.chosen.iter())
                .map(|(name, size)| format!(", {name}={size}"))
                .collect();
            format!(
                "{} in {}, {} ({}, seed {}{}{})",
                paint(GOOD, "equal outputs"),
                count(report.runs, "run"),
                count(report.elements, "element"),
                report.engine,
                report.seed,
                dims.concat(),
                match report.tolerance.is_of_values() {
                    true => String::new(),
                    false => format!(", {}", report.tolerance),
                },
            )
        }
        Outcome::Different(difference) => {
            format!(
                "{} {difference} ({}, seed {})",
                paint(BAD, "different:"),
                report.engine,
                report.seed
            )
        }
        Outcome::Unrunnable { which, reason, .. } => {
            let not = paint(WARN, "not run:");
            format!(
                "{not} {reason} {}",
                paint(DIM, format!("({which}, {})", report.engine))
            )
        }
        _ => paint(WARN, "not run"),
    }
}

/// `1 output`, `2 outputs`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
