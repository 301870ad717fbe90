//! More inputs, of other sizes, where an output does not react: it is equal whatever the models compute.

use super::Settings;
use super::side::{Feed, Ran, inputs};
use crate::error::Error;
use crate::verify::engine::{Port, Runnable, Stop};

/// Factors of further inputs: small ones for what saturates, large ones for what stays below a threshold.
const SCALES: [f64; 9] = [
    1.0 / 1024.0,
    1.0 / 32.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    8192.0,
    65536.0,
];

impl Ran {
    /// True if the output was the same in every run, although its inputs were not.
    pub(super) fn is_still(&self, output: usize, settings: &Settings) -> bool {
        let Some(reaction) = self.reactions.get(output) else {
            return false;
        };
        let steady = |name: &String| settings.steady.contains(name);
        let fed = self.feeds.len() > 1 && self.ports.iter().any(|port| self.is_free(port));
        fed && reaction.reacted.is_none()
            && !reaction.is_empty()
            && !self.names.get(output).is_some_and(steady)
    }

    /// False of an output that has reacted before inputs of this size were tried: it would round more
    /// than for inputs of size 1.
    pub(super) fn is_compared(&self, run: usize, output: usize) -> bool {
        let unscaled = |feed: &Feed| feed.scale == 1.0;
        let reaction = self.reactions.get(output);
        let reacted = reaction.and_then(|reaction| reaction.reacted);
        let before = |at: usize| self.feeds.get(at).is_some_and(unscaled);
        self.feeds.get(run).is_some_and(unscaled) || !reacted.is_some_and(before)
    }

    /// True of an input that is fed with random numbers.
    fn is_free(&self, port: &Port) -> bool {
        self.given.value(&port.name, 0).is_none() && self.given.sets.is_empty()
    }

    /// Runs once more if there was one run only, and with inputs of all sizes if an output is still. A
    /// run that fails does not count.
    pub(super) fn provoke(
        &mut self,
        runnable: &Runnable,
        settings: &Settings,
    ) -> Result<(), Error> {
        if !self.ports.iter().any(|port| self.is_free(port)) {
            return Ok(());
        }
        if self.feeds.len() == 1 {
            self.again(runnable, settings, 1.0)?;
        }
        if (0..self.names.len()).any(|output| self.is_still(output, settings)) {
            for scale in SCALES {
                self.again(runnable, settings, scale)?;
            }
        }
        Ok(())
    }

    /// One more run.
    fn again(&mut self, runnable: &Runnable, settings: &Settings, scale: f64) -> Result<(), Error> {
        let run = self.feeds.len();
        let made = inputs(self, settings.seed, Feed { run, scale });
        match made.and_then(|inputs| runnable.run(&inputs, run as u64)) {
            Ok(outputs) => self.keep(Feed { run, scale }, &outputs),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Unrunnable(_)) => Ok(()),
        }
    }

    /// Outputs that are empty or still: that they are equal shows nothing.
    pub(super) fn blank(&self, settings: &Settings) -> Vec<String> {
        let mut notes = Vec::new();
        for (index, (reaction, name)) in self.reactions.iter().zip(&self.names).enumerate() {
            if reaction.is_empty() {
                notes.push(format!("output {name} is empty, so nothing was compared"));
            } else if self.is_still(index, settings) {
                let what = reaction.number();
                let what = what.map_or("the same".to_string(), |n| format!("{n} everywhere"));
                notes.push(format!(
                    "output {name} was {what} for all inputs, so its equality shows nothing"
                ));
            }
        }
        if self.feeds.iter().any(|feed| feed.scale != 1.0) {
            notes.push(
                "inputs were also multiplied by 1/1024 to 65536, as an output did not change"
                    .to_string(),
            );
        }
        notes
    }
}
