//! Tensors on their way into ONNX Runtime and out of it.

use half::f16;
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor, ValueRef};
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{Datum, Tensor as Plain};

use crate::verify::engine::{Unrunnable, Value, elements};

/// All types of elements that both have, but strings.
macro_rules! each_type {
    ($try:ident) => {
        $try!(f32);
        $try!(f64);
        $try!(f16);
        $try!(i64);
        $try!(i32);
        $try!(bool);
        $try!(u8);
        $try!(i8);
        $try!(u16);
        $try!(i16);
        $try!(u32);
        $try!(u64);
    };
}

pub(super) use each_type;

pub(super) fn to_ort(value: &Value) -> ort::Result<DynValue> {
    let (shape, datum) = (value.shape().to_vec(), value.0.datum_type());
    macro_rules! of {
        ($type:ty) => {
            if datum == <$type>::datum_type() {
                let elements = elements::<$type>(&value.0).to_vec();
                return Ok(Tensor::from_array((shape, elements))?.into_dyn());
            }
        };
    }
    each_type!(of);
    let strings = elements::<String>(&value.0);
    Ok(Tensor::from_string_array((shape, strings))?.into_dyn())
}

pub(super) fn from_ort(name: &str, value: &ValueRef<'_>) -> Result<Value, Unrunnable> {
    macro_rules! of {
        ($type:ty) => {
            if let Some(tensor) = plain::<$type>(value) {
                return Ok(tensor);
            }
        };
    }
    each_type!(of);
    let strings = value.try_extract_strings().ok();
    let strings = strings.and_then(|(shape, strings)| {
        let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        ArrayD::from_shape_vec(shape, strings).ok()
    });
    strings.map(|strings| Value(strings.into())).ok_or_else(|| {
        let what = value.dtype();
        Unrunnable::new(format!("output {name} is {what}, which is not compared"))
    })
}

/// A tensor of this type of elements.
fn plain<T: PrimitiveTensorElementType + Datum + Copy>(value: &ValueRef<'_>) -> Option<Value> {
    let (shape, elements) = value.try_extract_tensor::<T>().ok()?;
    let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
    Plain::from_shape(&shape, elements).ok().map(Value)
}
