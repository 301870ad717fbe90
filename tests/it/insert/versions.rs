//! The operator that each opset has, and what it cannot express.

use dropout_onnx::dropout::{self, Mode};
use dropout_onnx::onnx::DataType;

use super::check::*;
use crate::common::build::*;
use crate::common::proto::Model;

fn relu(opset: i64) -> Model {
    model(opset, x_to_y([op("h = Relu(x)"), op("y = Neg(h)")]))
}

#[test]
fn every_opset_gets_its_operator() {
    for opset in 1..=22 {
        let model = relu(opset);
        for acting in ["inert", "active", "runtime"] {
            let options = acts(acting, options([after("Relu")]));
            let expected = match (acting, opset) {
                ("inert", _) => Some(Mode::Inert),
                ("active", ..=6 | 12..) => Some(Mode::Active),
                ("runtime", 12..) => Some(Mode::Runtime),
                _ => None,
            };
            // opset 8 and less come with IR version 3
            let Some(mode) = expected else {
                let why = refusal(&model, &options);
                assert!(why.contains(&format!("opset {opset}")), "{why}");
                assert!(why.contains("opset 12 or later"), "{why}");
                continue;
            };
            let (inserted, after) = inserts(&model, &options);
            let read = inserted.edited.model();
            let sites = dropout::find(&dropout_onnx::Analysis::of(read)).unwrap();
            assert_eq!(sites.len(), 1);
            let site = &sites[0];
            assert_eq!((site.mode, site.rate), (mode, Some(0.3)), "opset {opset}");
            assert_eq!(site.problem, None);
            let node = after
                .main()
                .node
                .iter()
                .find(|node| node.is("Dropout"))
                .unwrap();
            let names: Vec<&str> = node.attribute.iter().map(|a| a.name()).collect();
            let wanted: &[&str] = match opset {
                ..=6 => &["ratio", "is_test"],
                7..=11 => &["ratio"],
                _ => &[],
            };
            assert_eq!(names, wanted, "opset {opset}");
        }
    }
}

#[test]
fn what_acts_is_verified_in_every_version_that_can_act() {
    for opset in [1, 6, 12, 13, 22] {
        let found = inserts_verified(&relu(opset), &acts("active", options([at("h")]))).0;
        let acting = found.acting.expect("watched");
        assert!(acting.sites[0].draws > 100, "{acting:?}");
    }
}

#[test]
fn seeds_are_those_that_follow_where_there_are_seeds() {
    let nodes = [
        op("h = Relu(x)"),
        op("k = Abs(h)"),
        op("y = Relu(k)"),
        op("z = Neg(y)"),
    ];
    let graph = x_to_y(nodes).output("z");
    let chosen = || seeded(acts("active", options([at("h"), at("k"), at("y")])));
    let (inserted, _) = inserts(&model(13, graph.clone()), &chosen());
    let seeds: Vec<_> = inserted.places.iter().map(|place| place.seed).collect();
    assert_eq!(seeds, [Some(7), Some(8), Some(9)]);
    let read = inserted.edited.model();
    let sites = dropout::find(&dropout_onnx::Analysis::of(read)).unwrap();
    assert_eq!(
        sites.iter().map(|site| site.seed).collect::<Vec<_>>(),
        seeds
    );
    let why = refusal(&model(6, graph), &chosen());
    assert!(why.contains("Dropout of opset 6 has no seed"), "{why}");
}

#[test]
fn a_file_of_ir_version_3_gets_constants_as_nodes_and_no_switch() {
    let model = relu(13).ir(3);
    let (_, after) = inserts_verified(&model, &options([at("h")]));
    assert!(after.main().initializer.is_empty(), "{:?}", after.lines());
    let why = refusal(&model, &acts("runtime", options([at("h")])));
    assert!(why.contains("IR version 3 has no optional inputs"), "{why}");
}

#[test]
fn halves_and_doubles_are_data_and_the_ratio_is_a_float() {
    for (element, opset) in [
        (DataType::FLOAT16, 12),
        (DataType::DOUBLE, 12),
        (DataType::BFLOAT16, 13),
    ] {
        let nodes = [op("h = Relu(x)"), op("y = Neg(h)")];
        let graph = graph(nodes)
            .input_of("x", element, SHAPE)
            .output_of("y", element, SHAPE);
        let (inserted, after) = inserts(&model(opset, graph.clone()), &options([at("h")]));
        let ratio = after
            .main()
            .initializer
            .iter()
            .find(|t| t.name() == "h/dropout/ratio");
        assert_eq!(ratio.unwrap().data_type, Some(DataType::FLOAT.0));
        assert_eq!(inserted.outcome.inserted, 1);
        if element == DataType::BFLOAT16 {
            let why = refusal(&model(12, graph), &options([at("h")]));
            assert!(why.contains("bfloat16"), "{why}");
        }
    }
}

#[test]
fn the_mask_is_an_output_if_asked() {
    for opset in [6, 7, 10, 12, 13, 22] {
        let model = relu(opset);
        for mask_output in [true, false] {
            let options = options([at("h")]).mask_output(mask_output);
            let (_, after) = inserts_verified(&model, &options);
            let mut nodes = after.main().node.iter();
            let dropout = nodes.find(|node| node.is("Dropout")).unwrap();
            let outputs: &[&str] = match mask_output {
                true => &["h/dropout", "h/dropout/mask"],
                false => &["h/dropout"],
            };
            assert_eq!(dropout.output, outputs, "opset {opset}");
        }
    }
}

#[test]
fn a_mask_that_is_shared_is_no_output_of_an_operator() {
    let model = relu(13);
    let shared = at("h").shared_axes(Some(vec![0]));
    let options = acts("active", options([shared])).mask_output(true);
    let why = refusal(&model, &options);
    assert!(
        why.contains("--mask-output needs a Dropout operator"),
        "{why}"
    );
}
