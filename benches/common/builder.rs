//! Graphs, written node by node, with the pieces that the models are made of.

use std::io;

use super::proto::{
    BOOL, FLOAT, Sink, bytes, graph_attribute, int, int_attribute, node, tensor, tensor_attribute,
    value_info,
};

/// Where a chain has got to: its last value, and an earlier one for the next residual branch.
#[derive(Clone)]
pub struct Position {
    pub x: String,
    pub skip: String,
}

/// What is written and not yet flushed of one graph, and its values that get a `value_info`.
#[derive(Default)]
struct Scope {
    nodes: Vec<u8>,
    values: Vec<u32>,
}

/// Writes nodes into the innermost of the open scopes, each value under a name of its own.
pub struct Builder {
    width: u64,
    last: u32,
    outer: Vec<Scope>,
    scope: Scope,
}

impl Builder {
    pub fn new(width: u64) -> Builder {
        Builder {
            width,
            last: 0,
            outer: Vec::new(),
            scope: Scope::default(),
        }
    }

    /// A node with one output, whose name is returned.
    pub fn node(&mut self, op: &str, inputs: &[&str]) -> String {
        self.scope.values.push(self.last + 1);
        self.node_with(op, inputs, &[])
    }

    fn node_with(&mut self, op: &str, inputs: &[&str], attributes: &[Vec<u8>]) -> String {
        self.last += 1;
        let output = format!("v{}", self.last);
        let name = format!("block_{}/{op}", self.last);
        let node = node(op, &name, inputs, &output, attributes);
        bytes(&mut self.scope.nodes, 1, &node);
        output
    }

    fn constant(&mut self, data_type: u64, raw: &[u8]) -> String {
        let mut tensor = Vec::new();
        int(&mut tensor, 2, data_type);
        bytes(&mut tensor, 9, raw); // raw_data
        self.node_with("Constant", &[], &[tensor_attribute("value", &tensor)])
    }

    /// An inert Dropout: alone, or after two constants that no other node uses.
    pub fn dropout(&mut self, x: &str, own_constants: bool) -> String {
        if !own_constants {
            return self.node("Dropout", &[x, "ratio", "training_mode"]);
        }
        let ratio = self.constant(FLOAT, &0.25f32.to_le_bytes());
        let mode = self.constant(BOOL, &[0]);
        self.node("Dropout", &[x, &ratio, &mode])
    }

    /// Ten nodes: a random mask as tf2onnx writes it, and half of what comes out.
    pub fn tf_mask(&mut self, x: &str) -> String {
        let drawn = self.node("RandomUniformLike", &[x]);
        let kept = self.node_with("GreaterOrEqual", &[&drawn, "half"], &[]);
        let mask = self.cast(&kept);
        let scaled = self.node("Mul", &[x, "two"]);
        let what_is_kept = self.node("Mul", &[&mask, &scaled]);
        let dropped = self.node_with("Not", &[&kept], &[]);
        let mask = self.cast(&dropped);
        let zeros = self.node("Mul", &["zero", &mask]);
        let sum = self.node("Add", &[&what_is_kept, &zeros]);
        self.node("Mul", &[&sum, "half"])
    }

    /// Five nodes: a random mask as torch writes it.
    pub fn torch_mask(&mut self, x: &str) -> String {
        let drawn = self.node("RandomUniformLike", &[x]);
        let kept = self.node_with("Less", &[&drawn, "half"], &[]);
        let mask = self.cast(&kept);
        let scaled = self.node("Div", &[&mask, "half"]);
        self.node("Mul", &[x, &scaled])
    }

    /// Five nodes without `value_info`: a Dropout of the result, which is added to what came in.
    pub fn link(&mut self, x: &str) -> String {
        let relu = self.node_with("Relu", &[x], &[]);
        let dropped = self.node_with("Dropout", &[&relu, "ratio", "training_mode"], &[]);
        let negated = self.node_with("Neg", &[&dropped], &[]);
        let product = self.node_with("Mul", &[&negated, &relu], &[]);
        self.node_with("Add", &[&product, x], &[])
    }

    fn cast(&mut self, x: &str) -> String {
        self.scope.values.push(self.last + 1);
        self.node_with("Cast", &[x], &[int_attribute("to", FLOAT)])
    }

    /// Five nodes that keep a value from growing: relu(x/2) + x/2, or (x + skip) / 2.
    pub fn block(&mut self, at: &Position, own_constants: bool) -> Position {
        if own_constants {
            let dropped = self.dropout(&at.x, true);
            let sum = self.node("Add", &[&dropped, &at.skip]);
            return Position {
                x: self.node("Mul", &[&sum, "half"]),
                skip: dropped,
            };
        }
        let half = self.node("Mul", &[&at.x, "half"]);
        let relu = self.node("Relu", &[&half]);
        let dropped = self.dropout(&relu, false);
        let sum = self.node("Add", &[&dropped, &half]);
        Position {
            x: self.node("Relu", &[&sum]),
            skip: at.x.clone(),
        }
    }

    /// Fifty nodes at depth 2: an `If` whose branches start from the output of a Dropout
    /// outside, one of them with another `If`; one innermost branch returns a Dropout's output.
    pub fn branching(&mut self, at: &Position, depth: usize) -> Position {
        let half = self.node("Mul", &[&at.x, "half"]);
        let relu = self.node("Relu", &[&half]);
        let captured = Position {
            x: self.dropout(&relu, false),
            skip: half.clone(),
        };
        let then = self.branch(|graph| {
            let mut at = captured.clone();
            if depth == 1 {
                at = graph.block(&at, true);
                let half = graph.node("Mul", &[&at.x, "half"]);
                let relu = graph.node("Relu", &[&half]);
                let sum = graph.node("Add", &[&relu, &at.skip]);
                let mean = graph.node("Mul", &[&sum, "half"]);
                return graph.dropout(&mean, false);
            }
            for i in 0..3 {
                at = graph.block(&at, i % 2 == 1);
            }
            graph.branching(&at, depth - 1).x
        });
        let otherwise = self.branch(|graph| {
            let at = graph.block(&captured, true);
            if depth == 1 {
                graph.block(&at, false).x
            } else {
                at.x
            }
        });
        let branches = [
            graph_attribute("then_branch", &then),
            graph_attribute("else_branch", &otherwise),
        ];
        self.scope.values.push(self.last + 1);
        let chosen = self.node_with("If", &["flag"], &branches);
        Position {
            x: self.node("Add", &[&chosen, &half]),
            skip: captured.x,
        }
    }

    /// A subgraph without inputs; `nodes` writes its nodes and names its output.
    fn branch(&mut self, nodes: impl FnOnce(&mut Builder) -> String) -> Vec<u8> {
        self.outer.push(std::mem::take(&mut self.scope));
        let output = nodes(self);
        let outer = self.outer.pop().unwrap_or_default();
        let inner = std::mem::replace(&mut self.scope, outer);
        let mut graph = inner.nodes;
        bytes(&mut graph, 2, b"branch");
        bytes(
            &mut graph,
            12,
            &value_info(&output, FLOAT, Some(self.width)),
        );
        for value in inner
            .values
            .iter()
            .map(|v| format!("v{v}"))
            .filter(|v| *v != output)
        {
            bytes(&mut graph, 13, &value_info(&value, FLOAT, Some(self.width)));
        }
        graph
    }

    pub fn flush(&mut self, out: &mut impl Sink) -> io::Result<()> {
        out.put(&self.scope.nodes)?;
        self.scope.nodes.clear();
        Ok(())
    }

    /// Ends the nodes with one that writes the output, and writes the shared initializers.
    pub fn finish_nodes(&mut self, out: &mut impl Sink, x: &str) -> io::Result<()> {
        bytes(
            &mut self.scope.nodes,
            1,
            &node("Identity", "last", &[x], "y", &[]),
        );
        bytes(&mut self.scope.nodes, 2, b"generated");
        self.scalar("ratio", FLOAT, &0.5f32.to_le_bytes());
        self.scalar("training_mode", BOOL, &[0]);
        self.flush(out)
    }

    pub fn scalar(&mut self, name: &str, data_type: u64, raw: &[u8]) {
        let mut tensor = tensor(name, data_type, &[]);
        bytes(&mut tensor, 9, raw);
        bytes(&mut self.scope.nodes, 5, &tensor);
    }

    /// The interface and the `value_info` of everything but constants.
    pub fn finish(mut self, out: &mut impl Sink, flag: bool) -> io::Result<()> {
        let (mut rest, width) = (self.scope.nodes, Some(self.width));
        bytes(&mut rest, 11, &value_info("x", FLOAT, width));
        if flag {
            bytes(&mut rest, 11, &value_info("flag", BOOL, None));
        }
        bytes(&mut rest, 12, &value_info("y", FLOAT, width));
        out.put(&rest)?;
        for value in self.scope.values.drain(..) {
            rest.clear();
            bytes(
                &mut rest,
                13,
                &value_info(&format!("v{value}"), FLOAT, width),
            );
            out.put(&rest)?;
        }
        Ok(())
    }
}
