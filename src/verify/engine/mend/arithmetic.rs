//! Arithmetic that tract lacks for some element types, or reads wrongly.

use super::site::Site;
use super::{Repair, always};
use crate::onnx::DataType;

/// What exporters leave in the default domain, where ONNX does not define it: `Erfc` is in GELU of TensorFlow.
pub(super) const UNDEFINED: &[Repair] = &[Repair::of(
    "Erfc",
    always,
    "x => y
     y = Sub(1, Erf(x))",
)];

pub(super) const ALL: &[Repair] = &[
    // a bias or a factor makes tract compute in single precision, whatever the element type
    Repair::of(
        "Gemm",
        |site| {
            (site.has(2) || site.float("alpha", 1.0) != 1.0)
                && (is(site, "float16") || is(site, "double"))
        },
        "a b bias => y
         y = Mul(Gemm(a, b){transA, transB}, @alpha=1)
         if bias: y = Add(y, Mul(bias, @beta=1))",
    ),
    // without a value, tract makes doubles
    Repair::of(
        "ConstantOfShape",
        |site| site.node.attribute("value").is_none(),
        "shape => y
         y = Expand(0f, shape)",
    ),
    Repair::of(
        "Sigmoid",
        |site| is(site, "double"),
        "x => y
         y = logistic(x)",
    ),
    Repair::of(
        "LeakyRelu",
        |site| is(site, "double"),
        "x => y
         y = Where(Less(x, 0), Mul(x, @alpha=0.01), x)",
    ),
    Repair::of(
        "Swish",
        always,
        "x => y
         y = Mul(x, logistic(Mul(x, @alpha=1)))",
    ),
    Repair::of(
        "Celu",
        |site| site.float("alpha", 1.0) != 1.0,
        "x => y
         below = Mul(@alpha=1, Sub(Exp(Div(x, @alpha=1)), 1))
         y = Add(Max(x, 0), Min(below, 0))",
    ),
    Repair::of(
        "Equal",
        |site| is(site, "bool"),
        "a b => y
         y = Not(Xor(a, b))",
    ),
    // tract counts the elements in integers
    Repair::of(
        "Range",
        |site| is(site, "float") || is(site, "double"),
        "start limit delta => y
         steps = Max(Ceil(Div(Sub(limit, start), delta)), 0)
         y = Add(start, Mul(CastLike(count(steps), start), delta))",
    ),
    // tract takes constant scales alone, and makes `Softmax` between here and the next `QuantizeLinear` one of
    // integers, which is wrong
    Repair::of(
        "DequantizeLinear",
        |site| {
            !site.is_constant(0) && matches!(site.sizes(1).as_deref(), None | Some([] | [Some(1)]))
        },
        "x scale zero => y
         y = CastLike(x, scale)
         if zero: y = Sub(y, CastLike(zero, scale))
         y = Mul(y, scale)",
    ),
    // tract compares integers with a float
    Repair::of(
        "Mod",
        |site| site.int("fmod", 0) == 0 && is_signed(site),
        "a b => y
         x = Cast(a){to=double}
         z = Cast(b){to=double}
         y = CastLike(Sub(x, Mul(z, Floor(Div(x, z)))), a)",
    ),
    // tract multiplies matrices of floats: doubles hold the integers
    Repair::of(
        "MatMul",
        is_signed,
        "a b => y
         y = CastLike(MatMul(Cast(a){to=double}, Cast(b){to=double}), a)",
    ),
    Repair::of("ReduceMax", |site| is(site, "bool"), REDUCED_BOOLEANS),
    Repair::of("ReduceMin", |site| is(site, "bool"), REDUCED_BOOLEANS),
    // of int64, tract has no squares, exponentials and logarithms
    Repair::of("ReduceL2", is_signed, REDUCED_INTEGERS),
    Repair::of("ReduceLogSum", is_signed, REDUCED_INTEGERS),
    Repair::of("ReduceSumSquare", is_signed, REDUCED_INTEGERS),
    Repair::of(
        "ReduceLogSumExp",
        is_signed,
        "x axes => y
         wide = Cast(x){to=double}
         rest = self(Sub(wide, ReduceMax(wide, axes){*, keepdims=1}), axes){*}
         y = CastLike(Add(rest, ReduceMax(wide, axes){*}), x)",
    ),
    Repair::of(
        "Mul",
        |site| site.node.input(0) == site.node.input(1) && is(site, "int64"),
        "x => y
         wide = Cast(x){to=double}
         y = CastLike(Mul(wide, wide), x)",
    ),
    // to the nearest even: beyond 2^52, a double has no fraction
    Repair::of(
        "Round",
        |site| is(site, "double"),
        "x => y
         size = Abs(x)
         whole = Sub(Add(size, 4503599627370496), 4503599627370496)
         y = Where(Less(x, 0), Neg(whole), whole)
         y = Where(Less(size, 4503599627370496), y, x)",
    ),
    // tract has none of halves
    Repair::of(
        "QuantizeLinear",
        |site| is(site, "float16"),
        "x scale zero => y
         y = QuantizeLinear(Cast(x){to=float}, Cast(scale){to=float}, zero){*}",
    ),
];

const REDUCED_BOOLEANS: &str = "x axes => y
    y = Cast(self(Cast(x){to=uint8}, axes){*}){to=bool}";

const REDUCED_INTEGERS: &str = "x axes => y
    y = CastLike(self(Cast(x){to=double}, axes){*}, x)";

/// Whether the first input has elements of a type.
fn is(site: &Site<'_>, element: &str) -> bool {
    site.element(0).and_then(DataType::name) == Some(element)
}

fn is_signed(site: &Site<'_>) -> bool {
    is(site, "int64") || is(site, "int32")
}
