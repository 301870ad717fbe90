//! Dropout written as a random mask: every spelling that is known, and what is no dropout.

use dropout_onnx::Analysis;
use dropout_onnx::dropout::{Form, Kind, Mode, RateOrigin, Scaling, search};
use dropout_onnx::onnx::DataType;

use crate::common::build::{
    SHAPE, f32s, flag, float, function, graph, i64s, int, ints, model, op, raw, reference, string,
    subgraph, x_to_y,
};
use crate::common::masks::{MASKS, RATES, USES, at, nodes, numbers, spelt};
use crate::common::proto::{Graph, Model};
use crate::common::sites;

/// −α′ of alpha dropout: λα of SELU.
const ALPHA: f64 = 1.758_099_340_847_376_6;

/// What a site ought to be.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Want {
    kind: Kind,
    rate: f64,
    scaling: Scaling,
    scale: f64,
    mode: Mode,
    origin: RateOrigin,
}

/// Inverted dropout that acts.
fn inverted(rate: f64) -> Want {
    Want {
        kind: Kind::Dropout,
        rate,
        scaling: Scaling::Inverted,
        scale: 1.0,
        mode: Mode::Active,
        origin: RateOrigin::Mask,
    }
}

fn classic(rate: f64) -> Want {
    Want {
        scaling: Scaling::Classic,
        scale: 1.0 - rate,
        ..inverted(rate)
    }
}

fn of_kind(kind: Kind, rate: f64) -> Want {
    Want {
        kind,
        ..inverted(rate)
    }
}

/// What is wrong with the sites of a model, in words; nothing if they are one, as wanted.
fn wrong(model: &Model, want: Want) -> Option<String> {
    let sites = sites(model);
    let [site] = &sites[..] else {
        return Some(format!("{} sites", sites.len()));
    };
    let rate = site.rate.unwrap_or(f64::NAN);
    let found = Want {
        kind: site.kind,
        rate,
        scaling: site.scaling,
        scale: site.inference_scale,
        mode: site.mode,
        origin: site.rate_origin,
    };
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-6;
    let same = near(rate, want.rate) && near(site.inference_scale, want.scale);
    let rounded = Want {
        rate: want.rate,
        scale: want.scale,
        ..found
    };
    if !same || rounded != want {
        return Some(format!("\n    found  {found:?}\n    wanted {want:?}"));
    }
    if site.form != Form::RandomMask || site.problem.is_some() {
        return Some(format!("{:?}, {:?}", site.form, site.problem));
    }
    (rate.to_string() != want.rate.to_string()).then(|| format!("printed as {rate}"))
}

/// Checks them all and says everything that is wrong.
#[track_caller]
fn check(cases: impl IntoIterator<Item = (String, Model, Want)>) {
    let mut failures = Vec::new();
    let mut count = 0;
    for (name, model, want) in cases {
        count += 1;
        if let Some(wrong) = wrong(&model, want) {
            failures.push(format!("  {name}: {wrong}"));
        }
    }
    assert!(count > 0);
    let wrong = failures.len();
    assert!(
        failures.is_empty(),
        "{wrong} of {count} wrong:\n{}",
        failures.join("\n")
    );
}

#[track_caller]
fn is_dropout(name: &str, model: Model, want: Want) {
    check([(name.to_string(), model, want)]);
}

#[track_caller]
fn none(model: &Model) {
    let sites = sites(model);
    assert!(sites.is_empty(), "found {sites:#?}");
}

#[test]
fn every_mask_in_every_use_at_every_rate() {
    let mut cases = Vec::new();
    for &rate in RATES {
        for (mask, made) in MASKS {
            for (how, used) in USES {
                let text = format!("r = RandomUniformLike(x)\n{made}\n{used}");
                let model = at(15, rate, &text);
                cases.push((format!("{mask}, {how}, {rate}"), model, inverted(rate)));
            }
        }
    }
    check(cases);
}

#[test]
fn every_rate_is_reported_exactly() {
    let mut cases = Vec::new();
    for permille in 1..1000 {
        let rate = f64::from(permille) / 1000.0;
        for (mask, made) in &MASKS[..9] {
            let text = format!("r = RandomUniformLike(x)\n{made}\nd = Mul(x, k)\ny = Div(d, keep)");
            let name = format!("{mask}, {rate}");
            cases.push((name, at(13, rate, &text), inverted(rate)));
        }
    }
    // where samples of the draw lie, and next to them
    for part in 1..128 {
        for near in [-1e-5, 0.0, 1e-5] {
            let rate = ((f64::from(part) / 128.0 + near) * 1e6).round() / 1e6;
            let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\n\
                        d = Mul(x, k)\ny = Mul(d, s)";
            cases.push((format!("{rate}"), at(13, rate, text), inverted(rate)));
        }
    }
    check(cases);
}

#[test]
fn every_source_of_uniform_draws() {
    let used = "b = GreaterOrEqual(r, p)\nk = Cast(b)\nxs = Mul(x, s)\ny = Mul(xs, k)";
    let sources = [
        ("RandomUniformLike", "r = RandomUniformLike(x)"),
        ("RandomUniform", "r = RandomUniform()"),
        (
            "RandomUniform with an input",
            "sh = Shape(x)\nf = Cast(sh)\nr = RandomUniform(f)",
        ),
        (
            "tf2onnx",
            "s1 = Shape(x)\ns2 = Cast:6(s1)\ns3 = Cast:7(s2)\nc = ConstantOfShape(s3)\nr = RandomUniformLike(c)",
        ),
        (
            "torch",
            "sh = Shape(x)\ne = Expand(zero, sh)\nr = RandomUniformLike(e)",
        ),
        (
            "Keras 3",
            "sh = Shape(x)\nr = StatelessRandomUniformV2(sh, key, counter, alg)",
        ),
        (
            "Keras 3, scaled and shifted",
            "sh = Shape(x)\nu = StatelessRandomUniformV2(sh, key, counter, alg)\nv = Mul(u, one)\nr = Add(v, zero)",
        ),
    ];
    check(sources.into_iter().flat_map(|(name, source)| {
        RATES.iter().map(move |&rate| {
            let graph = spelt(&format!("{source}\n{used}"), &numbers(rate))
                .init("key", i64s(&[1]))
                .init("counter", i64s(&[0, 0]))
                .init("alg", raw(DataType::INT32, &[], &1i32.to_le_bytes()));
            (format!("{name}, {rate}"), model(13, graph), inverted(rate))
        })
    }));
}

#[test]
fn keras_spatial_dropout_with_transposes_between() {
    let text = "
        xs = Mul(x, s)
        t = Transpose(xs)
        sh = Shape(x)
        nhwc = Gather(sh, perm)
        n = Slice(nhwc, i0, i1)
        c = Slice(nhwc, i3, i4)
        noise = Concat(n, ones, c)
        z = ConstantOfShape(noise)
        r = RandomUniformLike(z)
        b = GreaterOrEqual(r, p)
        not = Not(b)
        kc = Cast(b)
        nc = Cast(not)
        lost = Mul(zero, nc)
        kept = Mul(kc, t)
        y = Add(kept, lost)";
    let mut made = spelt(text, &numbers(0.2))
        .init("perm", i64s(&[0, 2, 3, 1]))
        .init("i0", i64s(&[0]))
        .init("i1", i64s(&[1]))
        .init("i3", i64s(&[3]))
        .init("i4", i64s(&[4]))
        .init("ones", i64s(&[1, 1]));
    for node in &mut made.node {
        match node.op_type() {
            "Transpose" => node.attribute.push(ints("perm", &[0, 2, 3, 1])),
            "Concat" => node.attribute.push(int("axis", 0)),
            _ => {}
        }
    }
    is_dropout("spatial", model(13, made), inverted(0.2));
}

#[test]
fn low_and_high_of_a_uniform_draw() {
    let used = "b = GreaterOrEqual(r, c)\nk = Cast(b)\nks = Mul(k, s)\ny = Mul(x, ks)";
    let mut cases = Vec::new();
    for &rate in RATES {
        for (low, high) in [(0.0, 1.0), (-1.0, 1.0), (0.0, 2.0), (1.0, 2.0)] {
            let draw = op("r = RandomUniformLike(x)")
                .with(float("low", low as f32))
                .with(float("high", high as f32));
            let mut constants = numbers(rate);
            constants.push(("c", low + rate * (high - low)));
            let mut graph = spelt(used, &constants);
            graph.node.insert(0, draw);
            let name = format!("{low} to {high}, {rate}");
            cases.push((name, model(13, graph), inverted(rate)));
        }
    }
    check(cases);
}

#[test]
fn a_threshold_as_large_as_the_data() {
    let full = |rate: f64| {
        let text = "r = RandomUniformLike(x)\nb = Less(r, t)\nk = Cast(b)\nd = Mul(x, k)\n\
                    y = Div(d, keep)";
        let keeps = [(1.0 - rate) as f32; 6];
        model(
            13,
            spelt(text, &numbers(rate)).init("t", f32s(SHAPE, &keeps)),
        )
    };
    check(
        RATES
            .iter()
            .map(|&rate| (format!("{rate}"), full(rate), inverted(rate))),
    );
}

#[test]
fn bernoulli() {
    let full = |rate: f64, used: &str| {
        let keeps = [(1.0 - rate) as f32; 6];
        let text = format!("k = Bernoulli(keeps)\n{used}");
        model(
            15,
            spelt(&text, &numbers(rate)).init("keeps", f32s(SHAPE, &keeps)),
        )
    };
    check(RATES.iter().flat_map(|&rate| {
        USES.iter().map(move |(how, used)| {
            (
                format!("Bernoulli, {how}, {rate}"),
                full(rate, used),
                inverted(rate),
            )
        })
    }));
}

#[test]
fn bernoulli_of_an_expanded_probability() {
    let text = "sh = Shape(x)\nt = Expand(keep, sh)\nk = Bernoulli(t)\nd = Mul(x, k)\n\
                y = Div(d, keep)";
    is_dropout("expanded", at(15, 0.3, text), inverted(0.3));
}

#[test]
fn classic_dropout_without_a_rescale() {
    let mut cases = Vec::new();
    for &rate in RATES {
        for (mask, made) in MASKS {
            let text = format!("r = RandomUniformLike(x)\n{made}\ny = Mul(x, k)");
            cases.push((
                format!("{mask}, {rate}"),
                at(15, rate, &text),
                classic(rate),
            ));
        }
        let text = "r = RandomUniformLike(x)\nb = Less(r, p)\ny = Where(b, zero, x)";
        cases.push((format!("Where, {rate}"), at(15, rate, text), classic(rate)));
    }
    check(cases);
}

#[test]
fn another_scale() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nks = Mul(k, three)\n\
                y = Mul(x, ks)";
    let mut constants = numbers(0.3);
    constants.push(("three", 3.0));
    let want = Want {
        scaling: Scaling::Other,
        scale: 2.1,
        ..inverted(0.3)
    };
    is_dropout("times 3", model(13, spelt(text, &constants)), want);
}

#[test]
fn what_comes_after_a_classic_mask_is_not_its_scale() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)\n\
                y = Mul(d, three)";
    let mut constants = numbers(0.3);
    constants.push(("three", 3.0));
    is_dropout("then 3", model(13, spelt(text, &constants)), classic(0.3));
}

fn alpha_numbers(rate: f64) -> Vec<(&'static str, f64)> {
    let a = ((1.0 - rate) * (1.0 + rate * ALPHA * ALPHA)).powf(-0.5);
    let mut constants = numbers(rate);
    constants.extend([
        ("alpha", -ALPHA),
        ("a", a),
        ("b", a * ALPHA * rate),
        ("c", a * ALPHA),
        ("minus", -1.0),
    ]);
    constants
}

#[test]
fn alpha_dropout() {
    let forms = [
        (
            "Keras",
            "r = RandomUniformLike(x)
             g = GreaterOrEqual(r, p)
             k = Cast(g)
             xk = Mul(x, k)
             n = Sub(one, k)
             an = Mul(alpha, n)
             sum = Add(xk, an)
             m = Mul(a, sum)
             y = Add(m, b)",
        ),
        (
            "torch",
            "r = RandomUniformLike(x)
             g = Less(r, keep)
             k = Cast(g)
             k1 = Add(k, minus)
             kc = Mul(k1, c)
             kb = Add(kc, b)
             ka = Mul(k, a)
             xk = Mul(x, ka)
             y = Add(xk, kb)",
        ),
    ];
    check(forms.into_iter().flat_map(|(name, text)| {
        RATES.iter().map(move |&rate| {
            let model = model(13, spelt(text, &alpha_numbers(rate)));
            let want = of_kind(Kind::AlphaDropout, rate);
            (format!("{name}, {rate}"), model, want)
        })
    }));
}

fn with_deviation(rate: f64, text: &str) -> Model {
    let mut constants = numbers(rate);
    constants.push(("sigma", (rate / (1.0 - rate)).sqrt()));
    model(13, spelt(text, &constants))
}

#[test]
fn gaussian_dropout() {
    let mut cases = Vec::new();
    for &rate in RATES {
        let want = of_kind(Kind::GaussianDropout, rate);
        for (name, text) in [
            (
                "Like",
                "n = RandomNormalLike(x)\nm = Mul(n, sigma)\nk = Add(m, one)\ny = Mul(x, k)",
            ),
            (
                "of a shape",
                "n = RandomNormal()\nm = Mul(sigma, n)\nk = Add(one, m)\ny = Mul(k, x)",
            ),
            (
                "Keras 3",
                "sh = Shape(x)\nn = StatelessRandomNormalV2(sh, sh, sh, sh)\nm = Mul(n, sigma)\n\
                 k = Add(m, one)\ny = Mul(x, k)",
            ),
            (
                "x + xσn",
                "n = RandomNormalLike(x)\nm = Mul(n, sigma)\nxm = Mul(x, m)\ny = Add(x, xm)",
            ),
        ] {
            cases.push((format!("{name}, {rate}"), with_deviation(rate, text), want));
        }
        let draw = op("n = RandomNormalLike(x)")
            .with(float("mean", 1.0))
            .with(float("scale", (rate / (1.0 - rate)).sqrt() as f32));
        let graph = x_to_y([draw, op("y = Mul(x, n)")]);
        cases.push((format!("attributes, {rate}"), model(13, graph), want));
    }
    check(cases);
}

#[test]
fn gaussian_noise() {
    let mut cases = Vec::new();
    for &rate in RATES {
        let want = of_kind(Kind::GaussianNoise, rate);
        for (name, text) in [
            (
                "Like",
                "n = RandomNormalLike(x)\nm = Mul(n, p)\ny = Add(x, m)",
            ),
            (
                "Keras 2",
                "n = RandomNormalLike(x)\nm = Mul(n, p)\nz = Add(m, zero)\ny = Add(z, x)",
            ),
            (
                "Keras 3",
                "sh = Shape(x)\nn = StatelessRandomNormalV2(sh, sh, sh, sh)\nm = Mul(n, p)\n\
                 y = Add(x, m)",
            ),
        ] {
            let made = at(13, rate, text).by("tf2onnx");
            cases.push((format!("{name}, {rate}"), made, want));
        }
        let draw = op("n = RandomNormalLike(x)").with(float("scale", rate as f32));
        let graph = x_to_y([draw, op("y = Add(x, n)")]);
        let made = model(13, graph).by("tf2onnx");
        cases.push((format!("attributes, {rate}"), made, want));
    }
    check(cases);
}

/// Noise without a sign of the layer is what a model is for, as in diffusion.
#[test]
fn noise_needs_a_layer() {
    let noise = || {
        at(
            13,
            0.1,
            "n = RandomNormalLike(x)\nm = Mul(n, p)\ny = Add(x, m)",
        )
    };
    for (model, count) in [
        (noise(), 0),
        (noise().by("pytorch"), 0),
        (noise().by("tf2onnx"), 1),
    ] {
        assert_eq!(sites(&model).len(), count);
    }
    let mut named = noise();
    named.main_mut().node[2].name = Some("net/gaussian_noise/add".to_string());
    assert_eq!(sites(&named).len(), 1);
}

/// `aten_bernoulli_p{p}` of torch 2.4, whose threshold is the caller's attribute.
fn aten_bernoulli_p() -> crate::common::proto::Function {
    let mut body = vec![
        op("t = Constant()").with(reference("value_float", "p", 1)),
        op("l = CastLike(t, self)"),
        op("r = RandomUniformLike(self)"),
    ];
    body.extend(nodes("b = Less(r, l)\no = CastLike(b, self)"));
    let mut made = function("aten_bernoulli_p", "self", "o", 18, body);
    made.attribute = vec!["p".into()];
    made
}

#[test]
fn a_function_with_the_threshold_as_attribute() {
    let call = |rate: f64| {
        let mut graph = spelt("kd = Div(m, keep)\ny = Mul(x, kd)", &numbers(rate));
        let call = op("m = local::aten_bernoulli_p(x)").with(float("p", (1.0 - rate) as f32));
        graph.node.insert(0, call);
        let made = model(18, graph).imports("local", 1);
        made.function(aten_bernoulli_p())
    };
    check(
        RATES
            .iter()
            .map(|&rate| (format!("{rate}"), call(rate), inverted(rate))),
    );
}

#[test]
fn a_function_that_holds_all_of_it_and_one_around_it() {
    let inner = function(
        "Drop",
        "i, keep",
        "o",
        18,
        nodes(
            "r = RandomUniformLike(i)\nb = Less(r, keep)\nk = CastLike(b, i)\nd = Mul(i, k)\no = Div(d, keep)",
        ),
    );
    let outer = function(
        "Block",
        "i, keep",
        "o",
        18,
        [op("h = Relu(i)"), op("o = local::Drop(h, keep)")],
    );
    for (name, call) in [
        ("direct", "y = local::Drop(x, keep)"),
        ("nested", "y = local::Block(x, keep)"),
    ] {
        let mut made = model(18, spelt(call, &numbers(0.3))).imports("local", 1);
        made.functions.push(inner.clone());
        if name == "nested" {
            made.functions.push(outer.clone());
        }
        is_dropout(name, made, inverted(0.3));
    }
}

#[test]
fn a_branch_that_an_input_decides_on() {
    let then = graph(nodes(
        "xs = Mul(x, s)\nr = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\n\
         o = Mul(xs, k)",
    ))
    .output("o");
    let other = graph([op("i = Identity(x)")]).output("i");
    let branch = |condition: &str| {
        op(&format!("y = If({condition})"))
            .with(subgraph("then_branch", then.clone()))
            .with(subgraph("else_branch", other.clone()))
    };
    let main = |condition| {
        let mut graph = spelt("", &numbers(0.3));
        graph.node.push(branch(condition));
        graph
    };
    let runtime = Want {
        mode: Mode::Runtime,
        ..inverted(0.3)
    };
    let free = main("train").input_of("train", DataType::BOOL, &[]);
    is_dropout("no default", model(13, free.clone()), runtime);
    let default = free.init("train", flag(false));
    is_dropout("off by default", model(13, default), runtime);
    let data = op("train = Cast(first)").with(int("to", 9));
    let first = ["row = Gather(x, at)", "first = Gather(row, at)"];
    let mut read = main("train").init("at", raw(DataType::INT64, &[], &[0; 8]));
    read.node
        .splice(0..0, first.map(op).into_iter().chain([data]));
    is_dropout("data", model(13, read), runtime);
    let fixed = main("train").init("train", flag(true));
    is_dropout("always on", model(13, fixed), inverted(0.3));
    let never = main("train").init("train", flag(false));
    let inert = Want {
        mode: Mode::Inert,
        ..inverted(0.3)
    };
    is_dropout("always off", model(13, never.clone()), inert);
    assert!(sites(&model(13, never))[0].unreachable);
}

#[test]
fn a_mask_in_a_function_that_nothing_calls() {
    let text = "r = RandomUniformLike(i)\nb = GreaterOrEqual(r, p)\nm = Cast(b)\nxs = Mul(i, s)\no = Mul(xs, m)";
    let constants = numbers(0.3)
        .into_iter()
        .filter(|(name, _)| ["p", "s"].contains(name));
    let constants = constants.map(|(name, number)| {
        op(&format!("{name} = Constant()")).with(float("value_float", number as f32))
    });
    let body: Vec<_> = constants.chain(nodes(text)).collect();
    let of = |calls: &str| {
        let model = model(13, spelt(calls, &[])).imports("local", 1);
        model.function(function("F", "i", "o", 13, body.clone()))
    };
    let inert = Want {
        mode: Mode::Inert,
        ..inverted(0.3)
    };
    is_dropout("called", of("y = local::F(x)"), inverted(0.3));
    is_dropout("not called", of("y = Relu(x)"), inert);
}

/// keep_prob as a placeholder with a default: 1 switches the dropout off.
#[test]
fn a_rate_that_callers_may_replace() {
    let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\n\
                c = Sub(one, p)\nxs = Div(x, c)\ny = Mul(xs, k)";
    let graph = spelt(text, &numbers(0.3)).input_of("p", DataType::FLOAT, &[]);
    let runtime = Want {
        mode: Mode::Runtime,
        origin: RateOrigin::Input,
        ..inverted(0.3)
    };
    is_dropout("replaceable", model(13, graph.clone()).ir(4), runtime);
    is_dropout(
        "IR version 3",
        model(13, graph.clone()).ir(3),
        inverted(0.3),
    );
    let mut without = model(13, graph);
    without
        .main_mut()
        .initializer
        .retain(|tensor| tensor.name() != "p");
    let open = &sites(&without)[0];
    assert_eq!((open.mode, open.rate), (Mode::Runtime, None));
}

/// A Loop over h, with this body and the state given.
fn looped(state: &str, formals: &[&str], body: &str, outputs: &[&str]) -> Graph {
    let mut inner = graph(nodes(body))
        .input_of("i", DataType::INT64, &[])
        .input_of("c", DataType::BOOL, &[]);
    for formal in formals {
        inner = inner.input(formal);
    }
    inner = inner.output_of("c_out", DataType::BOOL, &[]);
    for output in outputs {
        inner = inner.output(output);
    }
    let left = match outputs.len() {
        1 => "y",
        _ => "y, m_left",
    };
    let mut graph = spelt("", &numbers(0.3))
        .init("trip", raw(DataType::INT64, &[], &3i64.to_le_bytes()))
        .init("on", flag(true));
    let node = op(&format!("{left} = Loop(trip, on, {state})")).with(subgraph("body", inner));
    graph.node.push(node);
    graph
}

#[test]
fn a_mask_drawn_in_the_body_of_a_loop() {
    let body = "
        sh = Shape(h)
        ones = Expand(one, sh)
        xs = Mul(ones, s)
        r = RandomUniformLike(ones)
        b = GreaterOrEqual(r, p)
        n = Not(b)
        k = Cast(b)
        nc = Cast(n)
        kept = Mul(k, xs)
        lost = Mul(zero, nc)
        mask = Add(kept, lost)
        h_out = Mul(h, mask)
        c_out = Identity(c)";
    let graph = looped("x", &["h"], body, &["h_out"]);
    is_dropout("Loop", model(13, graph), inverted(0.3));
}

#[test]
fn a_mask_that_is_the_state_of_a_loop() {
    let body = "h_out = Mul(h, m)\nm_out = Identity(m)\nc_out = Identity(c)";
    let mut graph = looped("x, mask", &["h", "m"], body, &["h_out", "m_out"]);
    let made = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nmask = Mul(k, s)";
    graph.node.splice(0..0, nodes(made));
    is_dropout("state", model(13, graph), inverted(0.3));
}

#[test]
fn one_mask_for_two_uses_is_one_dropout() {
    let text = "
        r = RandomUniformLike(x)
        b = GreaterOrEqual(r, p)
        k = Cast(b)
        m = Mul(k, s)
        u = Relu(x)
        v = Sigmoid(x)
        du = Mul(u, m)
        dv = Mul(v, m)
        wu = MatMul(du, w)
        wv = MatMul(dv, w)
        y = Tanh(wu)
        z = Tanh(wv)";
    let graph = spelt(text, &numbers(0.3)).init("w", f32s(&[3, 3], &[0.5; 9]));
    is_dropout("shared", model(13, graph.output("z")), inverted(0.3));
}

#[test]
fn one_mask_for_two_gates_that_are_summed() {
    let text = "
        r = RandomUniformLike(x)
        b = GreaterOrEqual(r, p)
        k = Cast(b)
        m = Mul(k, s)
        u = Relu(x)
        v = Sigmoid(x)
        du = Mul(u, m)
        dv = Mul(v, m)
        y = Add(du, dv)";
    is_dropout("summed", at(13, 0.3, text), inverted(0.3));
}

#[test]
fn a_residual_around_dropout() {
    let text = "
        h = Relu(x)
        r = RandomUniformLike(h)
        b = Less(r, keep)
        k = Cast(b)
        hs = Div(h, keep)
        d = Mul(hs, k)
        y = Add(d, x)";
    is_dropout("h", at(13, 0.3, text), inverted(0.3));
    let text = text.replace("h = Relu(x)", "h = Identity(x)");
    is_dropout("x itself", at(13, 0.3, &text), inverted(0.3));
}

#[test]
fn two_dropouts_in_a_row_are_two() {
    let text = "
        r = RandomUniformLike(x)
        b = Less(r, keep)
        k = Cast(b)
        d = Mul(x, k)
        e = Div(d, keep)
        r2 = RandomUniformLike(e)
        b2 = GreaterOrEqual(r2, p)
        k2 = Cast(b2)
        es = Mul(e, s)
        y = Mul(es, k2)";
    let sites = sites(&at(13, 0.3, text));
    let rates: Vec<_> = sites.iter().map(|s| (s.rate, s.scaling)).collect();
    assert_eq!(rates, [(Some(0.3), Scaling::Inverted); 2]);
}

#[test]
fn a_keep_probability_that_an_input_overrides() {
    let input = |text: &str| {
        let graph = spelt(text, &[("kp", 0.7), ("one", 1.0)]);
        model(13, graph.input_of("kp", DataType::FLOAT, &[]))
    };
    let want = Want {
        mode: Mode::Runtime,
        origin: RateOrigin::Input,
        ..inverted(0.3)
    };
    let draw = "r = RandomUniformLike(x)";
    for (name, text) in [
        (
            "TF 1.12",
            "a = Add(kp, r)\nk = Floor(a)\nxs = Div(x, kp)\ny = Mul(xs, k)",
        ),
        (
            "TF 1.15",
            "p = Sub(one, kp)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nq = Sub(one, p)\n\
             i = Reciprocal(q)\nxs = Mul(x, i)\ny = Mul(xs, k)",
        ),
    ] {
        is_dropout(name, input(&format!("{draw}\n{text}")), want);
    }
}

#[test]
fn the_sampling_of_a_vae() {
    for noise in ["RandomNormalLike(mean)", "StatelessRandomNormalV2(mean)"] {
        none(&model(
            13,
            spelt(
                &format!(
                    "mean = MatMul(x, w)\nvar = MatMul(x, v)\nh = Mul(half, var)\ne = Exp(h)\n\
                     n = {noise}\nen = Mul(e, n)\ny = Add(mean, en)"
                ),
                &[("half", 0.5)],
            )
            .init("w", f32s(&[3, 3], &[0.5; 9]))
            .init("v", f32s(&[3, 3], &[0.25; 9])),
        ));
    }
}

#[test]
fn the_sampling_of_a_vae_from_one_head() {
    // mean and deviation are cut from one value
    none(&model(
        13,
        spelt(
            "mean, var = Split(x)\ne = Exp(var)\nn = RandomNormalLike(mean)\nen = Mul(n, e)\n\
             y = Add(en, mean)",
            &[],
        ),
    ));
}

#[test]
fn noise_of_a_diffusion_scaled_by_data() {
    none(&model(
        13,
        spelt(
            "n = RandomNormalLike(x)\nat = Sqrt(t)\nrest = Sub(one, t)\nbt = Sqrt(rest)\n\
             xa = Mul(x, at)\nnb = Mul(n, bt)\ny = Add(xa, nb)",
            &[("one", 1.0)],
        )
        .input_of("t", DataType::FLOAT, &[]),
    ));
}

#[test]
fn noise_scaled_by_the_data_itself() {
    none(&at(
        13,
        0.3,
        "n = RandomNormalLike(x)\nd = Abs(x)\nm = Mul(n, d)\ny = Add(x, m)",
    ));
}

#[test]
fn rrelu() {
    let draw = |low: f32, high: f32| {
        op("r = RandomUniformLike(x)")
            .with(float("low", low))
            .with(float("high", high))
    };
    for text in [
        "y = PRelu(x, r)",
        "neg = Mul(x, r)\nb = GreaterOrEqual(x, zero)\ny = Where(b, x, neg)",
        "b = GreaterOrEqual(x, zero)\nslope = Where(b, one, r)\ny = Mul(x, slope)",
    ] {
        let mut graph = spelt(text, &numbers(0.3));
        graph.node.insert(0, draw(0.125, 1.0 / 3.0));
        none(&model(13, graph));
    }
}

#[test]
fn a_random_flip() {
    let flips = "r = RandomUniform()\nb = GreaterOrEqual(r, p)\nrev = Slice(x, a, e, ax, st)";
    let chosen = [
        "f = Cast(b)\nn = Sub(one, f)\nfr = Mul(f, rev)\nnx = Mul(n, x)\ny = Add(fr, nx)",
        "y = Where(b, rev, x)",
        "n = Not(b)\nf = Cast(b)\nnf = Cast(n)\nfr = Mul(f, rev)\nnx = Mul(nf, x)\ny = Add(nx, fr)",
    ];
    for text in chosen {
        let graph = spelt(&format!("{flips}\n{text}"), &numbers(0.5))
            .init("a", i64s(&[-1]))
            .init("e", i64s(&[i64::MIN]))
            .init("ax", i64s(&[1]))
            .init("st", i64s(&[-1]));
        none(&model(13, graph));
    }
}

#[test]
fn random_contrast_and_brightness() {
    for text in [
        "mean = ReduceMean(x)\nd = Sub(x, mean)\nf = Mul(d, r)\ny = Add(f, mean)",
        "y = Add(x, r)",
        "y = Mul(x, r)",
        "f = Add(r, one)\ny = Mul(x, f)",
        "l = Mul(x, r)\nn = Sub(one, r)\nh = Relu(x)\no = Mul(h, n)\ny = Add(l, o)",
    ] {
        none(&at(13, 0.3, &format!("r = RandomUniformLike(x)\n{text}")));
    }
}

#[test]
fn multinomial() {
    none(&at(
        13,
        0.3,
        "i = Multinomial(x)\nf = Cast(i)\ny = Mul(x, f)",
    ));
}

/// A draw for each element and one for each row, and what is kept of both.
#[test]
fn masks_of_two_draws() {
    let two =
        "r = RandomUniformLike(x)\nq = RandomUniform()\nb = Less(r, keep)\nc = Less(q, keep)\n";
    let made = |text: &str| {
        let mut graph = spelt(&format!("{two}{text}"), &numbers(0.25));
        graph.node[1].attribute = vec![ints("shape", &[2, 1])];
        model(15, graph)
    };
    for (both, kept) in [
        ("k = And(b, c)", 0.5625),
        ("k = Or(b, c)", 0.9375),
        ("k = Xor(b, c)", 0.375),
        ("n = Not(b)\no = Not(c)\ne = Or(n, o)\nk = Not(e)", 0.5625),
        (
            "f = Cast(b)\ng = Cast(c)\nm = Max(f, g)\nk = Cast:9(m)",
            0.9375,
        ),
    ] {
        let text = format!("{both}\nf32 = Cast(k)\ny = Mul(x, f32)");
        let model = made(&text);
        let want = Want {
            scaling: Scaling::Classic,
            scale: kept,
            ..inverted(1.0 - kept)
        };
        assert_eq!(wrong(&model, want), None, "{both}");
        // one site is of both draws
        let found = search(&Analysis::of(&model.read())).unwrap();
        assert!(found.random.is_empty(), "{both}");
    }
    // where one of them drops alone as well
    let both = "k = And(b, c)\nf = Cast(k)\ny = Mul(x, f)\ng = Cast(b)\nz = Mul(x, g)";
    let mut graph = spelt(&format!("{two}{both}"), &numbers(0.25));
    graph.node[1].attribute = vec![ints("shape", &[2, 1])];
    let graph = graph.output_of("z", DataType::FLOAT, SHAPE);
    assert_eq!(sites(&model(15, graph)).len(), 2);
    // what data decides as well is no mask
    for other in [
        "d = Less(x, keep)\nk = And(b, d)",
        "d = Less(q, x)\nk = Or(b, d)",
    ] {
        none(&made(&format!("{other}\nf = Cast(k)\ny = Mul(x, f)")));
    }
}

#[test]
fn thresholds_on_functions_of_a_draw() {
    for (op, threshold) in [
        ("f = Mul(r, r)", 0.09),
        ("f = Sqrt(r)", 0.3f64.sqrt()),
        ("f = Exp(r)", 0.3f64.exp()),
        ("f = Log(r)", 0.3f64.ln()),
        ("l = Neg(r)\nf = Exp(l)\n", 2.0),
    ] {
        let text = format!(
            "r = RandomUniformLike(x)\n{op}\nb = Greater(f, t)\nk = Cast(b)\ny = Mul(x, k)"
        );
        let made = model(15, spelt(&text, &[("t", threshold)]));
        match threshold {
            2.0 => none(&made), // never kept
            _ => assert_eq!(wrong(&made, classic(0.3)), None, "{op}"),
        }
    }
}

#[test]
fn a_gate_that_looks_at_data() {
    for text in [
        "b = Greater(x, r)\nk = Cast(b)\ny = Mul(x, k)",
        "b = Less(r, x)\ny = Where(b, x, zero)",
        "h = Sigmoid(x)\nb = Less(r, h)\nk = Cast(b)\nd = Mul(x, k)\ny = Div(d, h)",
    ] {
        none(&at(13, 0.3, &format!("r = RandomUniformLike(x)\n{text}")));
    }
    none(&at(
        15,
        0.3,
        "h = Sigmoid(x)\nk = Bernoulli(h)\ny = Mul(x, k)",
    ));
}

#[test]
fn a_draw_that_is_only_an_output() {
    for draw in ["RandomUniformLike", "RandomNormalLike", "Bernoulli"] {
        none(&at(15, 0.3, &format!("y = {draw}(x)")));
    }
    let text = "r = RandomUniformLike(x)\nb = Less(r, p)\ny = Cast(b)";
    none(&at(13, 0.3, text));
}

#[test]
fn noise_of_another_mean() {
    for used in ["y = Add(x, n)", "y = Mul(x, n)"] {
        let draw = op("n = RandomNormalLike(x)").with(float("mean", 0.5));
        none(&model(13, x_to_y([draw, op(used)])));
    }
    none(&at(13, 0.3, "n = RandomNormalLike(x)\ny = Mul(x, n)"));
}

#[test]
fn a_token_replaced_at_random() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, p)\ny = Where(b, one, x)";
    none(&at(13, 0.15, text));
}

#[test]
fn a_learnt_token_or_other_noise_in_place_of_what_is_masked() {
    let masked = "r = RandomUniformLike(x)\nb = Less(r, p)\nm = Cast(b)\nk = Sub(one, m)\n\
                  xk = Mul(x, k)";
    for text in [
        "tm = Mul(token, m)\ny = Add(xk, tm)",
        "n = RandomNormalLike(x)\nnm = Mul(n, m)\ny = Add(xk, nm)",
    ] {
        let graph = spelt(&format!("{masked}\n{text}"), &numbers(0.15));
        none(&model(13, graph.init("token", f32s(&[3], &[1., 2., 3.]))));
    }
}

#[test]
fn a_random_sign() {
    let text = "r = RandomUniformLike(x)\nb = Less(r, p)\nm = Cast(b)\nd = Add(m, m)\n\
                f = Sub(one, d)\ny = Mul(x, f)";
    none(&at(13, 0.5, text));
}

#[test]
fn a_choice_between_data_and_itself() {
    let masks = "r = RandomUniform()\nb = Less(r, p)\nm = Cast(b)\nk = Sub(one, m)\n\
                 xk = Mul(x, k)\nxm = Mul(x, m)";
    for text in [
        "t = Transpose(xm)\ny = Add(t, xk)",
        "h = Mul(xm, p)\ny = Add(xk, h)",
        "n = Neg(xm)\ny = Sub(xk, n)",
    ] {
        none(&at(13, 0.5, &format!("{masks}\n{text}")));
    }
}

#[test]
fn gumbel_noise() {
    let text = "r = RandomUniformLike(x)\nl = Log(r)\nn = Neg(l)\nm = Log(n)\ng = Neg(m)\n\
                y = Add(x, g)";
    none(&at(13, 0.3, text));
}

#[test]
fn a_mask_of_data_without_any_draw() {
    none(&at(
        13,
        0.3,
        "b = Greater(x, zero)\nk = Cast(b)\ny = Mul(x, k)",
    ));
}

#[test]
fn an_attention_mask() {
    let mask = |t| spelt(t, &[("low", -1e9)]).init("m", f32s(SHAPE, &[0., 1., 1., 0., 0., 1.]));
    none(&model(13, mask("n = Mul(m, low)\ny = Add(x, n)")));
    none(&model(13, mask("y = Mul(x, m)")));
}

#[test]
fn a_source_of_another_domain() {
    let text = "r = com.acme::RandomUniformLike(x)\nb = Less(r, p)\ny = Where(b, zero, x)";
    none(&at(13, 0.3, text).imports("com.acme", 1));
}

#[test]
fn a_mask_that_never_or_always_drops() {
    for rate in [0.0, 1.0] {
        let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\ny = Mul(x, k)";
        none(&at(13, rate, text));
    }
}

#[test]
fn a_product_written_as_einsum() {
    let with = |equation: &str| {
        let text = "r = RandomUniformLike(x)\nb = Less(r, keep)\nk = Cast(b)\nm = Div(k, keep)";
        let mut all = nodes(text);
        let product = op("y = Einsum(x, m)");
        all.push(product.with(string("equation", equation)));
        let rest = spelt("", &numbers(0.3));
        model(13, Graph { node: all, ..rest })
    };
    for equation in ["ij,ij->ij", " ab, ab -> ab "] {
        assert_eq!(wrong(&with(equation), inverted(0.3)), None, "{equation}");
    }
    for equation in ["ij,ij->ji", "ij,ij->i", "ij,ji->ij", "ii,ii->ii", "ij,ij"] {
        assert!(sites(&with(equation)).is_empty(), "{equation}");
    }
}

#[test]
fn a_binomial_draw_of_one_trial() {
    let with = |trials: f32| {
        let text = "shape = Shape(x)\nr = StatelessRandomBinomial(shape, seed, trials, keep)\n\
                    d = Mul(x, r)\ny = Div(d, keep)";
        let graph = spelt(text, &numbers(0.3));
        let graph = graph.init("trials", f32s(&[], &[trials]));
        model(13, graph.init("seed", i64s(&[1, 2])))
    };
    assert_eq!(wrong(&with(1.0), inverted(0.3)), None);
    assert!(sites(&with(2.0)).is_empty());
}

#[test]
fn a_draw_of_two_classes() {
    let with = |logits: &[f32], dims: &[i64]| {
        let text = "k = Cast(r)\nd = Mul(x, k)\ny = Div(d, keep)";
        let mut all = nodes(text);
        let draw = op("r = Multinomial(logits)").with(int("sample_size", 3));
        all.insert(0, draw);
        let graph = Graph {
            node: all,
            ..spelt("", &numbers(0.3))
        };
        model(13, graph.init("logits", f32s(dims, logits)))
    };
    let (zero, one) = (0.3f32.ln(), 0.7f32.ln());
    assert_eq!(wrong(&with(&[zero, one], &[1, 2]), inverted(0.3)), None);
    let rows = [zero, one, zero, one];
    assert_eq!(wrong(&with(&rows, &[2, 2]), inverted(0.3)), None);
    // a class of its own for each row, and three classes
    assert!(sites(&with(&[zero, one, one, zero], &[2, 2])).is_empty());
    assert!(sites(&with(&[zero, zero, one], &[1, 3])).is_empty());
}

#[test]
fn a_switch_that_is_a_constant() {
    let text = "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nm = Mul(k, s)\n\
                w = Where(train, m, one)\ny = Mul(x, w)";
    let made = |on: bool, opset: i64| {
        let graph = spelt(text, &numbers(0.3)).init("train", flag(on));
        model(opset, graph)
    };
    for opset in [9, 13, 17] {
        let off = Want {
            mode: Mode::Inert,
            ..inverted(0.3)
        };
        assert_eq!(wrong(&made(false, opset), off), None);
        assert_eq!(wrong(&made(true, opset), inverted(0.3)), None);
    }
    // off, it is not what an unscaled mask leaves at inference
    let classic = text.replace("m = Mul(k, s)", "m = Identity(k)");
    none(&model(
        13,
        spelt(&classic, &numbers(0.3)).init("train", flag(false)),
    ));
    // a choice that is off is no dropout that is off
    let flipped = text.replace(
        "w = Where(train, m, one)\ny = Mul(x, w)",
        "f = Neg(x)\nw = Where(b, x, f)\ny = Where(train, w, x)",
    );
    none(&model(
        13,
        spelt(&flipped, &numbers(0.3)).init("train", flag(false)),
    ));
}
