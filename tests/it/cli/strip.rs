//! What `strip` takes and reports.

use prost::Message;

use crate::common::build::{f32_scalar, flag, model, op, x_to_y};
use crate::common::cli::{Folder, Said};

const RESET: &str = "\u{1b}[0m";

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
fn a_dropout_that_cannot_be_removed_is_named_and_the_others_go() {
    let folder = Folder::new();
    let nodes = [
        op("a = Dropout(x)"),
        op("b = Dropout(a, r, on)").named("bad"),
        op("y = Relu(b)"),
    ];
    let graph = x_to_y(nodes).init("r", f32_scalar(1.0));
    let graph = graph.init("on", flag(true));
    folder.write("model.onnx", model(13, graph).encode_to_vec());
    let said = folder.run("strip model.onnx out.onnx").exits(0);
    let warning = "warning: model.onnx: graph: Dropout `bad`: kept: ratio 1 is outside [0, 1)";
    assert!(said.stderr.contains(warning), "{said:?}");
    assert!(
        said.text().contains("removed   1 dropout layer"),
        "{}",
        said.text()
    );
    let said = folder
        .run("strip -q --dry-run model.onnx out.onnx")
        .exits(0);
    assert!(said.stderr.contains(warning), "{said:?}");
    folder.refuses("strip --strict model.onnx o.onnx", &["`bad`", "ratio 1"]);
    // the twin: what is left is all there is
    folder.refuses("strip out.onnx o.onnx", &["`bad`", "ratio 1"]);
}
