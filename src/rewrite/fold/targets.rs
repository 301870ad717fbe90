//! Targets: operators whose weights can take a factor, and which axis of the weights it runs along.
//!
//! | operator | a factor of its data goes into | a factor of its output goes into |
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

use crate::onnx::{Model, NodeId, Producer, Use, ValueId, Values};

use super::factor::{Factor, Spread};
use super::operand::{self, Holder};
use super::shapes::{Shapes, int};

/// Why a factor goes no further, in words.
pub(super) type Refusal = String;

/// What is done to a node so that it does what a factor did.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// An input that is a constant is multiplied.
    Weights {
        node: NodeId,
        input: usize,
        holder: Holder,
        spread: Spread,
    },
    /// A float attribute whose default is 1 is multiplied.
    Attribute {
        node: NodeId,
        name: &'static str,
        by: f64,
    },
}

impl Change {
    pub fn node(&self) -> NodeId {
        match self {
            Change::Weights { node, .. } | Change::Attribute { node, .. } => *node,
        }
    }
}

/// How a factor runs along weights.
pub(super) enum Along {
    All(f64),
    /// An axis, counted from the first.
    Axis(usize, Vec<f64>),
    /// The first two axes.
    Pairs(fn(&Factor, &[i64], i64, usize, usize) -> f64, Factor, i64),
}

/// What is looked at.
#[derive(Clone, Copy)]
pub(super) struct View<'m> {
    pub model: &'m Model,
    pub values: &'m Values,
    pub shapes: &'m Shapes<'m>,
}

type Changes = Result<Vec<Change>, Refusal>;

impl View<'_> {
    /// What happens to a node whose data at `input` loses a factor; `None` if it is no target.
    pub fn forward(&self, id: NodeId, input: usize, factor: &Factor) -> Option<Changes> {
        let node = self.model.node(id);
        let op = node.op_type.as_str().filter(|_| node.in_default_domain())?;
        match op {
            "MatMul" => dense::matmul_forward(self, id, input, factor),
            "Gemm" => Some(dense::gemm_forward(self, id, input, factor)),
            "Conv" | "ConvTranspose" => Some(convolution::forward(self, id, input, factor)),
            "BatchNormalization" => Some(normalization::batch_forward(self, id, input, factor)),
            "LSTM" | "GRU" | "RNN" => Some(dense::recurrent_forward(self, id, input, factor)),
            _ => None,
        }
    }

    /// What happens to a node whose output loses a factor; `None` if it is no target.
    pub fn backward(&self, id: NodeId, factor: &Factor) -> Option<Changes> {
        let node = self.model.node(id);
        let op = node.op_type.as_str().filter(|_| node.in_default_domain())?;
        match op {
            "MatMul" => dense::matmul_backward(self, id, factor),
            "Gemm" => Some(dense::gemm_backward(self, id, factor)),
            "Conv" | "ConvTranspose" => Some(convolution::backward(self, id, factor)),
            "BatchNormalization" | "InstanceNormalization" => {
                Some(normalization::per_channel(self, id, factor))
            }
            "LayerNormalization" | "RMSNormalization" => {
                Some(normalization::per_element(self, id, factor))
            }
            "Gather" => dense::gather_backward(self, id, factor),
            "DequantizeLinear" => Some(dense::dequantize_backward(self, id, factor)),
            _ => None,
        }
    }

    /// The value at an input, if there is one.
    pub fn input(&self, id: NodeId, input: usize) -> Option<ValueId> {
        self.values.input(id, input)
    }

    /// True of an input that no run computes: its elements are in the file, whoever may change them.
    pub fn is_constant(&self, id: NodeId, input: usize) -> bool {
        let value = self.input(id, input);
        value.is_some_and(|value| {
            let constant = operand::constant(self.model, self.values, value);
            !matches!(constant, Ok(None)) || self.dequantized(value).is_some()
        })
    }

    /// The shape of a constant input.
    pub fn dims(&self, id: NodeId, input: usize) -> Option<Vec<i64>> {
        let value = self.input(id, input)?;
        if let Ok(Some(operand)) = operand::constant(self.model, self.values, value) {
            return Some(operand.tensor.dims.clone());
        }
        let quantised = self.input(self.dequantized(value)?, 0)?;
        let operand = operand::constant(self.model, self.values, quantised).ok()??;
        Some(operand.tensor.dims.clone())
    }

    /// The DequantizeLinear that makes a value out of a constant.
    fn dequantized(&self, value: ValueId) -> Option<NodeId> {
        let Producer::Node { node, .. } = self.values[value].producer else {
            return None;
        };
        let quantised = self.input(node, 0)?;
        let constant = operand::constant(self.model, self.values, quantised);
        let is = self.model.node(node).is("DequantizeLinear");
        (is && matches!(constant, Ok(Some(_)))).then_some(node)
    }

    /// True if nothing but this input of this node uses what the constant there is.
    pub fn is_alone(&self, id: NodeId, input: usize) -> bool {
        let Some(value) = self.input(id, input) else {
            return true;
        };
        self.values.uses(value).nth(1).is_none()
    }

    /// Multiplies a constant input.
    pub fn scale(&self, id: NodeId, input: usize, along: &Along) -> Result<Change, Refusal> {
        let node = self.model.node(id);
        let Some(value) = self.input(id, input) else {
            return Err(format!("{} has no input {input}", node.op_type));
        };
        let name = &self.values[value].name;
        let Some(operand) = operand::constant(self.model, self.values, value)? else {
            return match self.dequantized(value) {
                Some(dequantize) => self.scale_the_scale(id, dequantize, value, along),
                None => Err(format!("`{name}` is not constant")),
            };
        };
        if let Some(why) = operand::obstacle(self.model, self.values, &operand) {
            return Err(why);
        }
        let dims = &operand.tensor.dims;
        let spread = match along {
            Along::All(number) => Some(Spread::all(*number)),
            Along::Axis(axis, elements) => Spread::along(dims, *axis, elements),
            Along::Pairs(element, factor, group) if few_pairs(dims) => {
                let element = |i, j| element(factor, dims, *group, i, j);
                Some(Spread::over(dims, element))
            }
            Along::Pairs(..) => None,
        };
        let holder = operand.holder;
        let change = |spread| Change::Weights {
            node: id,
            input,
            holder,
            spread,
        };
        let why = || format!("the shape {dims:?} of `{name}` does not match the factor");
        spread.map(change).ok_or_else(why)
    }

    /// Weights that are dequantised: their scale takes the factor.
    fn scale_the_scale(
        &self,
        user: NodeId,
        dequantize: NodeId,
        value: ValueId,
        along: &Along,
    ) -> Result<Change, Refusal> {
        let name = &self.values[value].name;
        let only = |at| matches!(at, Use::Input { node, .. } if node == user);
        if !self.values.uses(value).all(only) {
            return Err(format!("`{name}` is quantized and has other readers"));
        }
        let along = match along {
            Along::All(number) => Along::All(*number),
            Along::Axis(axis, elements) => {
                let rank = self
                    .dims(user, self.place(user, value))
                    .map_or(0, |dims| dims.len());
                let own = int(self.model.node(dequantize), "axis", 1);
                let own = if own < 0 { own + rank as i64 } else { own };
                let scale = self.dims(dequantize, 1).unwrap_or_default();
                match scale.len() {
                    1 if own == *axis as i64 => Along::Axis(0, elements.clone()),
                    many if many > 1 && many == rank => Along::Axis(*axis, elements.clone()),
                    _ => {
                        let why = "is quantized, and its scale is not along the factor's axis";
                        return Err(format!("`{name}` {why}"));
                    }
                }
            }
            Along::Pairs(..) => {
                return Err(format!(
                    "`{name}` is quantized, and its groups have several factors"
                ));
            }
        };
        self.scale(dequantize, 1, &along)
    }

    fn place(&self, id: NodeId, value: ValueId) -> usize {
        let inputs = 0..self.model.node(id).inputs.len();
        inputs
            .into_iter()
            .find(|&i| self.input(id, i) == Some(value))
            .unwrap_or(0)
    }

    /// Multiplies a constant that is broadcast to the data, such as a bias.
    pub fn scale_aligned(
        &self,
        id: NodeId,
        input: usize,
        factor: &Factor,
    ) -> Result<Change, Refusal> {
        let along = match (factor.axis, factor.scalar()) {
            (Some(_), _) if self.has_own_axis(id) => {
                return Err("it broadcasts along a new axis".to_string());
            }
            (Some(axis), _) => {
                let rank = self.dims(id, input).map_or(0, |dims| dims.len());
                let name = self.input(id, input).map(|value| &self.values[value].name);
                let name = name.map(ToString::to_string).unwrap_or_default();
                let why = || format!("`{name}` does not vary along the factor's axis");
                Along::Axis(
                    rank.checked_sub(axis + 1).ok_or_else(why)?,
                    factor.elements.clone(),
                )
            }
            (None, number) => Along::All(number.unwrap_or(1.0)),
        };
        self.scale(id, input, &along)
    }

    /// True of arithmetic before opset 7, which may say where its second input begins.
    pub fn has_own_axis(&self, id: NodeId) -> bool {
        let node = self.model.node(id);
        let arithmetic = ["Add", "Div", "Mul", "Sub"].iter().any(|op| node.is(op));
        arithmetic && node.attribute("axis").is_some()
    }

    /// A factor along an axis of weights, which is the axis `from_end` of the data.
    pub fn along(&self, factor: &Factor, from_end: usize, axis: usize) -> Result<Along, Refusal> {
        match (factor.axis, factor.scalar()) {
            (_, Some(number)) => Ok(Along::All(number)),
            (Some(own), _) if own == from_end => Ok(Along::Axis(axis, factor.elements.clone())),
            _ => Err("the factor is along a different axis".to_string()),
        }
    }
}

/// True if the first two axes have no more indices than weights can have channels.
fn few_pairs(dims: &[i64]) -> bool {
    let pairs = dims.get(..2).and_then(|two| two[0].checked_mul(two[1]));
    pairs.is_some_and(|pairs| (1..1 << 24).contains(&pairs)) && dims.iter().all(|&dim| dim > 0)
}
