//! `invalid-rate`.

use crate::dropout::Site;

use super::{Context, Found, rule};

rule! {
    /// A ratio that is no number in [0, 1)
    ///
    /// ## What it finds
    ///
    /// A `Dropout` whose ratio is 1 or more, negative, not a number, not a float, or not a scalar.
    ///
    /// ## Why it matters
    ///
    /// What is kept is scaled by 1/(1-p): at 1 that is infinite, beyond it the sign turns. Runtimes
    /// refuse such a model, or compute infinities. The audit of the file fails (exit status 2), and
    /// `strip` refuses it.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x, ratio=50.0)             # percent
    /// ```
    ///
    /// ## What to do
    ///
    /// Correct the rate where the model is made; the ratio is the probability to drop, not to keep.
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

/// What is wrong with the rate of a site.
pub(super) fn problem(site: &Site) -> Option<&str> {
    let problem = site.problem.as_deref();
    problem.filter(|problem| problem.starts_with("ratio "))
}
