//! Models as exporters wrote them.

use dropout_onnx::sample::{Options, Report};
use dropout_onnx::verify::inputs::InputSpec;
use prost::Message;

use super::{fixture, fixtures, refusal, sampled};
use crate::common::proto::Tensor;

fn options(runs: usize) -> Options {
    Options::default().runs(runs).seed(7)
}

fn spread(report: &Report) -> Vec<f64> {
    let outputs = report.samplings.iter().map(|at| at.outputs[0].spread());
    outputs.collect()
}

/// Those that tract can run.
const SAMPLED: [&str; 21] = [
    "jax2onnx_runtime_switch_op18",
    "keras3_kinds_op15",
    "keras3_torch_mc_active_op18",
    "keras_attention_op13",
    "keras_course_random_mask_op13",
    "keras_course_train_op8",
    "keras_kinds_op13",
    "keras_mc_lost_ratio_op12",
    "tf1_if_op9",
    "torch112_function_called_twice_op15",
    "torch112_nested_functions_op15",
    "torch24_function_op18",
    "torch24_nested_functions_random_mask_op18",
    "torch_attention_inert_op17",
    "torch_classic_mask_op11",
    "torch_course_dynamo_train_op18",
    "torch_course_preserve_op17",
    "torch_course_training_op9",
    "torch_dynamo_spatial_op20",
    "torch_mask_output_op13",
    "torch_mlp_training_op7",
];

#[test]
fn every_one_spreads_more_at_higher_rates() {
    for stem in SAMPLED {
        let rates = vec![0.0, 0.1, 0.5];
        let report = sampled(&fixture(stem), &options(12).rates(rates));
        let spread = spread(&report);
        let noise = stem.contains("kinds"); // Gaussian noise stays
        assert!(noise || spread[0] == 0.0, "{stem}: {spread:?}");
        assert!(
            spread[0] < spread[1] && spread[1] < spread[2],
            "{stem}: {spread:?}"
        );
    }
}

/// The deterministic output is what ONNX Runtime computed of the model's inference form.
#[test]
fn the_deterministic_output_is_the_recorded_one() {
    let mut compared = 0;
    for stem in SAMPLED {
        let folder = fixtures().join(stem).join("test_data_set_0");
        if !folder.is_dir() {
            continue;
        }
        let inputs = vec![InputSpec::TestSet {
            folder: folder.clone(),
        }];
        let report = sampled(&fixture(stem), &options(2).inputs(inputs));
        for (index, output) in report.samplings[0].outputs.iter().enumerate() {
            let bytes = std::fs::read(folder.join(format!("output_{index}.pb"))).unwrap();
            let tensor = Tensor::decode(&bytes[..]).unwrap();
            if tensor.data_type() != 1 {
                continue;
            }
            let (floats, _) = tensor.raw_data().as_chunks::<4>();
            let recorded: Vec<f64> = floats
                .iter()
                .map(|&f| f32::from_le_bytes(f).into())
                .collect();
            let found = output.deterministic.as_ref().unwrap();
            assert_eq!(found.len(), recorded.len(), "{stem}");
            for (one, other) in found.iter().zip(&recorded) {
                assert!(
                    (one - other).abs() < 1e-4 + 1e-4 * other.abs(),
                    "{stem}: {one} {other}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn a_draw_that_no_runtime_loads_is_made() {
    let report = sampled(&fixture("keras3_kinds_op15"), &options(30));
    assert_eq!(report.sites.len(), 4);
    assert!(spread(&report)[0] > 0.1);
}

#[test]
fn masks_are_drawn_at_the_rate_of_the_file() {
    // the same network, as operators of rate 0.5 and as random masks: the spread of both is that at 0.5
    for stem in [
        "keras_course_random_mask_op13",
        "torch_course_preserve_op17",
    ] {
        let written = spread(&sampled(&fixture(stem), &options(300)))[0];
        let rates = vec![0.4, 0.5, 0.6];
        let set = spread(&sampled(&fixture(stem), &options(300).rates(rates)));
        assert!(
            (written / set[1] - 1.0).abs() < 0.05,
            "{stem}: {written} {set:?}"
        );
        assert!(
            written > set[0] && written < set[2],
            "{stem}: {written} {set:?}"
        );
    }
}

#[test]
fn a_branch_with_dropout_is_taken_without_data() {
    let report = sampled(&fixture("torch_scripted_if_op13"), &options(5));
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("because no data was given for flag"))
    );
    assert!(spread(&report)[0] > 0.0);
    let mut still = 0;
    for set in 0..2 {
        let folder = fixtures()
            .join("torch_scripted_if_op13")
            .join(format!("test_data_set_{set}"));
        let inputs = vec![InputSpec::TestSet { folder }];
        let report = sampled(
            &fixture("torch_scripted_if_op13"),
            &options(5).inputs(inputs),
        );
        assert!(report.made.is_empty());
        still += usize::from(spread(&report)[0] == 0.0);
    }
    assert_eq!(still, 1);
}

#[test]
fn several_test_sets_are_refused() {
    let set = |number| InputSpec::TestSet {
        folder: fixtures()
            .join("torch_scripted_if_op13")
            .join(format!("test_data_set_{number}")),
    };
    let inputs = vec![set(0), set(1)];
    let found = refusal(
        &fixture("torch_scripted_if_op13"),
        &options(5).inputs(inputs),
    );
    assert!(found.contains("one input is run"), "{found}");
}

/// Every model at hand is sampled, with figures that fit together, or refused with a reason.
#[test]
fn whatever_exporters_write() {
    let mut done = 0;
    for path in crate::common::models() {
        let name = path.display();
        let Ok(model) = dropout_onnx::onnx::Model::open(&path) else {
            continue;
        };
        let report = match dropout_onnx::sample::sample(&model, &options(3), &mut |_, _| {}) {
            Ok(report) => report,
            Err(error) => {
                let said = error.to_string();
                let reasons = ["it has no dropout", "tract ", "its only dropout"];
                let known = reasons.iter().any(|reason| said.contains(reason));
                assert!(known, "{said}");
                continue;
            }
        };
        done += 1;
        let outputs = &report.samplings[0].outputs;
        let still = outputs
            .iter()
            .all(|output| output.std.iter().all(|&std| std == 0.0));
        let said = |what: &str| report.notes.iter().any(|note| note.contains(what));
        assert_eq!(still, said("every run had the same result"), "{name}");
        for output in outputs {
            let size: usize = output.shape.iter().product();
            let deterministic = output.deterministic.as_ref().map(Vec::len);
            assert_eq!(deterministic, Some(size), "{name}: {:?}", report.notes);
            assert_eq!((output.mean.len(), output.not_finite), (size, 0), "{name}");
            if still {
                assert_eq!(Some(&output.mean), output.deterministic.as_ref(), "{name}");
            }
        }
    }
    assert!(done >= SAMPLED.len(), "{done}");
}
