//! `invalid-rate`.

use crate::dropout::Site;

use super::{Context, Found, rule};

rule! {
    /// A ratio outside of [0, 1)
    ///
    /// ## What it finds
    ///
    /// A `Dropout` with a ratio that is 1 or more, negative, NaN, not a float, or not a scalar.
    ///
    /// ## Why it matters
    ///
    /// Kept elements are scaled by 1/(1-p), which is infinite for a ratio of 1 and negative above
    /// it. Runtimes refuse such a model or compute infinities. The audit of the file fails (exit
    /// status 2), and `strip` refuses the file.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x, ratio=50.0)             # percent
    /// ```
    ///
    /// ## What to do
    ///
    /// Correct the rate in the code that creates the model. The ratio is the probability to drop,
    /// not the probability to keep.
    "invalid-rate", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let problems = context
        .sites
        .iter()
        .filter_map(|site| Some((site, problem(site)?)));
    problems
        .map(|(site, problem)| context.at_site(site, problem))
        .collect()
}

/// The problem with the rate of a site.
pub(super) fn problem(site: &Site) -> Option<&str> {
    let problem = site.problem.as_deref();
    problem.filter(|problem| problem.starts_with("ratio "))
}
