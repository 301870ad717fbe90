use super::*;
use crate::hash::HashMap;
use crate::semantics::analysis::Analysis;

const NESTED: &str = "fixtures/torch112_nested_functions_op15.onnx";
const TWICE: &str = "fixtures/torch112_function_called_twice_op15.onnx";

fn inlined(path: &str) -> (Model, Inlined) {
    let model = Model::open(path).unwrap();
    let inlined = inline(Analysis::of(&model).view()).unwrap();
    (model, inlined)
}

#[test]
fn every_node_leads_back_to_its_origin() {
    for path in [NESTED, TWICE] {
        let (model, inlined) = inlined(path);
        assert!(inlined.model.functions().is_empty());
        inlined
            .model
            .check(&crate::onnx::Values::new(&inlined.model))
            .unwrap();
        for (id, node) in inlined.model.nodes() {
            let Origin {
                node: origin,
                calls,
            } = inlined.origin(id).unwrap();
            assert_eq!(model.node(*origin).op_type, node.op_type);
            // each call is in the body of the one before
            let mut body = model.main();
            for &call in calls.iter() {
                assert_eq!(model.root(call.graph), body);
                let callee = model.callee(model.node(call)).unwrap();
                body = model.functions()[callee].body;
            }
            assert_eq!(model.root(origin.graph), body, "{path}: {}", node.name);
        }
    }
}

#[test]
fn calls_of_one_function_are_told_apart() {
    let (_, inlined) = inlined(TWICE);
    let origins = inlined
        .model
        .nodes()
        .map(|(id, _)| inlined.origin(id).unwrap());
    let mut calls: HashMap<NodeId, HashSet<Rc<[NodeId]>>> = HashMap::default();
    for origin in origins {
        let new = calls
            .entry(origin.node)
            .or_default()
            .insert(origin.calls.clone());
        assert!(new, "one node for each origin");
    }
    assert!(calls.values().any(|calls| calls.len() == 2));
}

#[test]
fn a_model_without_functions_keeps_its_nodes() {
    let (model, inlined) = inlined("fixtures/torch_course_preserve_op17.onnx");
    let names = |model: &Model| -> Vec<Name> {
        model
            .nodes()
            .map(|(_, node)| node.outputs[0].clone())
            .collect()
    };
    assert_eq!(names(&model), names(&inlined.model));
    let origins = inlined
        .model
        .nodes()
        .map(|(id, _)| inlined.origin(id).unwrap());
    let same = origins
        .zip(model.nodes())
        .all(|(origin, (id, _))| origin.node == id);
    assert!(same);
}
