//! What is found out about a `Dropout` operator, in every version and form.

use dropout_onnx::dropout::{Form, Kind, MaskUse, Mode, Problem, RateOrigin, Scaling, Site};
use dropout_onnx::onnx::DataType;

use crate::common::build::{
    f32_scalar, f32s, flag, float, floats, function, graph, i64s, int, ints, model, op, raw,
    reference, scalar, sparse, string, subgraph, tensor, typed, untyped, x_to_y,
};
use crate::common::masks::nodes;
use crate::common::proto::{Attribute, Graph, Model, Node, SparseTensor, Tensor};
use crate::common::sites;

#[track_caller]
fn site(model: &Model) -> Site {
    let mut sites = sites(model);
    assert_eq!(sites.len(), 1);
    sites.remove(0)
}

/// `y = Relu(Dropout(x))`, the Dropout as given.
fn around(opset: i64, dropout: Node) -> Model {
    model(opset, x_to_y([dropout, op("y = Relu(d)")]))
}

fn with_attributes(opset: i64, attributes: &[Attribute]) -> Site {
    let dropout = attributes
        .iter()
        .cloned()
        .fold(op("d = Dropout(x)"), Node::with);
    site(&around(opset, dropout))
}

fn with_init(mut model: Model, name: &str, tensor: Tensor) -> Model {
    model.graph = model.graph.map(|graph| graph.init(name, tensor));
    model
}

/// `Dropout(x, r)` with this ratio.
fn with_ratio(opset: i64, ratio: Tensor) -> Site {
    site(&with_init(
        around(opset, op("d = Dropout(x, r)")),
        "r",
        ratio,
    ))
}

/// `Dropout(x, , t)` with this flag.
fn with_flag(flag: Tensor) -> Site {
    site(&with_init(around(13, op("d = Dropout(x, , t)")), "t", flag))
}

/// What a function's `Dropout(i, r, t)` is, called by these nodes.
#[track_caller]
fn in_function(calls: &[Node], graph: Graph) -> Site {
    let mut sites = by_calls(calls, graph);
    assert_eq!(sites.len(), 1);
    sites.remove(0)
}

/// As [`in_function`], where the calls differ.
fn by_calls(calls: &[Node], graph: Graph) -> Vec<Site> {
    let body = ["d = Dropout(i, r, t)", "o = Relu(d)"].map(op);
    let mut graph = graph;
    graph.node = calls.to_vec();
    let model = model(13, graph).imports("local", 1);
    sites(&model.function(function("F", "i, r, t", "o", 13, body)))
}

fn rates_and_modes(sites: &[Site]) -> Vec<(Option<f64>, Mode)> {
    sites.iter().map(|site| (site.rate, site.mode)).collect()
}

#[test]
fn only_the_operator_decides() {
    for (opset, mode) in [
        (1, Mode::Active),
        (6, Mode::Active),
        (7, Mode::Inert),
        (9, Mode::Inert),
        (10, Mode::Inert),
        (11, Mode::Inert),
        (12, Mode::Inert),
        (13, Mode::Inert),
        (22, Mode::Inert),
    ] {
        let site = with_attributes(opset, &[]);
        assert_eq!(site.mode, mode, "opset {opset}");
        assert_eq!(site.rate, Some(0.5), "opset {opset}");
        assert_eq!(site.rate_origin, RateOrigin::Default, "opset {opset}");
        assert_eq!(site.form, Form::Operator);
        assert_eq!(site.kind, Kind::Dropout);
        assert_eq!(site.scaling, Scaling::Inverted);
        assert_eq!(site.inference_scale, 1.0);
        assert_eq!(site.mask, MaskUse::None);
        assert_eq!(site.seed, None);
        assert_eq!(site.problem, None);
        assert!(site.switch.is_none());
        assert!(site.input.is_some() && site.output.is_some());
    }
}

#[test]
fn is_test_decides_in_opsets_1_and_6() {
    for opset in [1, 6] {
        assert_eq!(
            with_attributes(opset, &[int("is_test", 0)]).mode,
            Mode::Active
        );
        assert_eq!(
            with_attributes(opset, &[int("is_test", 1)]).mode,
            Mode::Inert
        );
        assert_eq!(
            with_attributes(opset, &[int("is_test", 2)]).mode,
            Mode::Inert
        );
    }
}

#[test]
fn is_test_has_no_meaning_from_opset_7_on() {
    for opset in [7, 10, 12, 22] {
        let site = with_attributes(opset, &[int("is_test", 0)]);
        assert_eq!(site.mode, Mode::Inert);
        assert!(matches!(site.problem.as_deref(), Some(Problem::Version(_))));
    }
}

/// What is wrong with a site.
fn problem(site: &Site) -> Option<&str> {
    site.problem.as_deref().map(Problem::text)
}

/// The rate and the problem of a `Dropout` that acts, with this ratio.
fn acting(ratio: Tensor) -> Site {
    let dropout = around(13, op("d = Dropout(x, r, t)"));
    let model = with_init(dropout, "r", ratio);
    site(&with_init(model, "t", flag(true)))
}

#[test]
fn attributes_of_other_versions_are_named() {
    let attributes = [
        (int("consumed_inputs", 0), 1..=5),
        (int("is_test", 1), 1..=6),
        (float("ratio", 0.25), 1..=11),
        (int("seed", 7), 12..=26),
        (int("training_mode", 0), 0..=0),
    ];
    for (attribute, opsets) in attributes {
        let name = attribute.name.clone().unwrap();
        for opset in [1, 5, 6, 7, 9, 10, 11, 12, 13, 22, 26] {
            let site = with_attributes(opset, std::slice::from_ref(&attribute));
            let text = format!(
                "has the attribute `{name}`, which Dropout of opset {opset} does not have; \
                 runtimes refuse the model"
            );
            let expected = (!opsets.contains(&opset)).then_some(&*text);
            assert_eq!(problem(&site), expected);
            let rate = if name == "ratio" { 0.25 } else { 0.5 };
            assert_eq!(site.rate, Some(rate), "{name} at {opset}");
        }
    }
}

#[test]
fn inputs_of_other_versions_are_named() {
    for (opset, known) in [(6, false), (7, false), (11, false), (12, true), (22, true)] {
        let ratio = with_ratio(opset, f32_scalar(0.25));
        assert_eq!((ratio.rate, problem(&ratio).is_none()), (Some(0.25), known));
        let text = problem(&ratio).unwrap_or("the ratio input `r`, ");
        assert!(text.contains("the ratio input `r`, "), "{text}");
    }
    let fourth = with_init(
        around(13, op("d = Dropout(x, , , r)")),
        "r",
        f32_scalar(0.25),
    );
    assert!(
        problem(&site(&fourth))
            .unwrap()
            .contains("the fourth input `r`")
    );
    assert_eq!(site(&fourth).rate, Some(0.5));
}

/// The attribute says what was meant, and no runtime loads the model.
#[test]
fn training_mode_as_an_attribute_is_read() {
    for opset in [7, 12, 22] {
        let mode = |on| with_attributes(opset, &[int("training_mode", on)]).mode;
        assert_eq!((mode(0), mode(1)), (Mode::Inert, Mode::Active), "{opset}");
    }
}

#[test]
fn is_test_that_is_no_integer_is_a_problem() {
    let site = with_attributes(6, &[float("is_test", 1.0)]);
    let text = "is_test is the float 1, not an integer";
    assert_eq!(problem(&site), Some(text));
}

#[test]
fn ratio_is_an_attribute_below_opset_12_and_an_input_from_there_on() {
    for opset in [1, 6, 7, 9, 10, 11] {
        let site = with_attributes(opset, &[float("ratio", 0.3)]);
        assert_eq!(
            (site.rate, site.rate_origin),
            (Some(0.3), RateOrigin::Attribute)
        );
    }
    for opset in [12, 13, 22] {
        let site = with_ratio(opset, f32_scalar(0.3));
        assert_eq!(
            (site.rate, site.rate_origin),
            (Some(0.3), RateOrigin::Constant)
        );
        let site = with_attributes(opset, &[float("ratio", 0.3)]);
        assert_eq!(
            (site.rate, site.rate_origin),
            (Some(0.3), RateOrigin::Attribute)
        );
        let mut both = op("d = Dropout(x, r)").with(float("ratio", 0.3));
        both = both.with(int("seed", 1));
        let both = with_init(around(opset, both), "r", f32_scalar(0.1));
        assert_eq!(self::site(&both).rate, Some(0.1));
    }
}

#[test]
fn rates_are_the_shortest_decimals_of_their_type() {
    for rate in [0.1, 0.2, 0.3, 0.45, 0.7, 0.9, 0.999] {
        let types = [DataType::FLOAT, DataType::DOUBLE, DataType::FLOAT16];
        for element in types {
            assert_eq!(
                with_ratio(13, scalar(element, rate)).rate,
                Some(rate),
                "{element}"
            );
        }
    }
    for rate in [0.1, 0.2, 0.3, 0.5] {
        let site = with_ratio(13, scalar(DataType::BFLOAT16, rate));
        assert_eq!(site.rate, Some(rate));
    }
    assert_eq!(
        with_attributes(7, &[float("ratio", 0.3)])
            .rate
            .unwrap()
            .to_string(),
        "0.3"
    );
}

#[test]
fn rates_of_eight_bits() {
    // 0.3125 and 0.5, ONNX' float8.md
    for (element, bytes) in [
        (DataType::FLOAT8E4M3FN, [0x2a, 0x30]),
        (DataType::FLOAT8E4M3FNUZ, [0x32, 0x38]),
        (DataType::FLOAT8E5M2, [0x35, 0x38]),
        (DataType::FLOAT8E5M2FNUZ, [0x39, 0x3c]),
    ] {
        let rate = |byte| {
            let site = with_ratio(22, raw(element, &[], &[byte]));
            assert_eq!(site.problem, None);
            site.rate.unwrap()
        };
        assert_eq!(rate(bytes[0]), 0.3, "{element}");
        assert_eq!(rate(bytes[1]), 0.5, "{element}");
    }
}

/// onnx.checker and ONNX Runtime refuse it: "Ratio of Dropout must be a scalar".
#[test]
fn a_ratio_of_shape_one_is_not_a_scalar() {
    let scalar = acting(f32_scalar(0.25));
    assert_eq!((scalar.rate, problem(&scalar)), (Some(0.25), None));
    for (ratio, shape) in [
        (f32s(&[1], &[0.25]), "[1]"),
        (f32s(&[1, 1], &[0.25]), "[1, 1]"),
        (raw(DataType::FLOAT16, &[1], &[0, 0x34]), "[1]"),
    ] {
        let site = acting(ratio);
        let text =
            format!("ratio has shape {shape}, but must be a scalar; runtimes refuse the model");
        assert_eq!((site.rate, site.mode), (Some(0.25), Mode::Active));
        assert_eq!(problem(&site), Some(&*text));
    }
}

#[test]
fn a_ratio_that_cannot_be_is_a_problem() {
    for (ratio, expected) in [
        (f32_scalar(1.0), "ratio 1 is outside [0, 1)"),
        (f32_scalar(1.5), "ratio 1.5 is outside [0, 1)"),
        (f32_scalar(-0.1), "ratio -0.1 is outside [0, 1)"),
        (f32_scalar(f32::NAN), "ratio NaN is outside [0, 1)"),
        (f32_scalar(f32::INFINITY), "ratio inf is outside [0, 1)"),
        (
            raw(DataType::INT64, &[], &[0; 8]),
            "ratio is the int64 0, not a float scalar",
        ),
        (flag(true), "ratio is the bool 1, not a float scalar"),
        (
            f32s(&[2], &[0.1, 0.2]),
            "ratio is a float of shape [2], not a float scalar",
        ),
        (
            f32s(&[0], &[]),
            "ratio is a float of shape [0], not a float scalar",
        ),
    ] {
        assert_eq!(problem(&acting(ratio)), Some(expected));
    }
    for (attribute, expected) in [
        (float("ratio", 1.0), "ratio 1 is outside [0, 1)"),
        (float("ratio", -0.1), "ratio -0.1 is outside [0, 1)"),
        (float("ratio", f32::NAN), "ratio NaN is outside [0, 1)"),
        (int("ratio", 0), "ratio is the int64 0, not a float scalar"),
        (
            string("ratio", "0.5"),
            "ratio is a string, not a float scalar",
        ),
        (
            floats("ratio", &[0.1, 0.2]),
            "ratio is a list, not a float scalar",
        ),
    ] {
        assert_eq!(problem(&with_attributes(6, &[attribute])), Some(expected));
    }
}

/// With training off the ratio is not read; torch has `Dropout(p=1)`.
#[test]
fn the_ratio_of_an_inert_dropout_is_ignored() {
    for ratio in [1.0, 1.5, -0.1] {
        let off = with_ratio(13, f32_scalar(ratio as f32));
        assert_eq!(
            (off.mode, off.rate, problem(&off)),
            (Mode::Inert, Some(ratio), None)
        );
        let old = with_attributes(7, &[float("ratio", ratio as f32)]);
        assert_eq!(
            (old.mode, old.rate, problem(&old)),
            (Mode::Inert, Some(ratio), None)
        );
        assert!(problem(&acting(f32_scalar(ratio as f32))).is_some());
    }
    assert!(problem(&with_ratio(13, f32s(&[2], &[0.1, 0.2]))).is_some());
}

/// 0.99999999 is below 1 in 64 bits, and 1 in 32.
#[test]
fn the_largest_ratios_below_one_are_invalid() {
    assert_eq!(
        with_ratio(13, scalar(DataType::DOUBLE, 0.999_999_99)).problem,
        None
    );
    assert_eq!(with_ratio(13, f32_scalar(1.0f32.next_down())).problem, None);
}

#[test]
fn a_ratio_of_zero_is_always_inert() {
    assert_eq!(with_attributes(1, &[float("ratio", 0.0)]).mode, Mode::Inert);
    let active = with_init(around(13, op("d = Dropout(x, r, t)")), "t", flag(true));
    let site = site(&with_init(active, "r", f32_scalar(0.0)));
    assert_eq!((site.mode, site.rate), (Mode::Inert, Some(0.0)));
}

#[test]
fn training_mode_decides_from_opset_12_on() {
    assert_eq!(with_flag(flag(true)).mode, Mode::Active);
    assert_eq!(with_flag(flag(false)).mode, Mode::Inert);
    assert_eq!(
        with_flag(raw(DataType::BOOL, &[1], &[1])).mode,
        Mode::Active
    );
}

#[test]
fn a_training_mode_that_is_no_boolean_is_a_problem() {
    for (flag, expected) in [
        (
            f32_scalar(1.0),
            "training_mode is the float 1, not a boolean scalar",
        ),
        (
            raw(DataType::INT64, &[], &[0; 8]),
            "training_mode is the int64 0, not a boolean scalar",
        ),
        (
            raw(DataType::BOOL, &[2], &[1, 1]),
            "training_mode is a bool of shape [2], not a boolean scalar",
        ),
    ] {
        assert_eq!(problem(&with_flag(flag)), Some(expected));
    }
}

#[test]
fn a_flag_that_is_a_graph_input_is_decided_at_run_time() {
    let graph = x_to_y(["d = Dropout(x, , t)", "y = Relu(d)"].map(op));
    let site = site(&model(13, graph.input_of("t", DataType::BOOL, &[])));
    assert_eq!(site.mode, Mode::Runtime);
    assert!(site.switch.is_some());
}

#[test]
fn a_ratio_that_is_a_graph_input_is_unknown() {
    let graph = x_to_y(["d = Dropout(x, r, t)", "y = Relu(d)"].map(op)).init("t", flag(true));
    let site = site(&model(13, graph.input_of("r", DataType::FLOAT, &[])));
    assert_eq!((site.rate, site.rate_origin), (None, RateOrigin::Input));
    assert_eq!((site.mode, site.problem), (Mode::Runtime, None));
}

#[test]
fn a_default_that_a_caller_may_override_is_decided_at_run_time() {
    for (ir, mode, origin) in [
        (3, Mode::Active, RateOrigin::Constant),
        (4, Mode::Runtime, RateOrigin::Input),
    ] {
        let graph = x_to_y(["d = Dropout(x, r, t)", "y = Relu(d)"].map(op))
            .input_of("r", DataType::FLOAT, &[])
            .input_of("t", DataType::BOOL, &[])
            .init("r", f32_scalar(0.2))
            .init("t", flag(true));
        let site = site(&model(12, graph).ir(ir));
        assert_eq!(
            (site.mode, site.rate_origin),
            (mode, origin),
            "IR version {ir}"
        );
        assert_eq!(site.rate, Some(0.2));
    }
}

#[test]
fn a_default_ratio_of_zero_that_a_caller_may_override_is_not_inert() {
    let graph = x_to_y(["d = Dropout(x, r, t)", "y = Relu(d)"].map(op))
        .input_of("r", DataType::FLOAT, &[])
        .init("r", f32_scalar(0.0))
        .init("t", flag(true));
    assert_eq!(site(&model(13, graph)).mode, Mode::Runtime);
}

/// `t` computed by these nodes from the graph input or initializer `f`.
fn computed(nodes: &[Node], f: Graph) -> Site {
    let mut graph = f;
    graph.node = nodes.to_vec();
    graph.node.push(op("d = Dropout(x, , t)"));
    graph.node.push(op("y = Relu(d)"));
    site(&model(18, graph))
}

#[test]
fn a_computed_flag_is_followed() {
    let of = |on| x_to_y([]).init("f", flag(on));
    let asked = || x_to_y([]).input_of("f", DataType::BOOL, &[]);
    let not = [op("t = Not(f)")];
    assert_eq!(computed(&not, of(false)).mode, Mode::Active);
    assert_eq!(computed(&not, of(true)).mode, Mode::Inert);
    assert_eq!(computed(&not, asked()).mode, Mode::Runtime);
    let same = [op("t = Identity(f)")];
    assert_eq!(computed(&same, of(true)).mode, Mode::Active);
    let cast = [op("t = Cast(f)").with(int("to", 9))];
    let one = x_to_y([]).init("f", i64s(&[1]));
    assert_eq!(computed(&cast, one).mode, Mode::Active);
    let greater = [op("t = Greater(f, zero)")];
    let number = x_to_y([])
        .input_of("f", DataType::FLOAT, &[])
        .init("zero", f32_scalar(0.0));
    let site = computed(&greater, number);
    assert_eq!((site.mode, site.problem), (Mode::Runtime, None));
}

#[test]
fn a_ratio_computed_from_constants_is_constant() {
    let nodes = ["r = Sub(one, keep)", "d = Dropout(x, r)", "y = Relu(d)"].map(op);
    let graph = x_to_y(nodes).init("one", f32_scalar(1.0));
    let constant = site(&model(13, graph.clone().init("keep", f32_scalar(0.75))));
    assert_eq!(
        (constant.rate, constant.rate_origin),
        (Some(0.25), RateOrigin::Constant)
    );
    let given = site(&model(13, graph.input_of("keep", DataType::FLOAT, &[])));
    assert_eq!((given.rate, given.rate_origin), (None, RateOrigin::Unknown));
}

#[test]
fn a_quantized_ratio() {
    let byte = |number: u8| raw(DataType::UINT8, &[], &[number]);
    let of = |lines: &[&str]| {
        let nodes = lines
            .iter()
            .copied()
            .chain(["d = Dropout(x, r)", "y = Relu(d)"]);
        let nodes = nodes.map(|line| {
            let mut node = op(line.trim_start_matches("com.microsoft."));
            node.domain = line.starts_with("com.").then(|| "com.microsoft".into());
            node
        });
        let graph = x_to_y(nodes)
            .init("p", f32_scalar(0.2))
            .init("step", f32_scalar(0.1))
            .init("q", byte(2))
            .init("zero", byte(0));
        let site = site(&model(13, graph).imports("com.microsoft", 1));
        (site.rate, site.rate_origin)
    };
    let is = (Some(0.2), RateOrigin::Constant);
    assert_eq!(of(&["r = DequantizeLinear(q, step, zero)"]), is);
    assert_eq!(of(&["r = DequantizeLinear(q, step)"]), is);
    assert_eq!(
        of(&["com.microsoft.r = DequantizeLinear(q, step, zero)"]),
        is
    );
    let pair = [
        "n = QuantizeLinear(p, step, zero)",
        "r = DequantizeLinear(n, step, zero)",
    ];
    assert_eq!(of(&pair), is);
    let free = [
        "n = QuantizeLinear(x, step, zero)",
        "r = DequantizeLinear(n, step, zero)",
    ];
    assert_eq!(of(&free), (None, RateOrigin::Unknown));
}

#[test]
fn constant_nodes_in_every_form() {
    let sparse_ratio = SparseTensor {
        values: Some(f32s(&[1], &[0.3])),
        indices: Some(i64s(&[0])),
        dims: vec![1],
    };
    let sparse_zero = SparseTensor {
        values: Some(f32s(&[0], &[])),
        indices: Some(i64s(&[])),
        dims: vec![1],
    };
    for (form, rate, is_scalar) in [
        (tensor("value", f32_scalar(0.3)), 0.3, true),
        (float("value_float", 0.3), 0.3, true),
        (floats("value_floats", &[0.3]), 0.3, false),
        (sparse("sparse_value", sparse_ratio), 0.3, false),
        (sparse("sparse_value", sparse_zero), 0.0, false),
    ] {
        let nodes = [
            op("r = Constant()").with(form),
            op("d = Dropout(x, r)"),
            op("y = Relu(d)"),
        ];
        let site = site(&model(13, x_to_y(nodes)));
        assert_eq!(
            (site.rate, site.rate_origin),
            (Some(rate), RateOrigin::Constant)
        );
        assert_eq!(site.problem.is_none(), is_scalar);
    }
}

#[test]
fn uses_of_the_mask_are_distinguished() {
    let masked = |outputs: &str, consumers: &[&str], output: bool| {
        let mut nodes = vec![op(&format!("{outputs} = Dropout(x)")), op("y = Relu(x)")];
        nodes.extend(consumers.iter().map(|text| op(text)));
        let mut graph = x_to_y(nodes);
        if output {
            graph = graph.output_of("m", DataType::BOOL, &[2, 3]);
        }
        site(&model(13, graph)).mask
    };
    assert_eq!(masked("d", &[], false), MaskUse::None);
    assert_eq!(masked("d, ", &[], false), MaskUse::None);
    assert_eq!(masked("d, m", &[], false), MaskUse::Unused);
    assert_eq!(masked("d, m", &["n = Not(m)"], false), MaskUse::Used);
    assert_eq!(masked("d, m", &[], true), MaskUse::Output);
    assert_eq!(masked("d, m", &["n = Not(m)"], true), MaskUse::Output);
    assert_eq!(masked(", m", &["n = Not(m)"], false), MaskUse::Used);
}

#[test]
fn the_seed_is_reported() {
    for seed in [0, 42, -1] {
        assert_eq!(with_attributes(13, &[int("seed", seed)]).seed, Some(seed));
    }
}

#[test]
fn no_opset_import_is_a_problem_from_ir_version_3_on() {
    let mut without = around(13, op("d = Dropout(x)"));
    without.opset_import.clear();
    assert_eq!(
        problem(&site(&without.clone().ir(3))),
        Some("there is no opset_import for the version of Dropout")
    );
    // before, opset 1 is meant
    let site = site(&without.ir(2));
    assert_eq!((site.mode, site.problem), (Mode::Active, None));
}

#[test]
fn no_data_is_a_problem() {
    for text in ["d = Dropout()", "d = Dropout(, r)"] {
        let model = with_init(around(13, op(text)), "r", f32_scalar(0.1));
        assert_eq!(problem(&site(&model)), Some("has no data input"));
    }
}

#[test]
fn ai_onnx_is_the_default_domain_and_others_are_not() {
    assert_eq!(sites(&around(13, op("d = ai.onnx::Dropout(x)"))).len(), 1);
    assert_eq!(
        sites(&around(13, op("d = com.example::Dropout(x)"))).len(),
        0
    );
    assert_eq!(
        sites(&around(13, op("d = ai.onnx.ml::Dropout(x)"))).len(),
        0
    );
    assert_eq!(sites(&around(13, op("d = dropout(x)"))).len(), 0);
}

#[test]
fn sites_have_ids_in_file_order_and_a_scope() {
    let mut branch = graph([op("t = Dropout(x)")]);
    branch.output.push(untyped("t"));
    let nodes = [
        op("a = Dropout(x)"),
        op("b = If(c)")
            .with(subgraph("then_branch", branch.clone()))
            .with(subgraph("else_branch", branch)),
        op("d = Dropout(b)"),
        op("y = local::F(d)"),
    ];
    let body = [op("o = Dropout(i)")];
    let proto = model(13, x_to_y(nodes).input_of("c", DataType::BOOL, &[]))
        .imports("local", 1)
        .function(function("F", "i", "o", 13, body));
    let model = proto.read();
    let sites = sites(&proto);
    let scopes: Vec<String> = sites.iter().map(|site| model.scope(site.graph)).collect();
    assert_eq!(
        scopes,
        [
            "graph",
            "graph",
            "graph/b.then_branch",
            "graph/b.else_branch",
            "function:local::F"
        ]
    );
    let ids: Vec<usize> = sites.iter().map(|site| site.id).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4]);
}

fn switches() -> Graph {
    x_to_y([])
        .init("r", f32_scalar(0.3))
        .init("s", f32_scalar(0.4))
        .init("on", flag(true))
        .init("off", flag(false))
}

#[test]
fn inputs_of_a_function_are_what_its_callers_give() {
    let site = in_function(&[op("y = local::F(x, r, on)")], switches());
    assert_eq!((site.rate, site.mode), (Some(0.3), Mode::Active));
    let calls = ["a = local::F(x, r, off)", "y = local::F(a, r, off)"].map(op);
    let site = in_function(&calls, switches());
    assert_eq!((site.rate, site.mode), (Some(0.3), Mode::Inert));
}

#[test]
fn callers_that_differ_are_sites_of_their_own() {
    let calls = ["a = local::F(x, r, off)", "y = local::F(a, s, on)"].map(op);
    let sites = by_calls(&calls, switches());
    let expected = [(Some(0.3), Mode::Inert), (Some(0.4), Mode::Active)];
    assert_eq!(rates_and_modes(&sites), expected);
    assert_eq!(sites[0].nodes, sites[1].nodes);
    assert_ne!(sites[0].calls, sites[1].calls);
}

/// Who gives no ratio means 0.5.
#[test]
fn callers_of_which_one_gives_no_ratio_differ() {
    let calls = ["a = local::F(x, r, on)", "y = local::F(a, , on)"].map(op);
    let expected = [(Some(0.3), Mode::Active), (Some(0.5), Mode::Active)];
    assert_eq!(rates_and_modes(&by_calls(&calls, switches())), expected);
    let calls = ["a = local::F(x, r)", "y = local::F(a, r, on)"].map(op);
    let expected = [(Some(0.3), Mode::Inert), (Some(0.3), Mode::Active)];
    assert_eq!(rates_and_modes(&by_calls(&calls, switches())), expected);
}

#[test]
fn callers_that_give_neither_ratio_nor_flag_mean_the_defaults() {
    let site = in_function(&[op("y = local::F(x)")], switches());
    assert_eq!(
        (site.rate, site.rate_origin),
        (Some(0.5), RateOrigin::Default)
    );
    assert_eq!(site.mode, Mode::Inert);
}

#[test]
fn a_caller_that_passes_on_a_graph_input_leaves_it_to_run_time() {
    let graph = switches().input_of("t", DataType::BOOL, &[]);
    let site = in_function(&[op("y = local::F(x, r, t)")], graph);
    assert_eq!((site.rate, site.mode), (Some(0.3), Mode::Runtime));
}

#[test]
fn attributes_of_a_function_are_followed_through_calls_of_calls() {
    let inner_body = [
        op("d = Dropout(i)").with(reference("ratio", "p", 1)),
        op("o = Relu(d)"),
    ];
    let mut inner = function("G", "i", "o", 7, inner_body);
    inner.attribute = vec!["p".into()];
    let call = op("o = local::G(i)").with(reference("p", "q", 1));
    let mut outer = function("F", "i", "o", 7, [call]);
    outer.attribute_proto = vec![float("q", 0.2)];
    let called = |call: Node| {
        let model = model(13, x_to_y([call])).imports("local", 1);
        site(&model.function(outer.clone()).function(inner.clone()))
    };
    assert_eq!(called(op("y = local::F(x)")).rate, Some(0.2));
    let given = called(op("y = local::F(x)").with(float("q", 0.3)));
    assert_eq!(
        (given.rate, given.rate_origin),
        (Some(0.3), RateOrigin::Attribute)
    );
    let wrong = called(op("y = local::F(x)").with(int("q", 1)));
    let what = "ratio is the int64 1, not a float scalar";
    assert_eq!(problem(&wrong), Some(what));
}

/// Who gives no is_test means 0: training.
#[test]
fn a_caller_that_gives_no_is_test_is_active() {
    let body = [
        op("d = Dropout(i)").with(reference("is_test", "test", 2)),
        op("o = Relu(d)"),
    ];
    let mut f = function("F", "i", "o", 6, body);
    f.attribute = vec!["test".into()];
    let mode = |second: Node| {
        let nodes = [op("a = local::F(x)").with(int("test", 1)), second];
        let model = model(6, x_to_y(nodes)).imports("local", 1);
        let sites = sites(&model.function(f.clone()));
        sites.iter().map(|site| site.mode).collect::<Vec<_>>()
    };
    assert_eq!(
        mode(op("y = local::F(a)").with(int("test", 1))),
        [Mode::Inert]
    );
    let differ = [Mode::Inert, Mode::Active];
    assert_eq!(mode(op("y = local::F(a)")), differ);
}

#[test]
fn the_opset_of_the_function_rules() {
    let of = |opset| {
        let body = [
            op("d = Dropout(i)").with(float("ratio", 0.2)),
            op("o = Relu(d)"),
        ];
        let model = model(13, x_to_y([op("y = local::F(x)")])).imports("local", 1);
        let site = site(&model.function(function("F", "i", "o", opset, body)));
        (site.mode, site.rate)
    };
    assert_eq!(of(6), (Mode::Active, Some(0.2)));
    assert_eq!(of(7), (Mode::Inert, Some(0.2)));
    assert_eq!(of(13), (Mode::Inert, Some(0.2)));
}

/// A Dropout in a branch of an If on `on`, and the other way round.
fn branched(condition: Node) -> Model {
    let branch = |node: Node| graph([node]).output_of("out", DataType::FLOAT, &[2, 3]);
    let run = op("y = If(on)")
        .with(subgraph(
            "then_branch",
            branch(op("out = Dropout(x, , yes)")),
        ))
        .with(subgraph("else_branch", branch(op("out = Relu(x)"))));
    model(13, x_to_y([condition, run]).init("yes", flag(true)))
}

#[test]
fn a_dropout_in_a_branch_that_is_never_taken_is_inert() {
    let taken = branched(op("on = Identity(yes)"));
    assert_eq!(site(&taken).mode, Mode::Active);
    let never = branched(op("on = Not(yes)"));
    let site_of = |model: &Model| (site(model).mode, site(model).unreachable);
    assert_eq!(site_of(&never), (Mode::Inert, true));
    let mut open = branched(op("no = Not(yes)"));
    open.main_mut().input.push(typed("on", DataType::BOOL, &[]));
    assert_eq!(site_of(&open), (Mode::Runtime, false));
    let data = branched(op("on = Cast(first)").with(int("to", 9)));
    let mut data = with_init(data, "zero", raw(DataType::INT64, &[], &[0; 8]));
    let first = ["one = Gather(x, zero)", "first = Gather(one, zero)"];
    data.main_mut().node.splice(0..0, first.map(op));
    assert_eq!(site_of(&data), (Mode::Runtime, false));
}

/// Whether a layer runs may be up to a draw (LayerDrop): no input switches its dropout off.
#[test]
fn a_dropout_in_a_branch_that_a_draw_decides_is_active() {
    let drawn = |condition: &str| {
        let mut made = branched(op("unused = Not(yes)"));
        let draw = op("u = RandomUniform()").with(ints("shape", &[1]));
        let nodes = [
            draw,
            op("l = Less(u, half)"),
            op("s = Squeeze(l)"),
            op(condition),
        ];
        made.main_mut().node.splice(0..1, nodes);
        let made = with_init(made, "half", f32s(&[], &[0.5]));
        let mut made = made;
        made.main_mut()
            .input
            .push(typed("train", DataType::BOOL, &[]));
        made
    };
    let mode = |condition: &str| {
        let found = sites(&drawn(condition));
        found
            .iter()
            .find(|site| site.form == Form::Operator)
            .map(|site| site.mode)
    };
    assert_eq!(mode("on = Identity(s)"), Some(Mode::Active));
    assert_eq!(mode("on = Not(s)"), Some(Mode::Active));
    // the twins: an input decides with it, or something else never lets it run
    assert_eq!(mode("on = And(s, train)"), Some(Mode::Runtime));
    assert_eq!(mode("on = Not(yes)"), Some(Mode::Inert));
}

/// The same through a function that is passed the draw, and one that returns it.
#[test]
fn a_draw_decides_through_functions() {
    let mode = |calls: &[&str]| {
        let made = branched_in_function(calls);
        let body = [
            op("u = RandomUniform()").with(ints("shape", &[])),
            op("half = Constant()").with(float("value_float", 0.5)),
            op("on = Less(u, half)"),
        ];
        let made = made.function(function("Draw", "", "on", 13, body));
        let found = sites(&made);
        let site = found.iter().find(|site| site.form == Form::Operator);
        site.map(|site| site.mode)
    };
    assert_eq!(
        mode(&["on = local::Draw()", "y = local::F(x, on)"]),
        Some(Mode::Active)
    );
    assert_eq!(mode(&["y = local::F(x, t)"]), Some(Mode::Runtime));
}

/// A Dropout in an If in a function, with the condition that the call passes.
fn branched_in_function(calls: &[&str]) -> Model {
    let mut inner = branched(op("unused = Not(yes)"));
    let body = inner.main_mut().node.drain(1..).map(|mut node| {
        node.input = vec!["i1".into()];
        for attribute in &mut node.attribute {
            let branch = attribute.g.as_mut().unwrap();
            for name in branch.node.iter_mut().flat_map(|node| &mut node.input) {
                *name = name.replace('x', "i0").replace("yes", "i1");
            }
        }
        node
    });
    let body: Vec<Node> = body.collect();
    let mut function = function("F", "i0, i1", "y", 13, body);
    function.output = vec!["y".into()];
    let graph = x_to_y(calls.iter().map(|call| op(call)));
    let graph = graph.init("yes", flag(true)).init("no", flag(false));
    let graph = graph.input_of("t", DataType::BOOL, &[]);
    model(13, graph).imports("local", 1).function(function)
}

#[test]
fn a_dropout_in_a_function_runs_where_it_is_called() {
    let of = |calls: &[&str]| {
        let site = site(&branched_in_function(calls));
        (site.mode, site.unreachable)
    };
    assert_eq!(of(&["y = local::F(x, yes)"]), (Mode::Active, false));
    assert_eq!(of(&["y = local::F(x, no)"]), (Mode::Inert, true));
    assert_eq!(of(&["y = local::F(x, t)"]), (Mode::Runtime, false));
    assert_eq!(of(&["y = Relu(x)"]), (Mode::Inert, true));
    let both = ["z = local::F(x, no)", "y = local::F(z, yes)"];
    let both = rates_and_modes(&sites(&branched_in_function(&both)));
    assert_eq!(both, [(Some(0.5), Mode::Inert), (Some(0.5), Mode::Active)]);
}

#[test]
fn a_dropout_in_a_loop_without_iterations_is_inert() {
    let of = |trips: i64, goes: bool| {
        let body = graph([op("more = Identity(c)"), op("d = Dropout(s, , yes)")])
            .input_of("n", DataType::INT64, &[])
            .input_of("c", DataType::BOOL, &[])
            .input_of("s", DataType::FLOAT, &[2, 3])
            .output_of("more", DataType::BOOL, &[])
            .output_of("d", DataType::FLOAT, &[2, 3]);
        let run = op("y = Loop(trips, goes, x)").with(subgraph("body", body));
        let graph = x_to_y([run])
            .init("yes", flag(true))
            .init("goes", flag(goes));
        let trips = raw(DataType::INT64, &[], &trips.to_le_bytes());
        site(&model(13, graph.init("trips", trips))).mode
    };
    assert_eq!(of(3, true), Mode::Active);
    assert_eq!(of(0, true), Mode::Inert);
    assert_eq!(of(3, false), Mode::Inert);
}

/// Keras 2 applies the cell of a masked layer once outside its loop, for the shape of its output.
#[test]
fn a_dropout_of_which_only_the_shape_is_read_is_inert() {
    let of = |reader: &str| {
        let graph = x_to_y(["d = Dropout(x, , yes)", reader, "y = Expand(x, s)"].map(op));
        let site = site(&model(13, graph.init("yes", flag(true))));
        (site.mode, site.unreachable)
    };
    assert_eq!(of("s = Shape(d)"), (Mode::Inert, true));
    assert_eq!(of("s = Cast(d)"), (Mode::Active, false));
    let masked = |result: &str| {
        let text = format!(
            "u = RandomUniformLike(x)\nb = Less(u, p)\nm = Cast:1(b)\nd = Mul(x, m)\n{result}"
        );
        let graph = x_to_y(nodes(&text)).init("p", f32_scalar(0.8));
        let sites = sites(&model(13, graph));
        (sites[0].mode, sites[0].unreachable)
    };
    let shape = "e = Relu(d)\ns = Shape(e)\ny = Expand(x, s)";
    assert_eq!(masked(shape), (Mode::Inert, true));
    assert_eq!(masked("y = Relu(d)"), (Mode::Active, false));
}

/// Numbers that no rule evaluates, but that no input decides either.
#[test]
fn a_flag_that_depends_on_no_input_is_not_decided_at_run_time() {
    let of = |flag: &str| {
        let mut graph = x_to_y(["d = Dropout(x, , t)", "y = Relu(d)"].map(op));
        let chain = ["sum = ReduceSum(data)", "t = Greater(sum, zero)"];
        let chain = chain.map(|text| op(&text.replace("data", flag)));
        graph.node.splice(0..0, chain);
        let graph = graph.init("zero", f32_scalar(0.0));
        site(&model(13, graph.init("w", f32s(&[3], &[0.5, 1.0, 2.0])))).mode
    };
    assert_eq!(of("w"), Mode::Active);
    assert_eq!(of("x"), Mode::Runtime);
}

/// Exporters that list every constant as an input offer no switch by it.
#[test]
fn a_ratio_listed_with_all_weights_is_a_constant() {
    let of = |weight_listed: bool| {
        let graph = x_to_y(["h = Add(x, w)", "y = Dropout(h, r, yes)"].map(op))
            .input_of("r", DataType::FLOAT, &[])
            .init("r", f32_scalar(0.0))
            .init("w", f32s(&[3], &[1.0, 2.0, 3.0]));
        let graph = match weight_listed {
            true => graph.input_of("w", DataType::FLOAT, &[3]),
            false => graph,
        };
        let on = op("yes = Constant()").with(tensor("value", flag(true)));
        let mut model = model(13, graph);
        model.main_mut().node.insert(0, on);
        site(&model.ir(8)).mode
    };
    assert_eq!((of(true), of(false)), (Mode::Inert, Mode::Runtime));
}
