//! Tensors: type, shape, and the position of their elements.

use std::ops::Range;

use crate::error::Result;
use crate::wire::{Field, Fields, Kind, Window, decode_leaf};

use super::data_type::DataType;
use super::external::ExternalData;
use super::name::Name;
use super::proto;

/// A `TensorProto`, without its elements.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tensor {
    /// Its name; empty where it needs none, as in attributes.
    pub name: Name,
    /// Element type.
    pub data_type: DataType,
    /// Shape; empty for a scalar.
    pub dims: Vec<i64>,
    /// Where the elements are, if they are in another file.
    pub external: Option<ExternalData>,
    /// Where the elements are in this file.
    pub(crate) payload: Vec<Payload>,
}

/// A `SparseTensorProto` among the initializers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SparseInitializer {
    /// The elements that are not zero; its name is the initializer's.
    pub values: Tensor,
    /// Their positions.
    pub indices: Tensor,
    /// Shape of the whole.
    pub dims: Vec<i64>,
}

/// A run of element bytes in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// 4 to 7 and 9 to 11 in `TensorProto`.
    pub number: u32,
    /// True: the range has only the payload. False: whole fields, one per element.
    pub packed: bool,
    /// Bytes of the source.
    pub range: Range<u64>,
    /// These bytes, if they are few: they were read with the model.
    pub few: Option<Box<[u8]>>,
}

/// Names, dims and the like are read up to this size; what is larger is passed over.
const SMALL: u64 = 64 << 10;

/// The maximum number of bytes of elements that are kept: scalars, axes, small shapes.
const FEW: u64 = 32;

fn is_payload(number: u32) -> bool {
    matches!(number, 4..=7 | 9..=11)
}

/// True for the fields of a tensor's elements: typed data, `raw_data`, external data.
pub(super) fn is_storage(number: u32) -> bool {
    is_payload(number) || matches!(number, 13 | 14)
}

impl Tensor {
    /// Reads a tensor from these ranges of the source (more than one if its field is
    /// repeated, which protobuf merges).
    pub(crate) fn read(window: &mut Window<'_>, messages: &[Range<u64>]) -> Result<Tensor> {
        let mut value = proto::Tensor::default();
        let mut payload: Vec<Payload> = Vec::new();
        for message in messages {
            let leaf =
                decode_leaf::<proto::Tensor>(window, message.clone(), SMALL, |f: &Field| {
                    !is_payload(f.number)
                })?;
            merge(&mut value, leaf.value);
            let mut fields = Fields::new(message.clone());
            while let Some(field) = window.next(&mut fields)? {
                if holds_elements(&field) {
                    add_payload(&mut payload, &field);
                }
            }
        }
        for payload in &mut payload {
            if payload.range.end - payload.range.start <= FEW {
                payload.few = Some(window.peek(payload.range.clone())?.into());
            }
        }
        if let Some(last) = payload.iter().rposition(|p| p.number == 9) {
            // raw_data is singular: the last one rules
            let mut i = 0;
            payload.retain(|p| {
                i += 1;
                p.number != 9 || i == last + 1
            });
        }
        let external = (value.data_location == Some(1))
            .then(|| ExternalData::from_entries(&value.external_data));
        Ok(Tensor {
            name: proto::name(value.name),
            data_type: DataType(value.data_type.unwrap_or(0)),
            dims: value.dims,
            external,
            payload,
        })
    }

    /// Elements, by its shape; `None` if a dimension is negative or the product too large.
    pub fn elements(&self) -> Option<u64> {
        self.dims.iter().try_fold(1u64, |product, &dim| {
            product.checked_mul(u64::try_from(dim).ok()?)
        })
    }

    /// Bytes its elements take up: in this file as stored, elsewhere by type and shape.
    pub fn stored_bytes(&self) -> u64 {
        match &self.external {
            Some(_) => self.expected_bytes().unwrap_or(0),
            None => (self.payload.iter())
                .map(|p| p.range.end - p.range.start)
                .sum(),
        }
    }

    /// Bytes its elements take as `raw_data`, by type and shape (4-bit types two in a byte).
    pub fn expected_bytes(&self) -> Option<u64> {
        let bits = self.elements()?.checked_mul(self.data_type.bits()?)?;
        Some(bits.div_ceil(8))
    }
}

fn merge(into: &mut proto::Tensor, from: proto::Tensor) {
    into.dims.extend(from.dims);
    into.external_data.extend(from.external_data);
    into.data_type = from.data_type.or(into.data_type);
    into.data_location = from.data_location.or(into.data_location);
    into.name = from.name.or(into.name.take());
}

/// True of a field that holds elements: another wire type makes it an unknown field.
fn holds_elements(field: &Field) -> bool {
    match field.number {
        4 => matches!(field.kind, Kind::Bytes | Kind::Fixed32),
        5 | 7 | 11 => matches!(field.kind, Kind::Bytes | Kind::Varint),
        6 | 9 => field.kind == Kind::Bytes,
        10 => matches!(field.kind, Kind::Bytes | Kind::Fixed64),
        _ => false,
    }
}

fn add_payload(payload: &mut Vec<Payload>, field: &Field) {
    // string_data is one field a string; numbers may be packed or one field each
    let packed = field.kind == Kind::Bytes && field.number != 6;
    let range = if packed {
        field.payload()
    } else {
        field.range()
    };
    if !packed
        && let Some(last) = payload.last_mut()
        && !last.packed
        && last.number == field.number
        && last.range.end == range.start
    {
        last.range.end = range.end;
        return;
    }
    payload.push(Payload {
        number: field.number,
        packed,
        range,
        few: None,
    });
}
