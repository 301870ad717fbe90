//! `invalid-dropout`.

use super::{Context, Found, invalid_rate, rule};

rule! {
    /// A `Dropout` operator that is not valid ONNX
    ///
    /// ## What it finds
    ///
    /// A `Dropout` without data, with a `training_mode` that is not a boolean scalar or an
    /// `is_test` that is not an integer, or in a model that does not import an ONNX operator set.
    /// An invalid ratio is reported by `invalid-rate`.
    ///
    /// ## Why it matters
    ///
    /// It is unknown whether the dropout is active. The audit of the file fails (exit status 2),
    /// and `strip` refuses the file.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout(x, ratio=0.5, training_mode=1.0)
    /// ```
    ///
    /// ## What to do
    ///
    /// Correct the code that creates the model.
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
