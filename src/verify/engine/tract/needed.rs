//! Each repair for tract and each operator that it is given works, and is needed with the tract that is linked:
//! `tests/repairs` has models that are named after the operator that needs it, and what ONNX Runtime computes with
//! them. A test that fails here means that one can go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use prost::Message;
use serde::Deserialize;
use tract_onnx::pb;

use super::Tract;
use crate::source::Source;
use crate::verify::engine::backend::{Engine, Values};
use crate::verify::engine::mend::{self, Repair};
use crate::verify::engine::{Engines, Fill, Meaning, Mode, Stop, Subject, Value, shapes};

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

impl Tract {
    /// The operators with a repair, and those that it is given.
    fn mended(&self) -> BTreeSet<String> {
        let repairs = self.repairs.iter().map(|repair| repair.name());
        let given = self.given.iter().map(|(name, _)| (*name).to_string());
        repairs.chain(given).collect()
    }

    /// Without each of its repairs in turn, and without each operator that it is given; with the operator.
    fn lacking() -> Vec<(String, Tract)> {
        let whole = Tract::new();
        let repairs = whole.repairs.iter().enumerate().map(|(place, repair)| {
            let mut tract = Tract::new();
            tract.repairs.remove(place);
            (repair.name(), tract)
        });
        let given = whole.given.iter().enumerate().map(|(place, (name, _))| {
            let mut tract = Tract::new();
            tract.given.remove(place);
            ((*name).to_string(), tract)
        });
        repairs.chain(given).collect()
    }
}

/// The outputs that tract computes in the first mode in which it can.
fn run(name: &str, example: &Example, tract: &Tract) -> Result<Values, String> {
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
            let (about, read) = tract.read(&subject, Meaning::Inference, mode)?;
            let shapes = shapes::choose(&about.ports, &BTreeMap::new(), &shapes, Fill::ALL[0])?;
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

fn failure(name: &str, example: &Example, tract: &Tract) -> Option<String> {
    match run(name, example, tract) {
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
    let tract = Tract::new();
    let mut wrong = Vec::new();
    let examples = examples();
    for (name, example) in &examples {
        if let Some(why) = failure(name, example, &tract) {
            wrong.push(format!("{name}: {why}"));
        }
    }
    for (operator, lacking) in Tract::lacking() {
        let mut own = examples
            .iter()
            .filter(|(name, _)| self::operator(name) == operator);
        if own.all(|(name, example)| failure(name, example, &lacking).is_none()) {
            wrong.push(format!("no model needs a repair of {operator}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_repair_is_in_the_documentation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/engines.md");
    let page = std::fs::read_to_string(page).unwrap();
    for operator in Tract::new().mended() {
        let (_, name) = operator.rsplit_once('.').unwrap_or(("", &operator));
        assert!(page.contains(&format!("`{name}`")), "{name} is missing");
    }
}

/// A node of the operator without inputs and attributes, and one with attributes that make no sense.
#[test]
fn no_repair_panics() {
    let attribute = |name: &str, i: i64, s: &str| pb::AttributeProto {
        name: name.into(),
        r#type: if s.is_empty() { 2 } else { 3 },
        i,
        s: s.into(),
        ..Default::default()
    };
    let odd = vec![
        attribute("axis", i64::MIN, ""),
        attribute("broadcast", 1, ""),
        attribute("k", i64::MAX, ""),
        attribute("num_heads", -1, ""),
        attribute("direction", 0, "reverse"),
        attribute("mode", 0, "wrap"),
        attribute("activation", 0, "Nonsense"),
    ];
    let x = pb::TensorProto {
        name: "x".into(),
        data_type: 1,
        dims: vec![1, 2, 1],
        float_data: vec![0.5, -0.5],
        ..Default::default()
    };
    for repair in mend::ALL.iter().chain(mend::TRACT).copied().flatten() {
        for (inputs, attribute) in [(0, Vec::new()), (0, odd.clone()), (9, odd.clone())] {
            let node = pb::NodeProto {
                op_type: repair.operator.into(),
                domain: repair
                    .name()
                    .rsplit_once('.')
                    .map_or("", |(domain, _)| domain)
                    .into(),
                input: vec!["x".into(); inputs],
                output: vec!["y".into(), "z".into()],
                attribute,
                ..Default::default()
            };
            let graph = pb::GraphProto {
                node: vec![node],
                initializer: vec![x.clone()],
                ..Default::default()
            };
            let model = pb::ModelProto {
                graph: Some(graph),
                ..Default::default()
            };
            let source = Source::from_bytes(model.encode_to_vec());
            let subject = Subject {
                label: "model",
                source: &source,
                folder: None,
                external: 0,
            };
            // whatever comes of it
            drop(Tract::new().read(&subject, Meaning::Inference, Mode::Optimised));
        }
    }
}

#[test]
fn what_differs_is_seen() {
    let (name, example) = examples().pop_first().unwrap();
    let found = run(&name, &example, &Tract::new()).unwrap();
    assert_eq!(difference(&example, &found), None);
    let mut other = examples().remove(&name).unwrap();
    let (_, _, numbers) = other.outputs.values_mut().next().unwrap();
    numbers[0] += 0.5;
    assert!(difference(&other, &found).is_some());
}

#[test]
fn the_operators_that_tract_lacks_are_in_the_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (schemas, page) = (read("tests/schema/operators.tsv"), read("docs/engines.md"));
    let own = tract_onnx::onnx();
    let mut mended = Tract::new().mended();
    mended.extend(mend::ALL.iter().copied().flatten().map(Repair::name));
    let has = |name: &str| mended.contains(name) || own.op_register.0.contains_key(name);
    let names = schemas
        .lines()
        .skip(1)
        .filter_map(|row| row.split('\t').next());
    let lacking: BTreeSet<&str> = names.filter(|name| !has(name)).collect();
    let (_, told) = page
        .split_once("Of ONNX up to opset 26, tract lacks ")
        .unwrap();
    let (told, _) = told.split_once(':').unwrap();
    let told: BTreeSet<&str> = told.split('`').skip(1).step_by(2).collect();
    assert_eq!(lacking, told);
}
