//! Which rules `audit` tells, and what that makes of its exit status.

use dropout_onnx::audit::{RULES, handbook};
use prost::Message;

use crate::common::build::{f32_scalar, model, op, x_to_y};
use crate::common::cli::Folder;

fn folder() -> Folder {
    let folder = Folder::with("torch_mask_output_op13", "active.onnx");
    folder.copy("keras_mc_lost_ratio_op12", "lost.onnx");
    folder.copy("jax2onnx_runtime_switch_op18", "runtime.onnx");
    folder
}

#[test]
fn the_exit_status_is_1_if_a_rule_finds_an_error() {
    let folder = folder();
    for (arguments, status) in [
        ("lost.onnx", 0),
        ("lost.onnx --deny lost-rate", 1),
        ("lost.onnx --deny warnings", 1),
        ("lost.onnx --deny warnings --exit-zero", 0),
        ("lost.onnx --deny all --allow lost-rate,leftover-dropout", 0),
        ("runtime.onnx --deny runtime-dropout", 1),
        ("runtime.onnx --deny notes", 0),
        ("active.onnx", 1),
        ("active.onnx --allow active-dropout", 0),
        ("active.onnx --allow errors", 0),
        ("active.onnx --select mask-used", 0),
        ("active.onnx --select mask-used --deny mask-used", 1),
        ("active.onnx --deny active-dropout", 1),
    ] {
        folder.run(&format!("audit {arguments}")).exits(status);
    }
}

#[test]
fn the_report_has_each_rule_once_and_notes_with_verbose() {
    let folder = folder();
    let text = |arguments: &str| folder.run(arguments).text().to_string();
    let said = text("audit lost.onnx");
    assert_eq!(said.matches("lost-rate").count(), 1, "{said}");
    assert!(
        said.contains("  warning  lost-rate  graph: Dropout `"),
        "{said}"
    );
    assert!(said.contains("(and 1 more)"), "{said}");
    let said = text("audit lost.onnx --deny lost-rate");
    assert!(said.contains("  error  lost-rate  "), "{said}");
    assert!(!text("audit lost.onnx --allow lost-rate").contains("lost-rate"));
    // what the table of dropouts says is told again where it fails the audit
    assert!(!text("audit runtime.onnx").contains("runtime-dropout"));
    let said = text("audit runtime.onnx --deny runtime-dropout");
    assert!(said.contains("  error  runtime-dropout  graph: "), "{said}");

    let json = folder.run("audit active.onnx --allow all --format json");
    assert_eq!(
        json.exits(0).json()["models"][0]["findings"],
        serde_json::json!([])
    );

    let draw = x_to_y([op("u = RandomNormalLike(x)"), op("y = Sin(u)")]);
    folder.write("note.onnx", model(13, draw).encode_to_vec());
    assert!(!text("audit note.onnx").contains("note  random-outside-dropout"));
    assert!(text("audit note.onnx -v").contains("note  random-outside-dropout"));
}

#[test]
fn dropout_that_cannot_be_judged_fails_the_audit_unless_allowed() {
    let folder = Folder::new();
    let ratio = x_to_y([op("y = Dropout(x, r)")]).init("r", f32_scalar(1.5));
    let switch = x_to_y([op("y = Dropout(x, , t)")]).init("t", f32_scalar(1.0));
    for (graph, rule) in [(ratio, "invalid-rate"), (switch, "invalid-dropout")] {
        folder.write("bad.onnx", model(13, graph).encode_to_vec());
        folder.run("audit bad.onnx").exits(2);
        folder.run("audit bad.onnx --exit-zero").exits(2);
        folder
            .run(&format!("audit bad.onnx --allow {rule}"))
            .exits(0);
    }
}

#[test]
fn unknown_rules_are_refused_before_anything_is_read() {
    let folder = folder();
    for option in ["deny", "allow", "select"] {
        folder.refuses(
            &format!("audit missing.onnx --{option} lost-rat"),
            &["unknown rule `lost-rat`; did you mean `lost-rate`?"],
        );
    }
    folder.refuses("audit --explain lost-rat", &["did you mean `lost-rate`?"]);
    folder.refuses(
        "audit active.onnx --deny mask-used --allow mask-used",
        &["`mask-used` is both allowed and denied"],
    );
    folder.refuses("audit", &["<PATH>"]);
    folder.refuses("audit active.onnx --explain mask-used", &["--explain"]);
}

#[test]
fn explain_prints_the_page_of_a_rule() {
    let folder = Folder::new();
    for rule in RULES {
        let said = folder
            .run(&format!("audit --explain {}", rule.name))
            .exits(0);
        assert_eq!(said.text(), rule.page());
    }
    assert_eq!(
        folder.run("audit --explain all").exits(0).text(),
        handbook()
    );
}
