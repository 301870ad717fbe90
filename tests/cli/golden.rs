//! Help and reports, word for word. `INSTA_UPDATE=always cargo test --test cli golden` writes them
//! anew.

use crate::cli::{Folder, golden};

#[test]
fn help() {
    let folder = Folder::new();
    for command in [
        "", "audit", "strip", "fold", "sample", "verify", "show", "diff",
    ] {
        for (option, name) in [("-h", "short"), ("--help", "long")] {
            let said = folder.run(&format!("{command} {option}")).exits(0);
            assert!(said.stderr.is_empty());
            let of = if command.is_empty() {
                "program"
            } else {
                command
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
