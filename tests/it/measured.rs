//! What masks do, measured on the original's own nodes: in many spellings, and against sites that say
//! something else.

use dropout_onnx::dropout::Site;
use dropout_onnx::onnx::DataType;
use dropout_onnx::verify::engine::Host;
use dropout_onnx::verify::measure::{self, Outcome};

use crate::common::build::{function, i64s, int, ints, model};
use crate::common::masks::{MASKS, RATES, USES, at, nodes, numbers, spelt};
use crate::common::{proto, sites};

const DRAWN: &str = "r = RandomUniformLike(x)\n";

/// What is measured of sites in a model.
fn outcomes(model: &proto::Model, sites: &[Site]) -> Vec<Outcome> {
    let report = measure::measure(&model.read(), sites, &Host::default());
    let sites = report.unwrap().expect("masks").sites;
    sites.into_iter().map(|site| site.outcome).collect()
}

/// What is measured of the one site that is found.
fn outcome(model: &proto::Model) -> Outcome {
    let found = sites(model);
    assert_eq!(found.len(), 1, "{:#?}", model.lines());
    outcomes(model, &found).remove(0)
}

#[track_caller]
fn is_as_assumed(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::AsAssumed { .. }), "{outcome}");
}

#[track_caller]
fn is_unlike(outcome: &Outcome, words: &str) {
    match outcome {
        Outcome::Unlike { why } => assert!(why.contains(words), "{why}"),
        other => panic!("{other}"),
    }
}

#[test]
fn all_spellings_are_measured_exactly() {
    for (place, (name, mask)) in MASKS.iter().enumerate() {
        let rate = RATES[place % RATES.len()];
        for (applied, usage) in USES {
            let model = at(15, rate, &format!("{DRAWN}{mask}\n{usage}"));
            let Outcome::AsAssumed {
                rate: measured,
                within,
                kept,
                shared,
                constant,
            } = outcome(&model)
            else {
                panic!("{name}, {applied}: {}", outcome(&model));
            };
            assert!(
                (measured - rate).abs() < 1e-5,
                "{name}, {applied}: {measured}"
            );
            assert!(
                (kept * (1.0 - rate) - 1.0).abs() < 1e-4,
                "{name}, {applied}"
            );
            assert!(within == 0.0 && !shared && !constant, "{name}, {applied}");
        }
    }
}

/// Between a Relu and a Tanh, with a boolean scalar `train` as input.
fn switched(text: &str) -> proto::Model {
    let text = format!("r = RandomUniformLike(x)\nb = Less(r, p)\n{text}");
    let graph = spelt(&text, &numbers(0.3));
    model(15, graph.input_of("train", DataType::BOOL, &[]))
}

#[test]
fn a_switch_has_to_switch_off() {
    for (text, off) in [
        (
            "xs = Mul(x, s)\nd = Where(b, zero, xs)\ny = Where(train, d, x)",
            0.0,
        ),
        (
            "xs = Mul(x, s)\nd = Where(b, zero, xs)\ny = Where(train, x, d)",
            1.0,
        ),
    ] {
        let model = switched(text);
        let mut found = sites(&model);
        assert_eq!(found[0].off, Some(off));
        is_as_assumed(&outcomes(&model, &found)[0]);
        found[0].off = Some(1.0 - off);
        is_unlike(&outcomes(&model, &found)[0], "");
    }
    // the same claim on a model that scales where it is off
    let [right, wrong] = ["x", "e"].map(|off| {
        let text = format!(
            "xs = Mul(x, s)\nd = Where(b, zero, xs)\ne = Neg(x)\ny = Where(train, d, {off})"
        );
        switched(&text)
    });
    let found = sites(&right);
    assert!(found[0].switch.is_some());
    is_as_assumed(&outcomes(&right, &found)[0]);
    is_unlike(&outcomes(&wrong, &found)[0], "with its switch off");
}

/// Models with the same values: the sites of the first are no sites of the second.
const PAIRS: &[(&str, &str, &str, &str)] = &[
    (
        "another scale",
        "b = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, s)",
        "b = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, one)",
        "multiplies what it keeps by 1,",
    ),
    (
        "another rate",
        "b = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, s)",
        "b = Less(r, p)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, s)",
        "drops 0.7, where 0.3 was assumed",
    ),
    (
        "another number for dropped elements",
        "b = Less(r, p)\nh = Mul(x, s)\ny = Where(b, zero, h)",
        "b = Less(r, p)\nh = Mul(x, s)\ny = Where(b, one, h)",
        "sets what it drops to 1",
    ),
    (
        "kept elements that vary",
        "b = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, s)",
        "b = Sub(r, p)\nk = Relu(b)\nd = Mul(x, k)\ny = Mul(d, s)",
        "multiplies what it keeps by",
    ),
    (
        "a random sign",
        "b = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, s)",
        "b = Sub(r, keep)\nk = Sign(b)\nd = Mul(x, k)\ny = Mul(d, s)",
        "",
    ),
    (
        "other data as well",
        "b = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\nz = Tanh(x)\ne = Add(d, zero)\ny = Mul(e, s)",
        "b = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\nz = Tanh(x)\ne = Add(d, z)\ny = Mul(e, s)",
        "with the same draw",
    ),
    (
        "a mask that is transposed",
        "b = Less(r, keep)\nk = Cast(b)\nt = Identity(k)\nm = Identity(t)\nd = Mul(x, m)\ny = Mul(d, s)",
        "b = Less(r, keep)\nk = Cast(b)\nt = Transpose(k)\nm = Mul(k, t)\nd = Mul(x, m)\ny = Mul(d, s)",
        "",
    ),
    (
        "rows that share a draw",
        "b = Less(r, keep)\nk = Cast(b)\nm = Identity(k)\nd = Mul(x, m)\ny = Mul(d, s)",
        "b = Less(r, keep)\nk = Cast(b)\nm = ReduceMin(k)\nd = Mul(x, m)\ny = Mul(d, s)",
        "",
    ),
    (
        "another factor before",
        "b = Less(r, keep)\nk = Cast(b)\nh = Mul(x, s)\ny = Mul(h, k)",
        "b = Less(r, keep)\nk = Cast(b)\nh = Mul(x, x)\ny = Mul(h, k)",
        "with the same draw",
    ),
];

#[test]
fn the_sites_of_one_model_are_refuted_on_another() {
    for (name, right, wrong, words) in PAIRS {
        let [right, wrong] = [right, wrong].map(|text| {
            // square, so that a transposed mask fits
            let text = format!("r = RandomUniformLike(x)\n{text}");
            let mut graph = spelt(&text, &numbers(0.3));
            graph.input.clear();
            graph.output.clear();
            let square: &[i64] = &[4, 4];
            let graph = graph.input_of("x", DataType::FLOAT, square);
            model(15, graph.output_of("y", DataType::FLOAT, square))
        });
        let found = sites(&right);
        assert_eq!(found.len(), 1, "{name}");
        let measured = &outcomes(&right, &found)[0];
        assert!(
            matches!(measured, Outcome::AsAssumed { .. }),
            "{name}: {measured}"
        );
        match &outcomes(&wrong, &found)[0] {
            Outcome::Unlike { why } => assert!(why.contains(words), "{name}: {why}"),
            other => panic!("{name}: {other}"),
        }
    }
}

/// Rows of a mask that is drawn for less or more of them, as a draw for each graph of a batch is.
#[test]
fn rows_of_a_mask_are_gathered() {
    for (drawn, rows) in [([2, 3], [1, 1]), ([2, 3], [1, 0]), ([5, 3], [4, 2])] {
        let text = "r = RandomUniform()\nb = Less(r, keep)\nk = Cast(b)\nm = Gather(k, rows)\n\
                    d = Mul(x, m)\ny = Mul(d, s)";
        let mut graph = spelt(text, &numbers(0.3)).init("rows", i64s(&rows));
        graph.node[0].attribute = vec![ints("shape", &drawn)];
        let Outcome::AsAssumed { shared, .. } = outcome(&model(15, graph)) else {
            panic!("{rows:?}");
        };
        assert_eq!(shared, rows == [1, 1], "{rows:?}");
    }
}

#[test]
fn a_mask_of_masks_is_measured_mask_by_mask() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nm = Mul(k, s)\n\
                q = RandomUniformLike(x)\nc = Less(q, keep)\nl = Cast(c)\nn = Mul(l, s)\n\
                both = Mul(m, n)\ny = Mul(x, both)";
    let model = at(15, 0.3, text);
    let found = sites(&model);
    assert_eq!(found.len(), 2);
    outcomes(&model, &found).iter().for_each(is_as_assumed);
}

#[test]
fn keys_are_dropped_before_a_softmax() {
    let text = |far: &str| {
        format!(
            "r = RandomUniformLike(x)\nb = Less(r, p)\nk = Cast(b)\nd = Mul(k, {far})\ne = Add(x, d)\ny = Softmax(e)"
        )
    };
    let scores = |far: &str| {
        let constants = [&numbers(0.3)[..], &[("far", -1e9), ("near", -2.0)]].concat();
        model(15, spelt(&text(far), &constants))
    };
    let right = scores("far");
    let found = sites(&right);
    assert_eq!(found.len(), 1);
    is_as_assumed(&outcomes(&right, &found)[0]);
    // the twin: a bias that Softmax does not make 0
    is_unlike(&outcomes(&scores("near"), &found)[0], "");
}

#[test]
fn masks_in_functions_are_measured_call_by_call() {
    let body = "r = RandomUniformLike(i)\nb = Less(r, keep)\nk = CastLike(b, i)\nd = Mul(i, k)\no = Div(d, keep)";
    let with = |text: &str| {
        let graph = spelt(text, &[("keep", 0.7), ("half", 0.5)]);
        let drop = function("Drop", "i, keep", "o", 15, nodes(body));
        model(15, graph).imports("local", 1).function(drop)
    };
    let twice = with("h = local::Drop(x, keep)\nt = Tanh(h)\ny = local::Drop(t, half)");
    let mut found = sites(&twice);
    let rates: Vec<_> = found.iter().map(|site| site.rate).collect();
    assert_eq!(rates, [Some(0.3), Some(0.5)]);
    outcomes(&twice, &found).iter().for_each(is_as_assumed);
    // the twin: the rate of the other call
    found[0].rate = Some(0.5);
    is_unlike(
        &outcomes(&twice, &found)[0],
        "drops 0.3, where 0.5 was assumed",
    );
    // nothing calls it: there is nothing to measure
    let never = with("y = Relu(x)");
    let report = measure::measure(&never.read(), &sites(&never), &Host::default());
    assert_eq!(report.unwrap(), None);
}

#[test]
fn data_of_unknown_rank_that_is_transposed_before_it_is_dropped() {
    let text = "t = Transpose(x)\nw = Shape(t)\nf = Gather(w, first)\nl = Gather(w, last)\n\
                n = Concat(f, i, l)\nc = ConstantOfShape(n)\nr = RandomUniformLike(c)\n\
                b = Less(r, keep)\nk = Cast(b)\nd = Div(t, keep)\ny = Mul(d, k)";
    let mut graph = spelt(text, &[("keep", 0.7)]);
    for (name, number) in [("first", 0), ("last", 2), ("i", 1)] {
        graph = graph.init(name, i64s(&[number]));
    }
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        let kind = value
            .r#type
            .as_mut()
            .and_then(|kind| kind.tensor_type.as_mut());
        kind.expect("a tensor").shape = None;
    }
    for node in &mut graph.node {
        match node.op_type() {
            "Transpose" => node.attribute.push(ints("perm", &[0, 2, 1])),
            "Concat" => node.attribute.push(int("axis", 0)),
            _ => {}
        }
    }
    let made = model(15, graph);
    let mut found = sites(&made);
    assert_eq!(found.len(), 1);
    is_as_assumed(&outcomes(&made, &found)[0]);
    // the twin: another rate
    found[0].rate = Some(0.4);
    is_unlike(&outcomes(&made, &found)[0], "drops 0.3");
}
