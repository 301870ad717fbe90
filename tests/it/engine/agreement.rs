//! Both engines on models that others wrote: `fixtures`, and the folder in `DROPOUT_ONNX_MODELS`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use dropout_onnx::onnx::Model;
use dropout_onnx::verify::engine::{Engines, Fill, Meaning, Port, Subject, Value};

use super::both::{on, ort_is_here};

const DRAWN: Meaning = Meaning::AsWritten { seed: 1 };

fn models(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            models(&path, found);
        } else if path.extension().is_some_and(|end| end == "onnx") {
            found.push(path);
        }
    }
}

/// Numbers that are no two the same; 0 and 1 for integers.
fn made(port: &Port, shape: &[usize]) -> Option<Value> {
    let count: usize = shape.iter().product();
    let is_float = ["float", "double", "float16"].contains(&port.element.as_str());
    let number = |at: usize| match is_float {
        true => (at * 7919 % 1999) as f64 / 1000.0 - 1.0,
        false => (at % 2) as f64,
    };
    Value::from_numbers(
        &port.element,
        shape,
        &(0..count).map(number).collect::<Vec<_>>(),
    )
}

/// The outputs of both engines for the first sizes with which both run.
fn run_by_both(path: &Path) -> Option<[BTreeMap<String, Value>; 2]> {
    let model = Model::open(path).ok()?;
    let subject = Subject::of(&model, "model", model.source());
    Fill::ALL.into_iter().find_map(|fill| {
        let run = |engines| {
            let (ready, ports, shapes) = on(engines, &subject, DRAWN, fill).ok()?;
            let values = ports.iter().filter_map(|port| {
                let value = made(port, shapes.inputs.get(&port.name)?)?;
                Some((port.name.clone(), value))
            });
            let outputs = ready.run(&values.collect(), 0).ok()?;
            let named = ready.outputs().iter().cloned().zip(outputs);
            Some(named.collect::<BTreeMap<_, _>>())
        };
        Some([run(Engines::Tract)?, run(Engines::Ort)?])
    })
}

/// How far two outputs are apart, relative to the largest element.
fn distance(one: &Value, two: &Value) -> f64 {
    if one.shape() != two.shape() || one.element_type() != two.element_type() {
        return f64::INFINITY;
    }
    let (one, two) = (one.to_f64(), two.to_f64());
    let largest = one.iter().fold(1.0, |largest: f64, x| largest.max(x.abs()));
    let apart = one
        .iter()
        .zip(&two)
        .map(|(a, b)| match a.is_nan() && b.is_nan() || a == b {
            true => 0.0,
            false => (a - b).abs() / largest,
        });
    apart.fold(0.0, |most, apart| {
        if apart > most || apart.is_nan() {
            apart
        } else {
            most
        }
    })
}

fn told(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn both_engines_compute_the_same() {
    if !ort_is_here() {
        told("left out, as ONNX Runtime is not here");
        return;
    }
    let mut paths = Vec::new();
    models(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"),
        &mut paths,
    );
    if let Some(folder) = std::env::var_os("DROPOUT_ONNX_MODELS") {
        models(Path::new(&folder), &mut paths);
    }
    let (mut agreed, mut apart) = (0, Vec::new());
    for path in &paths {
        let Some([tract, ort]) = run_by_both(path) else {
            told(&format!("not run by both: {}", path.display()));
            continue;
        };
        assert!(tract.keys().eq(ort.keys()), "{}", path.display());
        let mut most: f64 = 0.0;
        for (name, value) in &tract {
            let bound = if value.element_type() == "float16" {
                2e-2
            } else {
                1e-4
            };
            let distance = distance(value, &ort[name]);
            most = most.max(distance);
            if distance.is_nan() || distance > bound {
                apart.push(format!("{}: {name} by {distance}", path.display()));
            }
        }
        agreed += 1;
    }
    told(&format!("{agreed} of {} models run by both", paths.len()));
    assert!(apart.is_empty(), "{apart:#?}");
    assert!(
        agreed * 10 >= paths.len() * 9,
        "{agreed} of {}",
        paths.len()
    );
}

#[test]
fn what_is_apart_is_seen() {
    let value = |numbers: &[f64]| Value::from_numbers("float", &[2], numbers).unwrap();
    assert_eq!(
        distance(&value(&[1.0, f64::NAN]), &value(&[1.0, f64::NAN])),
        0.0
    );
    assert!((distance(&value(&[1.0, 4.0]), &value(&[1.0, 3.0])) - 0.25).abs() < 1e-6);
    assert!(distance(&value(&[1.0, f64::NAN]), &value(&[1.0, 0.0])).is_nan());
}
