//! Element types: `TensorProto.DataType`.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An element type, by its number in `onnx.proto`; numbers this crate does not know are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataType(pub i32);

macro_rules! data_types {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal, $bits:expr;)*) => {
        impl DataType {
            $($(#[$doc])* pub const $constant: DataType = DataType($number);)*

            /// The name in `onnx.proto` in lower case, as in the text format of ONNX.
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($number => Some($name),)* _ => None }
            }

            /// Bits of an element; `None` for strings and unknown types.
            pub fn bits(self) -> Option<u64> {
                match self.0 { $($number => $bits,)* _ => None }
            }
        }
    };
}

data_types! {
    /// 32-bit IEEE float.
    FLOAT = 1, "float", Some(32);
    /// Unsigned byte.
    UINT8 = 2, "uint8", Some(8);
    /// Signed byte.
    INT8 = 3, "int8", Some(8);
    /// Unsigned 16-bit integer.
    UINT16 = 4, "uint16", Some(16);
    /// Signed 16-bit integer.
    INT16 = 5, "int16", Some(16);
    /// Signed 32-bit integer.
    INT32 = 6, "int32", Some(32);
    /// Signed 64-bit integer.
    INT64 = 7, "int64", Some(64);
    /// String.
    STRING = 8, "string", None;
    /// Boolean, a byte in `raw_data`.
    BOOL = 9, "bool", Some(8);
    /// IEEE half precision.
    FLOAT16 = 10, "float16", Some(16);
    /// 64-bit IEEE float.
    DOUBLE = 11, "double", Some(64);
    /// Unsigned 32-bit integer.
    UINT32 = 12, "uint32", Some(32);
    /// Unsigned 64-bit integer.
    UINT64 = 13, "uint64", Some(64);
    /// Two floats.
    COMPLEX64 = 14, "complex64", Some(64);
    /// Two doubles.
    COMPLEX128 = 15, "complex128", Some(128);
    /// The upper half of a float.
    BFLOAT16 = 16, "bfloat16", Some(16);
    /// 8-bit float, 4 exponent bits, no infinities.
    FLOAT8E4M3FN = 17, "float8e4m3fn", Some(8);
    /// The same without negative zero.
    FLOAT8E4M3FNUZ = 18, "float8e4m3fnuz", Some(8);
    /// 8-bit float, 5 exponent bits.
    FLOAT8E5M2 = 19, "float8e5m2", Some(8);
    /// The same without infinities and negative zero.
    FLOAT8E5M2FNUZ = 20, "float8e5m2fnuz", Some(8);
    /// Unsigned 4-bit integer, two in a byte.
    UINT4 = 21, "uint4", Some(4);
    /// Signed 4-bit integer, two in a byte.
    INT4 = 22, "int4", Some(4);
    /// 4-bit float, two in a byte.
    FLOAT4E2M1 = 23, "float4e2m1", Some(4);
    /// 8-bit power of two.
    FLOAT8E8M0 = 24, "float8e8m0", Some(8);
    /// Unsigned 2-bit integer, four in a byte.
    UINT2 = 25, "uint2", Some(2);
    /// Signed 2-bit integer, four in a byte.
    INT2 = 26, "int2", Some(2);
}

impl DataType {
    /// The type of this name, in upper or lower case; Cast-1 names types in upper case.
    pub fn from_name(name: &str) -> Option<DataType> {
        let same = |t: &DataType| t.name().is_some_and(|own| own.eq_ignore_ascii_case(name));
        (1..=DataType::INT2.0).map(DataType).find(same)
    }

    /// True of the types a dropout ratio may have (Dropout-22, constraint `T1`).
    pub fn is_float(self) -> bool {
        matches!(self.0, 1 | 10 | 11 | 16..=20)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

impl Serialize for DataType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DataType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DataType, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || D::Error::custom(format!("`{name}` is no element type"));
        DataType::from_name(&name).ok_or_else(unknown)
    }
}
