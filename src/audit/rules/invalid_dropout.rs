//! `invalid-dropout`.

use super::{Context, Found, invalid_rate, rule};

rule! {
    /// A `Dropout` operator that ONNX gives no meaning to
    ///
    /// ## What it finds
    ///
    /// A `Dropout` without data, with a `training_mode` that is no boolean scalar or an `is_test` that
    /// is no integer, or in a model that does not say which version of ONNX' operators it uses. A bad
    /// ratio is `invalid-rate`.
    ///
    /// ## Why it matters
    ///
    /// Whether it acts cannot be said. The audit of the file fails (exit status 2), and `strip` refuses
    /// it.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x, ratio=0.5, training_mode=1.0)
    /// ```
    ///
    /// ## What to do
    ///
    /// Correct it where the model is made.
    "invalid-dropout", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let others = context
        .sites
        .iter()
        .filter(|site| invalid_rate::problem(site).is_none());
    let problems = others.filter_map(|site| Some((site, site.problem.as_deref()?)));
    problems
        .map(|(site, problem)| context.at_site(site, problem))
        .collect()
}
