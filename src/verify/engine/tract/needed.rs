//! Each repair for tract works, and is needed with the tract that is linked: `tests/repairs` has models that are
//! named after the operator whose repair they need, and what ONNX Runtime computes with them. A test that fails
//! here means that a repair can go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Tract;
use crate::source::Source;
use crate::verify::engine::backend::{Engine, Values};
use crate::verify::engine::mend::{Repair, TRACT};
use crate::verify::engine::{Engines, Fill, Meaning, Mode, Stop, Subject, Value};

/// Element type, shape and elements, by name.
type Tensors = BTreeMap<String, (String, Vec<usize>, Vec<f64>)>;

#[derive(Deserialize)]
struct Example {
    inputs: Tensors,
    outputs: Tensors,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repairs")
}

fn examples() -> BTreeMap<String, Example> {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn values(tensors: &Tensors) -> Values {
    let value = |(element, shape, numbers): &(String, Vec<usize>, Vec<f64>)| {
        Value::from_numbers(element, shape, numbers).unwrap()
    };
    let values = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), value(tensor)));
    values.collect()
}

fn repairs() -> Vec<&'static Repair> {
    TRACT.iter().copied().flatten().collect()
}

/// The outputs that tract computes in the first mode in which it can.
fn run(name: &str, example: &Example, repairs: &[&'static Repair]) -> Result<Values, String> {
    let source = Source::open(folder().join(format!("{name}.onnx"))).unwrap();
    let subject = Subject {
        label: "model",
        source: &source,
        folder: None,
        external: 0,
    };
    let shapes = example.inputs.iter();
    let shapes = shapes.map(|(name, (_, shape, _))| (name.clone(), shape.clone()));
    let shapes = shapes.collect();
    let mut last = String::new();
    for mode in Mode::of(Engines::Tract) {
        let outputs = || -> Result<Values, Stop> {
            let tract = Tract(repairs.to_vec());
            let (about, read) = tract.read(&subject, Meaning::Inference, mode)?;
            let shapes = read.choose(&BTreeMap::new(), &shapes, Fill::ALL[0])?;
            let (found, _) = read.ready(&shapes)?.run(&values(&example.inputs), 0)?;
            Ok(about.outputs.into_iter().zip(found).collect())
        };
        match outputs() {
            Ok(outputs) => return Ok(outputs),
            Err(why) => last = why.to_string(),
        }
    }
    Err(last)
}

/// Why the outputs are not those expected.
fn difference(example: &Example, found: &Values) -> Option<String> {
    example
        .outputs
        .iter()
        .find_map(|(name, (element, shape, numbers))| {
            let value = &found[name];
            if value.element_type() != element || value.shape() != shape {
                let (element, shape) = (value.element_type(), value.shape());
                return Some(format!("{name} is {element} {shape:?}"));
            }
            let bound = if element == "float16" { 1e-2 } else { 1e-5 };
            let largest = numbers.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
            let value = value.to_f64();
            let mut pairs = value.iter().zip(numbers);
            let apart = pairs.any(|(a, b)| {
                (a - b)
                    .abs()
                    .partial_cmp(&(bound * largest))
                    .is_none_or(|o| o.is_gt())
            });
            apart.then(|| format!("{name} is {value:?}, not {numbers:?}"))
        })
}

fn failure(name: &str, example: &Example, repairs: &[&'static Repair]) -> Option<String> {
    match run(name, example, repairs) {
        Ok(found) => difference(example, &found),
        Err(why) => Some(why),
    }
}

/// The operator whose repair a model needs, with its domain.
fn operator(name: &str) -> &str {
    name.rsplit_once('.').unwrap().0
}

#[test]
fn each_repair_works_and_is_needed() {
    let (examples, repairs) = (examples(), repairs());
    let mut wrong = Vec::new();
    for (name, example) in &examples {
        if let Some(why) = failure(name, example, &repairs) {
            wrong.push(format!("{name}: {why}"));
        }
        let others = repairs
            .iter()
            .filter(|repair| repair.name() != operator(name));
        let others: Vec<_> = others.copied().collect();
        assert!(others.len() < repairs.len(), "{name}: no such repair");
        if failure(name, example, &others).is_none() {
            wrong.push(format!("{name}: tract needs no repair any more"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let named: BTreeSet<&str> = examples.keys().map(|name| operator(name)).collect();
    let needed: Vec<String> = repairs.iter().map(|repair| repair.name()).collect();
    assert!(
        needed.iter().all(|name| named.contains(&**name)),
        "{needed:?}, {named:?}"
    );
}

#[test]
fn each_repair_is_in_the_documentation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/engines.md");
    let page = std::fs::read_to_string(page).unwrap();
    for repair in repairs() {
        let name = format!("`{}`", repair.operator);
        assert!(page.contains(&name), "{name} is missing");
    }
}

#[test]
fn what_differs_is_seen() {
    let (name, example) = examples().pop_first().unwrap();
    let found = run(&name, &example, &repairs()).unwrap();
    assert_eq!(difference(&example, &found), None);
    let mut other = examples().remove(&name).unwrap();
    let (_, _, numbers) = other.outputs.values_mut().next().unwrap();
    numbers[0] += 0.5;
    assert!(difference(&other, &found).is_some());
}

#[test]
fn tract_has_no_loop() {
    let own = tract_onnx::onnx();
    assert!(!own.op_register.0.contains_key("Loop"));
    assert!(own.op_register.0.contains_key("If"));
}
