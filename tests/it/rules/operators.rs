//! Rules about operators that are no dropout.

use dropout_onnx::audit::Verdict;

use super::{fires, silent, verdict};
use crate::common::build::{f32s, function, int, model, op, x_to_y};
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
