//! Arrays in files: `.npy` and `.npz` of NumPy, and `TensorProto` of ONNX.

#[cfg(test)]
mod damaged;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use prost::Message;
use py_literal::Value as Literal;
use tract_onnx::data_resolver::FopenDataResolver;
use tract_onnx::pb;
use tract_onnx::prelude::{Datum, Tensor, tract_ndarray::ArrayD};
use tract_onnx::tensor::load_tensor;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::usage;
use crate::error::Error;
use crate::onnx::DataType;
use crate::source::Source;
use crate::verify::engine::{Stop, guard};

/// The array for one input: the file's only one, or in an archive that of the input's name.
pub(super) fn array(file: &Path, input: &str) -> Result<Tensor, Stop> {
    let extension = file.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "npz" => {
            let mut arrays = archive(file)?;
            let known = arrays.keys().cloned().collect::<Vec<_>>().join(", ");
            let found = arrays.remove(input);
            found.ok_or_else(|| {
                usage(
                    format!("there is no array {input}; the arrays are {known}"),
                    file,
                )
            })
        }
        "pb" => Ok(tensor_proto(file)?.1),
        _ => npy(&Source::open(file)?).map_err(|why| usage(why, file)),
    }
}

/// All arrays of an archive, by name.
pub(super) fn archive(file: &Path) -> Result<BTreeMap<String, Tensor>, Stop> {
    let cannot = |e| Error::io("cannot read", e).in_file(file);
    Source::open(file)?; // refuses what is no regular file
    let opened = BufReader::new(File::open(file).map_err(cannot)?);
    let mut archive = match ZipArchive::new(opened) {
        Ok(archive) => archive,
        Err(ZipError::Io(e)) if e.raw_os_error().is_some() => return Err(cannot(e).into()),
        Err(e) => return Err(usage(format!("not a .npz file: {e}"), file)),
    };
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index);
        let entry = entry.map_err(|e| usage(format!("not a .npz file: {e}"), file))?;
        let name = entry.name().to_string();
        let tensor = inflated(entry).and_then(|bytes| npy(&Source::from_bytes(bytes)));
        let tensor = tensor.map_err(|why| usage(format!("array {name}: {why}"), file))?;
        arrays.insert(name.trim_end_matches(".npy").to_string(), tensor);
    }
    Ok(arrays)
}

/// How many times as large as its compressed form Deflate can make data.
const DEFLATE: u64 = 1032;

/// The bytes of an entry of an archive, whose declared size is checked first.
fn inflated(entry: ZipFile<'_, impl Read>) -> Result<Vec<u8>, String> {
    let (size, compressed) = (entry.size(), entry.compressed_size());
    let most = match entry.compression() {
        CompressionMethod::Stored => compressed,
        _ => compressed.saturating_mul(DEFLATE),
    };
    if size > most {
        return Err(format!(
            "its declared size is {size} bytes, which {compressed} compressed bytes cannot hold"
        ));
    }
    let mut bytes = Vec::new();
    let read = entry.take(size).read_to_end(&mut bytes);
    read.map_err(|e| format!("cannot decompress it: {e}"))?;
    Ok(bytes)
}

/// The array of a `.npy` file; or why not.
pub(super) fn npy(source: &Source) -> Result<Tensor, String> {
    if claimed(source).is_some_and(|elements| elements > source.len()) {
        return Err("its header declares more elements than the file contains".into());
    }
    let tensor = guard(|| any_element(source));
    tensor
        .and_then(|tensor| tensor)
        .map_err(|why| format!("cannot read this .npy file: {why}"))
}

/// The number of elements that the header of a `.npy` file claims, so that nothing is allocated for a
/// false one; `None` where there is no header to read, which the reader itself reports.
/// The format: numpy's NEP 1.
fn claimed(source: &Source) -> Option<u64> {
    let start = source.bytes(0..source.len().min(12)).ok()?;
    // the magic string, the version, and the length of the header in two or four bytes
    let (begin, length) = match start.get(6)? {
        1 => (
            10,
            u64::from(u16::from_le_bytes(start.get(8..10)?.try_into().ok()?)),
        ),
        _ => (
            12,
            u64::from(u32::from_le_bytes(start.get(8..12)?.try_into().ok()?)),
        ),
    };
    let header = source.bytes(begin..begin.checked_add(length)?).ok()?;
    let header: Literal = std::str::from_utf8(&header).ok()?.trim().parse().ok()?;
    let entries = header.as_dict()?.iter();
    let mut shapes = entries.filter(|(key, _)| key.as_string().is_some_and(|key| key == "shape"));
    let sizes = shapes.next_back()?.1.as_tuple()?;
    let size = |size: &Literal| size.as_integer()?.to_string().parse::<u64>().ok();
    sizes.iter().try_fold(1u64, |n, dim| {
        Some(n.saturating_mul(size(dim).unwrap_or(u64::MAX)))
    })
}

/// Reads with the element type that the file turns out to have: those that numpy and ONNX share, except
/// float16, which `ndarray-npy` cannot read.
fn any_element(source: &Source) -> Result<Tensor, String> {
    type Read = Result<Tensor, ReadNpyError>;
    fn read<T: ReadableElement + Datum>(source: &Source) -> Read {
        Ok(ArrayD::<T>::read_npy(source.reader(0..source.len()))?.into())
    }
    let readers: [fn(&Source) -> Read; 11] = [
        read::<f32>,
        read::<f64>,
        read::<i64>,
        read::<i32>,
        read::<bool>,
        read::<u8>,
        read::<i8>,
        read::<i16>,
        read::<u16>,
        read::<u32>,
        read::<u64>,
    ];
    let mut descriptor = String::new();
    for read in readers {
        match read(source) {
            Ok(tensor) => return Ok(tensor),
            Err(ReadNpyError::WrongDescriptor(found)) => descriptor = found.to_string(),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!(
        "its elements are {descriptor}; save them as float32, an integer type or bool"
    ))
}

/// A test set as found: position, name in the file, value.
pub(super) struct RawSet {
    pub(super) inputs: Vec<(usize, String, Tensor)>,
    pub(super) outputs: Vec<(usize, String, Tensor)>,
}

/// Reads `input_0.pb`, `input_1.pb`… and `output_0.pb`… until a number is missing.
pub(super) fn test_set(folder: &Path) -> Result<RawSet, Stop> {
    let inputs = numbered(folder, "input")?;
    if inputs.is_empty() {
        let why = "there is no input_0.pb in it; name a folder such as test_data_set_0";
        return Err(usage(why.into(), folder));
    }
    let outputs = numbered(folder, "output")?;
    Ok(RawSet { inputs, outputs })
}

/// One `input_0.pb`: the number in its name, the name in the file, and the value.
pub(super) fn input(file: &Path) -> Result<(Option<usize>, String, Tensor), Stop> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let number = stem.and_then(|stem| stem.strip_prefix("input_"));
    let (name, tensor) = tensor_proto(file)?;
    Ok((number.and_then(|n| n.parse().ok()), name, tensor))
}

fn numbered(folder: &Path, kind: &str) -> Result<Vec<(usize, String, Tensor)>, Stop> {
    let mut found = Vec::new();
    for index in 0.. {
        let file = folder.join(format!("{kind}_{index}.pb"));
        if !file.exists() {
            break;
        }
        let (name, tensor) = tensor_proto(&file)?;
        found.push((index, name, tensor));
    }
    Ok(found)
}

fn tensor_proto(file: &Path) -> Result<(String, Tensor), Stop> {
    let source = Source::open(file)?;
    let not = |why: String| usage(format!("not a TensorProto: {why}"), file);
    let proto = pb::TensorProto::decode(source.bytes(0..source.len())?);
    let mut proto = proto.map_err(|error| not(error.to_string()))?;
    unsigned_to_raw(&mut proto);
    let elements = proto
        .dims
        .iter()
        .try_fold(1u64, |n, &d| n.checked_mul(u64::try_from(d).ok()?));
    if elements.is_none_or(|elements| elements > source.len()) {
        return Err(not(format!(
            "its shape {:?} is larger than the file",
            proto.dims
        )));
    }
    match guard(|| load_tensor(&FopenDataResolver, &proto, None)) {
        Ok(Ok(tensor)) => Ok((proto.name, tensor)),
        Ok(Err(error)) => Err(not(error.to_string())),
        Err(panic) => Err(not(panic)),
    }
}

/// tract looks for unsigned 32 and 64 bit elements in the fields of the signed ones. As raw bytes
/// it reads them right.
fn unsigned_to_raw(tensor: &mut pb::TensorProto) {
    let words = std::mem::take(&mut tensor.uint64_data);
    if words.is_empty() || !tensor.raw_data.is_empty() {
        return;
    }
    let width = if tensor.data_type == DataType::UINT32.0 {
        4
    } else {
        8
    };
    let bytes = words
        .iter()
        .flat_map(|word| word.to_le_bytes().into_iter().take(width));
    tensor.raw_data = bytes.collect();
}
