//! `unusual-rate`.

use crate::dropout::{Form, Kind, Site};

use super::{Context, Found, rule};

rule! {
    /// A rate that is hardly ever meant
    ///
    /// ## What it finds
    ///
    /// Dropout that acts or once did, with a rate p above 0.5, or below 0.05 and not 0. A rate of 0 is a
    /// dropout that was switched off. The standard deviation of Gaussian noise is no rate; that of a
    /// frozen mask is counted, not written, and left out too.
    ///
    /// ## Why it matters
    ///
    /// Rates lie between 0.2 and 0.5 by habit, and at 0.1 in transformers. A rate of 0.8 or 0.9 is
    /// often the probability to *keep*, which TensorFlow 1 asked for (`keep_prob`), given to something
    /// that asks for the probability to drop.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x, ratio=0.9)              # keep_prob=0.9?
    /// ```
    ///
    /// ## What to do
    ///
    /// Look the rate up in the source. For inference it does not matter: dropout goes, whatever its
    /// rate.
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
            let more = match rate > *USUAL.end() {
                true => "; the probability to keep is often mistaken for that to drop",
                false => "",
            };
            context.at_site(site, format!("its rate of {rate} is unusual{more}"))
        })
        .collect()
}

/// The rate that somebody chose.
fn written(site: &Site) -> Option<f64> {
    let chosen = site.kind != Kind::GaussianNoise && site.form != Form::FrozenMask;
    site.rate.filter(|_| chosen)
}
