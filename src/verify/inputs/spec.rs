//! `--input`, parsed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};

/// What an input is fed.
///
/// ```
/// use dropout_onnx::verify::inputs::InputSpec;
/// let spec: InputSpec = "x:1,3,224,224".parse()?;
/// assert_eq!(spec, InputSpec::Shape { input: "x".into(), shape: vec![1, 3, 224, 224] });
/// # Ok::<(), dropout_onnx::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputSpec {
    /// `x:1,3,224,224`: random numbers in this shape; `x:` is a scalar. What follows the last colon
    /// counts, as TensorFlow's names have colons.
    Shape {
        /// The input.
        input: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// `x=data.npy`, `x=data.pb` (a `TensorProto`), or `x=data.npz` (the array x in it).
    Array {
        /// The input.
        input: String,
        /// The file.
        file: PathBuf,
    },
    /// What a `.npy` file would hold, in memory.
    Memory {
        /// The input.
        input: String,
        /// The bytes.
        npy: Bytes,
    },
    /// `all=data.npz`: every array feeds the input of its name.
    Archive {
        /// The file.
        file: PathBuf,
    },
    /// `test_data_set_0/input_0.pb`: a `TensorProto`, for the input of its name, else of its number.
    Tensor {
        /// The file.
        file: PathBuf,
    },
    /// `test_data_set_0`: a folder of ONNX test data, `input_M.pb` and optionally `output_M.pb`.
    TestSet {
        /// The folder.
        folder: PathBuf,
    },
}

impl fmt::Display for InputSpec {
    /// As it is written on the command line; data in memory has no other form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputSpec::Shape { input, shape } => {
                let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
                write!(f, "{input}:{}", sizes.join(","))
            }
            InputSpec::Array { input, file } => write!(f, "{input}={}", file.display()),
            InputSpec::Memory { input, .. } => write!(f, "{input}="),
            InputSpec::Archive { file } => write!(f, "all={}", file.display()),
            InputSpec::Tensor { file } | InputSpec::TestSet { folder: file } => {
                write!(f, "{}", file.display())
            }
        }
    }
}

const FORMS: &str = "write NAME:1,3,224,224 for a shape, NAME=FILE.npy, NAME=FILE.npz, NAME=FILE.pb \
                     or all=FILE.npz for data, or the path of a test_data_set folder or of an \
                     input_0.pb in it";

impl FromStr for InputSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| {
            Err(Error::new(
                ErrorKind::Usage,
                format!("--input {text}: {why}; {FORMS}"),
            ))
        };
        if let Some((input, file)) = text.split_once('=') {
            let file = PathBuf::from(file);
            let kind = extension(&file);
            return match (input, kind.as_str()) {
                ("", _) => wrong("the name of the input is missing".into()),
                ("all", "npz") => Ok(InputSpec::Archive { file }),
                (_, "npy" | "npz" | "pb") => Ok(InputSpec::Array {
                    input: input.into(),
                    file,
                }),
                _ => wrong("the file is not .npy, .npz or .pb".into()),
            };
        }
        if let Some((input, shape)) = text.rsplit_once(':')
            && !input.is_empty()
            && shape
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b',' || b == b' ')
        {
            let sizes = shape.split(',').map(str::trim);
            let sizes = sizes.filter(|size| !shape.is_empty() || !size.is_empty());
            return match sizes.map(str::parse).collect() {
                Ok(shape) => Ok(InputSpec::Shape {
                    input: input.into(),
                    shape,
                }),
                Err(error) => wrong(format!("{shape} is not a shape ({error})")),
            };
        }
        let folder = PathBuf::from(text);
        if folder.is_dir() {
            return Ok(InputSpec::TestSet { folder });
        }
        if extension(&folder) == "pb" {
            return Ok(InputSpec::Tensor { file: folder });
        }
        wrong("expected a shape, a file or a folder".into())
    }
}

fn extension(file: &Path) -> String {
    let extension = file.extension().and_then(|extension| extension.to_str());
    extension.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Option<(String, Vec<usize>)> {
        match text.parse() {
            Ok(InputSpec::Shape { input, shape }) => Some((input, shape)),
            _ => None,
        }
    }

    #[test]
    fn shapes() {
        assert_eq!(shape("x:1,3"), Some(("x".into(), vec![1, 3])));
        assert_eq!(shape("x: 1, 3"), Some(("x".into(), vec![1, 3])));
        assert_eq!(shape("input:0:2"), Some(("input:0".into(), vec![2])));
        assert_eq!(shape("x:"), Some(("x".into(), vec![])));
        for bad in ["x:1,,3", "x:1,", ":1", "x:99999999999999999999999"] {
            assert_eq!(shape(bad), None, "{bad}");
        }
    }

    #[test]
    fn files() {
        let array = "x=a/b.NPY".parse::<InputSpec>().unwrap();
        assert_eq!(
            array,
            InputSpec::Array {
                input: "x".into(),
                file: "a/b.NPY".into()
            }
        );
        let archive = "all=b.npz".parse::<InputSpec>().unwrap();
        assert_eq!(
            archive,
            InputSpec::Archive {
                file: "b.npz".into()
            }
        );
        let tensor = "set/input_0.pb".parse::<InputSpec>().unwrap();
        assert_eq!(
            tensor,
            InputSpec::Tensor {
                file: "set/input_0.pb".into()
            }
        );
        let folder = tempfile::tempdir().unwrap();
        let set = folder
            .path()
            .to_str()
            .unwrap()
            .parse::<InputSpec>()
            .unwrap();
        assert_eq!(
            set,
            InputSpec::TestSet {
                folder: folder.path().into()
            }
        );
        assert!(
            "all=b.npy".parse::<InputSpec>().is_ok(),
            "an input may be called all"
        );
    }

    #[test]
    fn an_error_shows_the_forms() {
        for bad in ["", "x", "x=", "=a.npy", "x=a.txt", "no/such/folder"] {
            let error = bad.parse::<InputSpec>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("NAME:1,3,224,224"), "{error}");
        }
    }
}
