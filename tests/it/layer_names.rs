//! The layer a dropout comes from, told by the names that exporters write, or not told.

use crate::common::build::{
    entry, f32_scalar, f32s, flag, function, graph, model, op, subgraph, x_to_y,
};
use crate::common::proto::{Function, Graph, Model, Node};
use crate::common::sites;

/// The layers of all sites of a model.
fn layers(model: &Model) -> Vec<Option<String>> {
    let sites = sites(model);
    sites.into_iter().map(|site| site.layer).collect()
}

fn is(model: Model, layer: Option<&str>) {
    assert_eq!(layers(&model), [layer.map(str::to_string)]);
}

/// A random mask of x with a source and an exit of these names.
fn mask(exit: &str, source: &str, random: &str) -> Model {
    let nodes = [
        op(&format!("r = {random}(x)")).named(source),
        op("b = GreaterOrEqual(r, p)").named("b"),
        op("k = Cast(b)").with(crate::common::build::int("to", 1)),
        op("s = Mul(x, c)"),
        op("y = Mul(k, s)").named(exit),
    ];
    let graph = x_to_y(nodes).init("p", f32_scalar(0.5));
    model(13, graph.init("c", f32_scalar(2.0)))
}

fn keras2(exit: &str, source: &str, layer: Option<&str>) {
    is(mask(exit, source, "RandomUniformLike"), layer);
}

fn keras3(exit: &str, source: &str, layer: Option<&str>) {
    is(mask(exit, source, "StatelessRandomUniformV2"), layer);
}

/// A Dropout that acts, in a main graph.
fn operator(node: Node) -> Model {
    let graph = x_to_y([node]).init("ratio", f32_scalar(0.5));
    model(13, graph.init("training", flag(true)))
}

fn dropout(name: &str) -> Node {
    op("y = Dropout(x, ratio, training)").named(name)
}

#[test]
fn a_dropout_layer_of_keras_2() {
    for (exit, source, layer) in [
        (
            "mc/dropout_off/dropout/SelectV2__7283",
            "mc/dropout_off/dropout/random_uniform/RandomUniform",
            "mc/dropout_off",
        ),
        (
            "course/dropout_1/dropout/SelectV2__176",
            "course/dropout_1/dropout/random_uniform/RandomUniform",
            "course/dropout_1",
        ),
        (
            "StatefulPartitionedCall/mc/dropout_mc/dropout/SelectV2__15",
            "StatefulPartitionedCall/mc/dropout_mc/dropout/random_uniform/RandomUniform",
            "mc/dropout_mc",
        ),
        (
            "nested/inner/drop/dropout/SelectV2__15",
            "nested/inner/drop/dropout/random_uniform/RandomUniform",
            "nested/inner/drop",
        ),
    ] {
        keras2(exit, source, Some(layer));
    }
}

#[test]
fn a_recurrent_layer_that_drops() {
    keras2(
        "gru_m/gru_1/mul",
        "gru_m/gru_1/dropout/random_uniform/RandomUniform",
        Some("gru_m/gru_1"),
    );
    keras2(
        "lstm_m/lstm/while/lstm_cell/mul_3",
        "lstm_m/lstm/while/lstm_cell/dropout_3/random_uniform/RandomUniform",
        Some("lstm_m/lstm"),
    );
    keras2(
        "StatefulPartitionedCall/m/lstm/PartitionedCall/while/lstm_cell/mul_3",
        "StatefulPartitionedCall/m/lstm/PartitionedCall/while/lstm_cell/dropout_3/random_uniform/R",
        Some("m/lstm"),
    );
}

#[test]
fn a_dropout_of_tensorflow_1() {
    let source = "drop/random_uniform/RandomUniform";
    keras2("drop/mul_1", source, Some("drop"));
    let source = "drop/cond/dropout/random_uniform/RandomUniform";
    keras2("drop/cond/dropout/mul_1", source, Some("drop"));
    // the only scope there is, is the dropout's own
    let source = "dropout/random_uniform/RandomUniform";
    keras2("dropout/mul_1", source, Some("dropout"));
    keras2("mul", "random_uniform/RandomUniform", None);
}

#[test]
fn keras_3_numbers_every_scope() {
    for (exit, source, layer) in [
        (
            "course_1/dropout_1/stateless_dropout/SelectV2__272",
            "course_1/dropout_1/stateless_dropout/stateless_random_uniform/StatelessRandomUniformV2",
            "course/dropout",
        ),
        (
            "course_1/dropout_1_2/stateless_dropout/SelectV2__284",
            "course_1/dropout_1_2/stateless_dropout/stateless_random_uniform/StatelessRandomUniformV2",
            "course/dropout_1",
        ),
        (
            "gru_m_1/gru_1_2/while/gru_cell_1/mul",
            "gru_m_1/gru_1_2/stateless_dropout/stateless_random_uniform/StatelessRandomUniformV2",
            "gru_m/gru_1",
        ),
        // not every scope is numbered: these numbers are the layers' own
        (
            "course/dropout_1/stateless_dropout/SelectV2__272",
            "course/dropout_1/stateless_dropout/stateless_random_uniform/StatelessRandomUniformV2",
            "course/dropout_1",
        ),
    ] {
        keras3(exit, source, Some(layer));
    }
}

/// As [`keras2`], in a model whose other nodes have these names.
fn among(others: &[&str], exit: &str, source: &str, layer: &str) {
    let mut model = mask(exit, source, "RandomUniformLike");
    let others = others.iter().enumerate();
    let others = others.map(|(i, name)| op(&format!("o{i} = Relu(x)")).named(name));
    model.main_mut().node.extend(others);
    is(model, Some(layer));
}

#[test]
fn keras_3_numbers_every_scope_of_layers_that_draw_themselves() {
    let (exit, source) = (
        "net_1/my_drop_1/truediv",
        "net_1/my_drop_1/random_uniform/RandomUniform",
    );
    let dense = "net_1/dense_1_2/Tensordot/MatMul";
    among(&[dense], exit, source, "net/my_drop");
    // one scope without a number: the numbers are the layers' own
    among(
        &[dense, "net_1/out/MatMul"],
        exit,
        source,
        "net_1/my_drop_1",
    );
    among(
        &[dense, "net/dense_1/MatMul"],
        exit,
        source,
        "net_1/my_drop_1",
    );
    // nor is it the second scope of a layer without a first
    among(
        &[dense, "net_1/out_3/MatMul"],
        exit,
        source,
        "net_1/my_drop_1",
    );
    among(
        &["net_1/out_1/MatMul", "net_1/out_2/MatMul"],
        exit,
        source,
        "net/my_drop",
    );
    // Keras 2 numbers layers and models that have no name of their own
    let keras_2 = "net_1/dropout_2/dropout/random_uniform/RandomUniform";
    among(&[dense, keras_2], exit, source, "net_1/my_drop_1");
}

#[test]
fn a_frozen_mask_of_keras_3() {
    let bits: Vec<f32> = (0..64u32)
        .map(|i| [0.0, 2.0][(i * i * 7 / 5 % 2) as usize])
        .collect();
    let bits: Vec<f32> = bits
        .iter()
        .enumerate()
        .map(|(i, &b)| if i % 13 == 5 { 2.0 - b } else { b })
        .collect();
    let product = op("y = Mul(x, m)").named("m_1/a_1/stateless_dropout/SelectV2__12");
    let graph = x_to_y([product]).init("m", f32s(&[8, 8], &bits));
    is(model(13, graph), Some("m/a"));
}

#[test]
fn a_draw_that_converters_merged_is_named_after_what_it_is_applied_to() {
    let source = "net/a/dropout/random_uniform/RandomUniform";
    keras2("net/b/dropout/SelectV2", source, Some("net/b"));
    keras2(
        "ens/member/mcdr/dropout/SelectV2",
        source,
        Some("ens/member/mcdr"),
    );
    // a product outside the scope of a dropout may be anything's
    keras2("net/b/mul", source, Some("net"));
}

#[test]
fn one_draw_of_several_layers_is_a_dropout_of_each() {
    let with = |exits: [&str; 2]| {
        let mut made = mask(
            exits[0],
            "net/a/dropout/random_uniform/RandomUniform",
            "RandomUniformLike",
        );
        let more = [
            op("g = Tanh(x)"),
            op("t = Mul(g, c)"),
            op("z = Mul(k, t)").named(exits[1]),
        ];
        made.main_mut().node.extend(more);
        made.main_mut()
            .output
            .push(crate::common::build::untyped("z"));
        layers(&made)
    };
    let of = |layer: &str| Some(layer.to_string());
    let two = with(["net/a/dropout/Mul_1", "net/b/dropout/Mul_1"]);
    assert_eq!(two, [of("net/a"), of("net/b")]);
    // the mask of one layer, used twice
    assert_eq!(with(["net/a/mul", "net/a/mul_1"]).len(), 1);
    assert_eq!(
        with(["net/a/dropout/Mul_1", "net/a/dropout/Mul_2"]).len(),
        1
    );
}

#[test]
fn attention_is_named_after_its_layer() {
    let named = |softmax: &str| {
        let mut model = mask(
            "block/mha/dropout/dropout/SelectV2__5857",
            "block/mha/dropout/dropout/random_uniform/RandomUniform",
            "RandomUniformLike",
        );
        let nodes = &mut model.main_mut().node;
        nodes[3].input[0] = "t".into();
        nodes.insert(0, op("t = Transpose(q)").named("Transpose__6166"));
        nodes.insert(0, op("q = Softmax(x)").named(softmax));
        model
    };
    is(named("block/mha/softmax/Softmax"), Some("block/mha"));
    // a dropout that follows the softmax of another layer is a layer itself
    is(named("block/dense/Softmax"), Some("block/mha/dropout"));
}

#[test]
fn a_path_of_torch() {
    for (name, layer) in [
        ("/2/Dropout", Some("2")),
        (
            "/encoder/layers.0/dropout/Dropout",
            Some("encoder.layers.0.dropout"),
        ),
        ("/classifier/classifier.0/Dropout", Some("classifier.0")),
        ("/mlp/mlp.2/Dropout_1", Some("mlp.2")),
        (
            "/features/features.1/features.1.1/d/Dropout",
            Some("features.1.1.d"),
        ),
        ("/m/model/encoder/Dropout_3", Some("m.model.encoder")),
        // the module that Keras 3 wraps a model in
        ("/_wrapped/Dropout_1", None),
        ("/_wrapped/encoder/drop/Dropout", Some("encoder.drop")),
        ("/wrapped/Dropout", Some("wrapped")),
        ("/Dropout", None),
    ] {
        is(operator(dropout(name)), layer);
    }
}

/// Two dropouts in a row, the second by a ratio of its own, and a weight.
fn twice(names: [&str; 2], ratio: f32, weight: &str) -> Vec<Option<String>> {
    let nodes = [
        op("h = Dropout(x, ratio, training)").named(names[0]),
        op("y = Dropout(h, second, training)").named(names[1]),
        op("z = Add(y, w)"),
    ];
    let graph = x_to_y(nodes).init("ratio", f32_scalar(0.5));
    let graph = graph
        .init("training", flag(true))
        .init("second", f32_scalar(ratio));
    let nodes = graph.init("w", f32_scalar(0.0));
    let mut model = model(13, nodes);
    let main = model.main_mut();
    main.initializer[3].name = Some(weight.into());
    main.node[2].input[1] = weight.into();
    layers(&model)
}

#[test]
fn later_calls_of_a_module_have_its_name() {
    let is = |names, layers: [&str; 2]| {
        let layers = layers.map(|layer| Some(layer.to_string()));
        assert_eq!(twice(names, 0.5, "w"), layers);
    };
    is(["/d/Dropout", "/d_1/Dropout"], ["d", "d"]);
    is(["/a/d/Dropout", "/a/d_1/Dropout"], ["a.d", "a.d"]);
    is(["/a/d/Dropout", "/a_1/d/Dropout"], ["a.d", "a.d"]);
    is(
        ["/e/e.0/d/Dropout", "/e_1/e.0/d/Dropout"],
        ["e.0.d", "e.0.d"],
    );
    // no call before it
    is(["/d_1/Dropout", "/d_2/Dropout"], ["d_1", "d_2"]);
    is(["/d/Dropout", "/d_2/Dropout"], ["d", "d_2"]);
    is(["/a/d/Dropout", "/d_1/Dropout"], ["a.d", "d_1"]);
    is(["/d/Dropout", "/d_0/Dropout"], ["d", "d_0"]);
}

#[test]
fn a_number_that_is_a_module_s_own_stays() {
    let names = ["/a/d/Dropout", "/a_1/d/Dropout"];
    let own = ["a.d", "a_1.d"].map(|layer| Some(layer.to_string()));
    assert_eq!(twice(names, 0.5, "a_1.linear.weight"), own);
    let names = ["/d/Dropout", "/d_1/Dropout"];
    let own = ["d", "d_1"].map(|layer| Some(layer.to_string()));
    assert_eq!(twice(names, 0.25, "w"), own);
}

#[test]
fn names_without_a_layer() {
    for name in [
        "",
        "Dropout__46",
        "Dropout_2",
        "node_native_dropout__1",
        "/",
    ] {
        is(operator(dropout(name)), None);
    }
    keras2("Mul__4", "RandomUniformLike__3", None);
    keras2("a/mul", "b/random_uniform/RandomUniform", None);
}

#[test]
fn metadata_of_the_dynamo_exporter() {
    let with = |key: &str, value: &str| {
        let mut node = dropout("node_native_dropout__1");
        node.metadata_props = vec![entry("other", "['', 'no']"), entry(key, value)];
        operator(node)
    };
    let scopes = "pkg.torch.onnx.name_scopes";
    is(
        with(
            scopes,
            "['', 'encoder', 'encoder.dropout', 'native_dropout']",
        ),
        Some("encoder.dropout"),
    );
    is(with(scopes, "['', 'native_dropout']"), None);
    for odd in ["", "'", "[]", "['']", "no list"] {
        is(with(scopes, odd), None);
    }
    let levels = ": torch.nn.modules.container.Sequential/2: torch.nn.modules.dropout.Dropout\
        /native_dropout: aten.native_dropout.default";
    is(with("namespace", levels), Some("2"));
    is(with("stack_trace", levels), None);
}

#[test]
fn a_dropout_in_the_loop_of_a_layer() {
    let looped = |name: &str| {
        let body = graph([
            op("o = Dropout(x)").named("Dropout__1296"),
            op("c = Identity(cond)"),
        ]);
        let body = Graph {
            input: vec![
                crate::common::build::untyped("i"),
                crate::common::build::untyped("cond"),
            ],
            output: vec![
                crate::common::build::untyped("c"),
                crate::common::build::untyped("o"),
            ],
            ..body
        };
        let node = op("y = Loop(, more)").with(subgraph("body", body));
        model(13, x_to_y([node.named(name)]).init("more", flag(true)))
    };
    is(looped("lstm_m/lstm/while_loop"), Some("lstm_m/lstm"));
    is(looped("/r/Loop"), Some("r"));
    is(looped("while_loop"), None);
}

fn in_function(name: &str) -> Function {
    let node = op("b = Dropout(a, ratio, training)").named("Dropout_6");
    let constants = [
        op("ratio = Constant()").with(crate::common::build::float("value_float", 0.3)),
        op("training = Constant()").with(crate::common::build::tensor("value", flag(true))),
    ];
    function(name, "a, w", "b", 13, constants.into_iter().chain([node]))
}

#[test]
fn a_function_that_is_named_after_its_module() {
    let name = "torch_nn_modules_dropout_Dropout2d_L__self___layers_0_drop_out_1";
    let call = |name: &str, more: &[&str]| {
        let calls = [op(&format!("y = local::{name}(x)"))];
        let more = more.iter().map(|text| op(text));
        let graph = x_to_y(calls.into_iter().chain(more));
        let graph = graph.init("layers.0.fc.weight", f32_scalar(1.0));
        model(18, graph)
            .imports("local", 1)
            .function(in_function(name))
    };
    is(call(name, &["z = Relu(y)"]), Some("layers.0.drop_out"));
    // all of the model is one function: it is the model
    let root = "__main___FDrop_L__s___m_1";
    is(call(root, &[]), None);
    is(call(root, &["z = Relu(y)"]), Some("m"));
    is(call("Dropout", &["z = Relu(y)"]), None);
}

#[test]
fn a_function_whose_call_is_named_after_its_module() {
    let call = |name: &str, more: &[&str]| {
        let call = op("y = local::Dropout(x)").named(name);
        let more = more.iter().map(|text| op(text));
        model(18, x_to_y([call].into_iter().chain(more)))
            .imports("local", 1)
            .function(in_function("Dropout"))
    };
    is(call("/enc/drop", &["z = Relu(y)"]), Some("enc.drop"));
    is(
        call("/enc/drop/Dropout", &["z = Relu(y)"]),
        Some("enc.drop"),
    );
    is(call("/Dropout", &["z = Relu(y)"]), None);
    is(call("Dropout_3", &["z = Relu(y)"]), None);
    // two modules share the function
    is(call("/enc/drop", &["z = local::Dropout(y)"]), None);
}

#[test]
fn a_function_that_is_passed_the_weights_of_its_module() {
    let calls = |calls: &[&str]| {
        let graph = x_to_y(calls.iter().map(|text| op(text)));
        let graph = graph.init("self_attn.in_proj_weight", f32_scalar(1.0));
        let graph = graph.init("other.weight", f32_scalar(1.0));
        let function = in_function("MultiheadAttention");
        model(15, graph).imports("local", 1).function(function)
    };
    let first = "z = local::MultiheadAttention(x, self_attn.in_proj_weight)";
    is(calls(&[first]), Some("self_attn"));
    let again = "y = local::MultiheadAttention(z, self_attn.in_proj_weight)";
    is(calls(&[first, again]), Some("self_attn"));
    // two modules share the function: neither is the layer
    let other = "y = local::MultiheadAttention(z, other.weight)";
    is(calls(&[first, other]), None);
    is(calls(&["y = local::MultiheadAttention(x)"]), None);
}
