//! What operators are to whoever looks for the positions of a network.

/// Functions that are not linear, element by element.
pub(super) const ACTIVATIONS: &[&str] = &[
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Mish",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
];

/// Operators that work element by element, or channel by channel, on what a layer computes.
pub(super) const ELEMENTWISE: &[&str] = &[
    "Add",
    "BatchNormalization",
    "Div",
    "Exp",
    "InstanceNormalization",
    "Log",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pow",
    "Sqrt",
    "Sub",
    "Sum",
];

/// Operators that hand their data on: as it is, in another type or in other axes.
pub(in crate::rewrite::insert) const PASSING: &[&str] = &[
    "Cast",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Operators that make layers of more than a dense head.
pub(super) const BODY: &[&str] = &[
    "Attention",
    "Conv",
    "ConvTranspose",
    "GRU",
    "LSTM",
    "Loop",
    "MultiHeadAttention",
    "RNN",
    "Scan",
];

/// Operators that take nothing but the size of what they are given.
pub(super) const OF_SIZES: &[&str] = &[
    "EyeLike",
    "RandomNormalLike",
    "RandomUniformLike",
    "Shape",
    "Size",
];
