//! Checks that dropout which a rewrite made active drops as requested.
//!
//! A copy in memory has a node behind every site that sees what goes into it and what comes out, also
//! in branches, in bodies of Scan and in functions; tract runs it with our own `Dropout` and our own
//! draws. At every site the dropped fraction must lie within the binomial interval of its rate, what is
//! kept must be scaled by `1/(1-p)`, and the same seed must drop the same elements again. Elements that
//! are 0 to begin with tell nothing and do not count.

mod count;
mod expected;

use std::fmt;

use super::engine::{Meaning, Stop, Value};
use super::run::{self, Settings};
use super::watch::{self, Seen};
use super::{Options, Verification, structure, subject, verify};
use smallvec::smallvec;

use crate::error::Result;
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, Model, Name, Node, Producer, ValueId, ValueType,
    Values,
};
use crate::rewrite::Edited;
use count::{Count, Told};
pub use expected::{Expected, Shared, Watch};

/// The number of elements to sample at every site, if runs provide them.
const WANTED: usize = 2000;

/// Most runs that are made for it.
const RUNS: usize = 64;

/// The report of a site that no run reached, for example in a branch that was not taken.
const IDLE: &str = "it was not reached by any run";

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The seed of the draws.
    pub seed: u64,
    /// Runs made.
    pub runs: usize,
    /// One entry per site.
    pub sites: Vec<SiteReport>,
}

/// What was seen at one site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteReport {
    /// What comes out of it.
    pub output: String,
    /// The probability to drop.
    pub rate: f64,
    /// Independent draws that were seen: elements, or whole groups that share one.
    pub draws: usize,
    /// How many of them dropped.
    pub dropped: usize,
    /// The outcome.
    pub outcome: Outcome,
}

/// What a site came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It drops as requested.
    AsSaid,
    /// It does not, and how.
    Unlike(String),
    /// Nothing was seen, and why.
    Unseen(String),
}

impl Report {
    /// The first site that does not drop as requested.
    pub fn difference(&self) -> Option<String> {
        self.sites.iter().find_map(|site| match &site.outcome {
            Outcome::Unlike(why) => Some(format!("dropout `{}` {why}", site.output)),
            _ => None,
        })
    }
}

impl SiteReport {
    fn idle(&self) -> bool {
        self.outcome == Outcome::Unseen(IDLE.into())
    }
}

impl fmt::Display for SiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Unlike(why) => f.write_str(why),
            Outcome::Unseen(why) => write!(f, "not observed: {why}"),
            Outcome::AsSaid => {
                let share = self.dropped as f64 / self.draws as f64;
                match self.dropped {
                    // Gaussian dropout drops nothing
                    0 => write!(f, "{} multiplied, p={}", self.draws, self.rate),
                    _ => write!(f, "{share:.3} of {} dropped, p={}", self.draws, self.rate),
                }
            }
        }
    }
}

/// Verifies what insert or set made of a model: that the inference meaning is the same, in the ways
/// that were asked for, and that dropout which acts does as it says.
///
/// # Errors
/// As [`verify`].
pub fn verify_change(
    before: &Model,
    after: &Model,
    expected: &Expected,
    options: &Options,
) -> Result<Verification> {
    let mut found = match &expected.added_input {
        None => verify(before, after, options)?,
        Some(input) => {
            // the interface has one input more: it is compared with a copy that has it as well
            let before_too = with_input(before, input)?;
            let structure = match options.structure {
                true => Some(structure::compare(&before_too.model, after)?),
                false => None,
            };
            let rest = Options {
                structure: false,
                ..options.clone()
            };
            Verification {
                structure,
                ..verify(before, after, &rest)?
            }
        }
    };
    if let Some(settings) = &options.run
        && !expected.watches.is_empty()
    {
        let report = check(after, expected, settings);
        found.acting = Some(report.map_err(|e| before.source().name_in(e))?);
    }
    Ok(found)
}

fn with_input(model: &Model, input: &Name) -> Result<Edited> {
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, Values::new(model));
    editor.add_input(input, DataType::BOOL, &[]);
    editor.add_initializer(model.main(), input, DataType::BOOL, &[], &[0]);
    editor.finish()?;
    Edited::new(&copy)
}

/// Watches dropout while it acts.
///
/// # Errors
/// The settings do not fit the model, or a file cannot be read.
pub fn check(model: &Model, expected: &Expected, settings: &Settings) -> Result<Report> {
    let copy = &watched(model, expected)?;
    let subject = subject("after", &copy.model);
    let mut settings = settings.clone();
    settings.meaning = Meaning::AsWritten {
        seed: settings.seed,
    };
    let mut report = Report {
        seed: settings.seed,
        runs: 0,
        sites: Vec::new(),
    };
    let mut tally = Tally::new(&expected.watches);
    for again in [false, true] {
        match run::watched(&subject, &settings, &mut |run, seen| tally.add(run, seen)) {
            Ok(()) => {}
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Unrunnable(unrunnable)) => {
                report.sites = unseen(expected, &unrunnable.reason);
                return Ok(report);
            }
        }
        report.runs = tally.runs;
        report.sites = tally.sites.iter().map(Progress::report).collect();
        let seen = report.sites.iter().map(|site| site.draws);
        let least = seen.filter(|&draws| draws > 0).min().unwrap_or(1);
        if again || (least >= WANTED && report.sites.iter().all(|site| !site.idle())) {
            break;
        }
        let more = report.runs * WANTED.div_ceil(least);
        settings.runs = more.min(RUNS).max(report.runs);
    }
    // the same seed once more
    settings.runs = 1;
    let mut again = Vec::new();
    if let Ok(()) = run::watched(&subject, &settings, &mut |_, seen| again = seen) {
        for (index, site) in report.sites.iter_mut().enumerate() {
            let bits = |value: &Value| value.to_f64().into_iter().map(f64::to_bits).collect();
            let drawn = |seen: &[Seen]| -> Vec<Vec<u64>> {
                let seen = seen.iter().filter(|seen| seen.site == index);
                seen.map(|seen| bits(&seen.output)).collect()
            };
            if site.outcome == Outcome::AsSaid && drawn(&tally.first) != drawn(&again) {
                site.outcome =
                    Outcome::Unlike("drops different elements with the same seed".into());
            }
        }
    }
    Ok(report)
}

/// What was seen of all sites, run by run: no run is kept but the first.
struct Tally<'w> {
    sites: Vec<Progress<'w>>,
    first: Vec<Seen>,
    runs: usize,
}

impl<'w> Tally<'w> {
    fn new(watches: &'w [Watch]) -> Tally<'w> {
        Tally {
            sites: watches.iter().map(Progress::new).collect(),
            first: Vec::new(),
            runs: 0,
        }
    }

    /// Adds a run; run 0 starts over.
    fn add(&mut self, run: usize, seen: Vec<Seen>) {
        if run == 0 {
            for site in &mut self.sites {
                *site = Progress::new(site.watch);
            }
        }
        for seen in &seen {
            if let Some(site) = self.sites.get_mut(seen.site) {
                site.add(seen);
            }
        }
        self.runs = run + 1;
        if run == 0 {
            self.first = seen;
        }
    }
}

/// What was seen of one site so far.
struct Progress<'w> {
    watch: &'w Watch,
    count: Count,
    ran: bool,
    /// What it came to before all was counted.
    outcome: Option<Outcome>,
}

impl<'w> Progress<'w> {
    fn new(watch: &'w Watch) -> Progress<'w> {
        Progress {
            watch,
            count: Count::default(),
            ran: false,
            outcome: watch.unseen.clone().map(Outcome::Unseen),
        }
    }

    fn add(&mut self, seen: &Seen) {
        if self.watch.unseen.is_some() {
            return;
        }
        self.ran = true;
        match self.count.add(self.watch, &seen.data, &seen.output) {
            Told::Counted => {}
            Told::Unlike(why) => self.outcome = Some(Outcome::Unlike(why)),
            Told::Nothing(why) => self.outcome = Some(Outcome::Unseen(why)),
        }
    }

    fn report(&self) -> SiteReport {
        let idle = (!self.ran).then(|| Outcome::Unseen(IDLE.into()));
        let outcome = self.outcome.clone().or(idle);
        SiteReport {
            output: self.watch.output.to_string(),
            rate: self.watch.rate,
            draws: self.count.draws,
            dropped: self.count.dropped,
            outcome: outcome.unwrap_or_else(|| self.count.outcome(self.watch)),
        }
    }
}

fn unseen(expected: &Expected, why: &str) -> Vec<SiteReport> {
    let sites = expected.watches.iter().map(|watch| SiteReport {
        output: watch.output.to_string(),
        rate: watch.rate,
        draws: 0,
        dropped: 0,
        outcome: Outcome::Unseen(why.to_string()),
    });
    sites.collect()
}

/// A copy whose switch is on, and which has a node that looks on behind every site.
fn watched(model: &Model, expected: &Expected) -> Result<Edited> {
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, Values::new(model));
    let main = model.main();
    for (switch, &on) in &expected.switches {
        let Some(value) = editor.values().lookup(model, main, switch) else {
            continue;
        };
        // as the input declares it: () or (1)
        let Producer::Input(index) = editor.values()[value].producer else {
            continue;
        };
        let one = match model.graph(main).inputs[index as usize].value_type() {
            ValueType::Tensor {
                shape: Some(shape), ..
            } => vec![1; shape.len()],
            _ => Vec::new(),
        };
        match editor.values()[value].initializer {
            Some(index) => {
                editor.replace_initializer(main, index, DataType::BOOL, &one, &[u8::from(on)]);
            }
            None => {
                editor.add_initializer(main, switch, DataType::BOOL, &one, &[u8::from(on)]);
            }
        }
    }
    for (index, watch) in expected.watches.iter().enumerate() {
        let output = editor.values().lookup(model, watch.graph, &watch.output);
        if let (None, Some(output)) = (&watch.unseen, output) {
            look_on(&mut editor, index, &watch.data, output);
        }
    }
    editor.finish()?;
    Edited::new(&copy)
}

/// Puts a node that looks on behind what comes out of a site.
fn look_on(editor: &mut Editor<'_>, site: usize, data: &Name, output: ValueId) {
    let Producer::Node { node, .. } = editor.values()[output].producer else {
        return;
    };
    // what goes in may be what comes out of a site that is watched already
    if let Some((made, at, name)) = editor.detach(node, output) {
        let site = AttributeValue::Int(site as i64);
        let looking_on = Node {
            // tract wants the names of nodes to differ
            name: Name::from(format!("{made}/watch").as_str()),
            inputs: smallvec![data.clone(), made],
            outputs: smallvec![name],
            attributes: vec![Attribute::new(watch::SITE, site)],
            ..Node::new(watch::OPERATOR)
        };
        editor.insert_node(at.0, at.1, looking_on);
    }
}
