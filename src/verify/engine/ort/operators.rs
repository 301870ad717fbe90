//! Operators that ONNX Runtime is given: dropout and draws that can be repeated, and a node that observes.
//! What they draw is what their twins for tract draw.

use half::f16;
use ort::operator::{
    BoxedKernel, ComputeContext, KernelContext, Operator, OperatorDomain, OperatorInput,
    OperatorOutput,
};
use ort::value::{
    IntoTensorElementType, PrimitiveTensorElementType, Shape, TensorElementType, ValueRef,
};

use super::tensor;
use crate::verify::engine::draws::{
    self, DOMAIN, DRAW, DROP, EARLY, Law, NORMAL, REPEATS, STREAM, Stream, kept,
};
use crate::verify::engine::watch::{OPERATOR, SITE, Seen, saw};

/// An operator: the element types of its inputs and outputs, and what computes them.
struct Own {
    name: &'static str,
    inputs: Vec<TensorElementType>,
    outputs: Vec<TensorElementType>,
    kernel: for<'attr> fn(&KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>>,
}

impl Operator for Own {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        self.name
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        self.inputs
            .iter()
            .map(|&element| OperatorInput::required(element))
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        self.outputs
            .iter()
            .map(|&element| OperatorOutput::required(element))
    }

    fn create_kernel<'attr>(
        &self,
        kernel: &KernelContext<'attr>,
    ) -> ort::Result<BoxedKernel<'attr>> {
        (self.kernel)(kernel)
    }
}

/// All of them.
pub(super) fn domain() -> ort::Result<OperatorDomain> {
    use TensorElementType::{Bool, Float32, Float64};
    let draw = Own {
        name: DRAW,
        inputs: vec![Float32],
        outputs: vec![Float64],
        kernel: draw,
    };
    let mut domain = OperatorDomain::new(DOMAIN)?.add(draw)?;
    macro_rules! drop {
        ($type:ty) => {
            let element = <$type>::into_tensor_element_type();
            domain = domain.add(Own {
                name: DROP,
                inputs: vec![element, Float64],
                outputs: vec![element, Bool],
                kernel: drop::<$type>,
            })?;
        };
    }
    drop!(f32);
    drop!(f64);
    drop!(f16);
    macro_rules! watch {
        ($type:ty) => {
            let element = <$type>::into_tensor_element_type();
            domain = domain.add(Own {
                name: OPERATOR,
                inputs: vec![element; 2],
                outputs: vec![element],
                kernel: watch::<$type>,
            })?;
        };
    }
    tensor::each_type!(watch);
    Ok(domain)
}

fn missing(what: &str) -> ort::Error {
    ort::Error::new(format!("{what} is missing"))
}

fn early() -> ort::Error {
    ort::Error::new(EARLY)
}

fn input(context: &ComputeContext, index: usize) -> ort::Result<ValueRef<'_>> {
    context.input(index)?.ok_or_else(|| missing("an input"))
}

/// Lets an output have these elements.
fn give<T: PrimitiveTensorElementType + Copy + 'static>(
    context: &ComputeContext,
    index: usize,
    (shape, elements): (&Shape, &[T]),
) -> ort::Result<()> {
    let output = context.output(index, shape.clone())?;
    let mut output = output.ok_or_else(|| missing("an output"))?;
    let (_, given) = output.try_extract_tensor_mut::<T>()?;
    given.copy_from_slice(elements);
    Ok(())
}

fn int(kernel: &KernelContext<'_>, name: &str) -> ort::Result<i64> {
    kernel.get::<i64>(name).ok_or_else(|| missing(name))
}

fn stream(kernel: &KernelContext<'_>) -> ort::Result<Stream> {
    let stream = Stream::new(int(kernel, STREAM)?.cast_unsigned());
    let repeats = kernel.get::<i64>(REPEATS) == Some(1);
    Ok(if repeats { stream.repeating() } else { stream })
}

/// Random numbers of the shape of the input.
fn draw<'attr>(kernel: &KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>> {
    let stream = stream(kernel)?;
    let law = Law::of(int(kernel, NORMAL)? != 0, |name| kernel.get(name));
    let law = law.ok_or_else(|| missing("a number"))?;
    Ok(Box::new(move |context: &ComputeContext| {
        let data = input(context, 0)?;
        let (shape, elements) = data.try_extract_tensor::<f32>()?;
        let drawn = law.draw(stream, elements.len()).ok_or_else(early)?;
        give(context, 0, (shape, &drawn[..]))
    }))
}

/// An element that can be kept and scaled.
trait Scaled: PrimitiveTensorElementType + Copy + Default + 'static {
    fn scaled(self, scale: f64) -> Self;
}

impl Scaled for f32 {
    fn scaled(self, scale: f64) -> f32 {
        self * scale as f32
    }
}

impl Scaled for f64 {
    fn scaled(self, scale: f64) -> f64 {
        self * scale
    }
}

impl Scaled for f16 {
    fn scaled(self, scale: f64) -> f16 {
        f16::from_f32(self.to_f32() * scale as f32)
    }
}

/// Of data and a ratio: the kept elements, scaled, and a mask of them.
fn drop<'attr, T: Scaled>(kernel: &KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>> {
    let stream = stream(kernel)?;
    Ok(Box::new(move |context: &ComputeContext| {
        let (data, ratio) = (input(context, 0)?, input(context, 1)?);
        let (shape, elements) = data.try_extract_tensor::<T>()?;
        let (_, ratio) = ratio.try_extract_tensor::<f64>()?;
        let ratio = ratio.first().ok_or_else(|| missing("the ratio"))?;
        let ratio = draws::ratio(*ratio).map_err(ort::Error::new)?;
        let keep = kept(stream, ratio, elements.len()).ok_or_else(early)?;
        let scale = 1.0 / (1.0 - ratio);
        let scaled = |(&x, &kept): (&T, &bool)| if kept { x.scaled(scale) } else { T::default() };
        let dropped: Vec<T> = elements.iter().zip(&keep).map(scaled).collect();
        give(context, 0, (shape, &dropped[..]))?;
        give(context, 1, (shape, &keep[..]))
    }))
}

/// Observes data and output of a dropout, and passes the output through.
fn watch<'attr, T: PrimitiveTensorElementType + Copy + 'static>(
    kernel: &KernelContext<'attr>,
) -> ort::Result<BoxedKernel<'attr>> {
    let site = usize::try_from(int(kernel, SITE)?).map_err(ort::Error::wrap)?;
    Ok(Box::new(move |context: &ComputeContext| {
        let [data, output] = [input(context, 0)?, input(context, 1)?];
        give(context, 0, output.try_extract_tensor::<T>()?)?;
        let value = |value: &ValueRef<'_>| {
            let value = tensor::from_ort("dropout", value);
            value.map_err(|why| ort::Error::new(why.reason))
        };
        let seen = Seen {
            site,
            data: value(&data)?,
            output: value(&output)?,
        };
        saw(seen).ok_or_else(early)
    }))
}
