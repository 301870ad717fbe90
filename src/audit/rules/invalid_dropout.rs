//! `invalid-dropout`.

use crate::dropout::Problem;

use super::{Context, Found, rule};

rule! {
    /// A `Dropout` operator that is not valid ONNX
    ///
    /// ## What it finds
    ///
    /// A `Dropout` without data, with a `training_mode` that is not a boolean scalar or an
    /// `is_test` that is not an integer, or in a model that does not import an ONNX operator set.
    /// Also a `Dropout` of a different version: with an attribute or an input that its opset does not
    /// have (the attribute `ratio` from opset 12 on, `seed` or the input `ratio` below), or with a
    /// ratio or `training_mode` of shape [1]. An invalid ratio is reported by `invalid-rate`.
    ///
    /// ## Why it matters
    ///
    /// Runtimes refuse the model. The audit of the file fails (exit status 2). If the `Dropout` is only
    /// of a different version, its meaning is clear: the ratio in the node is reported as the rate, and
    /// `strip` removes the node. Otherwise it is unknown whether the dropout is active, and `strip`
    /// refuses the file.
    ///
    /// ## Example
    ///
    /// ```text
    /// y = Dropout[ratio=0.5](x)              # opset 13
    /// ```
    ///
    /// ## What to do
    ///
    /// Correct the code that creates the model.
    "invalid-dropout", Error, check
}

fn check(context: &Context<'_>) -> Vec<Found> {
    let problems = context.problems();
    problems
        .filter(|(_, problem)| !matches!(problem, Problem::Rate(_)))
        .map(|(site, problem)| context.at_site(site, problem.text().to_string()))
        .collect()
}
