//! Where a mask is applied to data, and the value that takes its place at inference.

use crate::onnx::{DataType, NodeId, ValueId, encode_float};
use crate::semantics::view::View;

/// A place where a mask is applied to data.
///
/// At inference `output` is `scale · data`, its elements moved as the nodes of `path` do; where there
/// is a `prescale` it is what data is without that factor, to the last bit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Junction {
    /// The node whose output is what dropout makes of the data.
    pub node: NodeId,
    /// The data: it does not depend on the draw.
    pub data: ValueId,
    /// Nodes between data and output that move elements about (Transpose, Reshape) or cast them.
    pub path: Vec<NodeId>,
    /// What becomes of it.
    pub output: ValueId,
    /// What inference multiplies `data` by. Not [`super::Site::inference_scale`] where the data was scaled
    /// before.
    pub scale: f64,
    /// Where the data got the factor `1 / scale`, if it did.
    pub prescale: Option<Prescale>,
    /// `a` and `b` where a draw keeps its element: there output is `a · data + b`.
    pub kept: (f64, f64),
    /// The inputs that are a constant mask.
    pub frozen: Vec<FrozenInput>,
}

/// An input of a node that is a constant mask.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FrozenInput {
    /// The node.
    pub node: NodeId,
    /// Which input.
    pub input: usize,
    /// What the mask is where it keeps.
    pub kept: f64,
}

/// Tolerance within which a scale counts as 1, so no Mul is needed.
const ONE: f64 = 1e-9;

impl Junction {
    /// True if inference multiplies by a number that is nowhere in the model.
    pub fn needs_scale(&self) -> bool {
        self.prescale.is_none() && (self.scale - 1.0).abs() > ONE
    }

    /// True if that number is an assumption: what the mask keeps is not scaled.
    pub fn is_unscaled(&self) -> bool {
        self.needs_scale() && self.kept == (1.0, 0.0)
    }

    /// The scale as a scalar of the data's type, little-endian; `None` if that is not known.
    pub(crate) fn factor(&self, view: View<'_>) -> Option<(DataType, Vec<u8>)> {
        let ends = [self.data, self.output];
        let element = (ends.into_iter()).find_map(|value| view.value(value).element_type())?;
        Some((element, encode_float(element, self.scale)?))
    }

    /// The nodes between the factor before the mask and the data, in order: they move elements about
    /// or cast them.
    pub(crate) fn chain(&self, view: View<'_>) -> Vec<NodeId> {
        let mut chain = Vec::new();
        let Some(prescale) = &self.prescale else {
            return chain;
        };
        let mut at = view.value(self.data);
        while let Some(node) = at.node()
            && node.id != prescale.node
            && let Some(input) = node.input(0)
        {
            if !node.is("Identity") {
                chain.push(node.id);
            }
            at = input;
        }
        chain.reverse();
        chain
    }
}

/// A node that multiplies by a constant (or divides) before the mask does. Only nodes that move
/// elements or cast them are between its output and the data of the junction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prescale {
    /// The Mul or Div.
    pub node: NodeId,
    /// What it multiplies.
    pub from: ValueId,
    /// True if something else than this dropout also uses what comes of it.
    pub shared: bool,
}

/// A draw for which nothing is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct KeptDraw {
    /// The node that draws.
    pub source: NodeId,
    /// What it draws, for instance 0.75.
    pub value: f64,
    /// What it draws where everything is dropped; `None` if no draw does that.
    pub dropped: Option<f64>,
}
