//! Masks that were drawn once and are constants since, and all that looks like one.

use dropout_onnx::dropout::{self, Form, Kind, Mode, RateOrigin, Scaling};
use dropout_onnx::onnx::{DataType, Values};
use dropout_onnx::rewrite::Action;
use dropout_onnx::rewrite::fold::{Options, fold};
use dropout_onnx::rewrite::strip;
use dropout_onnx::verify::{Demand, Verdict};

use crate::common::build::{f32_scalar, f32s, function, graph, int, model, op, raw, tensor};
use crate::common::proto::{Graph, Model, Node};
use crate::common::sites;

/// Numbers in [0, 1), the same for a seed (SplitMix64).
fn numbers(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / 2f64.powi(64)
    }
}

fn count(dims: &[i64]) -> usize {
    dims.iter().product::<i64>() as usize
}

/// A mask that keeps elements with probability 1-p.
fn drawn(dims: &[i64], p: f64, seed: u64) -> Vec<bool> {
    let mut next = numbers(seed);
    (0..count(dims)).map(|_| next() >= p).collect()
}

/// A mask by the place of an element.
fn by(dims: &[i64], keep: impl Fn(&[i64]) -> bool) -> Vec<bool> {
    let place = |mut index: usize| {
        let mut place = vec![0; dims.len()];
        for (axis, &dim) in dims.iter().enumerate().rev() {
            place[axis] = index as i64 % dim;
            index /= dim as usize;
        }
        place
    };
    (0..count(dims)).map(|index| keep(&place(index))).collect()
}

fn floats(dims: &[i64], kept: &[bool], scale: f64) -> crate::common::proto::Tensor {
    let elements: Vec<f32> = kept
        .iter()
        .map(|&k| if k { scale as f32 } else { 0.0 })
        .collect();
    f32s(dims, &elements)
}

fn bools(dims: &[i64], kept: &[bool]) -> crate::common::proto::Tensor {
    let bytes: Vec<u8> = kept.iter().map(|&k| u8::from(k)).collect();
    raw(DataType::BOOL, dims, &bytes)
}

/// A graph with h, which is relu of x, and these nodes.
fn after_relu(lines: &[&str], dims: &[i64]) -> Graph {
    let nodes = lines.iter().map(|line| match line.contains("Cast(") {
        true => op(line).with(int("to", 1)),
        false => op(line),
    });
    let start = [op("h = Relu(x)")];
    graph(start.into_iter().chain(nodes))
        .input_of("x", DataType::FLOAT, dims)
        .output_of("y", DataType::FLOAT, dims)
}

/// Spellings of dropout by a mask m of ones, or of booleans b; s is the scale, k what is kept.
const SPELLINGS: &[&[&str]] = &[
    &["z = Mul(h, m)", "y = Div(z, k)"],
    &["z = Mul(m, h)", "y = Mul(z, s)"],
    &["z = Mul(h, m)", "y = Mul(s, z)"],
    &["c = Cast(b)", "z = Mul(h, c)", "y = Div(z, k)"],
    &["d = Div(m, k)", "y = Mul(h, d)"],
    &["d = Mul(m, s)", "y = Mul(d, h)"],
    &["t = Mul(h, s)", "y = Mul(t, m)"],
    &["t = Div(h, k)", "y = Where(b, t, o)"],
    &["z = Where(b, h, o)", "y = Div(z, k)"],
    &["n = Not(b)", "z = Where(n, o, h)", "y = Div(z, k)"],
    &["i = Identity(m)", "z = Mul(h, i)", "y = Div(z, k)"],
];

fn spelt(lines: &[&str], dims: &[i64], p: f64, seed: u64) -> Model {
    let kept = drawn(dims, p, seed);
    let graph = after_relu(lines, dims)
        .init("m", floats(dims, &kept, 1.0))
        .init("b", bools(dims, &kept))
        .init("k", f32_scalar((1.0 - p) as f32))
        .init("s", f32_scalar((1.0 / (1.0 - p)) as f32))
        .init("o", f32_scalar(0.0));
    model(13, graph)
}

/// As [`spelt`], by nodes with the name of a dropout.
fn named(lines: &[&str], dims: &[i64], p: f64, seed: u64) -> Model {
    let mut model = spelt(lines, dims, p, seed);
    let nodes = model.main_mut().node.iter_mut().skip(1);
    nodes.for_each(|node| node.name = Some(format!("net/drop/dropout/{}", node.op_type())));
    model
}

#[test]
fn every_spelling_at_every_rate() {
    for lines in SPELLINGS {
        for (seed, p) in [0.1, 0.2, 0.25, 0.3, 0.5, 0.8].into_iter().enumerate() {
            let model = spelt(lines, &[4, 64], p, seed as u64);
            let sites = sites(&model);
            assert_eq!(sites.len(), 1, "{lines:?} at {p}");
            let site = &sites[0];
            assert_eq!(site.form, Form::FrozenMask);
            assert_eq!(site.mode, Mode::Frozen);
            assert_eq!(site.rate_origin, RateOrigin::Mask);
            assert_eq!(site.scaling, Scaling::Inverted, "{lines:?} at {p}");
            assert_eq!(site.rate, Some(p), "{lines:?}");
            assert_eq!(site.inference_scale, 1.0);
            assert_eq!(site.output_name.as_ref().expect("a name").to_string(), "y");
        }
    }
}

#[test]
fn the_exit_has_the_inference_scale() {
    let exits = |lines: &[&str]| {
        let model = named(lines, &[4, 64], 0.2, 7);
        let read = model.read();
        let values = Values::new(&read);
        let sites = dropout::find(&dropout_onnx::Analysis::of(&read)).expect("sites");
        let exit = &sites[0].junctions[0];
        assert_eq!(sites[0].nodes[0], exit.node);
        let name = |value| values[value].name.to_string();
        (
            name(exit.data),
            name(exit.output),
            (exit.scale * 1e6).round() / 1e6,
        )
    };
    let y = || "y".to_string();
    assert_eq!(exits(SPELLINGS[0]), ("h".into(), y(), 1.0));
    assert_eq!(exits(SPELLINGS[5]), ("h".into(), y(), 1.0));
    // what was scaled before is still scaled
    assert_eq!(exits(SPELLINGS[6]), ("t".into(), y(), 0.8));
    assert_eq!(exits(SPELLINGS[7]), ("t".into(), y(), 0.8));
    let (data, output, scale) = exits(&["y = Mul(h, m)"]);
    assert_eq!((data, output), ("h".into(), y()));
    assert!((0.7..0.9).contains(&scale));
}

/// A convolution's layout is changed between the scale and the mask.
#[test]
fn data_that_is_scaled_and_then_moved() {
    let model = |moves: &[&str]| {
        let mut lines = vec!["t = Mul(h, s)"];
        lines.extend(moves);
        lines.push("y = Mul(m, d)");
        spelt(&lines, &[4, 64], 0.45, 3)
    };
    let by = |moves: &[&str]| sites(&model(moves));
    let stays = |moves: &[&str]| {
        let folded = fold(&model(moves).read(), &Options::default()).unwrap();
        let mut steps = folded.plan.steps.iter();
        steps.any(|step| matches!(&step.action, Action::Refused(why) if why.text().contains("it is part of dropout")))
    };
    for moves in [
        &["d = Identity(t)"][..],
        &["a = Transpose(t)", "d = Transpose(a)"],
        &["a = Flatten(t)", "e = Identity(a)", "d = Squeeze(e)"],
    ] {
        let sites = by(moves);
        assert_eq!(sites.len(), 1, "{moves:?}");
        assert_eq!(sites[0].scaling, Scaling::Inverted, "{moves:?}");
        assert_eq!(sites[0].rate, Some(0.45), "{moves:?}");
        assert!(stays(moves), "{moves:?}");
    }
    // what changes elements may also change the scale
    let lines = ["t = Mul(h, s)", "d = Relu(t)", "y = Mul(m, d)"];
    let sites = sites(&named(&lines, &[4, 64], 0.45, 3));
    let scalings: Vec<Scaling> = sites.iter().map(|site| site.scaling).collect();
    assert_eq!(scalings, [Scaling::Classic]);
}

#[test]
fn most_masks_that_were_drawn_are_found() {
    let mut missed = 0;
    let mut all = 0;
    for dims in [
        &[2, 16][..],
        &[4, 16],
        &[1, 128],
        &[2, 32, 1, 1],
        &[1, 8, 32],
        &[3, 4, 5, 6],
    ] {
        for p in [0.1, 0.3, 0.5] {
            for seed in 0..20 {
                let found = sites(&spelt(&["d = Div(m, k)", "y = Mul(h, d)"], dims, p, seed));
                all += 1;
                missed += usize::from(found.len() != 1);
            }
        }
    }
    assert!(missed * 50 <= all, "{missed} of {all} missed");
}

#[test]
fn a_mask_without_a_scale_is_classic_by_its_names() {
    for (seed, p) in [0.2, 0.3, 0.5].into_iter().enumerate() {
        let lines = ["y = Mul(h, m)"];
        let sites = sites(&named(&lines, &[8, 64], p, 40 + seed as u64));
        assert_eq!(sites.len(), 1, "{p}");
        let site = &sites[0];
        assert_eq!(site.scaling, Scaling::Classic);
        assert!((site.rate.expect("a rate") - p).abs() < 0.1);
        assert_eq!(site.inference_scale, site.junctions[0].scale);
        assert!((site.inference_scale + site.rate.expect("a rate") - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_mask_without_scale_and_names_is_not_dropout() {
    for lines in [&["y = Mul(h, m)"][..], &["y = Where(b, h, o)"]] {
        for (seed, p) in [0.2, 0.5].into_iter().enumerate() {
            let found = sites(&spelt(lines, &[8, 64], p, 40 + seed as u64));
            assert!(found.is_empty(), "{lines:?}");
        }
    }
}

/// The rates that are found where h is multiplied by a constant of these elements.
fn rates(dims: &[i64], kept: &[bool], scale: f64, name: &str) -> Vec<Option<f64>> {
    let mut graph = after_relu(&["y = Mul(h, m)"], dims).init("m", floats(dims, kept, scale));
    graph.node[1].name = Some(name.into());
    sites(&model(13, graph))
        .iter()
        .map(|site| site.rate)
        .collect()
}

#[test]
fn a_mask_that_is_shared_over_time() {
    let mask = drawn(&[2, 16], 0.4, 8);
    let dims = [2, 6, 16];
    let shared = by(&dims, |at| mask[(at[0] * 16 + at[2]) as usize]);
    assert_eq!(rates(&dims, &shared, 1.0 / 0.6, ""), [Some(0.4)]);
    // anything may be doubled
    assert_eq!(rates(&dims, &shared, 2.0, ""), []);
    // few elements, repeated
    let dims = [4, 6, 8];
    let few = by(&dims, |at| mask[at[2] as usize]);
    assert_eq!(rates(&dims, &few, 1.0 / 0.6, ""), []);
}

#[test]
fn a_small_mask_with_the_name_of_a_dropout() {
    let kept = [true, false, true, true, true, true, true, false];
    for (name, found) in [
        ("m_1/a_1/stateless_dropout/SelectV2__3", 1),
        ("/blocks.1/drop_path1/Mul", 1),
        ("/blocks.1/attention/Mul", 0),
    ] {
        assert_eq!(rates(&[8], &kept, 4.0 / 3.0, name).len(), found, "{name}");
        assert_eq!(rates(&[8], &kept, 1.0, name), [], "{name}, unscaled");
        assert_eq!(
            rates(&[8], &kept, 10.0, name),
            [],
            "{name}, at another share"
        );
    }
}

#[test]
fn a_path_of_which_no_sample_was_dropped() {
    let kept = [true; 4];
    let name = "/blocks.1/drop_path1/Mul";
    assert_eq!(rates(&[4, 1, 1], &kept, 1.0 / 0.7, name), [Some(0.3)]);
    assert_eq!(rates(&[4, 1, 1], &kept, 1.0, name), []);
    assert_eq!(rates(&[4, 1, 1], &kept, 0.7, name), []);
    // the scale of dropout is no mask
    assert_eq!(
        rates(&[1, 1], &kept[..1], 1.0 / 0.7, "/blocks.1/drop/Dropout"),
        []
    );
    assert_eq!(
        rates(&[4, 1, 1], &kept, 1.0 / 0.7, "/blocks.1/scale/Mul"),
        []
    );
}

#[test]
fn a_mask_that_is_moved() {
    for moves in [
        &["d = Transpose(m)", "g = Transpose(h)"][..],
        &["d = Flatten(m)", "g = Flatten(h)"],
        &[
            "a = Unsqueeze(m, axes)",
            "d = Identity(a)",
            "g = Unsqueeze(h, axes)",
        ],
    ] {
        let lines = [moves, &["z = Mul(g, d)", "y = Div(z, k)"]].concat();
        let mut model = spelt(&lines, &[8, 8], 0.3, 4);
        model.main_mut().initializer.push({
            let mut axes = crate::common::build::i64s(&[0]);
            axes.name = Some("axes".into());
            axes
        });
        let found = sites(&model);
        assert_eq!(found.len(), 1, "{moves:?}");
        assert_eq!(found[0].rate, Some(0.3));
    }
}

/// A Loop of two states: h, which its body multiplies by the other.
fn looped(next_mask: &str) -> Model {
    let dims = [4, 8];
    let nodes = ["go = Identity(more)", "grown = Mul(state, mask)", next_mask];
    let mut body = graph(nodes.map(op));
    body.input = ["i", "more", "state", "mask"]
        .map(crate::common::build::untyped)
        .into();
    body.output = ["go", "grown", "after"]
        .map(crate::common::build::untyped)
        .into();
    let kept = drawn(&dims, 0.2, 31);
    let node =
        op("y, end = Loop(count, go0, h, m)").with(crate::common::build::subgraph("body", body));
    let mut graph = after_relu(&[], &dims).init("m", floats(&dims, &kept, 1.25));
    graph.node.push(node);
    let graph = graph.init("count", crate::common::build::i64s(&[3]));
    model(13, graph.init("go0", crate::common::build::flag(true)))
}

#[test]
fn a_mask_that_is_a_state_of_a_loop() {
    let found = sites(&looped("after = Identity(mask)"));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].rate, found[0].form),
        (Some(0.2), Form::FrozenMask)
    );
    // each step has another
    assert!(sites(&looped("after = Mul(mask, state)")).is_empty());
}

#[test]
fn one_mask_of_several_uses_is_one_dropout() {
    let lines = ["a = Mul(h, d)", "b2 = Mul(x, d)", "y = Add(a, b2)"];
    let kept = drawn(&[4, 64], 0.3, 3);
    let graph = after_relu(&lines, &[4, 64]).init("d", floats(&[4, 64], &kept, 1.0 / 0.7));
    let sites = sites(&model(13, graph));
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].junctions.len(), 2);
}

#[test]
fn a_mask_in_a_function() {
    let kept = drawn(&[4, 16], 0.3, 5);
    let mask = op("m = Constant()").with(tensor("value", floats(&[4, 16], &kept, 1.0)));
    let keep = op("k = Constant()").with(tensor("value", f32_scalar(0.7)));
    let nodes = |last: Node| vec![op("h = Relu(a)"), mask.clone(), keep.clone(), last];
    let mut inner = nodes(op("z = Mul(h, m)"));
    inner.push(op("b = Div(z, k)"));
    let called = |argument: &str| {
        let graph = after_relu(&[&format!("y = local::f({argument})")], &[4, 16]);
        let graph = graph.init("w", f32s(&[4, 16], &[1.5; 64]));
        let f = function("f", "a", "b", 18, inner.clone());
        model(18, graph).imports("local", 1).function(f)
    };
    assert_eq!(sites(&called("h")).len(), 1);
    assert_eq!(sites(&called("w")).len(), 0, "weights are no data");
}

#[test]
fn a_mask_that_stays_is_a_constant_of_both_models() {
    let kept = drawn(&[4, 16], 0.3, 5);
    let mask = floats(&[4, 16], &kept, 1.0 / 0.7);
    let mask = op("m = Constant()").with(tensor("value", mask));
    // with the function inlined, dropout is between product and scores, and gone from the result
    let lines = ["f = local::f(h)", "d = Dropout(f, r, t)", "y = Softmax(d)"];
    let graph = after_relu(&lines, &[4, 16])
        .init("r", f32_scalar(0.5))
        .init("t", raw(DataType::BOOL, &[], &[1]));
    let f = function("f", "a", "b", 18, [mask, op("b = Mul(a, m)")]);
    let model = model(18, graph).imports("local", 1).function(f).read();
    let stripped = strip::strip(&model, &strip::Options::default()).unwrap();
    let left = stripped.edited.examined().sites().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].mode, Mode::Frozen);
    let found = stripped.verify(&model, None, &Default::default()).unwrap();
    assert_eq!(found.verdict(Demand::Rewrite), Verdict::Equal);
}

/// No dropout: y = h·m, with m of ones, of twos, and scaled afterwards.
fn none(what: &str, dims: &[i64], kept: &[bool]) {
    let dropped = kept.iter().filter(|&&k| !k).count() as f64 / kept.len() as f64;
    let near = (dropped * 20.0).round() / 20.0;
    let scale = 1.0 / (1.0 - near.clamp(0.05, 0.9));
    for (lines, in_mask) in [
        (&["y = Mul(h, m)"][..], 1.0),
        (&["y = Mul(h, m)"], 2.0),
        (&["y = Mul(h, m)"], scale),
        (&["z = Mul(h, m)", "y = Mul(z, s)"], 1.0),
        (&["y = Where(b, h, o)"], 1.0),
    ] {
        let graph = after_relu(lines, dims)
            .init("m", floats(dims, kept, in_mask))
            .init("b", bools(dims, kept))
            .init("s", f32_scalar(scale as f32))
            .init("o", f32_scalar(0.0));
        let found = sites(&model(13, graph));
        assert!(found.is_empty(), "{what}: {lines:?} with {in_mask}");
    }
}

#[test]
fn a_causal_mask() {
    for n in [8, 16, 32] {
        none("causal", &[n, n], &by(&[n, n], |at| at[1] <= at[0]));
        none(
            "anti-causal",
            &[1, 1, n, n],
            &by(&[1, 1, n, n], |at| at[3] >= at[2]),
        );
        none(
            "banded",
            &[n, n],
            &by(&[n, n], |at| (at[1] - at[0]).abs() <= 2),
        );
    }
}

#[test]
fn a_padding_mask() {
    let lengths = [5, 16, 9, 12, 3, 16, 7, 10];
    let kept = by(&[8, 16], |at| at[1] < lengths[at[0] as usize]);
    none("padding behind", &[8, 16], &kept);
    let kept = by(&[8, 16], |at| 15 - at[1] < lengths[at[0] as usize]);
    none("padding before", &[8, 16], &kept);
    let kept = by(&[8, 16, 4], |at| at[1] < lengths[at[0] as usize]);
    none("padding of channels", &[8, 16, 4], &kept);
    none("padding, one row", &[1, 64], &by(&[1, 64], |at| at[1] < 40));
}

#[test]
fn one_hot_rows_and_permutations() {
    let places = [3, 0, 7, 5, 1, 6, 2, 4];
    let kept = by(&[8, 8], |at| places[at[0] as usize] == at[1]);
    none("permutation", &[8, 8], &kept);
    let kept: Vec<bool> = kept.iter().map(|k| !k).collect();
    none("all but one", &[8, 8], &kept);
    let hot = [3, 3, 1, 0, 7, 2, 2, 5, 9, 15, 8, 11];
    none(
        "one-hot",
        &[12, 16],
        &by(&[12, 16], |at| hot[at[0] as usize] == at[1]),
    );
}

#[test]
fn patterns() {
    for n in [8, 16] {
        none(
            "checkerboard",
            &[n, n],
            &by(&[n, n], |at| (at[0] + at[1]) % 2 == 0),
        );
        none("eye", &[n, n], &by(&[n, n], |at| at[0] == at[1]));
        none("not eye", &[n, n], &by(&[n, n], |at| at[0] != at[1]));
        none(
            "border",
            &[n, n],
            &by(&[n, n], |at| at.iter().all(|&i| i > 0 && i < n - 1)),
        );
        none("stripes", &[n, n], &by(&[n, n], |at| at[1] % 3 == 0));
        none("half", &[n, n], &by(&[n, n], |at| at[1] < n / 2));
        none("blocks", &[n, n], &by(&[n, n], |at| at[0] / 4 == at[1] / 4));
        let disc = by(&[n, n], |at| {
            (2 * at[0] - n + 1).pow(2) + (2 * at[1] - n + 1).pow(2) < n * n
        });
        none("disc", &[n, n], &disc);
    }
    none("every fifth", &[64], &by(&[64], |at| at[0] % 5 != 0));
    none("alternating", &[32], &by(&[32], |at| at[0] % 2 == 0));
    none("halves", &[32], &by(&[32], |at| at[0] < 16));
}

#[test]
fn rows_alike() {
    let row = drawn(&[32], 0.3, 9);
    let kept = by(&[8, 32], |at| row[at[1] as usize]);
    assert_eq!(rates(&[8, 32], &kept, 1.0, ""), [], "the same in every row");
    assert_eq!(rates(&[8, 32], &kept, 2.0, ""), [], "the same in every row");
    let kept = by(&[8, 32], |at| row[(at[0] * 3) as usize]);
    none("the same in every column", &[8, 32], &kept);
}

#[test]
fn an_undirected_graph() {
    let half = drawn(&[16, 16], 0.5, 12);
    let edge = |a: i64, b: i64| half[(a.min(b) * 16 + a.max(b)) as usize];
    none(
        "adjacency",
        &[16, 16],
        &by(&[16, 16], |at| edge(at[0], at[1])),
    );
}

/// No dropout, though it was drawn.
fn none_of(what: &str, dims: &[i64], lines: &[&str], scale: f64) {
    let kept = drawn(dims, 0.5, 21);
    let not: Vec<bool> = kept.iter().map(|k| !k).collect();
    let ones = vec![0.5; count(dims)];
    let graph = after_relu(lines, dims)
        .init("m", floats(dims, &kept, scale))
        .init("n", floats(dims, &not, scale))
        .init("b", bools(dims, &kept))
        .init("w", f32s(dims, &ones))
        .init("minus", f32_scalar(-1e9));
    let found = sites(&model(13, graph));
    assert!(found.is_empty(), "{what}");
}

#[test]
fn pruned_weights() {
    let pruned = ["v = Mul(w, m)", "y = MatMul(h, v)"];
    for scale in [1.0, 2.0] {
        none_of("pruned weights", &[16, 16], &pruned, scale);
        none_of(
            "pruned, computed",
            &[16, 16],
            &["u = Neg(w)", "v = Mul(u, m)", "y = Add(h, v)"],
            scale,
        );
    }
    // the same nodes on data are dropout
    let kept = drawn(&[16, 16], 0.5, 21);
    let graph = after_relu(&["v = Mul(h, m)", "y = MatMul(v, v)"], &[16, 16]);
    let found = sites(&model(13, graph.init("m", floats(&[16, 16], &kept, 2.0))));
    assert_eq!(found.len(), 1);
}

#[test]
fn weights_that_a_file_also_lists_as_inputs() {
    let kept = drawn(&[16, 16], 0.5, 21);
    let graph = after_relu(&["v = Mul(w, m)", "y = MatMul(h, v)"], &[16, 16])
        .input_of("w", DataType::FLOAT, &[16, 16])
        .input_of("m", DataType::FLOAT, &[16, 16])
        .init("w", f32s(&[16, 16], &[0.5; 256]))
        .init("m", floats(&[16, 16], &kept, 2.0));
    assert!(sites(&model(8, graph)).is_empty());
}

#[test]
fn a_mask_of_attention_scores() {
    for lines in [
        &["z = Mul(h, m)", "y = Softmax(z)"][..],
        &[
            "z = Mul(h, m)",
            "q = Add(z, w)",
            "r = Reshape(q, w)",
            "y = Softmax(r)",
        ],
        &["y = Where(b, h, minus)"],
    ] {
        for scale in [1.0, 2.0] {
            none_of("scores", &[16, 16], lines, scale);
        }
    }
}

#[test]
fn a_mask_of_channels() {
    // pruned channels; with dropout's scale they were dropped
    none_of("channels", &[1, 64, 1, 1], &["y = Mul(h, m)"], 1.0);
}

#[test]
fn the_halves_of_a_coupling_layer() {
    let lines = [
        "a = Mul(h, m)",
        "t = Tanh(a)",
        "c = Mul(t, n)",
        "y = Add(a, c)",
    ];
    none_of("coupling", &[8, 16], &lines, 1.0);
}

#[test]
fn a_coded_aperture() {
    none_of("on the model's input", &[8, 64], &["y = Mul(x, m)"], 1.0);
    none_of(
        "a mask of several images",
        &[8, 64],
        &["a = Mul(h, m)", "y = MatMul(a, m)"],
        1.0,
    );
}

#[test]
fn other_numbers() {
    for scale in [-1.0, 0.5, 255.0, 10_000.0, 1.7] {
        none_of("scale", &[16, 16], &["y = Mul(h, m)"], scale);
    }
    // tables of more than two numbers, as of rotary positions
    let cosines: Vec<f32> = (0..256).map(|i| (i as f32 * 0.1).cos()).collect();
    let graph = after_relu(&["y = Mul(h, cos)"], &[16, 16]);
    let graph = graph.init("cos", f32s(&[16, 16], &cosines));
    assert!(sites(&model(13, graph)).is_empty());
}

#[test]
fn a_share_of_zeros_that_does_not_match_the_scale() {
    // half of the elements are zero, the scale is that of a tenth
    none_of("share", &[16, 16], &["y = Mul(h, m)"], 1.0 / 0.9);
}

#[test]
fn few_elements_show_nothing() {
    let kept = [true, false, true, true, true, true, true, false];
    let graph = after_relu(&["y = Mul(h, m)"], &[8]).init("m", floats(&[8], &kept, 4.0 / 3.0));
    assert!(sites(&model(13, graph)).is_empty());
}

#[test]
fn a_large_mask_is_looked_at_before_it_is_read() {
    for p in [0.01, 0.1, 0.5, 0.9] {
        for lines in [SPELLINGS[0], SPELLINGS[3], SPELLINGS[8]] {
            let sites = sites(&spelt(lines, &[8, 64, 64], p, 17));
            assert_eq!(sites.len(), 1, "{p}");
            assert_eq!(sites[0].rate, Some(p));
        }
    }
    none("causal", &[128, 128], &by(&[128, 128], |at| at[1] <= at[0]));
    // what begins in disorder may go on in order
    let noise = drawn(&[64, 64], 0.5, 18);
    let kept = by(&[4, 64, 64], |at| match at[0] {
        0 => noise[(at[1] * 64 + at[2]) as usize],
        _ => at[1] < 32,
    });
    none("half of it drawn", &[4, 64, 64], &kept);
}

/// −λα of SELU.
const ALPHA: f64 = -1.758_099_340_847_376_6;

/// Alpha dropout by a constant mask, with this number in the place of what is dropped.
fn alpha(p: f64, lost: f64) -> Model {
    let lines = [
        "d = Mul(h, m)",
        "f = Add(d, l)",
        "t = Mul(f, a)",
        "y = Add(t, b)",
    ];
    alpha_as(&lines, p, lost)
}

fn alpha_as(lines: &[&str], p: f64, lost: f64) -> Model {
    let dims = [4, 32];
    let kept = drawn(&dims, p, 51);
    let lost: Vec<f32> = kept
        .iter()
        .map(|&k| if k { 0.0 } else { lost as f32 })
        .collect();
    let a = ((1.0 - p) * (1.0 + p * ALPHA * ALPHA)).powf(-0.5);
    let graph = after_relu(lines, &dims)
        .init("m", floats(&dims, &kept, 1.0))
        .init("l", f32s(&dims, &lost))
        .init("a", f32_scalar(a as f32))
        .init("b", f32_scalar((-a * ALPHA * p) as f32));
    model(13, graph)
}

/// What strip leaves of a model, frozen masks and noise removed.
#[track_caller]
fn stripped(model: &Model, leaves: &[&str]) {
    let options = strip::Options::default()
        .kinds(Kind::ALL.to_vec())
        .frozen_masks(true);
    crate::common::stripped::strips_as(model, &options).leaves(leaves);
}

#[test]
fn alpha_dropout() {
    for p in [0.1, 0.2, 0.5] {
        let model = alpha(p, ALPHA);
        let found = sites(&model);
        assert_eq!(found.len(), 1, "{p}");
        assert_eq!(
            (found[0].kind, found[0].rate),
            (Kind::AlphaDropout, Some(p))
        );
        assert_eq!(found[0].mode, Mode::Frozen);
        stripped(&model, &["y = Relu(x)"]);
    }
    assert!(sites(&alpha(0.2, -1.0)).is_empty(), "another number");
}

/// Paddle copies values, and adds zero.
#[test]
fn alpha_dropout_with_copies_in_between() {
    let lines = [
        "d = Mul(h, m)",
        "c = Identity(d)",
        "f = Add(c, l)",
        "t = Mul(f, a)",
        "s = Add(t, more)",
        "y = Add(s, b)",
    ];
    let with = |more: f32| {
        let mut model = alpha_as(&lines, 0.2, ALPHA);
        let graph = model.graph.take().unwrap();
        model.graph = Some(graph.init("more", f32_scalar(more)));
        model
    };
    let model = with(0.0);
    assert_eq!(sites(&model)[0].kind, Kind::AlphaDropout);
    stripped(&model, &["y = Relu(x)"]);
    assert!(sites(&with(0.1)).is_empty());
}

/// h times constants, or plus them.
fn noisy(op: &str, name: &str, mean: f64, deviation: f64) -> Model {
    let mut next = numbers(61);
    let mut normal = || (0..12).map(|_| next()).sum::<f64>() - 6.0;
    let elements: Vec<f32> = (0..64)
        .map(|_| (mean + deviation * normal()) as f32)
        .collect();
    let lines = [format!("d = {op}(h, {name})"), "y = Tanh(d)".to_string()];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let graph = after_relu(&lines, &[4, 16]).init(name, f32s(&[4, 16], &elements));
    let mut model = model(13, graph);
    model.producer_name = Some("tf2onnx".into());
    model
}

#[test]
fn gaussian_dropout_and_noise() {
    let name = "m_1/gd_1/stateless_random_normal:0";
    let found = |model: &Model| {
        let sites = sites(model);
        let site = sites.first()?;
        assert_eq!(
            (sites.len(), site.mode, site.form),
            (1, Mode::Frozen, Form::FrozenMask)
        );
        Some((site.kind, site.rate.expect("a rate")))
    };
    let (kind, rate) = found(&noisy("Mul", name, 1.0, 0.5)).expect("a site");
    assert_eq!(kind, Kind::GaussianDropout);
    assert!((0.12..0.28).contains(&rate), "{rate}");
    let (kind, rate) = found(&noisy("Add", name, 0.0, 0.1)).expect("a site");
    assert_eq!(kind, Kind::GaussianNoise);
    assert!((0.07..0.13).contains(&rate), "{rate}");
    for op in ["Mul", "Add"] {
        let mean = if op == "Mul" { 1.0 } else { 0.0 };
        stripped(&noisy(op, name, mean, 0.2), &["h = Relu(x)", "y = Tanh(h)"]);
        // another mean, another name
        assert_eq!(found(&noisy(op, name, 0.5, 0.1)), None);
        assert_eq!(found(&noisy(op, "m_1/scale", mean, 0.2)), None);
    }
}
