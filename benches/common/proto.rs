//! Just enough of protobuf and of ONNX's messages to write a model.

use std::io::{self, Write};

/// `TensorProto.DataType`.
pub const FLOAT: u64 = 1;
pub const BOOL: u64 = 9;

/// Takes the bytes of a model: to count them or to write them.
pub trait Sink {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// `count` f32, little-endian, evenly spread in ±`bound`.
    fn noise(&mut self, count: u64, seed: u64, bound: f32) -> io::Result<()>;
}

pub struct Count(pub u64);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }

    fn noise(&mut self, count: u64, _: u64, _: f32) -> io::Result<()> {
        self.0 += 4 * count;
        Ok(())
    }
}

impl<W: Write> Sink for W {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn noise(&mut self, count: u64, seed: u64, bound: f32) -> io::Result<()> {
        let mut state = seed;
        let mut buffer = [0; 1 << 14];
        let mut left = count;
        while left > 0 {
            let now = left.min(buffer.len() as u64 / 4);
            let chunk = &mut buffer[..4 * now as usize];
            for float in chunk.chunks_exact_mut(4) {
                float.copy_from_slice(&(bound * unit(&mut state)).to_le_bytes());
            }
            self.write_all(chunk)?;
            left -= now;
        }
        Ok(())
    }
}

/// The next of a SplitMix64 sequence, as a number in [-1, 1) with 24 random bits.
fn unit(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// An integer field.
pub fn int(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

/// The header of a length-delimited field of `len` bytes.
pub fn prefix(out: &mut Vec<u8>, field: u64, len: u64) {
    varint(out, field << 3 | 2);
    varint(out, len);
}

/// A string, bytes or message field.
pub fn bytes(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    prefix(out, field, content.len() as u64);
    out.extend_from_slice(content);
}

/// A `NodeProto` with one output.
pub fn node(
    op: &str,
    name: &str,
    inputs: &[&str],
    output: &str,
    attributes: &[Vec<u8>],
) -> Vec<u8> {
    let mut node = Vec::new();
    for input in inputs {
        bytes(&mut node, 1, input.as_bytes());
    }
    bytes(&mut node, 2, output.as_bytes());
    bytes(&mut node, 3, name.as_bytes());
    bytes(&mut node, 4, op.as_bytes());
    for attribute in attributes {
        bytes(&mut node, 5, attribute);
    }
    node
}

/// An `AttributeProto` that holds an integer.
pub fn int_attribute(name: &str, value: u64) -> Vec<u8> {
    let mut attribute = Vec::new();
    bytes(&mut attribute, 1, name.as_bytes());
    int(&mut attribute, 3, value);
    int(&mut attribute, 20, 2);
    attribute
}

/// An `AttributeProto` that holds a tensor.
pub fn tensor_attribute(name: &str, tensor: &[u8]) -> Vec<u8> {
    attribute(name, 5, tensor, 4)
}

/// An `AttributeProto` that holds a graph.
pub fn graph_attribute(name: &str, graph: &[u8]) -> Vec<u8> {
    attribute(name, 6, graph, 5)
}

fn attribute(name: &str, field: u64, content: &[u8], kind: u64) -> Vec<u8> {
    let mut attribute = Vec::new();
    bytes(&mut attribute, 1, name.as_bytes());
    bytes(&mut attribute, field, content);
    int(&mut attribute, 20, kind);
    attribute
}

/// A `TensorProto` still without its data.
pub fn tensor(name: &str, data_type: u64, dims: &[u64]) -> Vec<u8> {
    let mut tensor = Vec::new();
    for &dim in dims {
        int(&mut tensor, 1, dim);
    }
    int(&mut tensor, 2, data_type);
    bytes(&mut tensor, 8, name.as_bytes());
    tensor
}

/// An initializer of the graph, with f32 noise as its `raw_data`.
pub fn weights(
    out: &mut impl Sink,
    name: &str,
    dims: &[u64],
    seed: u64,
    bound: f32,
) -> io::Result<()> {
    let count: u64 = dims.iter().product();
    let mut tensor = tensor(name, FLOAT, dims);
    prefix(&mut tensor, 9, 4 * count);
    let mut head = Vec::new();
    prefix(&mut head, 5, tensor.len() as u64 + 4 * count);
    out.put(&head)?;
    out.put(&tensor)?;
    // Far apart, so that no two tensors share a stretch of the sequence.
    out.noise(count, seed << 40, bound)
}

/// A `ValueInfoProto`: f32 of `batch` × `width`, or a scalar.
pub fn value_info(name: &str, data_type: u64, width: Option<u64>) -> Vec<u8> {
    let mut shape = Vec::new();
    if let Some(width) = width {
        let mut dim = Vec::new();
        bytes(&mut dim, 2, b"batch"); // dim_param
        bytes(&mut shape, 1, &dim);
        dim.clear();
        int(&mut dim, 1, width); // dim_value
        bytes(&mut shape, 1, &dim);
    }
    let mut tensor = Vec::new();
    int(&mut tensor, 1, data_type);
    bytes(&mut tensor, 2, &shape);
    let mut kind = Vec::new();
    bytes(&mut kind, 1, &tensor);
    let mut info = Vec::new();
    bytes(&mut info, 1, name.as_bytes());
    bytes(&mut info, 2, &kind);
    info
}
