//! The `Dropout` operator, in every version.
//!
//! Source: ONNX `docs/Changelog.md`, Dropout-1, -6, -7, -10, -12, -13, -22.

mod setting;

use crate::error::Result;
use crate::onnx::{AttributeValue, Use};
use crate::semantics::view::{NodeRef, ValueRef};

use super::coin;
use super::problem::Problem;
use super::version::{OperatorVersion, version};
use super::{Form, MaskUse, Mode, Search, Site};
use setting::Setting;

pub(super) fn find(search: &Search<'_>) -> Result<Vec<Site>> {
    // a model-local function of this name takes the operator's place
    let dropouts = search.facts.view().nodes();
    let dropouts = dropouts.filter(|node| node.is("Dropout") && node.callee().is_none());
    dropouts.map(|node| site(search, node)).collect()
}

fn site(search: &Search<'_>, node: NodeRef<'_>) -> Result<Site> {
    let opset = node.view().model.opset(node.graph(), "");
    let law = version(opset.unwrap_or(i64::MAX));
    let contexts = search.facts.contexts(node.graph()).into_iter();
    let settings = contexts.map(|cx| Setting::of(search, cx, node, opset.unwrap_or(i64::MAX)));
    let setting = Setting::joined(settings.collect::<Result<Vec<_>>>()?);
    let unfit = |why: &str| Problem::Meaning(why.to_string());
    let mut problem = setting.problem;
    if opset.is_none() {
        problem.get_or_insert(unfit("there is no opset_import for the version of Dropout"));
    }
    let input = node.input(0);
    if input.is_none() {
        problem = Some(unfit("has no data input"));
    }
    let seed = match node.attribute("seed").map(|a| &a.value) {
        Some(AttributeValue::Int(seed)) => Some(*seed),
        _ => None,
    };
    let acts = matches!(setting.mode, Mode::Active | Mode::Runtime);
    let decides = setting.is_switched && law == OperatorVersion::Inputs;
    let (model, values) = (node.view().model, node.view().values);
    Ok(Site {
        mode: setting.mode,
        rate: setting.rate,
        rate_origin: setting.rate_origin,
        seed,
        mask: mask_use(node.output(1)),
        input: input.map(|input| input.id),
        input_name: node.get().input(0).cloned(),
        output: node.output(0).map(|output| output.id),
        output_name: node.get().output(0).cloned(),
        switch: node.input(2).filter(|_| decides).map(|switch| switch.id),
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
