//! What `strip` takes and reports.

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
