//! The JSON Schemas of documents, made of their types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Rewrite, diff, fold, insert, insert_sites, replay, sample, set, strip, verify};
use crate::audit::schema::{committed, file, folder, made};
use crate::onnx::Model;
use crate::rewrite::insert::{Options, candidates};
use crate::show;

fn model(name: &str) -> Model {
    Model::open(folder().join(format!("fixtures/{name}.onnx"))).unwrap()
}

const TRAIN: &str = "torch_course_preserve_op17";

fn differences() -> Vec<Value> {
    let others = ["torch_course_eval_op17", "keras_course_random_mask_op13"];
    let others = others.iter().map(|other| {
        let options = crate::diff::Options {
            values: true,
            structure: true,
        };
        let found = crate::diff::diff(&model(TRAIN), &model(other), &options).unwrap();
        diff(&found, "a.onnx", "b.onnx").unwrap()
    });
    others.collect()
}

fn shown() -> Vec<Value> {
    let names = [
        TRAIN,
        "keras_lstm_loop_op11",
        "torch24_nested_functions_random_mask_op18",
    ];
    let documents = names.iter().flat_map(|name| {
        [false, true].map(|short| {
            let options = show::Options {
                anonymous: short,
                no_hash: short,
                strict: false,
            };
            serde_json::to_value(show::document(&model(name), &options).unwrap()).unwrap()
        })
    });
    documents.collect()
}

fn sampled() -> Vec<Value> {
    let reports = [vec![], vec![0.1, 0.5]].map(|rates| {
        let options = crate::sample::Options {
            runs: 2,
            rates,
            ..Default::default()
        };
        let model = model(TRAIN);
        let report = crate::sample::sample(&model, &options, &mut |_, _| {}).unwrap();
        sample("a.onnx", &model, &report, None).unwrap()
    });
    reports.to_vec()
}

fn places() -> Vec<Value> {
    let found = candidates(&model("torch_course_eval_op17"), &Options::default()).unwrap();
    assert!(!found.is_empty());
    vec![insert_sites("a.onnx", &found).unwrap()]
}

/// A schema, documents that it describes, and changes of the first that it must refuse.
struct Kind {
    name: &'static str,
    schema: Value,
    documents: Vec<Value>,
    wrong: &'static [(&'static str, Value)],
}

/// The schema of a document of a command.
fn of<T: JsonSchema>(name: &str, title: &str) -> Value {
    let mut schema = made::<T>(title, SchemaSettings::draft2020_12().for_serialize());
    schema["properties"]["schema"]["const"] = json!(format!("dropout-onnx/{name}/1"));
    schema
}

/// Those of which `tests/it/cli/schemas.rs` holds more documents against the schemas.
fn rewrites() -> Vec<(&'static str, Value)> {
    let titled = |name: &'static str, make: fn(&str, &str) -> Value| {
        (name, make(name, &format!("A {name} by dropout-onnx")))
    };
    vec![
        titled("strip", of::<Rewrite<'_, strip::Strip<'_>>>),
        titled("fold", of::<Rewrite<'_, fold::Fold<'_>>>),
        titled("set", of::<Rewrite<'_, set::Set<'_>>>),
        titled("insert", of::<Rewrite<'_, insert::Insert<'_>>>),
        titled("verify", of::<verify::Verify<'_>>),
        titled("replay", of::<replay::Document<'_>>),
    ]
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind {
            name: "diff",
            schema: of::<diff::Differences<'_>>("diff", "A diff by dropout-onnx"),
            documents: differences(),
            wrong: const {
                &[
                    ("/verdict", Value::Null),
                    ("/tool", Value::Null),
                    ("/changes/0/part", Value::Bool(true)),
                ]
            },
        },
        Kind {
            name: "show",
            schema: of::<show::Document>("show", "A model by dropout-onnx show"),
            documents: shown(),
            wrong: const {
                &[
                    ("/schema", Value::Null),
                    ("/graph/nodes", Value::Null),
                    ("/graph/initializers/0/shape", Value::Bool(true)),
                ]
            },
        },
        Kind {
            name: "sample",
            schema: of::<sample::Document<'_>>("sample", "A sampling by dropout-onnx"),
            documents: sampled(),
            wrong: const {
                &[
                    ("/tool", Value::Null),
                    ("/samplings/0/outputs/0/mean", Value::Null),
                    ("/sites/0/mode", Value::Bool(true)),
                ]
            },
        },
        Kind {
            name: "insert-sites",
            schema: of::<insert::Places<'_>>(
                "insert-sites",
                "Places for dropout by dropout-onnx insert --sites",
            ),
            documents: places(),
            wrong: const {
                &[
                    ("/sites", Value::Null),
                    ("/sites/0/rate", Value::Bool(true)),
                ]
            },
        },
    ]
}

/// `UPDATE_DOCS=1 cargo test --lib schema` updates the files.
#[test]
fn committed_schemas_of_rewrites_are_current() {
    for (name, schema) in rewrites() {
        current(name, &schema);
    }
}

fn current(name: &str, schema: &Value) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file(name), format!("{schema:#}\n")).unwrap();
    }
    assert!(
        committed(name) == *schema,
        "docs/{name}.schema.json is not current: UPDATE_DOCS=1 cargo test --lib schema"
    );
}

#[test]
fn committed_schemas_are_current_and_describe_their_documents() {
    for kind in kinds() {
        let name = kind.name;
        current(name, &kind.schema);
        let schema = jsonschema::draft202012::new(&kind.schema).unwrap();
        for document in &kind.documents {
            let errors: Vec<String> = schema
                .iter_errors(document)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert_eq!(errors, [""; 0], "{name}");
        }
        // the twin: others are not described
        for (place, value) in kind.wrong {
            let mut bad = kind.documents[0].clone();
            *bad.pointer_mut(place).unwrap() = value.clone();
            assert!(!schema.is_valid(&bad), "{name} {place}");
        }
        let version = json!(format!("dropout-onnx/{name}/2"));
        let mut bad = kind.documents[0].clone();
        bad["schema"] = version;
        assert!(!schema.is_valid(&bad), "{name}: another version");
    }
}
