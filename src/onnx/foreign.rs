//! Files that are not ONNX models: what they are, by their first bytes or their name, and what to do.

use std::path::Path;

use super::name::contains;
use Start::{At, Safetensors, Text, Zip};

/// A kind of file that is taken for a model.
#[derive(Clone, Copy)]
pub(super) struct Foreign {
    /// With its article: "a Git LFS pointer".
    what: &'static str,
    /// What to do, as an instruction.
    advice: &'static str,
}

/// How a kind of file begins.
enum Start {
    /// With these bytes, from an offset on.
    At(usize, &'static [u8]),
    /// With text, in upper or lower case, after white space and a byte order mark.
    Text(&'static str),
    /// As a zip archive with an entry whose name contains this; `""` for every archive.
    Zip(&'static str),
    /// With the length of a JSON header in eight bytes, and the header.
    Safetensors,
}

const EXPORT_H5: &str = "export it first, for example `python -m tf2onnx.convert --keras \
     model.h5 --output model.onnx`, or `model.export(\"model.onnx\", format=\"onnx\")` in Keras 3";
const EXPORT_KERAS: &str = "export it first, for example `model.export(\"model.onnx\", \
     format=\"onnx\")` in Keras 3, or `python -m tf2onnx.convert --keras model.keras --output model.onnx`";
const EXPORT_TENSORFLOW: &str =
    "export it first: `python -m tf2onnx.convert --saved-model FOLDER --output model.onnx`";
const EXPORT_TFLITE: &str = "convert it first, for example `python -m tf2onnx.convert --tflite \
     model.tflite --output model.onnx`";
const EXPORT_TORCH: &str = "export the module first, with `torch.onnx.export`";
const EXPORT: &str = "export the model to ONNX";
const CONVERTED: &str = "use the ONNX model that it was converted from";
const DOWNLOAD: &str = "the download failed, or its link leads to a page: download the file itself";
const INPUT: &str = "give it to --input; the model is a different file";
const OTHER: &str = "the model is a different file, usually named .onnx";
const UNPACK: &str = "unpack it first";
const PICKLE: &str = "a Python pickle";
const TORCH: &str = "a PyTorch file (torch.save or TorchScript)";
const HTML: &str = "an HTML page";
const OPENVINO: &str = "an OpenVINO model (.xml)";
const PRINTED: &str = "an ONNX model as text";
const PARSE: &str = "write it as a binary file first, with `onnx.load` and `onnx.save` in Python";

/// Text of no kind in [`SIGNATURES`].
pub(super) const TEXT: Foreign = Foreign {
    what: "a text file",
    advice: "it may be the message of a download that failed",
};

/// What begins like this, with what it is and what to do. The first that matches counts.
const SIGNATURES: &[(Start, &str, &str)] = &[
    (
        Text("version https://git-lfs"),
        "a Git LFS pointer",
        "fetch the file first, with `git lfs pull`",
    ),
    (
        Text("/annex/objects/"),
        "a git-annex pointer",
        "fetch the file first, with `git annex get`",
    ),
    (
        At(0, b"\x89HDF"),
        "an HDF5 file, the format of Keras models (.h5)",
        EXPORT_H5,
    ),
    (Zip("config.json"), "a Keras archive (.keras)", EXPORT_KERAS),
    (Zip("data.pkl"), TORCH, EXPORT_TORCH),
    (Zip(".npy"), "a NumPy archive (.npz)", INPUT),
    (Zip(""), "a zip archive", UNPACK),
    (
        At(0, b"\x1f\x8b"),
        "compressed with gzip",
        "decompress it first, with `gunzip`",
    ),
    (
        At(0, b"BZh"),
        "compressed with bzip2",
        "decompress it first, with `bunzip2`",
    ),
    (
        At(0, b"\xfd7zXZ\0"),
        "compressed with xz",
        "decompress it first, with `unxz`",
    ),
    (
        At(0, b"\x28\xb5\x2f\xfd"),
        "compressed with Zstandard",
        "decompress it first, with `unzstd`",
    ),
    (At(0, b"7z\xbc\xaf\x27\x1c"), "a 7-Zip archive", UNPACK),
    (At(0, b"Rar!\x1a\x07"), "a RAR archive", UNPACK),
    (At(257, b"ustar"), "a tar archive", UNPACK),
    (
        At(0, b"\x80\x02\x8a\x0a"),
        "a PyTorch file (torch.save)",
        EXPORT_TORCH,
    ),
    (At(0, b"\x80\x02"), PICKLE, "export the model it contains"),
    (At(0, b"\x80\x03"), PICKLE, "export the model it contains"),
    (
        At(0, b"\x80\x04\x95"),
        PICKLE,
        "export the model it contains",
    ),
    (
        At(0, b"\x80\x05\x95"),
        PICKLE,
        "export the model it contains",
    ),
    (
        At(4, b"TFL3"),
        "a TensorFlow Lite model (.tflite)",
        EXPORT_TFLITE,
    ),
    (
        At(4, b"ORTM"),
        "a model in ONNX Runtime's own format (.ort)",
        CONVERTED,
    ),
    (
        Safetensors,
        "a safetensors file: weights without a graph",
        EXPORT,
    ),
    (
        At(0, b"GGUF"),
        "a GGUF file: weights without a graph",
        EXPORT,
    ),
    (At(0, b"\x93NUMPY"), "a NumPy array (.npy)", INPUT),
    (At(0, b"%PDF-"), "a PDF document", OTHER),
    (At(0, b"\x89PNG\r\n\x1a\n"), "a picture (PNG)", OTHER),
    (At(0, b"\x7fELF"), "a program or library", OTHER),
    (At(0, b"MZ"), "a program or library", OTHER),
    (Text("<!doctype html"), HTML, DOWNLOAD),
    (Text("<html"), HTML, DOWNLOAD),
    (Text("{"), "a JSON file", OTHER),
    (Text("<net "), OPENVINO, CONVERTED),
    (
        Text("<?xml"),
        "an XML file",
        "use the ONNX model that an OpenVINO model was converted from, or download the file again",
    ),
    (Text("ir_version:"), PRINTED, PARSE),
    (Text("<\n"), PRINTED, PARSE),
    (At(0, b"ftrt"), "a TensorRT engine", CONVERTED),
];

/// Kinds of files that are protobuf messages too, recognised by their names.
const NAMES: &[(&str, &str, &str)] = &[
    (
        "saved_model.pb",
        "a TensorFlow SavedModel",
        EXPORT_TENSORFLOW,
    ),
    (".mlmodel", "a Core ML model", CONVERTED),
];

/// Kinds of folders, recognised by a file or folder in them.
const FOLDERS: &[(&str, &str, &str)] = &[
    (
        "saved_model.pb",
        "the folder of a TensorFlow SavedModel",
        EXPORT_TENSORFLOW,
    ),
    (
        "keras_metadata.pb",
        "the folder of a Keras model",
        EXPORT_KERAS,
    ),
    (
        "Data/com.apple.CoreML",
        "a Core ML package (.mlpackage)",
        CONVERTED,
    ),
];

/// The row of a table whose key fits.
fn find<K>(
    table: &[(K, &'static str, &'static str)],
    fits: impl Fn(&K) -> bool,
) -> Option<Foreign> {
    let (_, what, advice) = table.iter().find(|(key, ..)| fits(key))?;
    Some(Foreign { what, advice })
}

/// What a folder is that is taken for a model, and what to do; `None` for other folders and for files.
pub fn describe_folder(path: &Path) -> Option<String> {
    find(FOLDERS, |inside| path.join(inside).exists()).map(|foreign| foreign.why())
}

/// How many bytes of a file [`by_head`] needs.
pub(super) const HEAD: u64 = 512;

/// What a file is, by its first bytes.
pub(super) fn by_head(head: &[u8]) -> Option<Foreign> {
    find(SIGNATURES, |start| start.fits(head))
}

/// True of a beginning that is text: printable UTF-8, except that its last character may be cut.
pub(super) fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && (text.chars()).all(|c| !c.is_control() || c.is_ascii_whitespace())
}

/// What a file is, by its name.
pub(super) fn by_name(path: &Path) -> Option<Foreign> {
    let name = path.file_name()?.to_str()?;
    find(NAMES, |end| name.ends_with(end))
}

impl Foreign {
    /// What it is and what to do, as a sentence without a full stop.
    pub fn why(&self) -> String {
        self.instead_of("an ONNX model")
    }

    /// The same of a file that should be something else.
    pub fn instead_of(&self, expected: &str) -> String {
        format!("{}, not {expected}; {}", self.what, self.advice)
    }
}

impl Start {
    fn fits(&self, head: &[u8]) -> bool {
        match *self {
            At(offset, bytes) => head
                .get(offset..)
                .is_some_and(|rest| rest.starts_with(bytes)),
            Text(text) => {
                let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
                let start = head.trim_ascii_start().get(..text.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
            }
            Zip(name) => {
                let named = || name.is_empty() || contains(head, name.as_bytes());
                head.starts_with(b"PK\x03\x04") && named()
            }
            Safetensors => {
                let length = head.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
                length.is_some_and(|length| length < 1 << 32)
                    && head.get(8..10).is_some_and(|start| start == b"{\"")
            }
        }
    }
}
