//! The columns of the table.

use crate::onnx::DataType;

/// Which inputs are data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Nothing,
    First,
    All,
    /// From this one on.
    From(u8),
    Of(&'static [u8]),
}

/// Where the element type of an output comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Type {
    /// The inputs in this range, which all have the same type.
    Inputs(u8, u8),
    /// The same, for every output.
    EachOf(u8, u8),
    Is(DataType),
    /// An attribute, or the alternative if it is absent.
    Attribute(&'static str, &'static Type),
    /// An optional input, or the alternative if it is absent.
    Optional(u8, &'static Type),
    /// The only attribute of a Constant.
    Constant,
    /// The tensor in the attribute `value`; float if absent.
    Filled,
    /// The same output of each body.
    Bodies,
    /// A sequence of the same output of the body.
    Mapped,
    /// The contents of the sequence or optional in the first input.
    Inside,
    /// A sequence or optional whose contents are the inputs.
    Around,
    /// A sequence with the element type in the attribute `dtype`; float if absent.
    Empty,
    Unknown,
}

/// How the shape of the first output follows from the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// That of the first input.
    Same,
    /// That of the second input.
    OfSecond,
    /// As many axes as the first input has.
    SameRank,
    /// Blocks of an image become channels, or the reverse.
    Blocks,
    /// That of all inputs together.
    Broadcast,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    /// The elements of the first input, or else of an attribute.
    Drawn,
    Einsum,
    Expand,
    /// The elements of the first input.
    Filled,
    Flatten,
    Gather,
    GatherNd,
    Gemm,
    GlobalPool,
    MatMul,
    OneHot,
    Pad,
    Permute,
    Pool,
    Range,
    /// This many axes.
    Rank(u8),
    Recurrent,
    Reduce,
    /// Without the axis in an attribute.
    ReduceAxis,
    /// By sizes or scales.
    Resize,
    Reshape,
    /// The rows of the first input, each with the number of elements in an attribute.
    Sampled,
    Scalar,
    /// One axis with as many elements as the first input has axes.
    Dimensions,
    Slice,
    Split,
    Squeeze,
    Tile,
    TopK,
    Unsqueeze,
    /// There is no rule.
    Other,
}

/// How the elements of the output depend on those of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elements {
    /// Each is computed from the elements at the same index.
    Map,
    /// The elements of the data, each at its index.
    Copy,
    /// The elements of the data, each once, at some index.
    Move,
    /// The elements of the data, possibly several times.
    Repeat,
    /// Some elements of the data, selected by position, possibly with zeros in between.
    Pick,
    /// Each is computed from those along the axis that the second input names.
    Along,
    /// Each is computed from several elements, or selected by value.
    Mix,
    /// There is no data.
    Make,
}

/// Whether an operator commutes with a factor `s` of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linear {
    Nonlinear,
    /// `f(s·x) = s·f(x)` for every `s > 0`.
    Positive,
    /// `f(s·x) = s·f(x)` for every `s`.
    Any,
    /// `f(s·x, s·y) = s·f(x, y)` for every `s > 0`.
    JointPositive,
    /// `f(s·x, s·y) = s·f(x, y)` for every `s`.
    Joint,
    /// `f(s·x, y) = f(x, s·y) = s·f(x, y)` for every `s`, without a bias.
    Bilinear,
    /// `f(s·x, y) = s·f(x, y)` and `f(x, s·y) = f(x, y)/s`.
    Quotient,
}

/// Which inputs an operator reads for their elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Values,
    /// Only the first; the type of the others matters.
    First,
    /// None; only shape and type matter.
    Shape,
}

/// Whether the outputs of an operator are continuous in its floating-point inputs. Others round, compare,
/// sort or draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuous {
    /// In each of them.
    Always,
    /// In the first.
    First,
    /// In the first, and in the others unless the attribute `mode` is `nearest`.
    Grid,
    /// Unless indices, the second output, are used.
    Unindexed,
    /// If the output has a floating-point type.
    Reals,
    Never,
}

/// The role of an operator in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Layer(Layer),
    Activation,
    Normalisation,
    Softmax,
    Pool,
    Dropout,
    /// Changes the element type.
    Cast,
    Constant,
    Draw(Distribution),
    Control(Control),
    Other,
}

/// A product of data and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Dense,
    Convolution,
    Recurrent,
    Attention,
}

/// The law of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distribution {
    Uniform,
    Normal,
    Bernoulli,
    Multinomial,
}

/// An operator that runs graphs in its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    If,
    Loop,
    Scan,
    SequenceMap,
}

/// Short names of element types for the rows.
pub(super) mod types {
    use super::{DataType, Type};

    pub const T0: Type = Type::Inputs(0, 1);
    pub const T1: Type = Type::Inputs(1, 2);
    pub const T2: Type = Type::Inputs(2, 3);
    pub const T3: Type = Type::Inputs(3, 4);
    pub const T7: Type = Type::Inputs(7, 8);
    pub const ALL: Type = Type::Inputs(0, u8::MAX);
    pub const EITHER: Type = Type::Inputs(1, 3);
    pub const GATES: Type = Type::Inputs(0, 4);
    pub const EACH: Type = Type::EachOf(0, 1);
    pub const BOOL: Type = Type::Is(DataType::BOOL);
    pub const FLOAT: Type = Type::Is(DataType::FLOAT);
    pub const INT32: Type = Type::Is(DataType::INT32);
    pub const INT64: Type = Type::Is(DataType::INT64);
    pub const STRING: Type = Type::Is(DataType::STRING);
    pub const UINT8: Type = Type::Is(DataType::UINT8);
    pub const TO: Type = Type::Attribute("to", &UNKNOWN);
    pub const DTYPE: Type = Type::Attribute("dtype", &FLOAT);
    pub const LIKE: Type = Type::Attribute("dtype", &T0);
    pub const CLASS: Type = Type::Attribute("dtype", &INT32);
    pub const STASH: Type = Type::Attribute("stash_type", &FLOAT);
    pub const WINDOW: Type = Type::Attribute("output_datatype", &FLOAT);
    pub const SCALED: Type = Type::Attribute("output_dtype", &T1);
    /// As the zero point.
    pub const QUANTIZED: Type = Type::Attribute("output_dtype", &Type::Optional(2, &UINT8));
    pub const CONSTANT: Type = Type::Constant;
    pub const FILLED: Type = Type::Filled;
    pub const BODIES: Type = Type::Bodies;
    pub const MAPPED: Type = Type::Mapped;
    pub const INSIDE: Type = Type::Inside;
    pub const AROUND: Type = Type::Around;
    pub const EMPTY: Type = Type::Empty;
    pub const UNKNOWN: Type = Type::Unknown;
}
