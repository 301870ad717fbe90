//! Which rules `audit` tells, and what that makes of its exit status.

use dropout_onnx::audit::{RULES, handbook};
use prost::Message;

use crate::common::build::{f32_scalar, flag, model, op, x_to_y};
use crate::common::cli::Folder;

#[test]
fn notes_are_printed_of_one_model_or_with_verbose() {
    let folder = Folder::new();
    let custom = model(13, x_to_y([op("y = com.acme::Pool(x)")])).imports("com.acme", 1);
    folder.write("note.onnx", custom.encode_to_vec());
    folder.copy("keras_course_infer_op15", "clean.onnx");
    for (arguments, printed) in [
        ("note.onnx", true),
        ("note.onnx clean.onnx", false),
        ("note.onnx clean.onnx -v", true),
    ] {
        let said = folder.run(&format!("audit {arguments}"));
        let note = "note     unknown-operator: ";
        assert_eq!(said.text().contains(note), printed, "{arguments}");
    }
}

#[test]
fn dropout_that_cannot_be_judged_fails_the_audit_unless_allowed() {
    let folder = Folder::new();
    let ratio = x_to_y([op("y = Dropout(x, r, on)")]).init("r", f32_scalar(1.5));
    let ratio = ratio.init("on", flag(true));
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
fn explain_prints_the_page_of_a_rule() {
    let folder = Folder::new();
    let pages = RULES.iter().map(|rule| (rule.name, rule.page()));
    for (name, page) in pages.chain([("all", handbook())]) {
        let said = folder.run(&format!("audit --explain {name}")).exits(0);
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(said.text()), words(&page));
        // code and tables keep their lines
        let blocks = said.text().split("```").step_by(2);
        let lines = blocks.flat_map(str::lines);
        let paragraphs = lines.filter(|line| !line.starts_with('|'));
        let widest = paragraphs.map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{name}: {widest:?}");
    }
}
