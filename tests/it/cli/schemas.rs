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
    ("diff", &["diff train.onnx eval.onnx"], &["/changes"]),
    (
        "show",
        &["show loop.onnx", "show train.onnx --anonymous --no-hash"],
        &["/graph"],
    ),
    (
        "sample",
        &["sample train.onnx --runs 2"],
        &["/samplings", "/engine"],
    ),
    ("insert-sites", &["insert eval.onnx --sites"], &["/sites"]),
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
    folder
}

#[test]
fn documents_of_commands_are_as_their_schemas_describe() {
    for (name, commands, wrong) in ROWS {
        let path = format!("{}/docs/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        for command in *commands {
            let folder = models();
            let said = folder.run(&format!("{command} --format json"));
            let document = said.json();
            let errors: Vec<String> = schema
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
        for place in *wrong {
            let mut bad = good.clone();
            *bad.pointer_mut(place)
                .unwrap_or_else(|| panic!("{name} {place}")) = json!([{}, 1]);
            assert!(!schema.is_valid(&bad), "{name} {place}");
        }
    }
}
