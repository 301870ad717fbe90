//! Changes that change nothing that is computed.

use dropout_onnx::onnx::{self, DataType};
use dropout_onnx::source::Source;
use dropout_onnx::verify::{self, Demand, Verdict, structure};
use prost::Message;

use super::check::{neutral, same};
use super::models::{branches, calls, draws, inner, layers, masked, node};
use crate::common::build::{
    entry, f32_scalar, f32s, flag, float, graph, int, model, op, tensor, typed, untyped, x_to_y,
};
use crate::common::proto::{Graph, Model, Tensor};

/// Renames a value of one graph.
fn rename(graph: &mut Graph, old: &str, new: &str) {
    for node in &mut graph.node {
        let names = node.input.iter_mut().chain(&mut node.output);
        names
            .filter(|name| *name == old)
            .for_each(|name| *name = new.into());
    }
    let infos = graph.input.iter_mut().chain(&mut graph.output);
    let tensors = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
    let names = infos.map(|info| &mut info.name).chain(tensors);
    names
        .filter(|name| name.as_deref() == Some(old))
        .for_each(|name| *name = Some(new.into()));
}

#[test]
fn inner_values_and_weights_renamed() {
    neutral(&layers(), |after| {
        for name in ["g", "h", "d", "k", "w", "r"] {
            rename(after.main_mut(), name, &format!("renamed/{name}"));
        }
    });
}

#[test]
fn values_of_a_branch_renamed() {
    neutral(&branches(), |after| {
        let then = inner(after, "then_branch");
        for name in ["h", "e", "t"] {
            rename(then, name, &format!("renamed/{name}"));
        }
    });
}

#[test]
fn values_of_a_function_renamed() {
    neutral(&calls(), |after| {
        let f = &mut after.functions[0];
        let mut names: Vec<&mut String> = f.input.iter_mut().chain(&mut f.output).collect();
        names.extend(
            f.node
                .iter_mut()
                .flat_map(|n| n.input.iter_mut().chain(&mut n.output)),
        );
        names
            .into_iter()
            .for_each(|name| name.insert_str(0, "renamed/"));
    });
}

#[test]
fn identity_inserted() {
    neutral(&layers(), |after| {
        after.main_mut().node.push(op("same = Identity(h)"));
        node(after, "d").input[0] = "same".into();
    });
}

#[test]
fn identity_inserted_in_a_branch() {
    neutral(&branches(), |after| {
        let otherwise = inner(after, "else_branch");
        otherwise.node.push(op("same = Identity(e)"));
        otherwise.node[1].input[0] = "same".into();
    });
}

#[test]
fn dropout_inserted() {
    neutral(&layers(), |after| {
        after.main_mut().node.push(op("more = Dropout(g, r, t)"));
        node(after, "h").input[0] = "more".into();
    });
}

#[test]
fn dropout_of_another_rate_and_switch() {
    neutral(&layers(), |after| {
        let tensors = &mut after.main_mut().initializer;
        let rate = tensors.iter_mut().find(|t| t.name() == "r").unwrap();
        rate.raw_data = f32_scalar(0.1).raw_data;
        let switch = tensors.iter_mut().find(|t| t.name() == "t").unwrap();
        switch.raw_data = flag(false).raw_data;
    });
}

#[test]
fn dropout_of_another_rate_before_opset_12() {
    let nodes = [
        op("d = Dropout(x)")
            .with(float("ratio", 0.5))
            .with(int("is_test", 0)),
        op("y = Relu(d)"),
    ];
    neutral(&model(6, x_to_y(nodes)), |after| {
        node(after, "d").attribute = vec![float("ratio", 0.25), int("is_test", 1)];
    });
}

#[test]
fn mask_written_out() {
    for opset in [1, 7, 9, 10, 13] {
        let before = masked(opset);
        same(&before.read(), &super::check::stripped(&before).read());
        same(&super::check::stripped(&before).read(), &before.read());
    }
}

#[test]
fn initializer_made_a_constant_node() {
    for name in ["s", "w"] {
        neutral(&layers(), |after| {
            let main = after.main_mut();
            let place = main
                .initializer
                .iter()
                .position(|t| t.name() == name)
                .unwrap();
            let value = Tensor {
                name: None,
                ..main.initializer.remove(place)
            };
            let constant = op(&format!("{name} = Constant()")).with(tensor("value", value));
            main.node.insert(0, constant);
        });
    }
}

/// Moves a weight from `raw_data` to `float_data`.
fn to_float_data(model: &mut Model, name: &str) {
    let tensors = &mut model.main_mut().initializer;
    let tensor = tensors.iter_mut().find(|t| t.name() == name).unwrap();
    let raw = tensor.raw_data.take().unwrap();
    let (elements, _) = raw.as_chunks::<4>();
    tensor.float_data = elements.iter().map(|&e| f32::from_le_bytes(e)).collect();
}

#[test]
fn raw_data_made_float_data() {
    for name in ["s", "w"] {
        neutral(&layers(), |after| to_float_data(after, name));
    }
}

#[test]
fn raw_data_made_external_data() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["s", "w"] {
        let mut after = layers();
        let tensors = &mut after.main_mut().initializer;
        let tensor = tensors.iter_mut().find(|t| t.name() == name).unwrap();
        let mut file = vec![0xff; 64];
        file.extend(tensor.raw_data.take().unwrap());
        file.extend([0xff; 64]);
        std::fs::write(folder.path().join(name), &file).unwrap();
        tensor.data_location = Some(1);
        tensor.external_data = vec![
            entry("location", name),
            entry("offset", "64"),
            entry("length", &(file.len() - 128).to_string()),
        ];
        let source = Source::from_bytes(after.encode_to_vec());
        let after = onnx::Model::read_in(source, Some(folder.path().into())).unwrap();
        same(&layers().read(), &after);
        same(&after, &layers().read());
    }
}

#[test]
fn equal_weights_merged() {
    let nodes = ["d = Dropout(x)", "a = Mul(d, v)", "y = Add(a, w)"].map(op);
    let graph = x_to_y(nodes)
        .init("v", f32_scalar(2.0))
        .init("w", f32_scalar(2.0));
    neutral(&model(13, graph), |after| {
        after.main_mut().initializer.pop();
        node(after, "y").input[1] = "v".into();
    });
}

#[test]
fn names_texts_and_types_for_people() {
    neutral(&layers(), |after| {
        after.metadata_props = vec![entry("author", "somebody")];
        let main = after.main_mut();
        main.name = Some("another name".into());
        main.doc_string = Some("words".into());
        main.value_info.push(typed("h", DataType::FLOAT, &[2, 400]));
        for (index, node) in main.node.iter_mut().enumerate() {
            node.name = Some(format!("node {index}"));
            node.doc_string = Some("more words".into());
            node.metadata_props = vec![entry("key", "value")];
        }
    });
}

#[test]
fn nodes_in_another_order() {
    neutral(&layers(), |after| after.main_mut().node.reverse());
    neutral(&branches(), |after| {
        inner(after, "then_branch").node.reverse()
    });
    neutral(&calls(), |after| after.functions[0].node.reverse());
}

#[test]
fn weights_in_another_order() {
    neutral(&layers(), |after| after.main_mut().initializer.reverse());
}

#[test]
fn functions_in_another_order() {
    let mut before = calls();
    let mut idle = before.functions[0].clone();
    idle.name = Some("Idle".into());
    before.functions.push(idle);
    neutral(&before, |after| after.functions.reverse());
}

#[test]
fn dead_nodes_and_weights_added() {
    neutral(&layers(), |after| {
        let main = after.main_mut();
        main.node.push(op("dead = Tanh(g)"));
        main.node.push(op("deader = Dropout(dead)"));
        let unused = Tensor {
            name: Some("unused".into()),
            ..f32_scalar(3.0)
        };
        main.initializer.push(unused);
    });
}

#[test]
fn dead_nodes_added_around_draws() {
    neutral(&draws(), |after| {
        after.main_mut().node.push(op("dead = Tanh(x)"))
    });
}

#[test]
fn computed_twice_instead_of_once() {
    neutral(&layers(), |after| {
        after.main_mut().node.push(op("again = MatMul(x, w)"));
        node(after, "h").input[0] = "again".into();
    });
}

#[test]
fn domain_spelled_out() {
    neutral(&layers(), |after| {
        after.opset_import[0].domain = Some("ai.onnx".into());
        for node in &mut after.main_mut().node {
            node.domain = Some("ai.onnx".into());
        }
    });
}

#[test]
fn absent_inputs_at_the_end_spelled_out() {
    let nodes = ["h = Clip(x, low)", "y = Dropout(h)"].map(op);
    neutral(
        &model(13, x_to_y(nodes).init("low", f32_scalar(0.0))),
        |after| {
            node(after, "h").input.push(String::new());
        },
    );
}

#[test]
fn attributes_in_another_order() {
    let nodes = [
        op("d = Dropout(x)"),
        op("y = Selu(d)")
            .with(float("alpha", 1.5))
            .with(float("gamma", 1.25)),
    ];
    neutral(&model(13, x_to_y(nodes)), |after| {
        node(after, "y").attribute.reverse()
    });
}

/// Structure does not know that these are equal, and says so; who asks for outputs only is content
/// with the run.
#[test]
fn what_only_a_run_shows_is_no_rewrite_but_equal_outputs() {
    let of = |nodes: &[&str]| {
        let graph = x_to_y(nodes.iter().map(|node| op(node)));
        model(13, graph.init("w", f32s(&[3, 3], &[0.5; 9])))
    };
    let before = of(&["d = Dropout(x)", "y = MatMul(d, w)"]);
    let after = of(&["y = Gemm(x, w)"]);
    let options = verify::Options::default();
    let verification = verify::verify(&before.read(), &after.read(), &options).unwrap();
    let structure = verification.structure.as_ref().unwrap();
    let structure::Verdict::Different(mismatch) = structure else {
        panic!("{structure:?}");
    };
    assert_eq!(mismatch.kind, structure::Kind::Operators);
    assert_eq!(verification.verdict(Demand::Outputs), Verdict::Equal);
    let verdict = verification.verdict(Demand::Rewrite);
    assert!(matches!(verdict, Verdict::Different { .. }), "{verdict:?}");
}

/// Neither way has an answer: that is not equal.
#[test]
fn what_cannot_be_run_is_not_equal_for_that() {
    let mut body = graph([op("t = com.example::Foo(x)")]);
    body.output.push(untyped("t"));
    let before = model(13, x_to_y([op("y = com.example::Foo(x)")])).imports("com.example", 1);
    let options = verify::Options::default().structure(false);
    let mut after = before.clone();
    after.metadata_props.push(entry("note", "another file"));
    let verification = verify::verify(&before.read(), &after.read(), &options).unwrap();
    for demand in [Demand::Rewrite, Demand::Outputs] {
        match verification.verdict(demand) {
            Verdict::NotShown { reason } => {
                assert!(reason.contains("com.example::Foo"), "{reason}");
            }
            verdict => panic!("{verdict:?}"),
        }
    }
}
