//! The same seed gives the same figures, byte for byte, and numpy's format holds them.

use std::io::Cursor;

use dropout_onnx::sample::{Options, Report};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::NpzReader;

use super::{fixture, sampled};

const STEM: &str = "keras_course_random_mask_op13";

fn report(seed: u64, rates: &[f64]) -> Report {
    let options = Options::default().runs(10).seed(seed).rates(rates.to_vec());
    sampled(&fixture(STEM), &options)
}

fn array(reader: &mut NpzReader<Cursor<Vec<u8>>>, name: &str) -> ArrayD<f64> {
    reader
        .by_name(name)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn shaped<'a>(shape: &[usize], figures: &'a [f64]) -> ArrayViewD<'a, f64> {
    ArrayViewD::from_shape(IxDyn(shape), figures).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let npz = |seed| report(seed, &[0.2, 0.5]).npz().unwrap();
    assert_eq!(npz(1), npz(1));
    assert_ne!(npz(1), npz(2));
    let svg = |seed| report(seed, &[0.2, 0.5]).svg().unwrap();
    assert_eq!(svg(1), svg(1));
    assert_ne!(svg(1), svg(2));
}

#[test]
fn npz_holds_the_figures() {
    let report = report(3, &[]);
    let output = &report.samplings[0].outputs[0];
    let mut reader = NpzReader::new(Cursor::new(report.npz().unwrap())).unwrap();
    assert_eq!(
        array(&mut reader, "Identity:0.mean"),
        shaped(&[2, 10], &output.mean)
    );
    assert_eq!(
        array(&mut reader, "Identity:0.std"),
        shaped(&[2, 10], &output.std)
    );
    let deterministic = output.deterministic.as_ref().unwrap();
    assert_eq!(
        array(&mut reader, "Identity:0.deterministic"),
        shaped(&[2, 10], deterministic)
    );
    let classes = output.classes.as_ref().unwrap();
    assert_eq!(
        array(&mut reader, "Identity:0.probabilities"),
        shaped(&[2, 10], &classes.mean)
    );
    assert_eq!(
        array(&mut reader, "Identity:0.entropy"),
        shaped(&[2], &classes.entropy)
    );
    assert_eq!(
        array(&mut reader, "Identity:0.agreement"),
        shaped(&[2], &classes.agreement)
    );
    let top: ArrayD<u64> = reader.by_name("Identity:0.top").unwrap();
    let tops: Vec<u64> = classes.top.iter().map(|&class| class as u64).collect();
    assert_eq!(top.into_raw_vec_and_offset().0, tops);
    let seed: ArrayD<u64> = reader.by_name("seed").unwrap();
    assert_eq!(seed.into_raw_vec_and_offset().0, [3]);
    assert!(!reader.names().unwrap().contains(&"rates.npy".to_string()));
}

#[test]
fn npz_stacks_rates() {
    let report = report(3, &[0.2, 0.5, 0.1]);
    let mut reader = NpzReader::new(Cursor::new(report.npz().unwrap())).unwrap();
    assert_eq!(array(&mut reader, "rates"), shaped(&[3], &[0.2, 0.5, 0.1]));
    let std = array(&mut reader, "Identity:0.std");
    assert_eq!(std.shape(), [3, 2, 10]);
    for (row, at) in std.outer_iter().zip(&report.samplings) {
        assert_eq!(row, shaped(&[2, 10], &at.outputs[0].std));
    }
}

#[test]
fn a_plot_takes_two_rates() {
    assert_eq!(report(3, &[]).svg(), None);
    assert_eq!(report(3, &[0.5]).svg(), None);
    assert_eq!(report(3, &[0.5, 0.5]).svg(), None);
    let svg = report(3, &[0.5, 0.1]).svg().unwrap();
    for part in [
        "<svg ",
        "dropout rate",
        "mean standard deviation",
        "Identity:0",
        "<polyline",
        "</svg>",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    // spread, entropy and agreement, at two rates each
    assert_eq!(svg.matches("<circle").count(), 6);
    for title in ["Spread", "Predictive entropy", "Agreement"] {
        assert!(svg.contains(title), "{title}: {svg}");
    }
    // the twin: an output without classes has a spread alone
    let mut plain = report(3, &[0.5, 0.1]);
    for at in &mut plain.samplings {
        at.outputs[0].classes = None;
    }
    let svg = plain.svg().unwrap();
    assert_eq!(svg.matches("<circle").count(), 2);
    assert!(!svg.contains("Agreement"), "{svg}");
}

/// Of figures that are the same on every machine.
#[test]
fn the_plot_word_for_word() {
    let mut report = report(3, &[0.5, 0.1, 0.3]);
    for (at, spread) in report.samplings.iter_mut().zip([0.043, 0.01, 0.025]) {
        let mut second = at.outputs[0].clone();
        at.outputs[0].std.fill(spread);
        for (output, entropy) in [(&mut at.outputs[0], 1.5), (&mut second, 0.75)] {
            let classes = output.classes.as_mut().unwrap();
            classes.entropy.fill(entropy + spread);
            classes.agreement.fill(1.0 - entropy / 3.0 - spread);
        }
        second.name = "a < b".into();
        second.std.fill(spread / 2.0);
        at.outputs.push(second);
    }
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("sample_svg", report.svg().unwrap());
    });
}
