//! What `fold` takes and reports.

use crate::common::cli::{Folder, unwrapped};

/// tract has no operator for it, and a fold is not taken on trust.
#[test]
fn what_cannot_be_run_is_not_written_unless_asked() {
    use crate::common::build::{f32_scalar, f32s, graph, model, op};
    use prost::Message;
    let nodes = ["h = Mul(x, s)", "k = MatMul(h, w)", "y = other::Thing(k)"].map(op);
    let graph = graph(nodes)
        .input("x")
        .output("y")
        .init("s", f32_scalar(0.5))
        .init("w", f32s(&[3, 3], &[1.0; 9]));
    let folder = Folder::new();
    folder.write(
        "model.onnx",
        model(17, graph).imports("other", 1).encode_to_vec(),
    );
    folder.refuses(
        "fold model.onnx",
        &["cannot be verified", "Thing", "--verify structure"],
    );
    let said = folder.run("fold model.onnx --verify structure").exits(0);
    let text = unwrapped(said.text());
    assert!(text.contains("except for the changes: 1 factor, 1 use of weights"));
}
