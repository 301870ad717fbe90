//! Observations of all sites, run by run.

use super::count::{Count, Found};
use super::expected::Watch;
use super::report::{NOT_REACHED, Outcome, SiteReport};
use crate::verify::engine::watch::Seen;

/// Observations of all sites.
pub(super) struct Tally<'w> {
    pub sites: Vec<Progress<'w>>,
    pub runs: usize,
}

impl<'w> Tally<'w> {
    pub fn new(watches: &'w [Watch]) -> Tally<'w> {
        Tally {
            sites: watches.iter().map(Progress::new).collect(),
            runs: 0,
        }
    }

    /// Adds a run; run 0 starts over.
    pub fn add(&mut self, run: usize, seen: &[Seen]) {
        if run == 0 {
            for site in &mut self.sites {
                *site = Progress::new(site.watch);
            }
        }
        for seen in seen {
            if let Some(site) = self.sites.get_mut(seen.site) {
                site.add(seen);
            }
        }
        self.runs = run + 1;
    }
}

/// Observations of one site so far.
pub(super) struct Progress<'w> {
    watch: &'w Watch,
    count: Count,
    ran: bool,
    /// Its outcome, if that was known before all draws were counted.
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
            Found::Counted => {}
            Found::Unlike(why) => self.outcome = Some(Outcome::Unlike(why)),
        }
    }

    pub fn report(&self) -> SiteReport {
        let idle = (!self.ran).then(|| Outcome::Unseen(NOT_REACHED.into()));
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
