//! The `Dropout` operator, in every version.
//!
//! Source: ONNX `docs/Changelog.md`, Dropout-1, -6, -7, -10, -12, -13, -22.

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType, Model, NodeId, Use, ValueId, Values};
use crate::semantics::view::View;

use super::coin;
use super::constant::{Finding, Origin, Resolver, Scalar, shortest};
use super::limit::Limits;
use super::{Form, MaskUse, Mode, RateOrigin, Site};

/// Which law a `Dropout` follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperatorVersion {
    /// Opsets 1 to 6: attribute `is_test`, which is 0 (training) if absent; mask of the data's type.
    IsTest,
    /// Opsets 7 to 9: inference only; mask of the data's type.
    InferenceTyped,
    /// Opsets 10 and 11: inference only; boolean mask.
    InferenceBool,
    /// From opset 12: inputs `ratio` and `training_mode`; boolean mask.
    Inputs,
}

/// The rules of `Dropout` in a version of the default operator set.
pub fn version(opset: i64) -> OperatorVersion {
    match opset {
        ..=6 => OperatorVersion::IsTest,
        7..=9 => OperatorVersion::InferenceTyped,
        10..=11 => OperatorVersion::InferenceBool,
        _ => OperatorVersion::Inputs,
    }
}

/// The ratio of a `Dropout` that names none.
const DEFAULT_RATIO: f64 = 0.5;

pub(super) fn find(view: View<'_>, limits: &Limits) -> Result<Vec<Site>> {
    let View { model, values } = view;
    let resolver = Resolver::new(model, values).noting(limits);
    // a model-local function of this name takes the operator's place
    let dropouts = model
        .nodes()
        .filter(|(_, node)| node.is("Dropout") && model.callee(node).is_none());
    dropouts
        .map(|(id, _)| site(model, values, &resolver, id))
        .collect()
}

fn site(model: &Model, values: &Values, resolver: &Resolver<'_>, id: NodeId) -> Result<Site> {
    let node = model.node(id);
    let mut problem = None;
    let opset = model.opset(id.graph, "");
    if opset.is_none() {
        problem = Some("there is no opset_import for the version of Dropout".to_string());
    }
    let law = version(opset.unwrap_or(i64::MAX));
    let ratio = match law {
        OperatorVersion::Inputs => resolver.input(id, 1)?,
        _ => resolver.attribute(id, "ratio")?,
    };
    let switch = match law {
        OperatorVersion::Inputs => resolver.input(id, 2)?,
        OperatorVersion::IsTest => resolver.attribute(id, "is_test")?,
        _ => Finding::absent(),
    };
    let (rate, rate_origin) = rate(&ratio, law, &mut problem);
    let never = rate == Some(0.0) && !ratio.runtime;
    let mode = match law {
        _ if never => Mode::Inert,
        OperatorVersion::Inputs => mode(&switch, &mut problem),
        OperatorVersion::IsTest => is_test(&switch, &mut problem),
        OperatorVersion::InferenceTyped | OperatorVersion::InferenceBool => Mode::Inert,
    };
    let input = values.input(id, 0);
    if input.is_none() {
        problem = Some("has no data input".to_string());
    }
    let seed = match node.attribute("seed").map(|a| &a.value) {
        Some(AttributeValue::Int(seed)) => Some(*seed),
        _ => None,
    };
    let acts = matches!(mode, Mode::Active | Mode::Runtime);
    let decides = matches!(law, OperatorVersion::Inputs).then(|| values.input(id, 2));
    Ok(Site {
        mode,
        rate,
        rate_origin,
        seed,
        mask: mask_use(values, values.output(model, id, 1)),
        input,
        input_name: node.input(0).cloned(),
        output: values.output(model, id, 0),
        output_name: node.output(0).cloned(),
        switch: decides.flatten().filter(|_| switch.runtime),
        problem,
        entangled: acts.then(|| coin::coin(model, values, id)).flatten(),
        ..Site::new(Form::Operator, id.graph, vec![id])
    })
}

fn mask_use(values: &Values, mask: Option<ValueId>) -> MaskUse {
    let Some(mask) = mask else {
        return MaskUse::None;
    };
    let mut uses = values.uses(mask).peekable();
    if uses.peek().is_none() {
        return MaskUse::Unused;
    }
    match uses.any(|at| matches!(at, Use::Output { .. })) {
        true => MaskUse::Output,
        false => MaskUse::Used,
    }
}

fn rate(
    ratio: &Finding,
    law: OperatorVersion,
    problem: &mut Option<String>,
) -> (Option<f64>, RateOrigin) {
    let origin = match (ratio.origin, law) {
        (Origin::Absent, _) => return (Some(DEFAULT_RATIO), RateOrigin::Default),
        (Origin::Constant, OperatorVersion::Inputs) => RateOrigin::Constant,
        (Origin::Constant, _) => RateOrigin::Attribute,
        (Origin::Input, _) => RateOrigin::Input,
        (Origin::Computed, _) => RateOrigin::Unknown,
    };
    let mut rates: Vec<f64> = Vec::new();
    for scalar in &ratio.scalars {
        match scalar {
            Scalar::Number(value, data_type) if data_type.is_float() => {
                let rate = shortest(*value, *data_type);
                if !(0.0..1.0).contains(&rate) {
                    *problem = Some(format!("ratio {rate} is outside [0, 1)"));
                }
                if !rates.contains(&rate) {
                    rates.push(rate);
                }
            }
            other => *problem = Some(format!("ratio is {other}, not a float scalar")),
        }
    }
    if ratio.absent && !rates.contains(&DEFAULT_RATIO) {
        rates.push(DEFAULT_RATIO);
    }
    match rates[..] {
        [rate] => (Some(rate), origin),
        _ => (None, origin),
    }
}

fn mode(switch: &Finding, problem: &mut Option<String>) -> Mode {
    let mut mode = match (switch.origin, switch.runtime) {
        (Origin::Absent, _) | (_, false) => Mode::Inert,
        (_, true) => Mode::Runtime,
    };
    for scalar in &switch.scalars {
        match scalar {
            Scalar::Number(value, DataType::BOOL) => {
                if *value != 0.0 && !switch.runtime {
                    mode = Mode::Active;
                }
            }
            other => *problem = Some(format!("training_mode is {other}, not a boolean scalar")),
        }
    }
    mode
}

fn is_test(switch: &Finding, problem: &mut Option<String>) -> Mode {
    let mut mode = match switch.runtime {
        _ if switch.absent => Mode::Active,
        true => Mode::Runtime,
        false => Mode::Inert,
    };
    for scalar in &switch.scalars {
        match scalar {
            Scalar::Number(value, DataType::INT64) if *value == 0.0 => mode = Mode::Active,
            Scalar::Number(_, DataType::INT64) => {}
            other => *problem = Some(format!("is_test is {other}, not an integer")),
        }
    }
    mode
}
