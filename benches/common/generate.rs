//! Writes the models that the benchmark reads: valid ONNX that runs, of a size you choose.
//!
//! Streaming: the same code runs twice, once counting bytes (a protobuf message is preceded by
//! its length) and once writing them, with a few nodes or one `If` in memory. Nothing here comes
//! from the library, so a mistake in its reader or writer is not repeated here.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use super::builder::{Builder, Position};
use super::proto::{Count, FLOAT, Sink, bytes, int, prefix, weights};

/// Part of every file name: raise it when what is generated changes.
const VERSION: u32 = 1;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub enum Model {
    /// `layers` dense layers of `width` × `width` f32, each with relu and a Dropout.
    Weights { layers: usize, width: usize },
    /// A chain of `nodes` nodes with residual branches, a fifth of them Dropouts, and next to no
    /// weights. With `branches`, 45 % of the nodes are in branches of `If`, up to two deep,
    /// and use Dropout outputs and other values from outside.
    Nodes { nodes: usize, branches: bool },
    /// As `Nodes` without branches, and without `value_info`: 36 bytes per node.
    Chain { nodes: usize },
    /// A chain of `nodes` nodes, a twelfth of them Dropouts, and as many random masks, half of them
    /// as tf2onnx writes them and half as torch does.
    Masks { nodes: usize },
}

impl Model {
    /// The name of the file that holds it.
    pub fn file_name(self) -> String {
        match self {
            Model::Weights { layers, width } => format!("weights-{layers}x{width}-v{VERSION}.onnx"),
            Model::Nodes { nodes, branches } => {
                let kind = if branches { "branches" } else { "plain" };
                format!("{kind}-{nodes}-v{VERSION}.onnx")
            }
            Model::Chain { nodes } => format!("chain-{nodes}-v{VERSION}.onnx"),
            Model::Masks { nodes } => format!("masks-{nodes}-v{VERSION}.onnx"),
        }
    }

    /// The bytes its weights and biases take.
    pub fn weight_bytes(self) -> u64 {
        match self {
            Model::Weights { layers, width } => (layers * (width + 1) * width * 4) as u64,
            Model::Nodes { .. } | Model::Chain { .. } | Model::Masks { .. } => 0,
        }
    }

    pub fn dropouts(self) -> usize {
        match self {
            Model::Weights { layers, .. } => layers,
            Model::Nodes { nodes, .. } | Model::Chain { nodes } => nodes / 5,
            Model::Masks { nodes } => nodes / 25 * 4,
        }
    }

    /// Puts the model at `path`, unless a file of the right size is there; returns its size.
    pub fn generate(self, path: &Path) -> io::Result<u64> {
        let mut graph = Count(0);
        self.graph(&mut graph)?;

        let mut head = Vec::new();
        int(&mut head, 1, 8); // ir_version
        bytes(&mut head, 2, b"dropout-onnx-bench"); // producer_name
        prefix(&mut head, 7, graph.0); // graph
        let mut opset = Vec::new();
        bytes(&mut opset, 1, b""); // domain
        int(&mut opset, 2, 13); // version
        let mut tail = Vec::new();
        bytes(&mut tail, 8, &opset); // opset_import

        let size = head.len() as u64 + graph.0 + tail.len() as u64;
        if fs::metadata(path).is_ok_and(|there| there.len() == size) {
            return Ok(size);
        }
        let part = path.with_extension("part");
        let mut file = BufWriter::with_capacity(1 << 16, File::create(&part)?);
        file.put(&head)?;
        self.graph(&mut file)?;
        file.put(&tail)?;
        file.into_inner()?.sync_all()?;
        fs::rename(&part, path)?;
        Ok(size)
    }

    fn graph(self, out: &mut impl Sink) -> io::Result<()> {
        match self {
            Model::Weights { layers, width } => dense_layers(out, layers, width),
            Model::Nodes { nodes, branches } => blocks(out, nodes, branches),
            Model::Chain { nodes } => chain(out, nodes),
            Model::Masks { nodes } => masks(out, nodes),
        }
    }
}

/// In turn: `MatMul` + `Add` with a Dropout that shares its settings, and `Gemm` with a Dropout
/// that has `Constant` nodes of its own. Nodes come before the weights, as exporters write them.
fn dense_layers(out: &mut impl Sink, layers: usize, width: usize) -> io::Result<()> {
    let mut graph = Builder::new(width as u64);
    let mut x = "x".to_string();
    for i in 0..layers {
        let (w, b) = (format!("w{i}"), format!("b{i}"));
        let dense = if i % 2 == 0 {
            let product = graph.node("MatMul", &[&x, &w]);
            graph.node("Add", &[&product, &b])
        } else {
            graph.node("Gemm", &[&x, &w, &b])
        };
        let relu = graph.node("Relu", &[&dense]);
        x = graph.dropout(&relu, i % 2 == 1);
        graph.flush(out)?;
    }
    graph.finish_nodes(out, &x)?;
    // He initialisation: what passes a hundred layers neither vanishes nor overflows.
    let bound = (6.0 / width as f32).sqrt();
    for i in 0..layers {
        let seed = 2 * i as u64 + 1;
        weights(out, &format!("w{i}"), &[width as u64; 2], seed, bound)?;
        weights(out, &format!("b{i}"), &[width as u64], seed + 1, 0.01)?;
    }
    graph.finish(out, false)
}

/// Blocks of five nodes with one Dropout each; in every other fifty nodes, an `If`.
fn blocks(out: &mut impl Sink, nodes: usize, branches: bool) -> io::Result<()> {
    let mut graph = Builder::new(4);
    let mut at = Position {
        x: "x".to_string(),
        skip: "x".to_string(),
    };
    for i in 0..nodes / 50 {
        if branches && i % 2 == 1 {
            at = graph.branching(&at, 2);
        } else {
            for j in 0..10 {
                at = graph.block(&at, j % 2 == 1);
            }
        }
        graph.flush(out)?;
    }
    graph.finish_nodes(out, &at.x)?;
    graph.scalar("half", FLOAT, &0.5f32.to_le_bytes());
    graph.finish(out, branches)
}

/// Blocks of five nodes with one Dropout each.
fn chain(out: &mut impl Sink, nodes: usize) -> io::Result<()> {
    let mut graph = Builder::new(4);
    let mut x = "x".to_string();
    for _ in 0..nodes / 5 {
        x = graph.link(&x);
        graph.flush(out)?;
    }
    graph.finish_nodes(out, &x)?;
    graph.finish(out, false)
}

/// Blocks of twenty-five nodes with two Dropouts and two random masks.
fn masks(out: &mut impl Sink, nodes: usize) -> io::Result<()> {
    let mut graph = Builder::new(4);
    let mut at = Position {
        x: "x".to_string(),
        skip: "x".to_string(),
    };
    for _ in 0..nodes / 25 {
        at = graph.block(&at, false);
        at = graph.block(&at, true);
        at.x = graph.tf_mask(&at.x);
        at.x = graph.torch_mask(&at.x);
        graph.flush(out)?;
    }
    graph.finish_nodes(out, &at.x)?;
    for (name, value) in [("half", 0.5f32), ("two", 2.0), ("zero", 0.0)] {
        graph.scalar(name, FLOAT, &value.to_le_bytes());
    }
    graph.finish(out, false)
}
