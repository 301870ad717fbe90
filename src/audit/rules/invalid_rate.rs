//! `invalid-rate`.

use crate::dropout::Problem;

use super::{Context, Found, rule};

rule! {
    /// A ratio outside of [0, 1)
    ///
    /// ## What it finds
    ///
    /// A `Dropout` that may act and has a ratio that is 1 or more, negative or NaN, and any `Dropout` with
    /// a ratio that is not a float or has several elements. An inert `Dropout` ignores its ratio; a number
    /// outside of [0, 1) is then reported by `unusual-rate`.
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
    let problems = context.problems();
    problems
        .filter(|(_, problem)| matches!(problem, Problem::Rate(_)))
        .map(|(site, problem)| context.at_site(site, problem.text().to_string()))
        .collect()
}
