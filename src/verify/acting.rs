//! Checks that dropout operators drop as requested, and that inert ones pass their data.
//!
//! A copy in memory has a node after every site that observes its data and its output, also in
//! branches, in bodies of Scan and in functions; tract runs the copy with this crate's `Dropout` and
//! draws. At every site the dropped fraction must lie within the binomial interval of its rate, and kept
//! elements must be scaled by `1/(1-p)`. Elements that are 0 before dropout do not count. Dropout with a switch
//! passes its data while that is off.

mod axes;
mod count;
mod expected;
mod observe;
mod report;
mod tally;

use super::engine::{Meaning, Stop, Subject};
use super::run::{self, Settings};
use crate::error::Result;
use crate::semantics::view::View;
pub use expected::{Expected, Watch};
pub use report::{Outcome, Report, SiteReport};
use tally::{Progress, Tally};

/// The number of elements to sample at every site, if runs provide them.
const WANTED: usize = 2000;

/// The most runs that are made for it.
const RUNS: usize = 64;

/// Observes dropout with its switches on, and then off.
///
/// # Errors
/// The settings do not fit the model, or a file cannot be read.
pub(super) fn check(view: View<'_>, expected: &Expected, settings: &Settings) -> Result<Report> {
    if let Some(report) = unfounded(view, expected, settings.seed) {
        return Ok(report);
    }
    let mut report = sampled(view, expected, settings)?;
    if let Some(off) = expected.off() {
        let off = sampled(view, &off, settings)?;
        for (site, off) in report.sites.iter_mut().zip(off.sites) {
            if let (Outcome::AsSaid, Outcome::Unlike(why)) = (&site.outcome, off.outcome) {
                site.outcome = Outcome::Unlike(format!("{why} while its switch is off"));
            }
        }
    }
    Ok(report)
}

/// Observes dropout in runs of one copy.
fn sampled(view: View<'_>, expected: &Expected, settings: &Settings) -> Result<Report> {
    let copy = observe::observed(view, expected)?;
    let subject = Subject::of(view.model, "after", &copy);
    let mut settings = settings.clone();
    settings.meaning = Meaning::AsWritten {
        seed: settings.seed,
    };
    let mut tally = Tally::new(&expected.watches);
    let mut report = Report {
        seed: settings.seed,
        runs: 0,
        sites: Vec::new(),
    };
    for again in [false, true] {
        match run::watched(&subject, &settings, &mut |run, seen| tally.add(run, &seen)) {
            Ok(()) => {}
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Unrunnable(unrunnable)) => {
                report.sites = unseen(expected, &unrunnable.reason);
                return Ok(report);
            }
        }
        report.runs = tally.runs;
        report.sites = tally.sites.iter().map(Progress::report).collect();
        let dropping = report.sites.iter().filter(|site| site.rate > 0.0);
        let draws = dropping.map(|site| site.draws);
        let Some(least) = draws.filter(|&draws| draws > 0).min() else {
            break;
        };
        let reached = report.sites.iter().all(|site| !site.is_not_reached());
        if again || (least >= WANTED && reached) {
            break;
        }
        let more = report.runs * WANTED.div_ceil(least);
        settings.runs = more.min(RUNS).max(report.runs);
    }
    Ok(report)
}

/// The report where sites are not made of their data: no copy of the model can show how they act.
fn unfounded(view: View<'_>, expected: &Expected, seed: u64) -> Option<Report> {
    let mut sites = unseen(expected, "other dropout is not made of its data");
    let mut is_unlike = false;
    for (site, watch) in sites.iter_mut().zip(&expected.watches) {
        if watch.unseen.is_none() && !observe::is_made_of_data(view, watch) {
            let why = format!("is not computed from `{}`", watch.data);
            site.outcome = Outcome::Unlike(why);
            is_unlike = true;
        }
    }
    let runs = 0;
    is_unlike.then_some(Report { seed, runs, sites })
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
