//! Layers that a draw skips, by an If: strip lets them run always.

use dropout_onnx::Analysis;
use dropout_onnx::audit::{self, ModelAudit};
use dropout_onnx::dropout::{self, Form, Mode, Scaling, Site};
use dropout_onnx::rewrite::strip;
use dropout_onnx::verify::engine::Host;
use dropout_onnx::verify::{self, Demand, Verdict, measure};

use crate::common::build::{graph, ints, model, op, subgraph, untyped, x_to_y};
use crate::common::masks::{nodes, spelt};
use crate::common::proto::{Graph, Model};
use crate::common::stripped::{refusal, strips};

fn branch(text: &str) -> Graph {
    let mut branch = graph(nodes(text));
    let last = branch.node.last().map(|node| node.output[0].clone());
    branch.output = last.iter().map(|name| untyped(name)).collect();
    branch
}

/// An If on `u < 0.8`, or on its contrary.
fn made(then: &str, or: &str, condition: &str) -> Model {
    let draw = op("u = RandomUniform()").with(ints("shape", &[1]));
    let drawn = nodes(&format!("l = Less(u, keep)\nb = Squeeze(l)\n{condition}"));
    let node = op("y = If(c)")
        .with(subgraph("then_branch", branch(then)))
        .with(subgraph("else_branch", branch(or)));
    let mut body = spelt("", &[("keep", 0.8), ("one", 1.0)]);
    body.node = x_to_y([draw].into_iter().chain(drawn).chain([node])).node;
    model(17, body)
}

fn audited(model: &Model) -> ModelAudit {
    ModelAudit::new("model.onnx", &model.read()).expect("an audit")
}

const LAYER: &str = "h = Relu(x)\nw = Mul(h, one)\np = Add(x, w)";
const SKIP: &str = "q = Identity(x)";

#[test]
fn a_layer_that_is_skipped_at_random_is_dropped() {
    for (then, or, condition, rate) in [
        (LAYER, SKIP, "c = Identity(b)", 0.2),
        (SKIP, LAYER, "c = Not(b)", 0.2),
        (SKIP, LAYER, "c = Identity(b)", 0.8),
        ("p = Sum(w, x)", SKIP, "w = Abs(x)\nc = Identity(b)", 0.2),
    ] {
        let made = made(then, or, condition);
        let found = audited(&made);
        let [site] = &found.sites[..] else {
            panic!("{then}: {:?}", found.sites);
        };
        assert_eq!((site.form, site.mode), (Form::RandomMask, Mode::Active));
        assert_eq!(
            (site.rate, site.scaling),
            (Some(rate), Scaling::Other),
            "{then}"
        );
        assert_eq!(site.inference_scale, 1.0);
        assert_eq!(found.verdict, Some(audit::Verdict::Active));
        let stripped = strips(&made).draws_nothing();
        let lines = stripped.after.lines();
        assert!(
            lines.iter().any(|line| line == "y = If(layer/runs)"),
            "{lines:?}"
        );
        // the condition of the branch with the layer
        let runs = &stripped.after.main().initializer;
        let runs = runs
            .iter()
            .find(|tensor| tensor.name() == "layer/runs")
            .expect("a condition");
        assert_eq!(runs.raw_data(), [u8::from(then.contains("p ="))]);
        assert_eq!(
            audited(&stripped.after).verdict,
            Some(audit::Verdict::Clean)
        );
    }
}

/// What is measured if this is assumed of the layer of a model.
fn outcome(model: &Model, change: impl FnOnce(&mut Site)) -> measure::Outcome {
    let read = model.read();
    let mut sites = dropout::find(&Analysis::of(&read)).unwrap();
    change(&mut sites[0]);
    let measured = measure::measure(&read, &sites, &Host::default()).unwrap();
    measured.expect("a layer").sites[0].outcome.clone()
}

#[test]
fn that_a_draw_decides_about_a_layer_is_measured() {
    for (then, or, condition) in [
        (LAYER, SKIP, "c = Identity(b)"),
        (SKIP, LAYER, "c = Not(b)"),
        (SKIP, LAYER, "c = Identity(b)"),
    ] {
        let made = made(then, or, condition);
        let found = outcome(&made, |_| ());
        let wanted = dropout::find(&Analysis::of(&made.read())).unwrap()[0]
            .rate
            .unwrap();
        let measure::Outcome::AsAssumed { rate, within, .. } = found else {
            panic!("{found:?}");
        };
        assert!((rate - wanted).abs() < 1e-6 && within == 0.0, "{rate}");
        let unlike = |found| matches!(found, measure::Outcome::Unlike { .. });
        assert!(unlike(outcome(&made, |site| site.rate = Some(0.3))));
        let swapped = |site: &mut Site| site.runs_if = site.runs_if.map(|runs| !runs);
        assert!(unlike(outcome(&made, swapped)));
    }
}

/// A product does not broadcast before opset 7.
#[test]
fn a_layer_that_cannot_be_measured_is_kept_unless_it_is_allowed() {
    let mut made = made(LAYER, SKIP, "c = Identity(b)");
    made.opset_import[0].version = Some(6);
    let model = made.read();
    for allow_unmeasured in [false, true] {
        let options = strip::Options::default().allow_unmeasured(allow_unmeasured);
        let stripped = strip::strip(&model, &options).unwrap();
        let found = stripped
            .verify(&model, None, &verify::Options::default())
            .unwrap();
        let is_shown = found.verdict(Demand::Rewrite) == Verdict::Equal;
        assert_eq!(is_shown, allow_unmeasured);
        let measured = found.measured.unwrap();
        assert!(matches!(
            &measured.sites[..],
            [site] if matches!(&site.outcome, measure::Outcome::Unmeasured { .. })
        ));
    }
}

/// Two layers of one draw.
fn twice(second: &str) -> Model {
    let mut model = made(LAYER, SKIP, "c = Identity(b)");
    let condition = nodes(second);
    let mut node = op("y = If(e)")
        .with(subgraph(
            "then_branch",
            branch("i = Sigmoid(z)\nj = Add(z, i)"),
        ))
        .with(subgraph("else_branch", branch("k = Identity(z)")));
    node.name = Some("second".to_string());
    let body = &mut model.main_mut().node;
    let first = body.last_mut().expect("an If");
    first.output[0] = "z".to_string();
    body.extend(condition.into_iter().chain([node]));
    model
}

#[test]
fn one_draw_may_skip_several_layers() {
    let half = "half = Mul(keep, keep)\nd = Less(u, half)\ne = Squeeze(d)";
    let both = twice(half);
    let found = audited(&both);
    let rates: Vec<_> = found.sites.iter().map(|site| site.rate).collect();
    assert_eq!(rates, [Some(0.2), Some(0.36)]);
    strips(&both).draws_nothing();
    // the twin: either the one or the other
    let either = twice("d = Greater(u, keep)\ne = Squeeze(d)");
    assert_eq!(audited(&either).sites.len(), 2);
    let why = refusal(&either);
    assert!(why.contains("no draw runs all"), "{why}");
}

/// What replaces the value, or draws by itself, is an augmentation.
#[test]
fn a_choice_between_results_is_random() {
    for (then, or) in [
        ("p = Neg(x)", SKIP),
        ("p = Add(x, one)", SKIP),
        ("h = Relu(x)\np = Add(h, h)", SKIP),
        (
            "n = RandomNormalLike(x)\ns = Exp(n)\ne = Mul(s, x)\np = Add(x, e)",
            SKIP,
        ),
        (LAYER, "q = Neg(x)"),
        (LAYER, LAYER),
        (SKIP, "r = Identity(x)"),
    ] {
        let found = audited(&made(then, or, "c = Identity(b)"));
        assert!(found.sites.is_empty(), "{then}: {:?}", found.sites);
        assert_eq!(found.verdict, Some(audit::Verdict::Random), "{then}");
    }
    // the twin: the draw is used elsewhere as well
    let mut used = made(LAYER, SKIP, "c = Identity(b)");
    used.main_mut().node.push(op("z = Add(y, u)"));
    let graph = std::mem::take(used.main_mut());
    *used.main_mut() = graph.output("z");
    assert!(audited(&used).sites.is_empty());
}
