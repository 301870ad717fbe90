//! The `Dropout` operator, in every version, and operators of other domains that drop.
//!
//! Source: ONNX `docs/Changelog.md`, Dropout-1, -6, -7, -10, -12, -13, -22.

mod calls;
mod setting;

use std::cell::OnceCell;

use crate::error::Result;
use crate::onnx::{AttributeValue, Use};
use crate::semantics::foreign::{ForeignDropout, Switch};
use crate::semantics::view::{NodeRef, ValueRef};

use super::coin;
use super::problem::Problem;
use super::version::{OperatorVersion, version};
use super::{Form, Kind, MaskUse, Mode, Search, Site};
use calls::Called;
use setting::Setting;

pub(super) fn find(search: &Search<'_>) -> Result<Vec<Site>> {
    let mut sites = Vec::new();
    for node in search.facts.view().nodes() {
        // a model-local function of this name takes the operator's place
        if node.is("Dropout") && node.callee().is_none() {
            operators(search, node, &mut sites)?;
        } else if let Some(foreign) = ForeignDropout::of(node) {
            foreign_operators(search, node, foreign, &mut sites)?;
        }
    }
    Ok(sites)
}

fn operators(search: &Search<'_>, node: NodeRef<'_>, sites: &mut Vec<Site>) -> Result<()> {
    let opset = node.view().model.opset(node.graph(), "");
    let law = version(opset.unwrap_or(i64::MAX));
    let setting = |cx| Setting::of(search, cx, node, opset.unwrap_or(i64::MAX));
    let coin = OnceCell::new();
    let called = calls::distinguished(search, node, 1, &setting)?.into_iter();
    sites.extend(called.map(|mut called| {
        let setting = &mut called.setting;
        if opset.is_none() {
            let why = "there is no opset_import for the version of Dropout";
            setting
                .problem
                .get_or_insert(Problem::Meaning(why.to_string()));
        }
        let acts = matches!(setting.mode, Mode::Active | Mode::Runtime);
        let decides = setting.is_switched && law == OperatorVersion::Inputs;
        let coin = || coin.get_or_init(|| coin::coin(node)).clone();
        Site {
            switch: node.input(2).filter(|_| decides).map(|switch| switch.id),
            entangled: acts.then(coin).flatten(),
            ..described(node, called)
        }
    }));
    Ok(())
}

fn foreign_operators(
    search: &Search<'_>,
    node: NodeRef<'_>,
    foreign: &'static ForeignDropout,
    sites: &mut Vec<Site>,
) -> Result<()> {
    let setting = |cx| Setting::of_foreign(search, cx, node, foreign);
    let called = calls::distinguished(search, node, foreign.ratio.input, &setting)?.into_iter();
    let switch = match foreign.switch {
        Switch::Always => None,
        Switch::On(place) | Switch::Off(place) => node.input(place.input),
    };
    sites.extend(called.map(|called| {
        Site {
            kind: match foreign.is_alpha {
                true => Kind::AlphaDropout,
                false => Kind::Dropout,
            },
            foreign: Some(foreign),
            switch: switch
                .filter(|_| called.setting.is_switched)
                .map(|switch| switch.id),
            ..described(node, called)
        }
    }));
    Ok(())
}

fn described(node: NodeRef<'_>, called: Called) -> Site {
    let setting = called.setting;
    let input = node.input(0);
    let without = input
        .is_none()
        .then(|| Problem::Meaning("has no data input".to_string()));
    let seed = match node.attribute("seed").map(|a| &a.value) {
        Some(AttributeValue::Int(seed)) => Some(*seed),
        _ => None,
    };
    Site {
        mode: setting.mode,
        rate: setting.rate,
        rate_origin: setting.rate_origin,
        seed,
        mask: mask_use(node.output(1)),
        input: input.map(|input| input.id),
        input_name: node.get().input(0).cloned(),
        output: node.output(0).map(|output| output.id),
        output_name: node.get().output(0).cloned(),
        problem: without.or(setting.problem).map(Box::new),
        calls: called.calls,
        passed: called.passed.map(Box::new),
        ..Site::new(Form::Operator, node.graph(), vec![node.id])
    }
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
