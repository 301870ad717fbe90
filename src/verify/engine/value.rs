//! A tensor that went into the engine or came out of it.

use tract_onnx::prelude::{DatumType, Tensor};

/// A tensor of numbers or booleans.
#[derive(Clone, Debug)]
pub struct Value(pub(in crate::verify) Tensor);

impl Value {
    /// A tensor of 32 bit floats; `None` if the shape asks for another number of elements.
    pub fn from_f32(shape: &[usize], elements: &[f32]) -> Option<Value> {
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
        if count != elements.len() {
            return None;
        }
        Tensor::from_shape(shape, elements).ok().map(Value)
    }

    /// Sizes by axis; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True of a tensor with an axis of size 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type by its ONNX name in lower case: `float`, `int64`, `bool`.
    pub fn element_type(&self) -> &'static str {
        element_name(self.0.datum_type())
    }

    /// The elements as 64 bit floats in row-major order; beyond 2^53 integers are rounded.
    pub fn to_f64(&self) -> Vec<f64> {
        if self.0.datum_type() == DatumType::Bool {
            return elements::<bool>(&self.0)
                .iter()
                .map(|&b| f64::from(u8::from(b)))
                .collect();
        }
        match self.0.cast_to::<f64>() {
            Ok(wide) => elements::<f64>(&wide).to_vec(),
            Err(_) => Vec::new(),
        }
    }
}

/// The elements, if they have this type; otherwise none.
pub(in crate::verify) fn elements<T: tract_onnx::prelude::Datum>(tensor: &Tensor) -> &[T] {
    let view = tensor.as_plain_ram();
    view.and_then(|view| view.as_slice().ok()).unwrap_or(&[])
}

/// ONNX' name of an element type in lower case.
pub(in crate::verify) fn element_name(element: DatumType) -> &'static str {
    match element {
        DatumType::Bool => "bool",
        DatumType::F16 => "float16",
        DatumType::F32 => "float",
        DatumType::F64 => "double",
        DatumType::I8 => "int8",
        DatumType::I16 => "int16",
        DatumType::I32 => "int32",
        DatumType::I64 | DatumType::TDim => "int64",
        DatumType::U8 => "uint8",
        DatumType::U16 => "uint16",
        DatumType::U32 => "uint32",
        DatumType::U64 => "uint64",
        DatumType::String => "string",
        _ => "an element type without an ONNX name",
    }
}
