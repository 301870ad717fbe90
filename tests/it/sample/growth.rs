//! One engine model, and no run kept: memory does not grow with the runs.

use dropout_onnx::onnx::DataType;
use prost::Message;
use tempfile::TempDir;

use crate::common::build::{f32_scalar, f32s, graph, model, op};
use crate::common::memory::{LITTLE, within};

const WIDTH: i64 = 2048;
const ROWS: i64 = 128;

/// 16 MB of weights, and an output of a quarter of a million elements.
fn large() -> Vec<u8> {
    let weights: Vec<f32> = (0..WIDTH * WIDTH).map(|i| (i % 7) as f32 * 0.01).collect();
    let nodes = [
        op("h = MatMul(x, w)"),
        op("d = Dropout(h, p)").named("drop"),
        op("y = MatMul(column, d)"),
    ];
    let graph = graph(nodes)
        .input_of("x", DataType::FLOAT, &[1, WIDTH])
        .output_of("y", DataType::FLOAT, &[ROWS, WIDTH])
        .init("w", f32s(&[WIDTH, WIDTH], &weights))
        .init("column", f32s(&[ROWS, 1], &[1.0; ROWS as usize]))
        .init("p", f32_scalar(0.5));
    model(13, graph).encode_to_vec()
}

#[test]
fn it_does_not_grow_with_the_runs() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("large.onnx");
    std::fs::write(&file, large()).unwrap();
    let file = file.to_str().unwrap();
    // 150 models of 16 MB, or outputs of 1 MB (2 MB in doubles), would be more than a little
    let done = within(LITTLE, &["sample", file, "--runs", "150"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    // the twin: the limit is one
    let starved = within(LITTLE / 4, &["sample", file, "--runs", "2"]);
    assert!(!starved.status.success());
}
