//! Help and reports, word for word. `INSTA_UPDATE=always cargo test --test it cli::golden` writes them
//! anew.

use crate::common::cli::{Folder, golden};

/// The subcommands, as the program's own help lists them; unit tests of the program see to it that
/// none is hidden.
pub fn subcommands() -> Vec<String> {
    let help = Folder::new().run("--help").exits(0);
    let list = help.text().split("Commands:\n").nth(1).unwrap();
    let list = list.lines().take_while(|line| !line.is_empty());
    // what goes on in the next line is indented further
    let list = list.filter(|line| !line.starts_with("   "));
    let names = list.map(|line| line.split_whitespace().next().unwrap().to_string());
    let names: Vec<_> = names.filter(|name| name != "help").collect();
    assert!(names.contains(&"audit".to_string()) && names.len() > 9);
    names
}

#[test]
fn help() {
    let folder = Folder::new();
    for command in subcommands().into_iter().chain([String::new()]) {
        for (option, name) in [("-h", "short"), ("--help", "long")] {
            let said = folder.run(&format!("{command} {option}")).exits(0);
            assert!(said.stderr.is_empty());
            let of = match command.as_str() {
                "" => "program",
                command => command,
            };
            golden(&format!("help_{of}_{name}"), said.text());
        }
    }
}

#[test]
fn version() {
    let said = Folder::new().run("--version").exits(0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(said.text(), format!("dropout-onnx {version}\n"));
}

#[test]
fn reports_of_strip() {
    for stem in [
        "jax2onnx_runtime_switch_op18",
        "keras_course_infer_op15",
        "keras_course_train_op8",
        "keras_lstm_loop_op11",
        "torch112_nested_functions_op15",
        "torch_course_preserve_op17",
        "torch_mask_output_op13",
        "torch_scripted_if_op13",
    ] {
        let name = format!("{stem}.onnx");
        let folder = Folder::with(stem, &name);
        let said = folder.run(&format!("strip {name}")).exits(0);
        assert!(said.stderr.is_empty());
        golden(&format!("strip_{stem}"), said.text());
    }
}

#[test]
fn report_of_audit() {
    let folder = Folder::new();
    let mut arguments = "audit".to_string();
    for stem in [
        "jax2onnx_runtime_switch_op18",
        "keras_course_infer_op15",
        "keras_lstm_loop_op11",
        "keras_mc_lost_ratio_op12",
        "torch112_nested_functions_op15",
        "torch_course_preserve_op17",
        "torch_mask_output_op13",
        "torch_mlp_training_op7",
    ] {
        folder.copy(stem, &format!("{stem}.onnx"));
        arguments = format!("{arguments} {stem}.onnx");
    }
    golden("audit", folder.run(&arguments).exits(1).text());
    let said = folder
        .run("audit torch_mask_output_op13.onnx --format json")
        .exits(1);
    golden("audit_json", said.text());
}

#[test]
fn shown_before_and_after_strip() {
    for stem in [
        "torch112_function_called_twice_op15",
        "torch_mask_output_op13",
        "torch_mlp_training_op7",
        "torch_scripted_if_op13",
    ] {
        let folder = Folder::with(stem, "model.onnx");
        folder.run("strip model.onnx").exits(0);
        for (name, when) in [("model", "before"), ("model.stripped", "after")] {
            let said = folder.run(&format!("show {name}.onnx")).exits(0);
            golden(&format!("show_{stem}_{when}"), said.text());
        }
    }
}
