//! Targets: operators whose weights can take a factor, and which axis of the weights it runs along.
//!
//! | operator | a factor of its data moves into | a factor of its output moves into |
//! |---|---|---|
//! | MatMul | weights, along the axis that is summed over | weights, along the other axis |
//! | Gemm | B along K, or alpha; C: beta | B along N, or alpha; and C, or beta |
//! | Conv | W, input channels | W and B, output channels |
//! | ConvTranspose | W, input channels | W and B, output channels |
//! | LSTM, GRU, RNN | W, along the inputs | |
//! | BatchNormalization | scale; and mean, the other way | scale and B |
//! | InstanceNormalization | | scale and B |
//! | LayerNormalization | | Scale and B |
//! | RMSNormalization | | scale |
//! | Gather | | the table |
//! | DequantizeLinear | | the scale |
//!
//! Gemm's alpha and beta take a factor where its product with them is exact, and the weights cannot
//! (a run computes them, they are quantised) or would have to be copied.

mod convolution;
mod dense;
mod normalization;

use crate::semantics::view::NodeRef;

use super::change::Changes;
use super::context::Context;
use super::factor::Factor;

impl Context<'_> {
    /// What happens to a node whose data at `input` loses a factor; `None` if it is no target.
    pub fn forward(&self, node: NodeRef<'_>, input: usize, factor: &Factor) -> Option<Changes> {
        match node.op() {
            "MatMul" => dense::matmul_forward(self, node, input, factor),
            "Gemm" => Some(dense::gemm_forward(node, input, factor)),
            "Conv" | "ConvTranspose" => Some(convolution::forward(node, input, factor)),
            "BatchNormalization" => Some(normalization::batch_forward(self, node, input, factor)),
            "LSTM" | "GRU" | "RNN" => Some(dense::recurrent_forward(node, input, factor)),
            _ => None,
        }
    }

    /// What happens to a node whose output loses a factor; `None` if it is no target.
    pub fn backward(&self, node: NodeRef<'_>, factor: &Factor) -> Option<Changes> {
        match node.op() {
            "MatMul" => dense::matmul_backward(node, factor),
            "Gemm" => Some(dense::gemm_backward(node, factor)),
            "Conv" | "ConvTranspose" => Some(convolution::backward(node, factor)),
            "BatchNormalization" | "InstanceNormalization" => {
                Some(normalization::per_channel(self, node, factor))
            }
            "LayerNormalization" | "RMSNormalization" => {
                Some(normalization::per_element(node, factor))
            }
            "Gather" => dense::gather_backward(node, factor),
            "DequantizeLinear" => Some(dense::dequantize_backward(self, node, factor)),
            _ => None,
        }
    }
}
