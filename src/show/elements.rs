//! Tensors: numbers where they are few, else a hash.

use std::fmt;

use super::Options;
use super::document::{Number, SparseRecord, TensorRecord};
use crate::error::Result;
use crate::onnx::{DataType, Model, SparseInitializer, Tensor, floats};

/// The maximum number of elements that are shown instead of a hash.
const SHOWN: u64 = 8;

pub(super) fn tensor(model: &Model, tensor: &Tensor, options: &Options) -> Result<TensorRecord> {
    let mut record = TensorRecord {
        r#type: tensor.data_type.to_string(),
        shape: tensor.dims.clone(),
        ..TensorRecord::default()
    };
    if tensor.elements().is_some_and(|count| count <= SHOWN) && tensor.external.is_none() {
        let bytes = model.small_elements(tensor, 16 * SHOWN)?;
        record.elements = bytes.and_then(|bytes| numbers(tensor.data_type, &bytes));
    }
    if record.elements.is_none() && !options.no_hash {
        match model.content_hash(tensor) {
            Ok(hash) => record.hash = Some(hash.to_string()),
            Err(_) if tensor.external.is_some() => record.missing = true,
            Err(e) => return Err(e),
        }
    }
    if let (Some(external), false) = (&tensor.external, options.anonymous) {
        record.location = Some(external.location.clone().unwrap_or_default());
    }
    Ok(record)
}

pub(super) fn sparse(
    model: &Model,
    sparse: &SparseInitializer,
    options: &Options,
) -> Result<SparseRecord> {
    Ok(SparseRecord {
        name: None,
        shape: sparse.dims.clone(),
        values: tensor(model, &sparse.values, options)?,
        indices: tensor(model, &sparse.indices, options)?,
    })
}

/// The first 16 hexadecimal digits of the BLAKE3 of some bytes.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    format!("#{:.16}", blake3::hash(bytes).to_hex())
}

/// The elements of a small tensor in words; `None` for types without numbers.
fn numbers(data_type: DataType, bytes: &[u8]) -> Option<Vec<Number>> {
    fn each<const N: usize, T: fmt::Debug>(
        bytes: &[u8],
        f: impl Fn([u8; N]) -> T,
    ) -> Option<Vec<Number>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        let number = |&chunk| Number(format!("{:?}", f(chunk)));
        rest.is_empty().then(|| chunks.iter().map(number).collect())
    }
    match data_type {
        DataType::FLOAT => each(bytes, f32::from_le_bytes),
        DataType::INT64 => each(bytes, i64::from_le_bytes),
        DataType::INT32 => each(bytes, i32::from_le_bytes),
        DataType::UINT8 => each(bytes, u8::from_le_bytes),
        DataType::INT8 => each(bytes, i8::from_le_bytes),
        DataType::BOOL => each(bytes, |[b]: [u8; 1]| b != 0),
        other => {
            let floats = floats(other, bytes)?;
            Some(floats.iter().map(|f| Number(format!("{f:?}"))).collect())
        }
    }
}
