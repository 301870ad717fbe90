//! What `strip` takes and reports.

use serde_json::Value;

use crate::common::cli::{Folder, Said};

const RESET: &str = "\u{1b}[0m";

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn quiet_prints_nothing() {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    for arguments in ["-q strip model.onnx", "strip model.onnx a.onnx --quiet"] {
        let said = folder.run(arguments).exits(0);
        assert!(said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
    }
    let said = folder.run("strip -q model.onnx -").exits(0);
    assert_eq!(said.stdout, folder.read("a.onnx"));
    assert!(said.stderr.is_empty());
    folder.refuses("strip -q missing.onnx", &["missing.onnx"]);
    folder.refuses("strip -q -v model.onnx", &["cannot be used with"]);
}

#[test]
fn verbose_shows_shapes_and_how_tract_ran() {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    let brief = folder.run("strip model.onnx a.onnx").exits(0);
    assert!(
        !brief.text().contains("inputs x[2, 20]"),
        "{}",
        brief.text()
    );
    let said = folder.run("strip model.onnx b.onnx -v").exits(0);
    assert!(said.text().contains("tract ran both models optimised"));
    assert!(said.text().contains("inputs x[2, 20]"), "{}", said.text());
}

#[test]
fn colour_is_for_terminals_or_on_request() {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    let coloured = |arguments: &str| {
        let said = folder
            .run(&format!("strip model.onnx -f {arguments}"))
            .exits(0);
        said.text().contains(RESET)
    };
    assert!(!coloured(""));
    assert!(!coloured("--color auto"));
    assert!(!coloured("--color never"));
    assert!(coloured("--color always"));
    let mut command = folder.command();
    command
        .args(["strip", "model.onnx", "-f"])
        .env("NO_COLOR", "1");
    assert!(!Said::new(&mut command).exits(0).text().contains(RESET));
    let said = folder.run("audit missing.onnx --color always");
    assert!(said.stderr.contains(RESET), "{}", said.stderr);
    let said = folder
        .run("strip model.onnx -f --format json --color always")
        .exits(0);
    said.json();
}

#[test]
fn only_inert_leaves_what_is_active() {
    let folder = Folder::with("torch_course_preserve_op17", "active.onnx");
    let said = folder.run("strip active.onnx --only inert").exits(0);
    assert!(
        said.text()
            .contains("active dropout is not selected by --only"),
        "{}",
        said.text()
    );
    assert_eq!(
        folder.read("active.stripped.onnx"),
        folder.read("active.onnx")
    );
    folder.run("audit active.stripped.onnx").exits(1);

    folder.copy("torch_mlp_training_op7", "inert.onnx");
    folder.run("strip inert.onnx --only inert").exits(0);
    let audit = folder
        .run("audit inert.stripped.onnx --format json")
        .exits(0);
    assert_eq!(audit.json()["models"][0]["verdict"], "clean");
    folder
        .run("strip active.onnx all.onnx --only inert,active")
        .exits(0);
    folder.run("audit all.onnx").exits(0);
    folder.refuses("strip active.onnx b.onnx --only dead", &["'dead'", "inert"]);
}

#[test]
fn classic_dropout_leaves_its_scale_for_fold() {
    let folder = Folder::with("torch_mlp_training_op7", "model.onnx");
    let said = folder.run("strip model.onnx --convention classic").exits(0);
    let text = said.text();
    assert!(text.contains("by 0.9: inference scales by 1-p"), "{text}");
    assert!(text.contains("by 0.65: inference scales by 1-p"), "{text}");
    let said = folder
        .run("fold model.stripped.onnx --only dropout")
        .exits(0);
    assert!(
        said.text().contains("2 constant factors, 2 can be folded"),
        "{}",
        said.text()
    );
    let said = folder.run("show model.stripped.folded.onnx").exits(0);
    assert!(!said.text().contains("= Mul("), "{}", said.text());
    folder
        .run("strip model.onnx inverted.onnx --convention inverted")
        .exits(0);
    // without a scale it is another model
    folder
        .run("verify model.stripped.onnx inverted.onnx")
        .exits(1);
}

#[test]
fn scales_that_stay_are_folded_on_request() {
    let folder = Folder::with("torch_classic_mask_op11", "model.onnx");
    let said = folder.run("strip model.onnx --fold").exits(0);
    crate::common::cli::golden("strip_fold_classic_mask", said.text());
    folder.run("strip -q model.onnx two.onnx").exits(0);
    folder.run("fold -q two.onnx three.onnx").exits(0);
    assert_eq!(
        folder.read("model.stripped.onnx"),
        folder.read("three.onnx")
    );
    let said = folder
        .run("strip model.onnx -f --fold --format json")
        .exits(0);
    assert_eq!(said.json()["fold"]["folded"], 1);
    // strip alone is exact, and the fold is not
    folder.run("strip model.onnx -f --fold --rtol 0").exits(1);
    // nothing stays, nothing is folded
    folder.copy("torch_mlp_training_op7", "mlp.onnx");
    let said = folder.run("strip mlp.onnx --fold").exits(0);
    assert!(
        said.text().contains("no constant factor"),
        "{}",
        said.text()
    );
    folder
        .run("strip mlp.onnx classic.onnx --convention classic --fold")
        .exits(0);
    let said = folder.run("show classic.onnx").exits(0);
    assert!(!said.text().contains("= Mul("), "{}", said.text());
}

#[test]
fn active_dropout_is_removed_and_reported() {
    let folder = Folder::with("torch_course_preserve_op17", "model.onnx");
    let said = folder.run("strip model.onnx").exits(0);
    let words = "so the original was non-deterministic; the result is the inference model";
    assert!(said.text().contains(words), "{}", said.text());
}

#[test]
fn an_input_that_nothing_uses_any_more_is_reported() {
    let folder = Folder::with("jax2onnx_runtime_switch_op18", "model.onnx");
    let said = folder.run("strip model.onnx").exits(0);
    assert!(said.text().contains("`deterministic` is no longer used"));
    let said = folder.run("strip model.onnx -f --format json").exits(0);
    assert_eq!(said.json()["idle_inputs"][0], "deterministic");
}

#[test]
fn the_json_report_matches_the_text() {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    let said = folder.run("strip model.onnx --format json").exits(0);
    assert!(said.stderr.is_empty());
    let report = said.json();
    let expected = "schema input output bytes sites plan removed masks scales identities \
                    idle_inputs fold verification diff";
    assert_eq!(keys(&report).join(" "), expected);
    assert_eq!(report["schema"], "dropout-onnx/strip/1");
    assert_eq!(report["input"], "model.onnx");
    assert_eq!(report["output"], "model.stripped.onnx");
    assert_eq!(report["bytes"]["before"], folder.read("model.onnx").len());
    assert_eq!(
        report["bytes"]["after"],
        folder.read("model.stripped.onnx").len()
    );
    assert_eq!(report["sites"][0]["mask"], "output");
    assert_eq!(report["plan"][0]["action"], "remove");
    assert_eq!(report["removed"]["dropouts"], 1);
    assert_eq!(report["masks"][0], "mask");
    let verification = &report["verification"];
    assert_eq!(verification["structure"]["result"], "same");
    assert_eq!(verification["structure"]["outputs"], 2);
    assert_eq!(verification["run"]["result"], "equal");
    assert_eq!(verification["run"]["runs"], 3);
    assert_eq!(verification["run"]["seed"], 0);
    assert_eq!(verification["run"]["shapes"]["x"][0], 2);
    assert_eq!(verification["run"]["chosen_dims"]["batch"], 2);
}

#[test]
fn wrong_usage_exits_2() {
    let folder = Folder::with("torch_mask_output_op13", "model.onnx");
    for (arguments, name) in [
        ("", "Usage"),
        ("frobnicate", "frobnicate"),
        ("strip", "<IN>"),
        ("strip model.onnx --frobnicate", "--frobnicate"),
        ("strip model.onnx a b", "'b'"),
        ("strip model.onnx --format xml", "xml"),
        ("strip model.onnx --color sometimes", "sometimes"),
        ("strip model.onnx --verify maybe", "maybe"),
        ("verify model.onnx", "<AFTER>"),
        ("audit", "<PATH>"),
        ("show", "<IN>"),
        ("diff a.onnx", "<AFTER>"),
    ] {
        let before = folder.listing();
        let said = folder.run(arguments);
        assert_eq!(said.status, 2, "{arguments}");
        assert!(said.stdout.is_empty(), "{arguments}");
        assert!(said.stderr.contains(name), "{arguments}: {}", said.stderr);
        assert!(folder.listing() == before);
    }
}
