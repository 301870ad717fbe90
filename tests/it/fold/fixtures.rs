//! Files that exporters wrote.

use std::path::Path;

use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::fold::{Options, fold};
use dropout_onnx::rewrite::strip;
use dropout_onnx::verify::{self, Demand, Verdict, structure};

use super::check::{bytes, verified};
use crate::common::models;

fn fixture(stem: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    Model::open(folder.join(format!("{stem}.onnx"))).unwrap()
}

fn text(model: &Model) -> String {
    dropout_onnx::show::text(model).unwrap()
}

#[test]
fn paddles_downscale_is_folded_into_the_next_layer() {
    let before = fixture("paddle_downscale_op7");
    let folded = fold(&before, &Options::default().only_dropout(true)).unwrap();
    assert_eq!(folded.outcome.folded, 1);
    assert_eq!(verified(&before, &folded).1, Verdict::Equal);
    let after = folded.edited.model();
    insta::assert_snapshot!(
        "paddle_downscale",
        format!("{}\n{}", text(&before), text(after))
    );
}

#[test]
fn a_classic_mask_is_stripped_and_its_scale_folded() {
    let before = fixture("torch_classic_mask_op11");
    let stripped = strip::strip(&before, &strip::Options::default()).unwrap();
    let middle = stripped.edited.model();
    let folded = fold(middle, &Options::default().only_dropout(true)).unwrap();
    assert_eq!(folded.outcome.folded, 1);
    assert_eq!(verified(middle, &folded).1, Verdict::Equal);
    let after = folded.edited.model();
    let left = after.nodes().filter(|(_, node)| node.is("Mul")).count();
    assert_eq!(left, 0);
    insta::assert_snapshot!("classic_mask", format!("{}\n{}", text(middle), text(after)));
}

/// Every model, as it is and stripped: what is folded is shown to be right, or tract lacks an
/// operator; what is not folded is the same bytes.
#[test]
fn every_model_is_folded_rightly_or_left_alone() {
    let mut folds = 0;
    for path in models() {
        let Ok(model) = Model::open(&path) else {
            continue;
        };
        let mut all = vec![model.clone()];
        let stripped = strip::strip(&model, &strip::Options::default());
        all.extend(stripped.map(|stripped| stripped.edited.model().clone()));
        for before in all {
            let Ok(folded) = fold(&before, &Options::default()) else {
                continue;
            };
            if folded.outcome.is_unchanged() {
                let mut original = Vec::new();
                before.to_rope().unwrap().write_to(&mut original).unwrap();
                assert!(bytes(&folded.edited.rope) == original, "{}", path.display());
                continue;
            }
            folds += folded.outcome.folded;
            let again = fold(folded.edited.model(), &Options::default()).unwrap();
            assert!(again.outcome.is_unchanged(), "{}", path.display());
            let options = verify::Options::default();
            let found = folded.verify(&before, &options).unwrap();
            let same = matches!(found.structure, Some(structure::Verdict::Same { .. }));
            let verdict = found.verdict(Demand::Rewrite);
            assert!(same, "{}: {:?}", path.display(), found.structure);
            assert!(
                !matches!(verdict, Verdict::Different { .. }),
                "{}: {verdict:?}",
                path.display()
            );
        }
    }
    assert!(folds >= 4, "{folds} factors folded");
}
