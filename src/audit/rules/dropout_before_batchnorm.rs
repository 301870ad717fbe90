//! `dropout-before-batchnorm`.

use std::collections::VecDeque;

use crate::dropout::{Kind, Site};
use crate::onnx::Use;
use crate::semantics::operator::{Operator, Role};
use crate::semantics::view::NodeRef;

use super::{Context, Found, outputs, rule};

rule! {
    /// Dropout directly before batch normalization
    ///
    /// ## What it finds
    ///
    /// A dropout in any mode whose result is the data of a `BatchNormalization`, directly or
    /// through a few activations and nodes that only move elements. Alpha dropout, which preserves
    /// the variance, and a rate of 0 do not count. Layers with weights in between end the search.
    ///
    /// ## Why it matters
    ///
    /// In training, dropout increases the variance, and the normalization learns the increased
    /// variance. At inference dropout is off, so the actual variance is smaller. Li et al. (2018,
    /// "Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift")
    /// measured 68.55 % instead of 77.42 % accuracy for DenseNet on CIFAR-100.
    ///
    /// ## Example
    ///
    /// ```text
    /// h = Dropout(x, ratio=0.5)
    /// y = BatchNormalization(Relu(h), …)
    /// ```
    ///
    /// ## What to do
    ///
    /// No change to this file helps: removing the dropout is right, and the shift has been
    /// learned. In the source, move dropout after the last normalization, or estimate the running
    /// statistics again with dropout off.
    "dropout-before-batchnorm", Note, check
}

/// The number of nodes allowed in between.
const BETWEEN: usize = 4;

/// The number of nodes visited for one dropout.
const BUDGET: usize = 32;

fn check(context: &Context<'_>) -> Vec<Found> {
    let shifting = context
        .sound()
        .filter(|site| site.kind != Kind::AlphaDropout && site.rate != Some(0.0));
    shifting
        .filter_map(|site| {
            let label = batchnorm(context, site)?.label();
            let what =
                format!("is followed by BatchNormalization `{label}`, which learned its variance");
            Some(context.at_site(site, what))
        })
        .collect()
}

/// The first normalisation that the result of a dropout reaches.
fn batchnorm<'c>(context: &'c Context<'_>, site: &'c Site) -> Option<NodeRef<'c>> {
    let mut next: VecDeque<_> = outputs(context, site).map(|value| (value, 0)).collect();
    let mut budget = BUDGET;
    while let Some((value, between)) = next.pop_front() {
        for at in value.uses().take(budget) {
            budget -= 1;
            let Use::Input { node: id, input: 0 } = at else {
                continue;
            };
            let node = context.view.node(id);
            if node.is("BatchNormalization") {
                return Some(node);
            }
            if between < BETWEEN && is_passed(node) {
                next.extend(node.output(0).map(|value| (value, between + 1)));
            }
        }
    }
    None
}

/// True of activations, and of operators that only move elements.
fn is_passed(node: NodeRef<'_>) -> bool {
    let passes = |op: &Operator| op.role == Role::Activation || op.passes();
    node.operator().is_some_and(passes)
}
