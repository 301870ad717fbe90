//! Dropout operators that are not part of ONNX: those of ONNX Runtime and of PyTorch.
//!
//! Sources: `contrib_defs.cc` and `training_op_defs.cc` of ONNX Runtime; `native_functions.yaml` of
//! PyTorch, whose operators reach ONNX as ATen nodes or as calls of torch_lib without its functions.

use crate::onnx::Use;

use super::view::{NodeRef, ValueRef};

/// A dropout operator that is not part of ONNX. Its data is its first input, and its mask is its second
/// output.
#[derive(Debug, PartialEq)]
pub(crate) struct ForeignDropout {
    domains: &'static [&'static str],
    name: &'static str,
    pub inference: Inference,
    pub ratio: Place,
    pub switch: Switch,
    /// True if it keeps mean and variance for SELU networks.
    pub is_alpha: bool,
}

/// What an operator computes at inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inference {
    /// Its data.
    Identity,
    /// The sum of its first three inputs, as far as they are there.
    Sum,
    /// The Softmax of the sum of its first two inputs. Its third output is the same.
    Softmax,
}

/// An input, or the attribute that it may be instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub input: usize,
    pub attribute: &'static str,
}

/// What decides whether an operator drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Nothing: it always drops.
    Always,
    /// This, and it does not drop without.
    On(Place),
    /// This, and it drops without.
    Off(Place),
}

const MICROSOFT: &[&str] = &["com.microsoft"];
/// The operator has moved between domains.
const TRAINING: &[&str] = &["", "ai.onnx", "ai.onnx.training", "com.microsoft"];
const TORCH: &[&str] = &["aten", "org.pytorch.aten", "pkg.onnxscript.torch_lib"];

const fn microsoft(name: &'static str, inference: Inference, ratio: usize) -> ForeignDropout {
    ForeignDropout {
        domains: MICROSOFT,
        name,
        inference,
        ratio: place(ratio, "ratio"),
        switch: Switch::On(place(ratio + 1, "training_mode")),
        is_alpha: false,
    }
}

const fn torch(name: &'static str, is_alpha: bool) -> ForeignDropout {
    ForeignDropout {
        domains: TORCH,
        name,
        inference: Inference::Identity,
        ratio: place(1, "p"),
        switch: Switch::Off(place(2, "train")),
        is_alpha,
    }
}

const fn place(input: usize, attribute: &'static str) -> Place {
    Place { input, attribute }
}

const ALL: &[ForeignDropout] = &[
    microsoft("BiasDropout", Inference::Sum, 3),
    microsoft("BitmaskBiasDropout", Inference::Sum, 3),
    microsoft("BitmaskDropout", Inference::Identity, 1),
    ForeignDropout {
        switch: Switch::Always,
        ..microsoft("BiasSoftmaxDropout", Inference::Softmax, 2)
    },
    ForeignDropout {
        domains: TRAINING,
        switch: Switch::Always,
        ..microsoft("TrainableDropout", Inference::Identity, 1)
    },
    torch("dropout", false),
    torch("native_dropout", false),
    torch("feature_dropout", false),
    torch("alpha_dropout", true),
    torch("feature_alpha_dropout", true),
];

impl ForeignDropout {
    /// The dropout operator that a node is; `None` of ONNX's own, and of calls of functions.
    pub fn of(node: NodeRef<'_>) -> Option<&'static ForeignDropout> {
        let aten = node.op_type == "ATen";
        let name = match aten {
            true => node.string("operator")?,
            false => node.op_type.as_bytes(),
        };
        let name = name.strip_prefix(b"aten::").unwrap_or(name);
        let name = name.strip_prefix(b"aten_").unwrap_or(name);
        // in place
        let name = name.strip_suffix(b"_").unwrap_or(name);
        let known = ALL.iter().find(|known| known.name.as_bytes() == name)?;
        let is_torch = known.domains == TORCH;
        let mut domains = known.domains.iter();
        let found = match aten {
            true => is_torch,
            false => domains.any(|domain| node.domain == *domain),
        };
        (found && node.callee().is_none()).then_some(known)
    }

    /// What it computes with at inference: its data, and what is added to it.
    pub fn terms<'m>(&self, node: NodeRef<'m>) -> impl Iterator<Item = ValueRef<'m>> {
        let count = match self.inference {
            Inference::Identity => 1,
            Inference::Softmax => 2,
            Inference::Sum => 3,
        };
        node.inputs().take(count).flatten()
    }

    /// True if something uses more than its result, besides gradients that read its mask.
    pub fn has_other_results(node: NodeRef<'_>) -> bool {
        let view = node.view();
        let is_mask = |at: Use| match at {
            Use::Input { node, input } => input == 1 && is_gradient(view.node(node)),
            _ => false,
        };
        let others = node.outputs().skip(1).flatten();
        others
            .flat_map(|output| output.uses())
            .any(|at| !is_mask(at))
    }
}

/// True of an operator of ONNX Runtime that computes the gradient of a dropout; its second input is the mask.
pub(crate) fn is_gradient(node: NodeRef<'_>) -> bool {
    let named = node.op_type == "DropoutGrad" || node.op_type == "BitmaskDropoutGrad";
    named && node.domain == "com.microsoft"
}

/// True of a dropout operator of ONNX or another domain: its second output is its mask.
pub(crate) fn has_mask(node: NodeRef<'_>) -> bool {
    node.is("Dropout") || ForeignDropout::of(node).is_some()
}

/// The axis of the Softmax in a node.
pub(crate) fn softmax_axis(node: NodeRef<'_>) -> i64 {
    node.int("axis", 1)
}
