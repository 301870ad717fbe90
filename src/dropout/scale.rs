//! The factor that classic dropout leaves at inference: `x·(1-p)`, as paddle2onnx writes
//! `downscale_in_infer`.
//!
//! A product by a number below 1 may be anything (half of a GELU, the root of an attention's width,
//! a residual's weight): only one whose output the exporter still calls dropout is taken for it.

use crate::error::Result;
use crate::onnx::{Model, NodeId, Values};
use crate::semantics::view::View;

use super::constant::{Resolver, Scalar, shortest};
use super::limit::Limits;
use super::origin;
use super::{Form, RateOrigin, Scaling, Site};

pub(super) fn find(view: View<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let View { model, values } = view;
    let named = |id: NodeId| {
        let output = model.node(id).output(0);
        output.is_some_and(|name| name.as_str().is_some_and(is_dropout))
    };
    let products = model.nodes().filter(|(_, node)| node.is("Mul"));
    let products: Vec<NodeId> = products.map(|(id, _)| id).filter(|&id| named(id)).collect();
    if products.is_empty() {
        return Ok(Vec::new());
    }
    let resolver = Resolver::new(model, values).noting(limits);
    let mut sites = Vec::new();
    for id in products {
        sites.extend(site(model, values, &resolver, limits, id)?);
    }
    Ok(sites)
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

fn site(
    model: &Model,
    values: &Values,
    resolver: &Resolver<'_>,
    limits: &Limits,
    id: NodeId,
) -> Result<Option<Site>> {
    for (input, factor) in [(0, 1), (1, 0)] {
        let (Some(data), Some(rate)) = (values.input(id, input), rate(resolver, id, factor)?)
        else {
            continue;
        };
        let data_only = origin::is_data(model, values, resolver, limits, data)
            && !origin::is_drawn(model, values, data);
        let node = model.node(id);
        return Ok(data_only.then(|| Site {
            rate: Some(rate),
            rate_origin: RateOrigin::Constant,
            scaling: Scaling::Classic,
            inference_scale: plain(1.0 - rate),
            input: Some(data),
            input_name: node.input(input).cloned(),
            output: values.output(model, id, 0),
            output_name: node.output(0).cloned(),
            ..Site::new(Form::Scale, id.graph, vec![id])
        }));
    }
    Ok(None)
}

/// The rate that a constant factor leaves `1-p` of: one with no more than three digits.
fn rate(resolver: &Resolver<'_>, id: NodeId, input: usize) -> Result<Option<f64>> {
    let finding = resolver.input(id, input)?;
    let [Scalar::Number(factor, data_type)] = finding.scalars[..] else {
        return Ok(None);
    };
    let rate = plain(1.0 - shortest(factor, data_type));
    let digits = (rate * 1000.0 - (rate * 1000.0).round()).abs() < 1e-6;
    let constant = !finding.runtime && data_type.is_float();
    Ok((constant && digits && rate > 0.0 && rate < 1.0).then_some(rate))
}

/// Without the rounding error of subtracting decimals in binary.
pub(super) fn plain(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}
