//! The factor that classic dropout leaves at inference: `x·(1-p)`, as paddle2onnx writes
//! `downscale_in_infer`.
//!
//! A product by a number below 1 may be anything (half of a GELU, the root of an attention's width,
//! a residual's weight), and a tool that removes a dropout may give its name to what comes before. Only
//! Paddle has classic dropout: a scale is a product in a model of Paddle's whose output it calls dropout.

use crate::onnx::contains;
use crate::semantics::facts::Facts;
use crate::semantics::scalar::{plain, shortest};
use crate::semantics::view::{NodeRef, ValueRef};

use super::origin::Origins;
use super::{Form, RateOrigin, Scaling, Site};

pub(super) fn find(facts: Facts<'_>, origins: &Origins<'_>) -> Vec<Site> {
    let view = facts.view();
    let main = view.model.graph(view.model.main());
    let of_paddle = |name: &[u8]| contains(name, b"paddle") || contains(name, b"Paddle");
    let mut names = [&view.model.producer_name, &main.name].into_iter();
    if !names.any(|name| of_paddle(name.as_bytes())) {
        return Vec::new();
    }
    let named = |node: &NodeRef<'_>| {
        let output = node.get().output(0);
        output.is_some_and(|name| name.as_str().is_some_and(is_dropout))
    };
    let products = view.nodes().filter(|node| node.is("Mul"));
    products
        .filter(|node| named(node) && !node.inputs().flatten().any(is_gate_of_gelu))
        .filter_map(|node| site(facts, origins, node))
        .collect()
}

/// True of a name with a part that is `dropout`, numbered or not: `p2o.pd_op.dropout.0.0`,
/// `dropout_0.tmp_0`.
fn is_dropout(name: &str) -> bool {
    let mut parts = name.split(['.', '/', ':']);
    parts.any(|part| {
        let number = part
            .strip_prefix("dropout")
            .map(|n| n.strip_prefix('_').unwrap_or(n));
        number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// True of `x · (1 + erf(…))`, or `1 + erf(…)` itself: half of it is a GELU.
fn is_gate_of_gelu(value: ValueRef<'_>) -> bool {
    let Some((node, _)) = value.producer() else {
        return false;
    };
    let made_by = |node: NodeRef<'_>, operators: &'static [&'static str]| {
        let mut inputs = node.inputs().flatten();
        inputs.any(|input| {
            input
                .node()
                .is_some_and(|node| operators.contains(&node.op()))
        })
    };
    let is_gate = |node: NodeRef<'_>| node.is("Add") && made_by(node, &["Erf", "Tanh"]);
    let mut factors = node.inputs().flatten().filter_map(ValueRef::node);
    is_gate(node) || node.is("Mul") && factors.any(is_gate)
}

fn site(facts: Facts<'_>, origins: &Origins<'_>, node: NodeRef<'_>) -> Option<Site> {
    let inputs = [(0, 1), (1, 0)].into_iter();
    let mut factors = inputs.filter_map(|(input, factor)| {
        Some((input, node.input(input)?, rate(facts, node.input(factor)?)?))
    });
    let (input, data, rate) = factors.next()?;
    let data_only = origins.is_data(data.id) && !origins.is_drawn(data.id);
    data_only.then(|| Site {
        rate: Some(rate),
        rate_origin: RateOrigin::Constant,
        scaling: Scaling::Classic,
        inference_scale: plain(1.0 - rate),
        input: Some(data.id),
        input_name: node.get().input(input).cloned(),
        output: node.output(0).map(|output| output.id),
        output_name: node.get().output(0).cloned(),
        ..Site::new(Form::Scale, node.graph(), vec![node.id])
    })
}

/// The rate that a constant factor leaves `1-p` of: one with no more than three digits.
fn rate(facts: Facts<'_>, factor: ValueRef<'_>) -> Option<f64> {
    let one = facts
        .shape(factor.id)
        .all_sizes()?
        .iter()
        .all(|&size| size == 1);
    let factor = facts.constant(factor.id).filter(|_| one)?;
    let rate = plain(1.0 - shortest(factor.value, factor.element));
    let digits = (rate * 1000.0 - (rate * 1000.0).round()).abs() < 1e-6;
    (factor.element.is_float() && digits && rate > 0.0 && rate < 1.0).then_some(rate)
}
