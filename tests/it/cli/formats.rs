//! The formats of `audit`: valid by their schemas, and names that no format likes.

use std::path::Path;

use jsonschema::{Draft, Validator};
use prost::Message;
use serde_json::{Value, json};

use crate::common::build::{f32_scalar, flag, model, op, x_to_y};
use crate::common::cli::Folder;

const FORMATS: &[&str] = &[
    "text", "concise", "json", "jsonl", "sarif", "github", "junit", "markdown", "html",
];

const BROKEN: &str =
    "broken.onnx: a text file, not an ONNX model; it may be the message of a download that failed";

/// A model of each kind, and none.
fn folder() -> Folder {
    let folder = Folder::with("torch_mask_output_op13", "active.onnx");
    folder.copy("keras_course_infer_op15", "clean.onnx");
    folder.copy("keras_mc_lost_ratio_op12", "lost.onnx");
    folder.copy("jax2onnx_runtime_switch_op18", "runtime.onnx");
    folder.write("broken.onnx", "no model");
    folder
}

/// The findings and remarks of a run are valid JSON and SARIF.
#[track_caller]
pub fn assert_valid_formats(folder: &Folder, arguments: &str) {
    let run = |format: &str| {
        let said = folder.run(&format!("{arguments} --format {format}"));
        said.exits(1).json()
    };
    let document = run("json");
    let schema = jsonschema::validator_for(&read("docs/audit.schema.json")).unwrap();
    assert_valid(&schema, &document);
    assert!(!document["remarks"].as_array().unwrap().is_empty());
    assert_valid(&sarif_schema(), &run("sarif"));
}

#[test]
fn json_lines_are_the_models_of_the_document() {
    let folder = folder();
    let document = folder.run("audit . --format json").json();
    let lines = folder.run("audit . --format jsonl").exits(2);
    let models = lines.text().lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let tool = line.as_object_mut().unwrap().remove("tool");
        assert_eq!(tool.as_ref(), document.get("tool"));
        line
    });
    let models: Vec<Value> = models.collect();
    assert_eq!(document["models"], Value::Array(models));
}

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// SARIF's schema, as one of draft 7: draft 4 has the same words, but does not know the format of
/// relative URIs.
fn sarif_schema() -> Validator {
    let mut schema = read("tests/data/sarif-schema-2.1.0.json");
    let keys = schema.as_object_mut().unwrap();
    let draft = keys.remove("$schema").unwrap();
    assert_eq!(draft, "http://json-schema.org/draft-04/schema#");
    keys.remove("id").unwrap();
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

#[track_caller]
fn assert_valid(schema: &Validator, document: &Value) {
    let errors = schema.iter_errors(document);
    let errors: Vec<_> = errors
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn json_is_valid() {
    let schema = jsonschema::validator_for(&read("docs/audit.schema.json")).unwrap();
    for arguments in ["audit . --format json", "audit odd --format json"] {
        assert_valid(&schema, &odd(folder()).run(arguments).json());
    }
}

#[test]
fn sarif_is_valid() {
    let schema = sarif_schema();
    let folder = odd(folder());
    for paths in [".", "clean.onnx", "missing.onnx", "/missing.onnx odd"] {
        let said = folder.run(&format!("audit {paths} --format sarif"));
        assert_valid(&schema, &said.json());
    }
}

#[test]
fn other_sarif_is_not() {
    let schema = sarif_schema();
    let good = folder().run("audit . --format sarif").json();
    for (place, value) in [
        ("/version", json!("2.0.0")),
        ("/runs/0/results/0/level", json!("fatal")),
        ("/runs/0/results/0/message", json!("text")),
        ("/runs/0/results/0/partialFingerprints", json!({"x": 1})),
        ("/runs/0/tool/driver/rules/0", json!({"name": "no id"})),
        (
            "/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri",
            json!("not a URI"),
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!schema.is_valid(&bad), "{place}");
    }
}

#[test]
fn sarif_has_rules_and_locations() {
    let folder = folder();
    let log = folder.run("audit . --format sarif").json();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 6);
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["help"]["markdown"].is_string());
    }
    let active = &results[0];
    assert_eq!(active["ruleId"], "active-dropout");
    let location = &active["locations"][0];
    let artifact = &location["physicalLocation"]["artifactLocation"];
    assert_eq!(artifact["uri"], "active.onnx");
    assert_eq!(
        location["logicalLocations"][0],
        json!({"name": "/Dropout", "fullyQualifiedName": "graph//Dropout"})
    );
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let text = &invocation["toolExecutionNotifications"][0]["message"]["text"];
    assert_eq!(text, BROKEN);

    let whole = folder.path("active.onnx");
    for (path, uri) in [
        (whole.to_str().unwrap(), "active.onnx"),
        ("../missing.onnx", "file:///"),
    ] {
        let log = folder.run(&format!("audit {path} --format sarif")).json();
        let run = &log["runs"][0];
        let places = [
            "/results/0/locations/0/physicalLocation/artifactLocation/uri",
            "/invocations/0/toolExecutionNotifications/0/locations/0/physicalLocation\
             /artifactLocation/uri",
        ];
        let found = places.iter().find_map(|place| run.pointer(place)).unwrap();
        assert!(found.as_str().unwrap().starts_with(uri), "{found}");
    }
}

/// Fingerprints of the active dropouts that `audit` finds in a model of these nodes.
fn fingerprints(nodes: &[&str]) -> Vec<String> {
    let nodes = nodes.iter().map(|node| {
        let (name, node) = node.split_once(": ").unwrap();
        op(node).named(name)
    });
    let graph = x_to_y(nodes)
        .init("p", f32_scalar(0.5))
        .init("on", flag(true));
    let folder = Folder::new();
    folder.write("model.onnx", model(13, graph).encode_to_vec());
    let log = folder.run("audit model.onnx --select active-dropout --format sarif");
    let log = log.exits(1).json();
    let results = log["runs"][0]["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| {
            let prints = &result["partialFingerprints"];
            prints["primaryLocationLineHash"].as_str().unwrap().into()
        })
        .collect()
}

#[test]
fn sarif_fingerprints_do_not_depend_on_other_findings() {
    let first = fingerprints(&[
        "a: h = Dropout(x, p, on)",
        "r: r = Relu(h)",
        "b: y = Dropout(r, p, on)",
    ]);
    assert_eq!(first.len(), 2);
    assert_ne!(first[0], first[1]);
    let renamed = fingerprints(&[
        "A: H = Dropout(x, p, on)",
        "R: R = Relu(H)",
        "B: y = Dropout(R, p, on)",
    ]);
    assert_eq!(renamed, first);
    let other = fingerprints(&[
        "a: h = Dropout(x, p, on)",
        "r: r = Sigmoid(h)",
        "b: y = Dropout(r, p, on)",
    ]);
    assert_ne!(other[0], first[0]);
    assert_ne!(other[1], first[1]);
    // what is the same in everything is counted
    let twice = fingerprints(&["a: h = Dropout(x, p, on)", "a: y = Dropout(h, p, on)"]);
    assert_eq!(twice[1], twice[0].replace(":1", ":2"));
}

const ODD_FILE: &str = "odd/%0A|<b>,:;'\"`*_[x](y)@me&amp; \\\n::error::.onnx";
const ODD_NODE: &str = "n%0A|<b>,:;'\"`*_[x](y)@me&amp; \\{0}\r\n::error::\u{1b}[2J\u{202e}";

/// Adds `odd/`, with a model whose file and node have every character that some format minds.
fn odd(folder: Folder) -> Folder {
    let graph = x_to_y([op("y = Dropout(x, p, on)").named(ODD_NODE)])
        .init("p", f32_scalar(0.5))
        .init("on", flag(true));
    std::fs::create_dir_all(folder.path(ODD_FILE).parent().unwrap()).unwrap();
    folder.write(ODD_FILE, model(13, graph).encode_to_vec());
    folder
}

/// What a format says of the odd model.
fn of_odd(format: &str) -> String {
    let folder = odd(Folder::new());
    let arguments = format!("audit odd --select active-dropout --format {format}");
    folder.run(&arguments).exits(1).text().to_string()
}

#[test]
fn odd_names_make_no_lines_and_move_no_cursor() {
    for format in FORMATS {
        let text = of_odd(format);
        assert!(text.contains("active"), "{format}: {text}");
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(control), "{format}: {text:?}");
        assert!(!text.contains("\n::error::."), "{format}: {text}");
    }
    let folder = Folder::new();
    folder.write("a\u{1b}[2J\nb.onnx", "no model");
    let said = folder.run("audit .").exits(2);
    assert!(
        said.stderr
            .starts_with("error: a\\u{1b}[2J\\nb.onnx: a text file, not an")
    );
    for (format, lines) in [("text", 11), ("concise", 1), ("jsonl", 1), ("github", 1)] {
        assert_eq!(of_odd(format).lines().count(), lines, "{format}");
    }
}

#[test]
fn odd_names_in_github_annotations() {
    let text = of_odd("github");
    let command = text.strip_suffix('\n').unwrap();
    let command = command.strip_prefix("::error file=").unwrap();
    let (file, rest) = command.split_once(",title=active-dropout::").unwrap();
    assert!(!file.contains([':', ',']), "{file}");
    assert!(rest.starts_with("Dropout `n%250A|<b>,:;"), "{rest}");
    // As the runner reads it.
    let file = file.replace("%3A", ":").replace("%2C", ",");
    let file = file.replace("%0A", "\n").replace("%0D", "\r");
    assert_eq!(file.replace("%25", "%"), ODD_FILE);
}

#[test]
fn odd_names_in_sarif() {
    let log: Value = serde_json::from_str(&of_odd("sarif")).unwrap();
    let result = &log["runs"][0]["results"][0];
    let text = result["message"]["text"].as_str().unwrap();
    assert!(text.contains("\\{{0}}\r\n::error::"), "{text:?}");
    let location = &result["locations"][0];
    assert_eq!(location["logicalLocations"][0]["name"], ODD_NODE);
    let uri = &location["physicalLocation"]["artifactLocation"]["uri"];
    let expected = "odd/%250A%7C%3Cb%3E%2C%3A%3B%27%22%60%2A_%5Bx%5D%28y%29%40me%26amp%3B%20%5C%0A\
                    %3A%3Aerror%3A%3A.onnx";
    assert_eq!(uri, expected);
}

#[test]
fn odd_names_in_junit() {
    let report = quick_junit::Report::deserialize_from_str(&of_odd("junit")).unwrap();
    assert_eq!(report.test_suites.len(), 1);
    let suite = &report.test_suites[0];
    let name = suite.name.as_str();
    assert_eq!(name, ODD_FILE.replace('\n', "\\n"));
    let case = suite.test_cases[0].name.as_str();
    assert!(case.contains("n%0A|<b>,:;'\"`*_[x](y)@me&amp; \\{0}\\r\\n::"));
    assert!(quick_junit::Report::deserialize_from_str("<testsuites>").is_err());
}

/// Cells of a row, as GitHub tells them apart.
fn cells(row: &str) -> usize {
    row.replace("\\\\", "")
        .replace("\\|", "")
        .matches('|')
        .count()
        - 1
}

#[test]
fn odd_names_in_markdown() {
    let text = of_odd("markdown");
    let rows: Vec<usize> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    assert_eq!(rows, [6, 6, 6, 5, 5, 5]);
    assert_eq!(cells("| a | b \\| c | d \\\\| e |"), 4);
    assert!(!text.contains(['<', '@']), "{text}");
    assert!(
        text.contains("\\_\\[x\\](y)&#64;me&amp;amp; \\\\"),
        "{text}"
    );
}
