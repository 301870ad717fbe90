//! Claims about `Dropout` operators with one fact changed, as if the recogniser were wrong everywhere: strip's
//! result is refuted by measurement or a run, or it is right all the same. None is refuted by structure alone.

use std::collections::BTreeMap;

use super::{apply, plan};
use crate::dropout::{Convention, Examined, Form, MaskUse, Mode, Side, Site, under};
use crate::onnx::{DataType, NodeId};
use crate::rewrite::Edited;
use crate::rewrite::strip::Options;
use crate::verify::fold::{Removed, verify_steps};
use crate::verify::{self, Demand, Verdict, run};
use dropout_onnx::common::build::{SHAPE, f32_scalar, flag, float, int, model, op, typed, x_to_y};
use dropout_onnx::common::proto::Model;

/// What came of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// Strip itself refuses it.
    Refused,
    /// The result is the same as without it.
    Same,
    Measured,
    Run,
    Structure,
    Nobody,
}

/// A change of one fact; `None` where it does not matter.
type Mutant = (
    &'static str,
    Convention,
    fn(&[Site], &Examined<'_>) -> Option<Vec<Site>>,
);

const MUTANTS: [Mutant; 8] = [
    ("the ratio", Convention::Inverted, ratio),
    ("the ratio, classic", Convention::Classic, ratio),
    ("the mode", Convention::Inverted, |sites, _| {
        let mut sites = sites.to_vec();
        let site = &mut sites[0];
        site.mode = match site.mode {
            Mode::Active => Mode::Inert,
            _ => Mode::Active,
        };
        Some(sites)
    }),
    ("the mask", Convention::Inverted, |sites, _| {
        let mut sites = sites.to_vec();
        let used = matches!(sites[0].mask, MaskUse::Used | MaskUse::Output);
        sites[0].mask = MaskUse::None;
        used.then_some(sites)
    }),
    ("the data", Convention::Inverted, |sites, before| {
        let mut sites = sites.to_vec();
        let (id, _) = before.model().nodes().find(|(_, node)| node.is("Neg"))?;
        sites[0].input = before.values().input(id, 0);
        sites[0].input_name = Some("x".into());
        Some(sites)
    }),
    ("the operator", Convention::Inverted, |sites, _| {
        let mut sites = sites.to_vec();
        sites[0].foreign.take()?;
        Some(sites)
    }),
    ("one missing", Convention::Inverted, |sites, _| {
        Some(sites[1..].to_vec())
    }),
    ("one too many", Convention::Inverted, |sites, before| {
        // another operator that has one input is taken to be a dropout
        let mut nodes = before.model().nodes();
        let (id, node) = nodes.find(|(_, node)| node.is("Relu"))?;
        let mut more = sites.to_vec();
        let site = Site {
            id: more.len(),
            nodes: vec![id] as Vec<NodeId>,
            input: before.values().input(id, 0),
            output: before.values().output(before.model(), id, 0),
            input_name: node.inputs.first().cloned(),
            output_name: node.outputs.first().cloned(),
            mask: MaskUse::None,
            ..sites[0].clone()
        };
        more.push(site);
        Some(more)
    }),
];

fn ratio(sites: &[Site], _: &Examined<'_>) -> Option<Vec<Site>> {
    let mut sites = sites.to_vec();
    let rate = sites[0].rate?;
    sites[0].rate = Some(if rate < 0.5 { rate + 0.25 } else { rate - 0.25 });
    sites[0].inference_scale = 1.0;
    Some(sites)
}

/// Models with a `Dropout` operator of every version, or of ONNX Runtime, before a Relu.
fn models() -> Vec<Model> {
    let around =
        |dropout, last: &str| x_to_y([op("h = Neg(x)"), dropout, op("r = Relu(d)"), op(last)]);
    let old = |opset, text: &str| {
        let node = op(text).with(float("ratio", 0.25));
        let node = match opset {
            1 | 6 => node.with(int("is_test", 0)),
            _ => node,
        };
        model(opset, around(node, "y = Tanh(r)"))
    };
    let new = |opset, text: &str| {
        let graph = around(op(text), "y = Tanh(r)").init("p", f32_scalar(0.25));
        let graph = graph.init("on", flag(true)).init("b", f32_scalar(0.5));
        model(opset, graph).imports("com.microsoft", 1)
    };
    let mut used = new(13, "d, m = Dropout(h, p, on)");
    used.main_mut()
        .output
        .push(typed("m", DataType::BOOL, SHAPE));
    vec![
        old(1, "d = Dropout(h)"),
        old(6, "d = Dropout(h)"),
        old(7, "d = Dropout(h)"),
        old(10, "d, m = Dropout(h)"),
        new(12, "d = Dropout(h, p, on)"),
        new(13, "d = Dropout(h, p, on)"),
        new(22, "d = Dropout(h, p)"),
        used,
        new(13, "d = com.microsoft::BitmaskDropout(h, p, on)"),
        new(13, "d = com.microsoft::BiasDropout(h, b, , p, on)"),
    ]
}

/// Strips with these claims; `None` if that is refused.
fn stripped(before: &Examined<'_>, sites: &[Site], convention: Convention) -> Option<Edited> {
    let options = Options {
        convention,
        ..Options::default()
    };
    let renumbered = sites.iter().enumerate();
    let sites: Vec<Site> = renumbered
        .map(|(id, site)| Site { id, ..site.clone() })
        .collect();
    let sites = under(&sites, convention);
    let plan = plan::plan(before.facts(), &sites, &options).ok()?;
    let mut copy = before.model().clone();
    let job = apply::Job {
        sites: &sites,
        found: &sites,
        plan: &plan,
        batch_norms: &[],
        prune_inputs: false,
    };
    apply::apply(&mut copy, before.values().clone(), job).ok()?;
    let edited = Edited::new(&copy).ok()?;
    edited.examined().side().ok()?;
    Some(edited)
}

/// Which check refutes a result. All of them are given the same claims about the original.
fn refuted(before: Side<'_>, after: &Edited, convention: Convention) -> Seen {
    let after = after.examined().side().unwrap();
    let sites = under(before.sites, convention);
    let removed = Removed {
        sites: sites.iter().collect(),
        ..Removed::default()
    };
    let found = |structure: bool| {
        let options = verify::Options {
            convention,
            ..verify::Options::asked(structure, (!structure).then(run::Settings::default))
        };
        verify_steps(before, after, &removed, None, &options).unwrap()
    };
    let by_run = found(false);
    let measured = by_run.measured.as_ref();
    if measured
        .and_then(|measured| measured.difference())
        .is_some()
    {
        return Seen::Measured;
    }
    match [by_run, found(true)].map(|found| found.verdict(Demand::Rewrite) == Verdict::Equal) {
        [false, _] => Seen::Run,
        [true, false] => Seen::Structure,
        [true, true] => Seen::Nobody,
    }
}

fn seen(before: &Examined<'_>, (_, convention, change): &Mutant) -> Option<Seen> {
    let sites = before.sites().unwrap();
    assert!(sites.iter().all(|site| site.form == Form::Operator));
    let mutants = change(sites, before)?;
    let right = stripped(before, sites, *convention).unwrap();
    let Some(wrong) = stripped(before, &mutants, *convention) else {
        return Some(Seen::Refused);
    };
    if right.model().is_identical_to(wrong.model()).unwrap() {
        return Some(Seen::Same);
    }
    let side = Side {
        sites: &mutants,
        ..before.side().unwrap()
    };
    Some(refuted(side, &wrong, *convention))
}

#[test]
fn a_wrong_claim_about_an_operator_is_refuted_or_makes_no_difference() {
    let mut found: BTreeMap<&str, BTreeMap<Seen, usize>> = BTreeMap::new();
    for model in models() {
        let before = Examined::owning(model.read());
        for mutant in &MUTANTS {
            if let Some(seen) = seen(&before, mutant) {
                *found.entry(mutant.0).or_default().entry(seen).or_default() += 1;
            }
        }
    }
    let expected: [(&str, &[(Seen, usize)]); 8] = [
        // strip removes an operator whatever its rate, mode, data and mask are said to be
        ("the ratio", &[(Seen::Same, 10)]),
        ("the mode", &[(Seen::Same, 10)]),
        ("the data", &[(Seen::Same, 10)]),
        ("the mask", &[(Seen::Same, 1)]),
        // those of ONNX Runtime are refused
        (
            "the ratio, classic",
            &[(Seen::Same, 2), (Seen::Measured, 8)],
        ),
        // it has a bias, or none
        ("the operator", &[(Seen::Same, 1), (Seen::Run, 1)]),
        ("one too many", &[(Seen::Run, 10)]),
        // it stays, and has the same inference meaning in both models
        ("one missing", &[(Seen::Nobody, 10)]),
    ];
    let expected = expected.map(|(name, seen)| (name, seen.iter().copied().collect()));
    assert_eq!(found, BTreeMap::from(expected));
}
