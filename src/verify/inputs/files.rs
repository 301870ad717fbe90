//! Arrays in files: numpy's `.npy` and `.npz`, and ONNX' `TensorProto`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ndarray_npy::{NpzReader, ReadNpyError, ReadNpyExt, ReadNpzError, ReadableElement};
use tract_onnx::data_resolver::FopenDataResolver;
use tract_onnx::pb;
use tract_onnx::prelude::{Datum, Tensor, tract_ndarray::ArrayD};
use tract_onnx::tensor::load_tensor;

use super::usage;
use crate::error::Error;
use crate::source::Source;
use crate::verify::engine::{Stop, decode, guard, unsigned_to_raw};

type Reader = NpzReader<BufReader<File>>;

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
                    format!("there is no array {input} in it; its arrays: {known}"),
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
    let broken = |error: ReadNpzError| usage(format!("not a .npz file: {error}"), file);
    let opened = guard(|| -> Result<_, ReadNpzError> {
        let mut reader = NpzReader::new(BufReader::new(File::open(file).map_err(io)?))?;
        let names = reader.names()?;
        Ok((reader, names))
    });
    fn io(error: std::io::Error) -> ReadNpzError {
        ReadNpzError::Npy(ReadNpyError::Io(error))
    }
    let (mut reader, names) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(ReadNpzError::Npy(ReadNpyError::Io(error)))) => {
            return Err(Error::io("cannot read", error).in_file(file).into());
        }
        Ok(Err(error)) => return Err(broken(error)),
        Err(panic) => return Err(usage(format!("not a .npz file: {panic}"), file)),
    };
    let mut arrays = BTreeMap::new();
    for name in names {
        let tensor = guard(|| any_element(&mut |element| element.in_archive(&mut reader, &name)));
        match tensor {
            Ok(Ok(tensor)) => arrays.insert(name.trim_end_matches(".npy").to_string(), tensor),
            Ok(Err(why)) | Err(why) => return Err(usage(format!("array {name}: {why}"), file)),
        };
    }
    Ok(arrays)
}

/// The array of a `.npy` file; or why not.
pub(super) fn npy(source: &Source) -> Result<Tensor, String> {
    if claimed(source).is_some_and(|elements| elements > source.len()) {
        return Err("its header claims more elements than the file has bytes".into());
    }
    let tensor = guard(|| any_element(&mut |element| element.in_file(source)));
    tensor
        .and_then(|tensor| tensor)
        .map_err(|why| format!("cannot read this .npy file: {why}"))
}

/// How many elements the header of a `.npy` file claims, so that nobody allocates for a lie; `None`
/// where there is no header to read, which the reader itself will say.
fn claimed(source: &Source) -> Option<u64> {
    let header = source.bytes(0..source.len().min(1 << 16)).ok()?;
    let text = String::from_utf8_lossy(&header);
    let (_, shape) = text.split_once("'shape':")?;
    let (shape, _) = shape.split_once('(')?.1.split_once(')')?;
    let mut sizes = shape
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty());
    sizes.try_fold(1u64, |n, size| Some(n.saturating_mul(size.parse().ok()?)))
}

/// An element type that numpy and ONNX share, but for float16, which `ndarray-npy` cannot read.
trait Kind {
    fn in_file(&self, source: &Source) -> Result<Tensor, ReadNpyError>;
    fn in_archive(&self, reader: &mut Reader, name: &str) -> Result<Tensor, ReadNpyError>;
}

struct Of<T>(std::marker::PhantomData<T>);

impl<T: ReadableElement + Datum> Kind for Of<T> {
    fn in_file(&self, source: &Source) -> Result<Tensor, ReadNpyError> {
        let reader = source.reader(0..source.len());
        Ok(ArrayD::<T>::read_npy(reader)?.into())
    }

    fn in_archive(&self, reader: &mut Reader, name: &str) -> Result<Tensor, ReadNpyError> {
        match reader.by_name::<_, tract_onnx::prelude::tract_ndarray::IxDyn>(name) {
            Ok(array) => {
                let array: ArrayD<T> = array;
                Ok(array.into())
            }
            Err(ReadNpzError::Npy(error)) => Err(error),
            Err(ReadNpzError::Zip(error)) => Err(ReadNpyError::Io(std::io::Error::other(error))),
        }
    }
}

/// Reads with the element type that the file turns out to have.
fn any_element(
    read: &mut dyn FnMut(&dyn Kind) -> Result<Tensor, ReadNpyError>,
) -> Result<Tensor, String> {
    use std::marker::PhantomData as P;
    let kinds: [&dyn Kind; 11] = [
        &Of::<f32>(P),
        &Of::<f64>(P),
        &Of::<i64>(P),
        &Of::<i32>(P),
        &Of::<bool>(P),
        &Of::<u8>(P),
        &Of::<i8>(P),
        &Of::<i16>(P),
        &Of::<u16>(P),
        &Of::<u32>(P),
        &Of::<u64>(P),
    ];
    let mut descriptor = String::new();
    for kind in kinds {
        match read(kind) {
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
    let mut proto: pb::TensorProto = match decode(&source) {
        Ok(proto) => proto,
        Err(Stop::Unrunnable(why)) => return Err(not(why.reason)),
        Err(stop) => return Err(stop),
    };
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
