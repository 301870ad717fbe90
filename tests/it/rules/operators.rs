//! Rules about operators that are no dropout.

use dropout_onnx::audit::Verdict;
use dropout_onnx::onnx::DataType;

use super::{fires, silent, verdict};
use crate::common::build::{f32s, function, graph, i64s, int, ints, model, op, x_to_y};
use crate::common::proto::{Model, Node};

fn normalised(opset: i64, node: Node) -> Model {
    let graph = x_to_y([node]).init("s", f32s(&[3], &[1.0; 3]));
    model(opset, graph)
}

fn norm(outputs: &str) -> Node {
    op(&format!("{outputs} = BatchNormalization(x, s, s, s, s)"))
}

#[test]
fn batchnorm_training() {
    let rule = "batchnorm-training";
    let what = "is in training mode: it normalizes by the current batch";
    let mode = |on| norm("y, m, v").with(int("training_mode", on));
    fires(rule, &normalised(15, mode(1)), what);
    fires(
        rule,
        &normalised(14, norm("y").with(int("training_mode", 1))),
        what,
    );
    assert_eq!(verdict(&normalised(15, mode(1))), Some(Verdict::Training));
    assert_eq!(verdict(&normalised(15, mode(0))), Some(Verdict::Clean));
    silent(rule, &normalised(15, mode(0)));
    silent(rule, &normalised(15, norm("y")));

    // from 7 to 13 the outputs tell
    for opset in [7, 9, 13] {
        fires(rule, &normalised(opset, norm("y, m, v, sm, sv")), what);
        silent(rule, &normalised(opset, norm("y")));
        silent(rule, &normalised(opset, norm("y, , ,")));
        silent(
            rule,
            &normalised(opset, norm("y").with(int("training_mode", 1))),
        );
    }

    // and is_test before, whose default is training
    for opset in [1, 6] {
        fires(rule, &normalised(opset, norm("y, m, v, sm, sv")), what);
        fires(
            rule,
            &normalised(opset, norm("y, m, v").with(int("is_test", 0))),
            what,
        );
        silent(
            rule,
            &normalised(opset, norm("y, m, v").with(int("is_test", 1))),
        );
        silent(rule, &normalised(opset, norm("y")));
    }
}

/// As tf2onnx and JAX write it.
#[test]
fn batch_normalization_that_is_written_out() {
    let rule = "batchnorm-training";
    let what = "normalizes by the current batch, without running statistics: export again";
    let written = |text: &str, axes: &[i64], start: &str| {
        let lines = text.lines().map(|line| match op(line) {
            mean if mean.op_type() == "ReduceMean" => mean.with(ints("axes", axes)),
            other => other,
        });
        let ends = [
            op("e = Add(var, eps)"),
            op("d = Sqrt(e)"),
            op("c = Sub(h, m)"),
            op("y = Div(c, d)"),
        ];
        let nodes = [op(start)].into_iter().chain(lines).chain(ends);
        let body = graph(nodes)
            .input_of("x", DataType::FLOAT, &[-1, 3, 4, 4])
            .output_of("y", DataType::FLOAT, &[-1, 3, 4, 4])
            .init("w", f32s(&[3, 3, 1, 1], &[0.5; 9]))
            .init("rows", i64s(&[1, -1, 16, 1]))
            .init("eps", f32s(&[], &[1e-3]));
        model(15, body)
    };
    let tensorflow = "m = ReduceMean(h)\ns = Sub(h, m)\nsq = Mul(s, s)\nvar = ReduceMean(sq)";
    let fast =
        "m = ReduceMean(h)\nsq = Mul(h, h)\nms = ReduceMean(sq)\nmm = Mul(m, m)\nvar = Sub(ms, mm)";
    for text in [tensorflow, fast] {
        let normalised = written(text, &[0, 2, 3], "h = Conv(x, w)");
        fires(rule, &normalised, what);
        assert_eq!(verdict(&normalised), Some(Verdict::Training));
        // tf2onnx transposes between layers and their normalization
        let mut transposed = normalised;
        let nodes = &mut transposed.graph.as_mut().unwrap().node;
        let centred = nodes.iter().position(|node| node.output[0] == "c");
        nodes[centred.unwrap()].input[0] = "t".into();
        nodes.insert(1, op("t = Transpose(h)"));
        fires(rule, &transposed, what);
        // one channel of one element of a batch, all of a tensor, and weights
        silent(rule, &written(text, &[2, 3], "h = Conv(x, w)"));
        silent(rule, &written(text, &[0, 1, 2, 3], "h = Conv(x, w)"));
        silent(rule, &written(text, &[0, 2, 3], "h = Relu(w)"));
        // Keras 2 lays rows out as channels of one element for its LayerNormalization
        silent(rule, &written(text, &[0, 2, 3], "h = Reshape(x, rows)"));
    }
    // mean and deviation are features, and scale nothing
    let mut pooled = written(tensorflow, &[0, 2, 3], "h = Conv(x, w)");
    let nodes = &mut pooled.graph.as_mut().unwrap().node;
    *nodes.last_mut().unwrap() = op("y = Concat(m, d)").with(int("axis", 1));
    silent(rule, &pooled);
    // a mean of squares, and no mean
    let squares = "m = ReduceMax(h)\nsq = Mul(h, h)\nvar = ReduceMean(sq)";
    silent(rule, &written(squares, &[0, 2, 3], "h = Conv(x, w)"));
}

#[test]
fn a_normalization_of_a_custom_domain_is_ignored() {
    let rule = "batchnorm-training";
    let node = op("y, m, v = local::BatchNormalization(x, s, s, s, s)");
    silent(rule, &normalised(15, node.with(int("training_mode", 1))));
    // a function may take the operator's place
    let mut own = function("BatchNormalization", "a", "b", 15, [op("b = Relu(a)")]);
    own.domain = None;
    let model = normalised(15, norm("y").with(int("training_mode", 1)));
    silent(rule, &model.function(own));
}
