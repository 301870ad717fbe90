//! What commands print with `--format json`, against the schemas in `docs/`.

use serde_json::{Value, json};

use crate::common::cli::Folder;

/// A schema, commands whose documents it describes, and changes of these that it refuses.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    (
        "strip",
        &[
            "strip train.onnx",
            "strip train.onnx -n --convention classic --fold",
            "strip mask.onnx --verify structure",
            "strip eval.onnx",
            "strip train.onnx --kind all --batchnorm --prune-inputs",
        ],
        &[
            "/sites",
            "/removed/dropouts",
            "/left/frozen_masks",
            "/verification/run/result",
        ],
    ),
    (
        "fold",
        &["fold scale.onnx", "fold eval.onnx"],
        &["/factors", "/folded", "/bytes/before"],
    ),
    (
        "set",
        &[
            "set train.onnx --rate 0.1",
            "set train.onnx --mode inert -n",
            "set train.onnx --mode active",
        ],
        &["/changed", "/plan/0/action", "/diff/changes"],
    ),
    (
        "insert",
        &[
            "insert eval.onnx --preset head",
            "insert eval.onnx --preset head --mode runtime -n",
        ],
        &["/inserted", "/plan/0/rate", "/mode"],
    ),
    (
        "verify",
        &[
            "verify train.onnx eval.onnx",
            "verify mask.onnx train.onnx",
            "verify eval.onnx eval.onnx",
        ],
        &["/verdict", "/verification", "/before"],
    ),
    (
        "replay",
        &["verify --replay evidence.json"],
        &["/verdict", "/verification/run/seed", "/tool"],
    ),
    (
        "diff",
        &["diff train.onnx eval.onnx", "diff train.onnx mask.onnx"],
        &["/changes", "/changes/0/part", "/verdict"],
    ),
    (
        "show",
        &["show loop.onnx", "show train.onnx --anonymous --no-hash"],
        &["/graph", "/graph/nodes", "/graph/initializers/0/shape"],
    ),
    (
        "sample",
        &[
            "sample train.onnx --runs 2",
            "sample train.onnx --runs 2 --rates 0.1,0.5 --plot plot.svg",
            "sample train.onnx --runs 2 --per-site --plot plot.svg",
        ],
        &[
            "/samplings",
            "/engine",
            "/samplings/0/outputs/0/mean",
            "/sites/0/mode",
        ],
    ),
    (
        "insert-sites",
        &["insert eval.onnx --sites"],
        &["/sites", "/sites/0/rate"],
    ),
    ("audit", &["audit train.onnx loop.onnx"], &["/models"]),
];

fn models() -> Folder {
    let folder = Folder::new();
    for (stem, file) in [
        ("torch_course_preserve_op17", "train.onnx"),
        ("torch_course_eval_op17", "eval.onnx"),
        ("keras_course_random_mask_op13", "mask.onnx"),
        ("paddle_downscale_op7", "scale.onnx"),
        ("keras_lstm_loop_op11", "loop.onnx"),
    ] {
        folder.copy(stem, file);
    }
    folder.run("strip mask.onnx stripped.onnx -q --evidence evidence.json");
    folder
}

/// Makes a schema refuse properties that it does not describe.
fn close(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        let described = ["properties", "oneOf"].map(|key| object.contains_key(key));
        if described.contains(&true) {
            object.insert("unevaluatedProperties".to_string(), json!(false));
        }
        for (key, value) in object.iter_mut() {
            match value.as_array_mut() {
                // alternatives share the properties around them
                Some(all) if key == "oneOf" => {
                    let children = all.iter_mut().filter_map(Value::as_object_mut);
                    children
                        .flat_map(|child| child.values_mut())
                        .for_each(close);
                }
                _ => close(value),
            }
        }
    } else if let Some(all) = schema.as_array_mut() {
        all.iter_mut().for_each(close);
    }
}

#[test]
fn documents_of_commands_are_as_their_schemas_describe() {
    for (name, commands, wrong) in ROWS {
        let path = format!("{}/docs/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        // no property is left out of a schema
        let mut whole = schema.clone();
        close(&mut whole);
        let closed = jsonschema::draft202012::new(&whole).unwrap();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        for command in *commands {
            let folder = models();
            let said = folder.run(&format!("{command} --format json"));
            let document = said.json();
            let errors: Vec<String> = closed
                .iter_errors(&document)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert_eq!(errors, [""; 0], "{command}");
            assert_eq!(document["schema"], json!(format!("dropout-onnx/{name}/1")));
            // show is a snapshot: it stays the same in a new version
            assert_eq!(document["tool"].is_string(), *name != "show", "{command}");
        }
        let good = models()
            .run(&format!("{} --format json", commands[0]))
            .json();
        let mut more = good.clone();
        more["more"] = json!(1);
        assert!(schema.is_valid(&more) && !closed.is_valid(&more), "{name}");
        for place in *wrong {
            let mut bad = good.clone();
            *bad.pointer_mut(place)
                .unwrap_or_else(|| panic!("{name} {place}")) = json!([{}, 1]);
            assert!(!schema.is_valid(&bad), "{name} {place}");
        }
    }
}
