//! The `Dropout` operator, in every version.
//!
//! Source: ONNX `docs/Changelog.md`, Dropout-1, -6, -7, -10, -12, -13, -22.

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType, Use};
use crate::semantics::facts::{Facts, Known, Origin};
use crate::semantics::scalar::shortest;
use crate::semantics::view::{NodeRef, ValueRef};

use super::coin;
use super::parameter::{Parameter, Setting};
use super::version::{OperatorVersion, version};
use super::{Form, MaskUse, Mode, RateOrigin, Site};

/// The ratio of a `Dropout` that names none.
const DEFAULT_RATIO: f64 = 0.5;

pub(super) fn find(facts: Facts<'_>) -> Result<Vec<Site>> {
    // a model-local function of this name takes the operator's place
    let dropouts = facts.view().nodes();
    let dropouts = dropouts.filter(|node| node.is("Dropout") && node.callee().is_none());
    dropouts.map(|node| site(facts, node)).collect()
}

fn site(facts: Facts<'_>, node: NodeRef<'_>) -> Result<Site> {
    let mut problem = None;
    let opset = node.view().model.opset(node.graph(), "");
    if opset.is_none() {
        problem = Some("there is no opset_import for the version of Dropout".to_string());
    }
    let law = version(opset.unwrap_or(i64::MAX));
    let ratio = match law {
        OperatorVersion::Inputs => Parameter::input(facts, node, 1)?,
        _ => Parameter::attribute(facts, node, "ratio"),
    };
    let switch = match law {
        OperatorVersion::Inputs => Parameter::input(facts, node, 2)?,
        OperatorVersion::IsTest => Parameter::attribute(facts, node, "is_test"),
        _ => Parameter::default(),
    };
    let (rate, rate_origin) = rate(&ratio, law, &mut problem);
    let never = rate == Some(0.0) && !ratio.is_open();
    let mode = match law {
        _ if never || !facts.may_run(node.graph()) => Mode::Inert,
        OperatorVersion::Inputs => mode(&switch, &mut problem),
        OperatorVersion::IsTest => is_test(&switch, &mut problem),
        OperatorVersion::InferenceTyped | OperatorVersion::InferenceBool => Mode::Inert,
    };
    let input = node.input(0);
    if input.is_none() {
        problem = Some("has no data input".to_string());
    }
    let seed = match node.attribute("seed").map(|a| &a.value) {
        Some(AttributeValue::Int(seed)) => Some(*seed),
        _ => None,
    };
    let acts = matches!(mode, Mode::Active | Mode::Runtime);
    let decides = matches!(law, OperatorVersion::Inputs).then(|| node.input(2));
    let (model, values) = (node.view().model, node.view().values);
    Ok(Site {
        mode,
        rate,
        rate_origin,
        seed,
        mask: mask_use(node.output(1)),
        input: input.map(|input| input.id),
        input_name: node.get().input(0).cloned(),
        output: node.output(0).map(|output| output.id),
        output_name: node.get().output(0).cloned(),
        switch: decides
            .flatten()
            .filter(|_| switch.is_open())
            .map(|switch| switch.id),
        problem,
        entangled: acts.then(|| coin::coin(model, values, node.id)).flatten(),
        ..Site::new(Form::Operator, node.graph(), vec![node.id])
    })
}

fn mask_use(mask: Option<ValueRef<'_>>) -> MaskUse {
    let Some(mask) = mask else {
        return MaskUse::None;
    };
    let mut uses = mask.uses().peekable();
    if uses.peek().is_none() {
        return MaskUse::Unused;
    }
    match uses.any(|at| matches!(at, Use::Output { .. })) {
        true => MaskUse::Output,
        false => MaskUse::Used,
    }
}

fn rate(
    ratio: &Parameter,
    law: OperatorVersion,
    problem: &mut Option<String>,
) -> (Option<f64>, RateOrigin) {
    if ratio.is_absent() {
        return (Some(DEFAULT_RATIO), RateOrigin::Default);
    }
    let mut rates: Vec<f64> = Vec::new();
    for setting in &ratio.0 {
        let rate = match setting {
            Setting::Known(Known::Number(number)) if number.element.is_float() => {
                let rate = shortest(number.value, number.element);
                if !(0.0..1.0).contains(&rate) {
                    *problem = Some(format!("ratio {rate} is outside [0, 1)"));
                }
                rate
            }
            Setting::Known(Known::Absent) => DEFAULT_RATIO,
            other => {
                let what = other.text();
                *problem = what
                    .map(|what| format!("ratio is {what}, not a float scalar"))
                    .or(problem.take());
                continue;
            }
        };
        if !rates.contains(&rate) {
            rates.push(rate);
        }
    }
    let rate = match rates[..] {
        [rate] => Some(rate),
        _ => None,
    };
    let constant = match law {
        OperatorVersion::Inputs => RateOrigin::Constant,
        _ => RateOrigin::Attribute,
    };
    let origins = ratio.0.iter().map(|setting| match setting {
        Setting::Known(Known::Computed) => RateOrigin::Unknown,
        Setting::Known(Known::Input) => RateOrigin::Input,
        Setting::Known(Known::Number(number)) => match number.origin {
            Origin::Constant => constant,
            Origin::Default => RateOrigin::Input,
            Origin::Computed => RateOrigin::Unknown,
        },
        _ => constant,
    });
    let origins: Vec<RateOrigin> = origins.collect();
    let worst = [RateOrigin::Unknown, RateOrigin::Input];
    let origin = worst.into_iter().find(|origin| origins.contains(origin));
    (rate, origin.unwrap_or(constant))
}

fn mode(switch: &Parameter, problem: &mut Option<String>) -> Mode {
    let mut mode = if switch.is_open() {
        Mode::Runtime
    } else {
        Mode::Inert
    };
    for setting in &switch.0 {
        match setting {
            Setting::Known(Known::Number(number)) if number.element == DataType::BOOL => {
                if number.value != 0.0 && !switch.is_open() {
                    mode = Mode::Active;
                }
            }
            other => {
                if let Some(what) = other.text() {
                    *problem = Some(format!("training_mode is {what}, not a boolean scalar"));
                }
            }
        }
    }
    mode
}

fn is_test(switch: &Parameter, problem: &mut Option<String>) -> Mode {
    let absent = switch.0.contains(&Setting::Known(Known::Absent));
    let mut mode = match switch.is_open() {
        _ if absent => Mode::Active,
        true => Mode::Runtime,
        false => Mode::Inert,
    };
    for setting in &switch.0 {
        match setting {
            Setting::Known(Known::Number(number)) if number.element == DataType::INT64 => {
                if number.value == 0.0 {
                    mode = Mode::Active;
                }
            }
            other => {
                if let Some(what) = other.text() {
                    *problem = Some(format!("is_test is {what}, not an integer"));
                }
            }
        }
    }
    mode
}
