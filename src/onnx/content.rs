//! The elements of a tensor, whichever way they are stored: as bytes, as a hash, as numbers.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::source::{Origin, Source};
use crate::wire::{Fields, Kind, Window, decode_varint};

use super::attribute::Attribute;
use super::data_type::DataType;
use super::model::Model;
use super::tensor::{Payload, Tensor};

/// BLAKE3 of a tensor's elements as little-endian bytes (strings with their lengths before them).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl fmt::Display for ContentHash {
    /// The first 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The position of elements: equal positions have equal elements, without reading them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Inside(Vec<(u32, bool, Origin)>),
    Outside(PathBuf, Range<u64>),
}

impl Model {
    /// Hashes the elements of a tensor, through a buffer.
    ///
    /// # Errors
    /// The elements cannot be read, or external data is missing.
    pub fn content_hash(&self, tensor: &Tensor) -> Result<ContentHash> {
        let mut hasher = blake3::Hasher::new();
        self.elements(tensor, &mut |bytes| {
            hasher.update(bytes);
        })?;
        Ok(ContentHash(*hasher.finalize().as_bytes()))
    }

    /// Passes the elements of a tensor to `sink` as little-endian bytes, piece by piece.
    ///
    /// # Errors
    /// As [`Model::content_hash`].
    pub fn elements(&self, tensor: &Tensor, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        if tensor.external.is_some() {
            let (source, range) = self.locate(tensor)?;
            return stream(&source, range, sink);
        }
        let mut window = Window::new(&self.source);
        for payload in &tensor.payload {
            self.payload(&mut window, tensor.data_type, payload, sink)?;
        }
        Ok(())
    }

    /// The elements of a tensor as little-endian bytes by position: where they are stored, if they are stored
    /// so, else (numbers stored as varints, or one field each) in memory.
    ///
    /// # Errors
    /// As [`Model::content_hash`].
    pub(crate) fn elements_source(&self, tensor: &Tensor) -> Result<(Source, Range<u64>)> {
        if tensor.external.is_some() {
            return self.locate(tensor);
        }
        if let [payload] = &tensor.payload[..]
            && (payload.number == 9 || payload.packed && matches!(payload.number, 4 | 10))
        {
            return Ok((self.source.clone(), payload.range.clone()));
        }
        let mut bytes = Vec::new();
        self.elements(tensor, &mut |piece| bytes.extend_from_slice(piece))?;
        let source = Source::from_bytes(bytes);
        let all = 0..source.len();
        Ok((source, all))
    }

    /// The elements of a small tensor; `None` where they take far more than `limit` bytes (a
    /// number may be stored as a varint in a field of its own).
    ///
    /// # Errors
    /// As [`Model::content_hash`].
    pub fn small_elements(&self, tensor: &Tensor, limit: u64) -> Result<Option<Vec<u8>>> {
        let stored = match tensor.external {
            Some(_) => {
                let range = self.locate(tensor)?.1;
                range.end - range.start
            }
            None => tensor.stored_bytes(),
        };
        if stored > limit.saturating_mul(12) {
            return Ok(None);
        }
        let mut out = Vec::new();
        self.elements(tensor, &mut |bytes| out.extend_from_slice(bytes))?;
        Ok(Some(out))
    }

    /// The first bytes of a tensor's elements, at most `limit` of them, where the elements lie in one
    /// piece as little-endian numbers; `None` where they do not.
    ///
    /// # Errors
    /// As [`Model::content_hash`].
    pub(crate) fn first_elements(&self, tensor: &Tensor, limit: u64) -> Result<Option<Vec<u8>>> {
        if tensor.external.is_some() {
            let (source, range) = self.locate(tensor)?;
            let end = range.end.min(range.start.saturating_add(limit));
            let bytes = source.bytes(range.start..end)?;
            return Ok(Some(bytes.to_vec()));
        }
        let [payload] = &tensor.payload[..] else {
            return Ok(None);
        };
        if !payload.packed || !matches!(payload.number, 4 | 9 | 10) {
            return Ok(None);
        }
        if let Some(few) = &payload.few {
            let few = few.iter().take(limit as usize);
            return Ok(Some(few.copied().collect()));
        }
        let Range { start, end } = payload.range;
        Ok(Some(
            self.source
                .bytes(start..end.min(start.saturating_add(limit)))?
                .to_vec(),
        ))
    }

    /// Every tensor of the model, in every graph: initializers and those in attributes.
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.graphs().flat_map(|(_, graph)| {
            let attributes = graph.nodes().flat_map(|(_, node)| &node.attributes);
            let sparse = graph.sparse_initializers().iter();
            let initializers = graph.initializers().map(|(_, tensor)| tensor);
            initializers
                .chain(sparse.flat_map(|sparse| [&sparse.values, &sparse.indices]))
                .chain(attributes.flat_map(Attribute::tensors))
        })
    }

    /// The files of external data, relative to the model's folder, each once.
    ///
    /// # Errors
    /// A location is absolute or leaves the folder.
    pub fn external_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = BTreeSet::new();
        for tensor in self.tensors() {
            if let Some(external) = &tensor.external {
                let path = external.relative_path();
                files.insert(path.map_err(|e| self.at_tensor(tensor, e))?);
            }
        }
        Ok(files.into_iter().collect())
    }

    /// The ranges of the files of external data that tensors use, by file, in order. Of a file that cannot be found
    /// or is incomplete: all of it.
    ///
    /// # Errors
    /// As [`Model::external_files`].
    #[cfg(feature = "tract")]
    pub(crate) fn external_ranges(
        &self,
    ) -> Result<std::collections::BTreeMap<PathBuf, Vec<Range<u64>>>> {
        let mut files = std::collections::BTreeMap::<PathBuf, Vec<Range<u64>>>::new();
        for tensor in self.tensors() {
            if let Some(external) = &tensor.external {
                let path = external.relative_path();
                let path = path.map_err(|e| self.at_tensor(tensor, e))?;
                let range = self.locate(tensor).map_or(0..u64::MAX, |(_, range)| range);
                files.entry(path).or_default().push(range);
            }
        }
        for ranges in files.values_mut() {
            ranges.sort_by_key(|range| range.start);
        }
        Ok(files)
    }

    /// The size of all files of external data; a file that cannot be found counts as empty.
    #[cfg(feature = "tract")]
    pub(crate) fn external_bytes(&self) -> u64 {
        let folder = self.folder().unwrap_or(Path::new(""));
        let files = self.external_files().unwrap_or_default();
        let size = |file: &PathBuf| Some(folder.join(file).metadata().ok()?.len());
        files.iter().filter_map(size).sum()
    }

    /// True if the other model is the same bytes and names the same files for its weights.
    ///
    /// # Errors
    /// A model cannot be read.
    pub fn is_identical_to(&self, other: &Model) -> Result<bool> {
        let real = |model: &Model, file: &Path| {
            let folder = model.folder().unwrap_or(Path::new(""));
            folder.join(file).canonicalize().ok()
        };
        if !self.source().holds_the_same_as(other.source())? {
            return Ok(false);
        }
        let files = self.external_files()?;
        let same = |file: &PathBuf| {
            let own = real(self, file);
            own.is_some() && own == real(other, file)
        };
        Ok(files.iter().all(same))
    }

    /// Checks that all external data exists and is complete, without reading it.
    ///
    /// # Errors
    /// The first file that is missing, outside the folder or too short.
    pub fn check_external(&self) -> Result<()> {
        let mut external = self.tensors().filter(|tensor| tensor.external.is_some());
        external.try_for_each(|tensor| self.locate(tensor).map(|_| ()))
    }

    /// The file of a tensor's external data, and the range of its elements.
    ///
    /// # Errors
    /// External data is missing or incomplete.
    fn locate(&self, tensor: &Tensor) -> Result<(Source, Range<u64>)> {
        let external = tensor.external.clone().unwrap_or_else(|| {
            super::external::ExternalData::from_entries(&[]) // says what is missing
        });
        let located = self.outside.open(&external).and_then(|source| {
            let range = external.range(&source, tensor.expected_bytes())?;
            Ok((source, range))
        });
        located.map_err(|e| self.at_tensor(tensor, e))
    }

    fn at_tensor(&self, tensor: &Tensor, error: Error) -> Error {
        self.source
            .name_in(error.at(format!("tensor `{}`", tensor.name)))
    }

    /// The position of the elements in their file; `None` if an edit created them.
    pub(crate) fn elements_place(&self, tensor: &Tensor) -> Option<Place> {
        if tensor.external.is_some() {
            let (source, range) = self.locate(tensor).ok()?;
            return match source.path() {
                Some(path) => Some(Place::Outside(path.canonicalize().ok()?, range)),
                None => Some(Place::Inside(vec![(9, true, source.origin(range)?)])),
            };
        }
        let origins = tensor.payload.iter().map(|payload| {
            let origin = self.source.origin(payload.range.clone())?;
            Some((payload.number, payload.packed, origin))
        });
        origins.collect::<Option<_>>().map(Place::Inside)
    }

    fn payload(
        &self,
        window: &mut Window<'_>,
        data_type: DataType,
        payload: &Payload,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        // float_data and double_data hold little-endian numbers, as raw_data does
        if payload.packed && matches!(payload.number, 4 | 9 | 10) {
            if let Some(few) = &payload.few {
                sink(few);
                return Ok(());
            }
            return stream(&self.source, payload.range.clone(), sink);
        }
        let width = match payload.number {
            5 => data_type.bits().unwrap_or(32).div_ceil(8).min(4) as usize,
            11 if data_type == DataType::UINT32 => 4,
            _ => 8,
        };
        if payload.packed {
            return self.packed_varints(payload, width, sink);
        }
        let mut fields = Fields::new(payload.range.clone());
        while let Some(field) = window.next(&mut fields)? {
            let bytes = window.bytes(field.payload())?;
            match (payload.number, field.kind) {
                (6, _) => {
                    sink(&(bytes.len() as u64).to_le_bytes());
                    sink(&bytes);
                }
                (_, Kind::Varint) => {
                    let value = decode_varint(&bytes).map_or(0, |varint| varint.value);
                    sink(&value.to_le_bytes()[..width]);
                }
                _ => sink(&bytes),
            }
        }
        Ok(())
    }

    fn packed_varints(
        &self,
        payload: &Payload,
        width: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let mut at = payload.range.start;
        let end = payload.range.end;
        let mut out = Vec::new();
        while at < end {
            let bytes = self.source.bytes(at..end.min(at + (64 << 10)))?;
            let mut used = 0;
            out.clear();
            while used < bytes.len() {
                let Some(varint) = decode_varint(&bytes[used..]) else {
                    break;
                };
                out.extend_from_slice(&varint.value.to_le_bytes()[..width]);
                used += varint.len;
            }
            if used == 0 {
                let error = Error::protobuf(at, "packed numbers end inside a number");
                return Err(self.source.name_in(error));
            }
            sink(&out);
            at += used as u64;
        }
        Ok(())
    }
}

fn stream(source: &Source, range: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut reader = source.reader(range);
    loop {
        let chunk = reader.chunk()?;
        if chunk.is_empty() {
            return Ok(());
        }
        sink(chunk);
        let count = chunk.len();
        reader.consume(count);
    }
}

/// A number in this type, floats rounded once, little-endian; `None` for types this crate writes no
/// numbers in.
pub(crate) fn encode_number(data_type: DataType, number: f64) -> Option<Vec<u8>> {
    match data_type {
        DataType::BOOL => Some(vec![u8::from(number != 0.0)]),
        DataType::INT32 => Some((number as i32).to_le_bytes().to_vec()),
        DataType::INT64 => Some((number as i64).to_le_bytes().to_vec()),
        _ => encode_float(data_type, number),
    }
}

/// A number as a float of this type, rounded once, little-endian; `None` for other types.
pub(crate) fn encode_float(data_type: DataType, number: f64) -> Option<Vec<u8>> {
    match data_type {
        DataType::FLOAT16 => Some(half::f16::from_f64(number).to_le_bytes().to_vec()),
        DataType::BFLOAT16 => Some(half::bf16::from_f64(number).to_le_bytes().to_vec()),
        DataType::FLOAT => Some((number as f32).to_le_bytes().to_vec()),
        DataType::DOUBLE => Some(number.to_le_bytes().to_vec()),
        _ => None,
    }
}

/// Decodes little-endian elements of a float type; `None` for other types and broken lengths.
/// Every value of these types is exact in 64 bits.
pub(crate) fn floats(data_type: DataType, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
        let (elements, rest) = bytes.as_chunks::<N>();
        rest.is_empty()
            .then(|| elements.iter().map(|&element| f(element)).collect())
    }
    match data_type {
        DataType::FLOAT => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
        DataType::DOUBLE => each(bytes, f64::from_le_bytes),
        DataType::FLOAT16 => each(bytes, |b| half::f16::from_le_bytes(b).to_f64()),
        DataType::BFLOAT16 => each(bytes, |b| half::bf16::from_le_bytes(b).to_f64()),
        DataType::FLOAT8E4M3FN => each(bytes, |[b]| float8(b, 3, 7, false)),
        DataType::FLOAT8E4M3FNUZ => each(bytes, |[b]| float8(b, 3, 8, true)),
        DataType::FLOAT8E5M2 => each(bytes, |[b]| float8(b, 2, 15, false)),
        DataType::FLOAT8E5M2FNUZ => each(bytes, |[b]| float8(b, 2, 16, true)),
        _ => None,
    }
}

/// Decodes little-endian elements of a float type, a boolean (0 or 1) or one of the integer types that
/// ratios, flags and shapes are made of; `None` for other types and broken lengths.
pub(crate) fn numbers(data_type: DataType, bytes: &[u8]) -> Option<Vec<f64>> {
    match data_type {
        DataType::BOOL => Some(bytes.iter().map(|&b| f64::from(u8::from(b != 0))).collect()),
        DataType::UINT8 => Some(bytes.iter().map(|&b| f64::from(b)).collect()),
        DataType::INT8 => Some(bytes.iter().map(|&b| f64::from(b as i8)).collect()),
        DataType::INT16 | DataType::UINT16 => {
            let (elements, rest) = bytes.as_chunks::<2>();
            let all = elements.iter().map(|&e| match data_type {
                DataType::INT16 => f64::from(i16::from_le_bytes(e)),
                _ => f64::from(u16::from_le_bytes(e)),
            });
            rest.is_empty().then(|| all.collect())
        }
        DataType::INT32 => {
            let (elements, rest) = bytes.as_chunks::<4>();
            let all = elements.iter().map(|&e| f64::from(i32::from_le_bytes(e)));
            rest.is_empty().then(|| all.collect())
        }
        DataType::INT64 => {
            let (elements, rest) = bytes.as_chunks::<8>();
            let all = elements.iter().map(|&e| i64::from_le_bytes(e) as f64);
            rest.is_empty().then(|| all.collect())
        }
        other => floats(other, bytes),
    }
}

/// An 8-bit float with this many mantissa bits and this exponent bias. Source: ONNX's
/// `docs/docsgen/source/technical/float8.md`; `fnuz`: no infinities, one zero, NaN is 0x80.
fn float8(byte: u8, mantissa_bits: u32, bias: i32, fnuz: bool) -> f64 {
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    let magnitude = u32::from(byte & 0x7f);
    let exponent = (magnitude >> mantissa_bits) as i32;
    let mantissa = f64::from(magnitude & ((1 << mantissa_bits) - 1));
    let top = 0x7f >> mantissa_bits;
    match (fnuz, mantissa_bits) {
        (true, _) if byte == 0x80 => return f64::NAN,
        (false, 3) if magnitude == 0x7f => return f64::NAN,
        (false, 2) if exponent == top && mantissa == 0.0 => return sign * f64::INFINITY,
        (false, 2) if exponent == top => return f64::NAN,
        _ => {}
    }
    let scale = 2f64.powi(-(mantissa_bits as i32));
    if exponent == 0 {
        sign * mantissa * scale * 2f64.powi(1 - bias)
    } else {
        sign * (1.0 + mantissa * scale) * 2f64.powi(exponent - bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_floats_have_the_values_of_the_onnx_table() {
        // largest, smallest subnormal and one of each format, from ONNX' float8.md
        let one = |data_type, byte| floats(data_type, &[byte]).unwrap()[0];
        assert_eq!(one(DataType::FLOAT8E4M3FN, 0x7e), 448.0);
        assert_eq!(one(DataType::FLOAT8E4M3FN, 0x01), 2f64.powi(-9));
        assert_eq!(one(DataType::FLOAT8E4M3FN, 0x38), 1.0);
        assert!(one(DataType::FLOAT8E4M3FN, 0xff).is_nan());
        assert_eq!(one(DataType::FLOAT8E4M3FNUZ, 0x7f), 240.0);
        assert_eq!(one(DataType::FLOAT8E4M3FNUZ, 0x01), 2f64.powi(-10));
        assert!(one(DataType::FLOAT8E4M3FNUZ, 0x80).is_nan());
        assert_eq!(one(DataType::FLOAT8E5M2, 0x7b), 57344.0);
        assert_eq!(one(DataType::FLOAT8E5M2, 0xbc), -1.0);
        assert_eq!(one(DataType::FLOAT8E5M2, 0x7c), f64::INFINITY);
        assert_eq!(one(DataType::FLOAT8E5M2, 0x01), 2f64.powi(-16));
        assert_eq!(one(DataType::FLOAT8E5M2FNUZ, 0x7f), 57344.0);
        assert_eq!(one(DataType::FLOAT8E5M2FNUZ, 0x01), 2f64.powi(-17));
    }

    #[test]
    fn broken_lengths_and_other_types_are_no_floats() {
        assert_eq!(floats(DataType::FLOAT, &[0; 5]), None);
        assert_eq!(floats(DataType::INT64, &[0; 8]), None);
        assert_eq!(
            floats(DataType::FLOAT, &0.25f32.to_le_bytes()),
            Some(vec![0.25])
        );
    }
}
