//! The outputs that ONNX Runtime recorded are those of tract, before and after strip.

use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::strip::{self, strip};
use dropout_onnx::verify::engine::Meaning;
use dropout_onnx::verify::inputs::InputSpec;
use dropout_onnx::verify::run::{Outcome, RunReport, Settings};
use dropout_onnx::verify::{Options, verify};

use crate::common::cli::{fixture, test_data};

/// Fixtures with recorded outputs, and how many data sets each has.
const RECORDED: [(&str, usize); 19] = [
    ("jax2onnx_runtime_switch_op18", 2),
    ("keras3_torch_mc_active_op18", 1),
    ("keras_course_infer_op15", 1),
    // recorded from keras_course_infer_op15, the same layers without dropout
    ("keras_course_random_mask_op13", 1),
    ("keras_course_train_op8", 1),
    ("keras_lstm_loop_op11", 1),
    ("keras_mc_lost_ratio_op12", 1),
    ("paddle_downscale_op7", 1),
    ("torch112_function_called_twice_op15", 1),
    ("torch112_nested_functions_op15", 1),
    ("torch24_function_op18", 1),
    ("torch_attention_inert_op17", 1),
    ("torch_course_dynamo_train_op18", 1),
    ("torch_course_eval_op17", 1),
    ("torch_course_preserve_op17", 1),
    ("torch_course_training_op9", 1),
    ("torch_mask_output_op13", 1),
    ("torch_mlp_training_op7", 1),
    ("torch_scripted_if_op13", 2),
];

fn run(before: &Model, after: &Model, stem: &str, set: usize) -> RunReport {
    run_as(before, after, stem, set, Meaning::Inference)
}

fn run_as(before: &Model, after: &Model, stem: &str, set: usize, meaning: Meaning) -> RunReport {
    let folder = test_data(stem, set);
    assert!(folder.join("output_0.pb").is_file(), "{}", folder.display());
    let options = Options::default().structure(false).run(Some(
        Settings::default()
            .runs(1)
            .inputs(vec![InputSpec::TestSet { folder }])
            .meaning(meaning),
    ));
    let found = verify(before, after, &options).unwrap_or_else(|e| panic!("{stem}: {e}"));
    found.run.unwrap()
}

#[test]
fn every_fixture_with_recorded_outputs_is_listed() {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(fixture("x").parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.join("test_data_set_0").is_dir() {
            folders.push(path.file_name().unwrap().to_str().unwrap().to_string());
        }
    }
    let mut listed: Vec<_> = RECORDED.iter().map(|(stem, _)| *stem).collect();
    listed.sort_unstable();
    folders.sort();
    assert_eq!(folders, listed);
    for (stem, sets) in RECORDED {
        assert!(!test_data(stem, sets).exists(), "{stem} has more sets");
    }
}

#[test]
fn tract_computes_what_onnx_runtime_recorded() {
    for (stem, sets) in RECORDED {
        let before = Model::open(fixture(stem)).unwrap();
        let stripped = strip(&before, &strip::Options::default()).unwrap();
        let after = stripped.edited.model();
        for set in 0..sets {
            for (one, two) in [(&before, after), (after, &before)] {
                let report = run(one, two, stem, set);
                assert_eq!(report.outcome, Outcome::Equal, "{stem}");
                assert!(report.recorded.is_empty(), "{stem}: {:?}", report.recorded);
                assert_eq!(report.runs, 1);
                let recorded = report.outputs.len();
                let missing = test_data(stem, set).join(format!("output_{recorded}.pb"));
                let last = test_data(stem, set).join(format!("output_{}.pb", recorded - 1));
                assert!(
                    last.exists() && !missing.exists(),
                    "{stem}: {recorded} outputs"
                );
            }
        }
    }
}

#[test]
fn a_wrong_recording_is_noticed() {
    // the twin of keras_course_infer_op15 draws masks: its outputs are not those recorded
    let model = Model::open(fixture("keras_course_random_mask_op13")).unwrap();
    let drawn = Meaning::AsWritten { seed: 1 };
    let report = run_as(&model, &model, "keras_course_random_mask_op13", 0, drawn);
    assert_eq!(report.outcome, Outcome::Equal);
    assert_eq!(report.recorded.len(), 1, "{:?}", report.recorded);
}
