//! Operators that ONNX Runtime is given: dropout and draws that can be repeated, and a node that observes.
//! What they draw is what their twins for tract draw.

use std::marker::PhantomData;

use half::f16;
use ort::operator::{
    BoxedKernel, ComputeContext, KernelContext, Operator, OperatorDomain, OperatorInput,
    OperatorOutput,
};
use ort::value::{PrimitiveTensorElementType, TensorElementType, ValueRef};
use tract_onnx::prelude::Datum;

use super::tensor;
use crate::verify::engine::draws::{Law, Stream, kept};
use crate::verify::engine::watch::{Seen, saw};

/// The domain of the operators.
pub(super) const DOMAIN: &str = "dropout_onnx";
/// The attribute that holds a node's stream.
pub(super) const STREAM: &str = "stream";
/// The attribute with the two numbers of a law.
pub(super) const NUMBERS: &str = "numbers";
/// The attribute that is 1 for a normal distribution.
pub(super) const NORMAL: &str = "normal";
/// The attribute with the index of a site that is observed.
pub(super) const SITE: &str = "site";

/// All of them.
pub(super) fn domain() -> ort::Result<OperatorDomain> {
    let domain = OperatorDomain::new(DOMAIN)?.add(Draw)?;
    let domain = domain.add(Dropout::<f32>::NEW)?.add(Watch::<f32>::NEW)?;
    let domain = domain.add(Dropout::<f64>::NEW)?.add(Watch::<f64>::NEW)?;
    domain.add(Dropout::<f16>::NEW)?.add(Watch::<f16>::NEW)
}

fn missing(what: &str) -> ort::Error {
    ort::Error::new(format!("{what} is missing"))
}

fn early() -> ort::Error {
    ort::Error::new("random numbers are drawn in a run only")
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

/// Random numbers, in 64 bits, of a shape that is the input.
struct Draw;

impl Operator for Draw {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        "Draw"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(TensorElementType::Int64)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float64)]
    }

    fn create_kernel<'attr>(
        &self,
        kernel: &KernelContext<'attr>,
    ) -> ort::Result<BoxedKernel<'attr>> {
        let stream = Stream::new(int(kernel, STREAM)?.cast_unsigned());
        let numbers: Vec<f32> = kernel.get(NUMBERS).ok_or_else(|| missing(NUMBERS))?;
        let [one, two] = numbers[..] else {
            return Err(missing(NUMBERS));
        };
        let (one, two) = (f64::from(one), f64::from(two));
        let law = match int(kernel, NORMAL)? {
            0 => Law::Uniform {
                low: one,
                high: two,
            },
            _ => Law::Normal {
                mean: one,
                scale: two,
            },
        };
        Ok(Box::new(move |context: &ComputeContext| {
            let shape = input(context, 0)?;
            let (_, shape) = shape.try_extract_tensor::<i64>()?;
            let output = context.output(0, shape)?;
            let mut output = output.ok_or_else(|| missing("the output"))?;
            let (_, elements) = output.try_extract_tensor_mut::<f64>()?;
            let drawn = law.draw(stream, elements.len()).ok_or_else(early)?;
            elements.copy_from_slice(&drawn);
            Ok(())
        }))
    }
}

/// Dropout of data by a ratio, if it trains; and its mask.
struct Dropout<T>(PhantomData<T>);

/// An element that can be kept and scaled.
trait Scaled: PrimitiveTensorElementType + Datum + Copy + Default + 'static {
    const TYPE: TensorElementType;
    fn scaled(self, scale: f64) -> Self;
}

impl Scaled for f32 {
    const TYPE: TensorElementType = TensorElementType::Float32;
    fn scaled(self, scale: f64) -> f32 {
        self * scale as f32
    }
}

impl Scaled for f64 {
    const TYPE: TensorElementType = TensorElementType::Float64;
    fn scaled(self, scale: f64) -> f64 {
        self * scale
    }
}

impl Scaled for f16 {
    const TYPE: TensorElementType = TensorElementType::Float16;
    fn scaled(self, scale: f64) -> f16 {
        f16::from_f32(self.to_f32() * scale as f32)
    }
}

impl<T: Scaled> Dropout<T> {
    const NEW: Dropout<T> = Dropout(PhantomData);
}

impl<T: Scaled> Operator for Dropout<T> {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        "Dropout"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(T::TYPE),
            OperatorInput::required(TensorElementType::Float64),
            OperatorInput::required(TensorElementType::Bool),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [
            OperatorOutput::required(T::TYPE),
            OperatorOutput::optional(TensorElementType::Bool),
        ]
    }

    fn create_kernel<'attr>(
        &self,
        kernel: &KernelContext<'attr>,
    ) -> ort::Result<BoxedKernel<'attr>> {
        let stream = Stream::new(int(kernel, STREAM)?.cast_unsigned());
        Ok(Box::new(move |context: &ComputeContext| {
            let data = input(context, 0)?;
            let (shape, elements) = data.try_extract_tensor::<T>()?;
            let ratio = match first::<bool>(&input(context, 2)?)? {
                true => first::<f64>(&input(context, 1)?)?,
                false => 0.0,
            };
            if !(0.0..1.0).contains(&ratio) {
                let why = format!("Dropout has ratio {ratio}, which is not in [0, 1)");
                return Err(ort::Error::new(why));
            }
            let keep = kept(stream, ratio, elements.len()).ok_or_else(early)?;
            let scale = 1.0 / (1.0 - ratio);
            let output = context.output(0, shape.clone())?;
            let mut output = output.ok_or_else(|| missing("the output"))?;
            let (_, computed) = output.try_extract_tensor_mut::<T>()?;
            for ((computed, &x), &kept) in computed.iter_mut().zip(elements).zip(&keep) {
                *computed = if kept { x.scaled(scale) } else { T::default() };
            }
            if context.num_outputs()? > 1
                && let Some(mut mask) = context.output(1, shape.clone())?
            {
                mask.try_extract_tensor_mut::<bool>()?
                    .1
                    .copy_from_slice(&keep);
            }
            Ok(())
        }))
    }
}

/// Observes data and output of a dropout, and passes the output through.
struct Watch<T>(PhantomData<T>);

impl<T> Watch<T> {
    const NEW: Watch<T> = Watch(PhantomData);
}

impl<T: Scaled> Operator for Watch<T> {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        crate::verify::engine::watch::OPERATOR
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [T::TYPE, T::TYPE].map(OperatorInput::required)
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(T::TYPE)]
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
