//! The JSON Schemas of documents, made of their types.

mod rewrites;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{diff, insert_sites, sample};
use crate::audit::schema::{committed, file, folder, made};
use crate::diff::Diff;
use crate::onnx::Model;
use crate::rewrite::insert::{Candidate, Options, candidates};
use crate::show;

/// A difference, and its models.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the shape of what diff() puts together")]
struct Difference {
    /// The program that wrote it, with its version.
    tool: &'static str,
    /// The model before.
    before: String,
    /// The model after.
    after: String,
    #[schemars(flatten)]
    found: Diff,
}

/// Places where dropout could be inserted.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the shape of what insert_sites() puts together")]
struct Places {
    /// The version of the document.
    #[schemars(extend("const" = "dropout-onnx/insert-sites/1"))]
    schema: String,
    /// The program that wrote it, with its version.
    tool: String,
    /// The model.
    input: String,
    /// The places.
    sites: Vec<Candidate>,
}

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
    vec![insert_sites("a.onnx", &found)]
}

/// A schema, documents that it describes, and changes of the first that it must refuse.
struct Kind {
    name: &'static str,
    schema: Value,
    documents: Vec<Value>,
    wrong: &'static [(&'static str, Value)],
}

fn kinds() -> Vec<Kind> {
    let settings = || SchemaSettings::draft2020_12().for_serialize();
    vec![
        Kind {
            name: "diff",
            schema: made::<Difference>("A diff by dropout-onnx", settings()),
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
            schema: made::<show::Document>("A model by dropout-onnx show", settings()),
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
            schema: made::<sample::Document<'_>>("A sampling by dropout-onnx", settings()),
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
            schema: made::<Places>(
                "Places for dropout by dropout-onnx insert --sites",
                settings(),
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
    for (name, schema) in rewrites::schemas() {
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
