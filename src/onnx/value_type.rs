//! Types of values: `TypeProto`.

use std::fmt;

use bytes::Bytes;

use crate::wire::decode_message;

use super::data_type::DataType;
use super::name::Name;
use super::proto;

/// The type of a graph input, output or value, as far as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// A tensor; `shape` is `None` where not even the rank is known.
    Tensor {
        /// Element type.
        element: DataType,
        /// Dimensions in order.
        shape: Option<Vec<Dimension>>,
    },
    /// A sparse tensor.
    Sparse {
        /// Element type.
        element: DataType,
        /// Dimensions in order.
        shape: Option<Vec<Dimension>>,
    },
    /// A sequence of values of one type.
    Sequence(Box<ValueType>),
    /// A value that may be absent.
    Optional(Box<ValueType>),
    /// A map from keys to values of one type.
    Map(DataType, Box<ValueType>),
    /// Not declared by the file, or unknown to this crate.
    Unknown,
}

/// A dimension of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dimension {
    /// A size, in elements.
    Size(i64),
    /// A name: the same name is the same size.
    Symbol(Name),
    /// Neither.
    Unknown,
}

impl ValueType {
    /// Decodes a `TypeProto`; what it does not know becomes [`ValueType::Unknown`].
    pub(crate) fn decode(bytes: &[u8]) -> ValueType {
        match decode_message::<proto::Type>(Bytes::copy_from_slice(bytes)) {
            Ok(proto) => ValueType::from_proto(&proto),
            Err(_) => ValueType::Unknown,
        }
    }

    fn from_proto(proto: &proto::Type) -> ValueType {
        let inner = |element: &proto::ElementType| {
            let inner = element.elem_type.as_deref();
            Box::new(inner.map_or(ValueType::Unknown, ValueType::from_proto))
        };
        if let Some(tensor) = &proto.tensor_type {
            let (element, shape) = tensor_type(tensor);
            ValueType::Tensor { element, shape }
        } else if let Some(tensor) = &proto.sparse_tensor_type {
            let (element, shape) = tensor_type(tensor);
            ValueType::Sparse { element, shape }
        } else if let Some(sequence) = &proto.sequence_type {
            ValueType::Sequence(inner(sequence))
        } else if let Some(optional) = &proto.optional_type {
            ValueType::Optional(inner(optional))
        } else if let Some(map) = &proto.map_type {
            let value = map.value_type.as_deref();
            ValueType::Map(
                DataType(map.key_type.unwrap_or(0)),
                Box::new(value.map_or(ValueType::Unknown, ValueType::from_proto)),
            )
        } else {
            ValueType::Unknown
        }
    }
}

fn tensor_type(proto: &proto::TensorType) -> (DataType, Option<Vec<Dimension>>) {
    let shape = proto.shape.as_ref().map(|shape| {
        let dims = shape.dim.iter();
        dims.map(|dim| match (&dim.dim_value, &dim.dim_param) {
            (Some(size), _) => Dimension::Size(*size),
            (None, Some(symbol)) if !symbol.is_empty() => {
                Dimension::Symbol(Name::from(&symbol[..]))
            }
            _ => Dimension::Unknown,
        })
        .collect()
    });
    (DataType(proto.elem_type.unwrap_or(0)), shape)
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueType::Tensor { element, shape } => write!(f, "{element}{}", Shape(shape)),
            ValueType::Sparse { element, shape } => write!(f, "sparse {element}{}", Shape(shape)),
            ValueType::Sequence(inner) => write!(f, "seq({inner})"),
            ValueType::Optional(inner) => write!(f, "optional({inner})"),
            ValueType::Map(key, value) => write!(f, "map({key}, {value})"),
            ValueType::Unknown => f.write_str("?"),
        }
    }
}

struct Shape<'a>(&'a Option<Vec<Dimension>>);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dims) = self.0 else {
            return f.write_str("[..]");
        };
        f.write_str("[")?;
        for (i, dim) in dims.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match dim {
                Dimension::Size(size) => write!(f, "{size}")?,
                Dimension::Symbol(name) => write!(f, "{name}")?,
                Dimension::Unknown => f.write_str("?")?,
            }
        }
        f.write_str("]")
    }
}
