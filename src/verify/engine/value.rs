//! A tensor that went into the engine or came out of it.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;
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

    /// A tensor of an element type, by its ONNX name in lower case; `None` if the shape asks for another
    /// number of elements, or the engine lacks the type.
    #[doc(hidden)]
    pub fn from_numbers(element: &str, shape: &[usize], numbers: &[f64]) -> Option<Value> {
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
        let wide = Tensor::from_shape(shape, numbers)
            .ok()
            .filter(|_| count == numbers.len())?;
        let datum = element_type(element)?;
        Some(Value(wide.cast_to_dt(datum).ok()?.into_owned()))
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

    /// The hash of the elements, little-endian and in row-major order; strings end with a zero byte.
    pub(in crate::verify) fn blake3(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for text in elements::<String>(&self.0) {
            hasher.update(text.as_bytes()).update(&[0]);
        }
        if let Some(view) = self.0.as_plain_ram()
            && self.0.datum_type() != DatumType::String
        {
            hasher.update(view.as_bytes());
        }
        hasher.finalize()
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

/// A tensor between processes: ONNX's name of its element type, its shape, its elements.
#[derive(Serialize, Deserialize)]
struct Packed {
    element: String,
    shape: Vec<usize>,
    elements: Elements,
}

#[derive(Serialize, Deserialize)]
enum Elements {
    /// As they are in memory: both processes are on one machine.
    Bytes(ByteBuf),
    Strings(Vec<String>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tensor = &self.0;
        let element = element_name(tensor.datum_type());
        let elements = match tensor.datum_type() {
            DatumType::String => Elements::Strings(elements::<String>(tensor).to_vec()),
            datum if element_type(element) == Some(datum) => {
                let view = tensor.as_plain_ram();
                let view = view.ok_or_else(|| S::Error::custom("a tensor without elements"))?;
                Elements::Bytes(ByteBuf::from(view.as_bytes()))
            }
            datum => return Err(S::Error::custom(format!("a tensor of {datum:?}"))),
        };
        let packed = Packed {
            element: element.to_string(),
            shape: tensor.shape().to_vec(),
            elements,
        };
        packed.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        let packed = Packed::deserialize(deserializer)?;
        let unfit = || D::Error::custom("elements that do not fit their shape");
        let bytes = match packed.elements {
            Elements::Strings(strings) => {
                let tensor = tract_onnx::prelude::tract_ndarray::ArrayD::from_shape_vec(
                    packed.shape,
                    strings,
                );
                return Ok(Value(tensor.map_err(|_| unfit())?.into()));
            }
            Elements::Bytes(bytes) => bytes,
        };
        let element = element_type(&packed.element).ok_or_else(unfit)?;
        let mut tensor = Tensor::zero_dt(element, &packed.shape).map_err(D::Error::custom)?;
        let mut view = tensor.as_plain_ram_mut().ok_or_else(unfit)?;
        if view.as_bytes().len() != bytes.len() {
            return Err(unfit());
        }
        view.as_bytes_mut().copy_from_slice(&bytes);
        Ok(Value(tensor))
    }
}

/// The element type of ONNX's name in lower case.
pub(in crate::verify) fn element_type(name: &str) -> Option<DatumType> {
    const ALL: [DatumType; 13] = [
        DatumType::Bool,
        DatumType::F16,
        DatumType::F32,
        DatumType::F64,
        DatumType::I8,
        DatumType::I16,
        DatumType::I32,
        DatumType::I64,
        DatumType::U8,
        DatumType::U16,
        DatumType::U32,
        DatumType::U64,
        DatumType::String,
    ];
    ALL.into_iter()
        .find(|&element| element_name(element) == name)
}

/// ONNX's name of an element type in lower case.
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
