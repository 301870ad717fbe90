//! Masks in branches, loops and functions.

use dropout_onnx::onnx::DataType;

use super::spelt::DRAWN;
use crate::common::build::{
    SHAPE, f32s, flag, float, function, graph, int, model, op, raw, reference, subgraph, untyped,
};
use crate::common::masks::{nodes, numbers, spelt};
use crate::common::proto::{Function, Graph, Model, Node};
use crate::common::stripped::{refusal, strips, strips_unrun};

/// A Loop of three turns with these states, body and outputs of the body.
fn looped(made: &str, call: &str, formals: &[&str], body: &str, outputs: &[&str]) -> Model {
    let mut main = spelt(made, &numbers(0.3))
        .init("trip", raw(DataType::INT64, &[], &3i64.to_le_bytes()))
        .init("on", flag(true));
    main.node
        .push(op(call).with(subgraph("body", turn(formals, body, outputs))));
    model(15, main)
}

/// The body of a Loop.
fn turn(formals: &[&str], body: &str, outputs: &[&str]) -> Graph {
    let body = graph(nodes(body))
        .input_of("i", DataType::INT64, &[])
        .input_of("c", DataType::BOOL, &[]);
    let body = formals.iter().fold(body, |body, formal| body.input(formal));
    let body = body.output_of("c", DataType::BOOL, &[]);
    outputs
        .iter()
        .fold(body, |body, output| body.output(output))
}

fn drawn_in(data: &str) -> String {
    DRAWN.replace("(x)", &format!("({data})"))
}

const MASK: &str =
    "r = RandomUniformLike(x)\nb = GreaterOrEqual(r, p)\nk = Cast(b)\nmask = Mul(k, s)";

#[test]
fn drawn_in_the_body_of_a_loop() {
    let body = format!(
        "hs = Mul(h, s)\n{}d = Mul(hs, k)\nh_out = Tanh(d)",
        drawn_in("h")
    );
    let made = looped("", "y = Loop(trip, on, x)", &["h"], &body, &["h_out"]);
    let stripped = strips_unrun(&made, "Loop").draws_nothing().leaves(&[
        "y = Loop(trip, on, x)",
        "  body:",
        "    h_out = Tanh(h)",
    ]);
    insta::assert_snapshot!("loop_body", stripped.texts());
}

#[test]
fn classic_in_the_body_of_a_loop() {
    let body = format!("{}d = Mul(h, k)\nh_out = Tanh(d)", drawn_in("h"));
    let made = looped("", "y = Loop(trip, on, x)", &["h"], &body, &["h_out"]);
    strips_unrun(&made, "Loop").draws_nothing().leaves(&[
        "y = Loop(trip, on, x)",
        "  body:",
        "    d = Mul(h, d/scale)",
        "    h_out = Tanh(d)",
    ]);
}

/// The mask is drawn outside and used by name inside.
#[test]
fn captured_by_the_body_of_a_loop() {
    let body = "d = Mul(h, mask)\nh_out = Tanh(d)";
    let made = looped(MASK, "y = Loop(trip, on, x)", &["h"], body, &["h_out"]);
    strips_unrun(&made, "Loop").draws_nothing().leaves(&[
        "y = Loop(trip, on, x)",
        "  body:",
        "    h_out = Tanh(h)",
    ]);
}

#[test]
fn the_state_of_a_loop() {
    let body = "d = Mul(h, m)\nh_out = Tanh(d)\nm_out = Identity(m)";
    let call = "y, m_left = Loop(trip, on, x, mask)";
    let made = looped(MASK, call, &["h", "m"], body, &["h_out", "m_out"]);
    let stripped = strips_unrun(&made, "Loop").draws_nothing();
    assert_eq!(stripped.outcome.states.len(), 1);
    let stripped = stripped.leaves(&["y = Loop(trip, on, x)", "  body:", "    h_out = Tanh(h)"]);
    insta::assert_snapshot!("loop_state", stripped.texts());
}

#[test]
fn a_state_that_passes_through_a_dropout() {
    let body = "d = Mul(h, m)\nh_out = Tanh(d)\nm_out = Dropout(m)";
    let call = "y, m_left = Loop(trip, on, x, mask)";
    let made = looped(MASK, call, &["h", "m"], body, &["h_out", "m_out"]);
    let stripped = strips_unrun(&made, "Loop").draws_nothing();
    stripped.leaves(&["y = Loop(trip, on, x)", "  body:", "    h_out = Tanh(h)"]);
}

/// The mask is the first of three states, and handed on under its own name.
#[test]
fn other_states_stay_in_their_places() {
    let body = "d = Mul(h, m)\nh_out = Tanh(d)\ng_out = Sub(g, h)";
    let call = "m_left, y, g_left = Loop(trip, on, mask, x, x)";
    let made = looped(MASK, call, &["m", "h", "g"], body, &["m", "h_out", "g_out"]);
    strips_unrun(&made, "Loop").draws_nothing().leaves(&[
        "y, g_left = Loop(trip, on, x, x)",
        "  body:",
        "    h_out = Tanh(h)",
        "    g_out = Sub(g, h)",
    ]);
}

#[test]
fn a_mask_that_is_a_state_of_two_loops() {
    let body = "d = Mul(h, m)\nh_out = Tanh(d)";
    let call = "a, m_left = Loop(trip, on, x, mask)";
    let mut made = looped(MASK, call, &["h", "m"], body, &["h_out", "m"]);
    let second = op("m_2, y = Loop(trip, on, mask, a)")
        .with(subgraph("body", turn(&["m", "h"], body, &["m", "h_out"])));
    made.main_mut().node.push(second);
    strips_unrun(&made, "Loop").draws_nothing().leaves(&[
        "a = Loop(trip, on, x)",
        "  body:",
        "    h_out = Tanh(h)",
        "y = Loop(trip, on, a)",
        "  body:",
        "    h_out = Tanh(h)",
    ]);
}

/// The second loop gets what the first one leaves.
#[test]
fn a_mask_passed_from_loop_to_loop() {
    let body = "d = Mul(h, m)\nh_out = Tanh(d)";
    let call = "a, m_left = Loop(trip, on, x, mask)";
    let mut made = looped(MASK, call, &["h", "m"], body, &["h_out", "m"]);
    let second = op("m_2, y = Loop(trip, on, m_left, a)")
        .with(subgraph("body", turn(&["m", "h"], body, &["m", "h_out"])));
    made.main_mut().node.push(second);
    strips_unrun(&made, "Loop").draws_nothing().leaves(&[
        "a = Loop(trip, on, x)",
        "  body:",
        "    h_out = Tanh(h)",
        "y = Loop(trip, on, a)",
        "  body:",
        "    h_out = Tanh(h)",
    ]);
}

#[test]
fn the_state_of_a_loop_in_a_loop() {
    let inner = op("h_out, m_in = Loop(trip, on, h, m)").with(subgraph(
        "body",
        turn(
            &["g", "n"],
            "e = Mul(g, n)\ng_out = Tanh(e)",
            &["g_out", "n"],
        ),
    ));
    let call = "y, m_left = Loop(trip, on, x, mask)";
    let mut made = looped(MASK, call, &["h", "m"], "", &["h_out", "m"]);
    let outer = made.main_mut().node.last_mut().expect("a loop");
    let body = outer.attribute[0].g.as_mut().expect("a body");
    body.node.push(inner);
    let stripped = strips_unrun(&made, "Loop").draws_nothing().leaves(&[
        "y = Loop(trip, on, x)",
        "  body:",
        "    h_out = Loop(trip, on, h)",
        "      body:",
        "        g_out = Tanh(g)",
    ]);
    insta::assert_snapshot!("loop_in_loop", stripped.texts());
}

/// What is drawn anew in each turn is no mask that goes unchanged from turn to turn.
#[test]
fn a_state_drawn_in_each_iteration_is_not_a_carried_mask() {
    let body = "d = Mul(h, m)\nh_out = Tanh(d)\nr2 = RandomUniformLike(h)\n\
                b2 = GreaterOrEqual(r2, p)\nk2 = Cast(b2)\nm_out = Mul(k2, s)";
    let call = "y, m_left = Loop(trip, on, x, mask)";
    let made = looped(MASK, call, &["h", "m"], body, &["h_out", "m_out"]);
    let options = dropout_onnx::rewrite::strip::Options::default();
    let stripped = dropout_onnx::rewrite::strip::strip(&made.read(), &options).expect("strip");
    assert!(stripped.outcome.is_unchanged(), "{:?}", stripped.sites);
}

#[test]
fn a_state_whose_last_value_is_used_is_refused_or_stays() {
    let body = "d = Mul(h, m)\nh_out = Tanh(d)";
    let call = "y, m_left = Loop(trip, on, x, mask)";
    let mut made = looped(MASK, call, &["h", "m"], body, &["h_out", "m"]);
    let main = made.main_mut();
    main.node.push(op("z = Relu(m_left)"));
    made.graph = made.graph.map(|graph| graph.output("z"));
    let why = refusal(&made);
    assert!(why.contains("its mask is an output of graph"), "{why}");
}

/// The dropped data is moved about and meets the mask again: no factor makes up for that.
#[test]
fn a_state_applied_to_its_data_twice_is_left_alone() {
    let body = "d = Mul(h, m)\nt = Transpose(d)\nu = Transpose(t)\ne = Mul(u, m)\nh_out = Tanh(e)";
    let call = "y, m_left = Loop(trip, on, x, mask)";
    let made = looped(MASK, call, &["h", "m"], body, &["h_out", "m"]);
    assert!(strips_unrun(&made, "Loop").outcome.is_unchanged());
}

fn scan(made: &str, call: &str, inputs: i64, formals: &[&str], outputs: &[&str]) -> Model {
    let row = &[3];
    let handed_on = if outputs.contains(&"m_out") {
        "m_out = Identity(m)"
    } else {
        ""
    };
    let body = format!("d = Mul(v, m)\no = Tanh(d)\ns_out = Add(st, d)\n{handed_on}");
    let body = graph(nodes(&body));
    let body = (formals.iter()).fold(body, |body, f| body.input_of(f, DataType::FLOAT, row));
    let body = (outputs.iter()).fold(body, |body, o| body.output_of(o, DataType::FLOAT, row));
    let mut main = spelt(made, &numbers(0.3))
        .init("start", f32s(row, &[0.5, 0.25, -1.0]))
        .output_of("last", DataType::FLOAT, row);
    let node = op(call)
        .with(int("num_scan_inputs", inputs))
        .with(subgraph("body", body));
    main.node.push(node);
    model(15, main)
}

#[test]
fn a_mask_iterated_by_a_scan_is_refused() {
    let call = "last, y = Scan(start, x, mask)";
    let made = scan(MASK, call, 2, &["st", "v", "m"], &["s_out", "o"]);
    let why = refusal(&made);
    assert!(why.contains("graph: Scan `last` uses its mask"), "{why}");
}

#[test]
fn the_state_of_a_scan() {
    let rowed = MASK.replace("RandomUniformLike(x)", "RandomUniformLike(start)");
    let made = scan(
        &rowed,
        "m_left, last, y = Scan(mask, start, x)",
        1,
        &["m", "st", "v"],
        &["m_out", "s_out", "o"],
    );
    let stripped = strips(&made).draws_nothing().leaves(&[
        "last, y = Scan(start, x)",
        "  body:",
        "    o = Tanh(v)",
        "    s_out = Add(st, v)",
    ]);
    insta::assert_snapshot!("scan_state", stripped.texts());
}

/// A graph without inputs whose one output is `output`.
fn branch(text: &str, output: &str) -> Graph {
    let mut graph = graph(nodes(text));
    graph.output.push(untyped(output));
    graph
}

fn if_node(output: &str, then: Graph, other: Graph) -> Node {
    op(&format!("{output} = If(train)"))
        .with(subgraph("then_branch", then))
        .with(subgraph("else_branch", other))
}

fn conditional(nodes: Vec<Node>) -> Model {
    let mut graph = spelt("", &numbers(0.3)).input_of("train", DataType::BOOL, &[]);
    graph.node = nodes;
    model(15, graph)
}

#[test]
fn dropout_in_a_branch_of_its_own() {
    let then = branch(
        &format!("xs = Mul(h, s)\n{}o = Mul(xs, k)", drawn_in("h")),
        "o",
    );
    let other = branch("i = Identity(h)", "i");
    let made = conditional(vec![
        op("h = Relu(x)"),
        if_node("d", then, other),
        op("y = Tanh(d)"),
    ]);
    let stripped = strips(&made).draws_nothing().leaves(&[
        "h = Relu(x)",
        "d = If(train)",
        "  then_branch:",
        "    o = Identity(h)",
        "  else_branch:",
        "    i = Identity(h)",
        "y = Tanh(d)",
    ]);
    insta::assert_snapshot!("if_gated", stripped.texts());
}

/// TensorFlow 1: the branch has the mask only, else ones.
#[test]
fn a_mask_that_leaves_a_branch() {
    let then = branch(&format!("{}o = Mul(k, s)", drawn_in("h")), "o");
    let other = branch("sh = Shape(h)\ni = Expand(one, sh)", "i");
    let made = conditional(vec![
        op("h = Relu(x)"),
        if_node("m", then, other),
        op("d = Mul(h, m)"),
        op("y = Tanh(d)"),
    ]);
    let stripped = strips(&made)
        .draws_nothing()
        .leaves(&["h = Relu(x)", "y = Tanh(h)"]);
    insta::assert_snapshot!("mask_leaves_if", stripped.texts());
}

/// In the other branch is a number that is not what the mask keeps with.
#[test]
fn a_mask_that_leaves_a_branch_with_another_number_in_the_other() {
    let then = branch(&format!("{}o = Mul(k, s)", drawn_in("h")), "o");
    let other = branch("sh = Shape(h)\ni = Expand(p, sh)", "i");
    let made = conditional(vec![
        op("h = Relu(x)"),
        if_node("m", then, other),
        op("d = Mul(h, m)"),
        op("y = Tanh(d)"),
    ]);
    let options = dropout_onnx::rewrite::strip::Options::default();
    match dropout_onnx::rewrite::strip::strip(&made.read(), &options) {
        Err(why) => assert!(
            why.to_string().contains("in the branch without the mask"),
            "{why}"
        ),
        Ok(stripped) => assert!(stripped.outcome.is_unchanged(), "{:?}", stripped.outcome),
    }
}

#[test]
fn a_classic_mask_that_leaves_a_branch_with_one_in_the_other_is_refused() {
    let then = branch(&drawn_in("h"), "k");
    let other = branch("sh = Shape(h)\ni = Expand(one, sh)", "i");
    let made = conditional(vec![
        op("h = Relu(x)"),
        if_node("m", then, other),
        op("d = Mul(h, m)"),
        op("y = Tanh(d)"),
    ]);
    let why = refusal(&made);
    assert!(
        why.contains("it scales the data in the branch without the mask"),
        "{why}"
    );
}

/// The twin: the other branch has what inference scales by.
#[test]
fn a_classic_mask_that_leaves_a_branch_with_its_scale_in_the_other() {
    let then = branch(&drawn_in("h"), "k");
    let other = branch("sh = Shape(h)\ni = Expand(keep, sh)", "i");
    let made = conditional(vec![
        op("h = Relu(x)"),
        if_node("m", then, other),
        op("d = Mul(h, m)"),
        op("y = Tanh(d)"),
    ]);
    strips(&made)
        .draws_nothing()
        .leaves(&["h = Relu(x)", "d = Mul(h, d/scale)", "y = Tanh(d)"])
        .scales(&[("d", 0.7)]);
}

/// A model that imports `local` and has these functions.
fn with_functions(graph: Graph, functions: Vec<Function>) -> Model {
    let mut made = model(15, graph).imports("local", 1);
    made.functions = functions;
    made
}

/// All of dropout, its keep probability as an input.
fn drop_function(text: &str) -> Function {
    function("Drop", "i, keep", "o", 15, nodes(text))
}

const DROP: &str = "r = RandomUniformLike(i)\nb = Less(r, keep)\nk = CastLike(b, i)\nd = Mul(i, k)\n\
                    o = Div(d, keep)";

#[test]
fn a_function_that_is_dropout_is_left_as_an_identity() {
    let text = "h = Relu(x)\nd = local::Drop(h, keep)\ny = Tanh(d)";
    let made = with_functions(spelt(text, &[("keep", 0.7)]), vec![drop_function(DROP)]);
    let stripped = strips(&made).draws_nothing();
    insta::assert_snapshot!("function_of_dropout", stripped.texts());
}

#[test]
fn a_function_called_with_two_rates() {
    let text = "h = local::Drop(x, keep)\nt = Tanh(h)\ny = local::Drop(t, half)";
    let graph = spelt(text, &[("keep", 0.7), ("half", 0.5)]);
    let made = with_functions(graph, vec![drop_function(DROP)]);
    let stripped = strips(&made).draws_nothing();
    let rates: Vec<_> = stripped.sites.iter().map(|site| site.rate).collect();
    assert_eq!(rates, [Some(0.3), Some(0.5)]);
    insta::assert_snapshot!("function_called_with_two_rates", stripped.texts());
}

#[test]
fn a_classic_function_called_with_two_rates_is_refused() {
    let text = "h = local::Drop(x, keep)\nt = Tanh(h)\ny = local::Drop(t, half)";
    let graph = spelt(text, &[("keep", 0.7), ("half", 0.5)]);
    let classic = DROP.replace("\nd = Mul(i, k)", "\no = Mul(i, k)");
    let classic = classic.replace("\no = Div(d, keep)", "");
    let made = with_functions(graph, vec![drop_function(&classic)]);
    let why = refusal(&made);
    assert!(
        why.contains("the calls of its function have different scales"),
        "{why}"
    );
}

/// The twin: the same rate twice.
#[test]
fn a_classic_function_gets_a_constant_for_its_factor() {
    let text = "h = local::Drop(x, keep)\nt = Tanh(h)\ny = local::Drop(t, keep)";
    let graph = spelt(text, &[("keep", 0.75)]);
    let classic = DROP.replace("\nd = Mul(i, k)", "\no = Mul(i, k)");
    let classic = classic.replace("\no = Div(d, keep)", "");
    let mut function = drop_function(&classic);
    // the type is told by the function alone
    function.value_info = vec![
        crate::common::build::typed("i", DataType::FLOAT, SHAPE),
        crate::common::build::typed("o", DataType::FLOAT, SHAPE),
    ];
    let made = with_functions(graph, vec![function]);
    let stripped = strips(&made).draws_nothing().leaves(&[
        "h = local::Drop(x, keep)",
        "t = Tanh(h)",
        "y = local::Drop(t, keep)",
        "Drop(i, keep) -> (o):",
        "  o/scale = Constant()",
        "  o = Mul(i, o/scale)",
    ]);
    insta::assert_snapshot!("classic_function", stripped.texts());
}

/// `aten_bernoulli_p` of torch 2.4: the mask only, its threshold an attribute of the call.
fn bernoulli_p() -> Function {
    let mut body = vec![
        op("t = Constant()").with(reference("value_float", "p", 1)),
        op("l = CastLike(t, self)"),
        op("r = RandomUniformLike(self)"),
    ];
    body.extend(nodes("b = Less(r, l)\no = CastLike(b, self)"));
    let mut made = function("aten_bernoulli_p", "self", "o", 15, body);
    made.attribute = vec!["p".into()];
    made
}

#[test]
fn a_mask_in_a_function_called_with_two_rates_is_removed() {
    let text = "h = Relu(x)\nkd = Div(m, keep)\nd = Mul(h, kd)\nt = Tanh(d)\nnd = Div(n, half)\n\
                y = Mul(t, nd)";
    let mut graph = spelt(text, &[("keep", 0.7), ("half", 0.5)]);
    for (place, output, keep) in [(1, "m", 0.7), (5, "n", 0.5)] {
        let of = if output == "m" { "h" } else { "t" };
        let call = op(&format!("{output} = local::aten_bernoulli_p({of})"));
        graph.node.insert(place, call.with(float("p", keep)));
    }
    let other = function("Other", "i", "o", 15, [op("o = Relu(i)")]);
    let idle = function("Idle", "i", "o", 15, [op("o = local::Other(i)")]);
    let made = with_functions(graph, vec![bernoulli_p(), other, idle]);
    let stripped = strips(&made).draws_nothing().leaves(&[
        "h = Relu(x)",
        "y = Tanh(h)",
        "Other(i) -> (o):",
        "  o = Relu(i)",
        "Idle(i) -> (o):",
        "  o = local::Other(i)",
    ]);
    insta::assert_snapshot!("function_of_the_mask", stripped.texts());
}

/// Its draw looks like the one that goes with the mask, and is no other for that.
#[test]
fn a_function_that_nothing_calls_stays_as_it_was() {
    let mut graph = spelt("h = Relu(x)\nd = Mul(h, m)\ny = Tanh(d)", &[]);
    let call = op("m2 = local::aten_bernoulli_p(h)").with(float("p", 0.5));
    let half = op("half = Constant()").with(float("value_float", 0.5));
    graph
        .node
        .splice(1..1, [call, half, op("m = Div(m2, half)")]);
    let idle = function(
        "Idle",
        "i",
        "o",
        15,
        nodes("r = RandomUniformLike(i)\no = Div(i, r)"),
    );
    let made = with_functions(graph, vec![bernoulli_p(), idle]);
    strips(&made).leaves(&[
        "h = Relu(x)",
        "y = Tanh(h)",
        "Idle(i) -> (o):",
        "  r = RandomUniformLike(i)",
        "  o = Div(i, r)",
    ]);
}

/// Of a chain of functions all go that nothing else calls.
#[test]
fn functions_around_the_mask_go_too() {
    let outer = function(
        "Mask",
        "i",
        "o",
        15,
        [
            op("m = local::aten_bernoulli_p(i)").with(float("p", 0.5)),
            op("c = local::Half(m)"),
            op("o = Identity(c)"),
        ],
    );
    let half = function(
        "Half",
        "i",
        "o",
        15,
        [
            op("c = Constant()").with(float("value_float", 0.5)),
            op("o = Div(i, c)"),
        ],
    );
    let text = "h = Relu(x)\nm = local::Mask(h)\nd = Mul(h, m)\ny = local::Half(d)";
    let made = with_functions(spelt(text, &[]), vec![bernoulli_p(), half, outer]);
    let stripped = strips(&made).draws_nothing().leaves(&[
        "h = Relu(x)",
        "y = local::Half(h)",
        "Half(i) -> (o):",
        "  c = Constant()",
        "  o = Div(i, c)",
    ]);
    assert_eq!(stripped.outcome.functions.len(), 2);
}
