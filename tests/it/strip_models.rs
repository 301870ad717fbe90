//! Every exporter's model, stripped.

use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::strip::{Options, strip};
use dropout_onnx::verify::structure;

#[test]
fn no_dropout_operator_is_left_and_the_structure_is_the_same() {
    for path in crate::common::models() {
        let at = path.display();
        let before = Model::open(&path).unwrap();
        let stripped = strip(&before, &Options::default()).unwrap_or_else(|e| panic!("{at}: {e}"));
        let after = &stripped.edited.model;
        let left = after.nodes().filter(|(_, node)| node.is("Dropout")).count();
        assert_eq!(left, 0, "{at}");
        let verdict = structure::compare(&before, after).unwrap();
        assert!(
            matches!(verdict, structure::Verdict::Same { .. }),
            "{at}: {verdict:?}"
        );
        let mut bytes = Vec::new();
        stripped.edited.rope.write_to(&mut bytes).unwrap();
        let again = strip(after, &Options::default()).unwrap();
        assert!(again.outcome.is_unchanged(), "{at}");
        let mut twice = Vec::new();
        again.edited.rope.write_to(&mut twice).unwrap();
        assert!(bytes == twice, "{at}: a second run changed it");
        if stripped.outcome.is_unchanged() {
            assert!(bytes == std::fs::read(&path).unwrap(), "{at}");
        }
    }
}
