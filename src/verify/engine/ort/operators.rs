//! Operators that ONNX Runtime is given: dropout and draws that can be repeated, and a node that observes.
//! What they draw is what their twins for tract draw.

use std::marker::PhantomData;

use half::f16;
use ort::operator::{
    BoxedKernel, ComputeContext, KernelContext, Operator, OperatorDomain, OperatorInput,
    OperatorOutput,
};
use ort::value::{PrimitiveTensorElementType, TensorElementType, ValueRef};

use super::tensor;
use crate::verify::engine::draws::{
    self, DOMAIN, DRAW, DROP, EARLY, Law, NORMAL, REPEATS, STREAM, Stream, kept,
};
use crate::verify::engine::watch::{OPERATOR, SITE, Seen, saw};

/// All of them.
pub(super) fn domain() -> ort::Result<OperatorDomain> {
    let mut domain = OperatorDomain::new(DOMAIN)?.add(Draw)?;
    domain = domain
        .add(Drop::<f32>::NEW)?
        .add(Drop::<f64>::NEW)?
        .add(Drop::<f16>::NEW)?;
    macro_rules! watch {
        ($type:ty) => {
            domain = domain.add(Watch::<$type>(PhantomData))?;
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

fn int(kernel: &KernelContext<'_>, name: &str) -> ort::Result<i64> {
    kernel.get::<i64>(name).ok_or_else(|| missing(name))
}

/// The first element, of a scalar or a tensor of one.
fn first<T: PrimitiveTensorElementType + Copy>(value: &ValueRef<'_>) -> ort::Result<T> {
    let (_, elements) = value.try_extract_tensor::<T>()?;
    elements
        .first()
        .copied()
        .ok_or_else(|| missing("an element"))
}

fn stream(kernel: &KernelContext<'_>) -> ort::Result<Stream> {
    let stream = Stream::new(int(kernel, STREAM)?.cast_unsigned());
    let repeats = kernel.get::<i64>(REPEATS) == Some(1);
    Ok(if repeats { stream.repeating() } else { stream })
}

/// Random numbers of the shape of the input.
struct Draw;

impl Operator for Draw {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        DRAW
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(TensorElementType::Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float64)]
    }

    fn create_kernel<'attr>(
        &self,
        kernel: &KernelContext<'attr>,
    ) -> ort::Result<BoxedKernel<'attr>> {
        let stream = stream(kernel)?;
        let law = Law::of(int(kernel, NORMAL)? != 0, |name| kernel.get(name));
        let law = law.ok_or_else(|| missing("a number"))?;
        Ok(Box::new(move |context: &ComputeContext| {
            let shape = input(context, 0)?;
            let (shape, _) = shape.try_extract_tensor::<f32>()?;
            let output = context.output(0, shape.clone())?;
            let mut output = output.ok_or_else(|| missing("the output"))?;
            let (_, elements) = output.try_extract_tensor_mut::<f64>()?;
            let drawn = law.draw(stream, elements.len()).ok_or_else(early)?;
            elements.copy_from_slice(&drawn);
            Ok(())
        }))
    }
}

/// Data and a ratio; the kept elements, scaled, and a mask of them.
struct Drop<T>(PhantomData<fn() -> T>);

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

impl<T: Scaled> Drop<T> {
    const NEW: Drop<T> = Drop(PhantomData);
}

impl<T: Scaled> Operator for Drop<T> {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        DROP
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(T::into_tensor_element_type()),
            OperatorInput::required(TensorElementType::Float64),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [
            OperatorOutput::required(T::into_tensor_element_type()),
            OperatorOutput::required(TensorElementType::Bool),
        ]
    }

    fn create_kernel<'attr>(
        &self,
        kernel: &KernelContext<'attr>,
    ) -> ort::Result<BoxedKernel<'attr>> {
        let stream = stream(kernel)?;
        Ok(Box::new(move |context: &ComputeContext| {
            let data = input(context, 0)?;
            let (shape, elements) = data.try_extract_tensor::<T>()?;
            let ratio = draws::ratio(first::<f64>(&input(context, 1)?)?);
            let ratio = ratio.map_err(ort::Error::new)?;
            let keep = kept(stream, ratio, elements.len()).ok_or_else(early)?;
            let scale = 1.0 / (1.0 - ratio);
            let output = context.output(0, shape.clone())?;
            let mut output = output.ok_or_else(|| missing("the output"))?;
            let (_, computed) = output.try_extract_tensor_mut::<T>()?;
            for ((computed, &x), &kept) in computed.iter_mut().zip(elements).zip(&keep) {
                *computed = if kept { x.scaled(scale) } else { T::default() };
            }
            let mask = context.output(1, shape.clone())?;
            let mut mask = mask.ok_or_else(|| missing("the mask"))?;
            mask.try_extract_tensor_mut::<bool>()?
                .1
                .copy_from_slice(&keep);
            Ok(())
        }))
    }
}

/// Observes data and output of a dropout, and passes the output through.
struct Watch<T>(PhantomData<fn() -> T>);

impl<T: PrimitiveTensorElementType + Copy + 'static> Operator for Watch<T> {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        OPERATOR
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [(); 2].map(|()| OperatorInput::required(T::into_tensor_element_type()))
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(T::into_tensor_element_type())]
    }

    fn create_kernel<'attr>(
        &self,
        kernel: &KernelContext<'attr>,
    ) -> ort::Result<BoxedKernel<'attr>> {
        let site = usize::try_from(int(kernel, SITE)?).map_err(ort::Error::wrap)?;
        Ok(Box::new(move |context: &ComputeContext| {
            let [data, output] = [input(context, 0)?, input(context, 1)?];
            let (shape, elements) = output.try_extract_tensor::<T>()?;
            let passed = context.output(0, shape.clone())?;
            let mut passed = passed.ok_or_else(|| missing("the output"))?;
            passed
                .try_extract_tensor_mut::<T>()?
                .1
                .copy_from_slice(elements);
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
}
