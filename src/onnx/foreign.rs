//! Files that are not ONNX models: what they are, by their first bytes or their name, and what to do.

use std::path::Path;

use super::name::contains;

/// A kind of file that is taken for a model.
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
    /// With text, in upper or lower case, after white space.
    Text(&'static str),
    /// As a zip archive with an entry whose name contains this; `""` for every archive.
    Zip(&'static str),
    /// With the length of a JSON header in eight bytes, and the header.
    Safetensors,
}

const EXPORT_KERAS: &str = "export it first, for example `python -m tf2onnx.convert --keras \
     model.h5 --output model.onnx`, or `model.export(\"model.onnx\", format=\"onnx\")` in Keras 3";
const EXPORT_TORCH: &str = "export the module first, with `torch.onnx.export`";
const PICKLE: Foreign = Foreign {
    what: "a Python pickle",
    advice: "export the model it contains",
};
const UNPACK: &str = "unpack it first";

/// Text of no kind in [`SIGNATURES`].
pub(super) const TEXT: Foreign = Foreign {
    what: "a text file",
    advice: "it may be the message of a download that failed",
};

/// The first that matches counts.
const SIGNATURES: &[(Start, Foreign)] = &[
    (
        Start::Text("version https://git-lfs"),
        Foreign {
            what: "a Git LFS pointer",
            advice: "fetch the file first, with `git lfs pull`",
        },
    ),
    (
        Start::At(0, b"\x89HDF\r\n\x1a\n"),
        Foreign {
            what: "an HDF5 file, the format of Keras models (.h5)",
            advice: EXPORT_KERAS,
        },
    ),
    (
        Start::Zip("config.json"),
        Foreign {
            what: "a Keras archive (.keras)",
            advice: "export it first, for example `model.export(\"model.onnx\", format=\"onnx\")` in Keras 3, or \
                     `python -m tf2onnx.convert --keras model.keras --output model.onnx`",
        },
    ),
    (
        Start::Zip("data.pkl"),
        Foreign {
            what: "a PyTorch file (torch.save or TorchScript)",
            advice: EXPORT_TORCH,
        },
    ),
    (
        Start::Zip(".npy"),
        Foreign {
            what: "a NumPy archive (.npz)",
            advice: "give it to --input; the model is a different file",
        },
    ),
    (
        Start::Zip(""),
        Foreign {
            what: "a zip archive",
            advice: UNPACK,
        },
    ),
    (
        Start::At(0, b"\x1f\x8b"),
        Foreign {
            what: "compressed with gzip",
            advice: "decompress it first, with `gunzip`",
        },
    ),
    (
        Start::At(0, b"\x80\x02\x8a\x0a"),
        Foreign {
            what: "a PyTorch file (torch.save)",
            advice: EXPORT_TORCH,
        },
    ),
    (Start::At(0, b"\x80\x02"), PICKLE),
    (Start::At(0, b"\x80\x03"), PICKLE),
    (Start::At(0, b"\x80\x04\x95"), PICKLE),
    (Start::At(0, b"\x80\x05\x95"), PICKLE),
    (
        Start::At(4, b"TFL3"),
        Foreign {
            what: "a TensorFlow Lite model (.tflite)",
            advice: "convert it first, for example `python -m tf2onnx.convert --tflite model.tflite \
                 --output model.onnx`",
        },
    ),
    (
        Start::At(4, b"ORTM"),
        Foreign {
            what: "a model in ONNX Runtime's own format (.ort)",
            advice: "use the .onnx file that it was converted from",
        },
    ),
    (
        Start::Safetensors,
        Foreign {
            what: "a safetensors file: weights without a graph",
            advice: "export the model to ONNX",
        },
    ),
    (
        Start::At(0, b"GGUF"),
        Foreign {
            what: "a GGUF file: weights without a graph",
            advice: "export the model to ONNX",
        },
    ),
    (
        Start::At(0, b"\x93NUMPY"),
        Foreign {
            what: "a NumPy array (.npy)",
            advice: "give it to --input; the model is a different file",
        },
    ),
    (
        Start::Text("<!doctype html"),
        Foreign {
            what: "an HTML page",
            advice: "the download failed, or its link leads to a page: download the file itself",
        },
    ),
    (
        Start::Text("<html"),
        Foreign {
            what: "an HTML page",
            advice: "the download failed, or its link leads to a page: download the file itself",
        },
    ),
    (
        Start::Text("{"),
        Foreign {
            what: "a JSON file",
            advice: "the model is a different file, usually named .onnx",
        },
    ),
    (
        Start::Text("<?xml"),
        Foreign {
            what: "an XML file, the format of OpenVINO models",
            advice: "use the ONNX model that it was converted from",
        },
    ),
];

/// Kinds of files that are protobuf messages too, recognised by their names.
const NAMES: &[(&str, Foreign)] = &[
    (
        "saved_model.pb",
        Foreign {
            what: "a TensorFlow SavedModel",
            advice: "export it first: `python -m tf2onnx.convert --saved-model FOLDER --output model.onnx`",
        },
    ),
    (
        ".mlmodel",
        Foreign {
            what: "a Core ML model",
            advice: "use the ONNX model that it was converted from",
        },
    ),
];

/// Kinds of folders, recognised by a file or folder in them.
const FOLDERS: &[(&str, Foreign)] = &[
    (
        "saved_model.pb",
        Foreign {
            what: "the folder of a TensorFlow SavedModel",
            advice: "export it first: `python -m tf2onnx.convert --saved-model FOLDER --output model.onnx`",
        },
    ),
    (
        "keras_metadata.pb",
        Foreign {
            what: "the folder of a Keras model",
            advice: EXPORT_KERAS,
        },
    ),
    (
        "Data/com.apple.CoreML",
        Foreign {
            what: "a Core ML package (.mlpackage)",
            advice: "use the ONNX model that it was converted from",
        },
    ),
];

/// What a folder is that is taken for a model, and what to do; `None` for other folders and for files.
pub fn describe_folder(path: &Path) -> Option<String> {
    let found = FOLDERS
        .iter()
        .find(|(inside, _)| path.join(inside).exists());
    found.map(|(_, foreign)| foreign.why())
}

/// How many bytes of a file [`by_head`] needs.
pub(super) const HEAD: u64 = 512;

/// What a file is, by its first bytes.
pub(super) fn by_head(head: &[u8]) -> Option<&'static Foreign> {
    let found = SIGNATURES.iter().find(|(start, _)| start.fits(head));
    found.map(|(_, foreign)| foreign)
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
pub(super) fn by_name(path: &Path) -> Option<&'static Foreign> {
    let name = path.file_name()?.to_str()?;
    let found = NAMES.iter().find(|(end, _)| name.ends_with(end));
    found.map(|(_, foreign)| foreign)
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
            Start::At(offset, bytes) => head
                .get(offset..)
                .is_some_and(|rest| rest.starts_with(bytes)),
            Start::Text(text) => {
                let start = head.trim_ascii_start().get(..text.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
            }
            Start::Zip(name) => {
                let named = || name.is_empty() || contains(head, name.as_bytes());
                head.starts_with(b"PK\x03\x04") && named()
            }
            Start::Safetensors => {
                let length = head.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
                length.is_some_and(|length| length < 1 << 32)
                    && head.get(8..10).is_some_and(|start| start == b"{\"")
            }
        }
    }
}
