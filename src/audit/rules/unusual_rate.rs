//! `unusual-rate`.

use crate::dropout::{Form, Kind, Site};

use super::{Context, Found, rule};

rule! {
    /// A rate that is probably a mistake
    ///
    /// ## What it finds
    ///
    /// Dropout in any mode with a rate p above 0.5, or below 0.05 but not 0. A rate of 0 is a
    /// dropout that was switched off. Gaussian noise has no rate, and the rate of a frozen mask is
    /// counted, not declared; neither is reported.
    ///
    /// ## Why it matters
    ///
    /// Common rates are 0.2 to 0.5, and 0.1 in transformers. A rate of 0.8 or 0.9 is often the
    /// probability to *keep* (`keep_prob` in TensorFlow 1), passed where the probability to drop
    /// was expected.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x, ratio=0.9)              # keep_prob=0.9?
    /// ```
    ///
    /// ## What to do
    ///
    /// Look up the rate in the source. For inference it does not matter, because dropout is
    /// removed whatever its rate.
    "unusual-rate", Note, check
}

const USUAL: std::ops::RangeInclusive<f64> = 0.05..=0.5;

fn check(context: &Context<'_>) -> Vec<Found> {
    let rates = context
        .sound()
        .filter_map(|site| Some((site, written(site)?)));
    rates
        .filter(|(_, rate)| *rate != 0.0 && !USUAL.contains(rate))
        .map(|(site, rate)| {
            let more = match rate {
                _ if !(0.0..1.0).contains(&rate) => ", outside [0, 1); it is ignored at inference",
                _ if rate > *USUAL.end() => "; is it the probability to keep?",
                _ => "",
            };
            context.at_site(site, format!("has an unusual rate of {rate}{more}"))
        })
        .collect()
}

/// The declared rate.
fn written(site: &Site) -> Option<f64> {
    let chosen = site.kind != Kind::GaussianNoise && site.form != Form::FrozenMask;
    site.rate.filter(|_| chosen)
}
