//! `--classes`, parsed.

use std::str::FromStr;

use super::Numbers;
use crate::error::{Error, ErrorKind};

/// How the caller reads an output as a classifier's.
///
/// ```
/// use dropout_onnx::sample::{ClassSpec, Numbers, Taken};
/// let spec: ClassSpec = "scores=logits@1".parse()?;
/// assert_eq!(spec.output, "scores");
/// assert_eq!(spec.taken, Taken::As(Numbers::Logits));
/// assert_eq!(spec.axis, Some(1));
/// # Ok::<(), dropout_onnx::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassSpec {
    /// The output.
    pub output: String,
    /// What its numbers are.
    pub taken: Taken,
    /// The axis of the classes, from the end if negative; if not given, the last, or axis 1 where
    /// the numbers look like it.
    pub axis: Option<i64>,
}

/// What an output is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// A classifier: probabilities if its numbers are in every run, otherwise logits.
    Classes,
    /// These.
    As(Numbers),
    /// No classes, whatever its numbers look like.
    Nothing,
}

impl FromStr for ClassSpec {
    type Err = Error;

    /// `OUTPUT`, `OUTPUT=HOW`, `OUTPUT@AXIS` or `OUTPUT=HOW@AXIS`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (rest, axis) = match text.rsplit_once('@') {
            Some((rest, axis)) => match axis.parse::<i64>() {
                Ok(axis) => (rest, Some(axis)),
                Err(_) => (text, None),
            },
            None => (text, None),
        };
        let (output, taken) = match rest.rsplit_once('=') {
            None => (rest, Taken::Classes),
            Some((output, "none")) => (output, Taken::Nothing),
            Some((output, how)) => match Numbers::ALL.into_iter().find(|n| n.name() == how) {
                Some(numbers) => (output, Taken::As(numbers)),
                None => {
                    return Err(wrong(text, &format!("unknown kind of classes {how}")));
                }
            },
        };
        if output.is_empty() {
            return Err(wrong(text, "the name of the output is missing"));
        }
        if axis.is_some() && matches!(taken, Taken::As(numbers) if numbers.is_binary()) {
            return Err(wrong(text, "binary classes have no axis"));
        }
        Ok(ClassSpec {
            output: output.to_string(),
            taken,
            axis,
        })
    }
}

fn wrong(text: &str, why: &str) -> Error {
    let names = Numbers::ALL.map(Numbers::name).join(", ");
    let why = format!(
        "--classes {text}: {why}; expected OUTPUT, OUTPUT=HOW or OUTPUT=HOW@AXIS, where HOW is one of {names}, none"
    );
    Error::new(ErrorKind::Usage, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Taken, Option<i64>) {
        let spec: ClassSpec = text.parse().unwrap();
        (spec.output, spec.taken, spec.axis)
    }

    #[test]
    fn forms() {
        assert_eq!(parsed("y"), ("y".into(), Taken::Classes, None));
        assert_eq!(
            parsed("Identity:0=none"),
            ("Identity:0".into(), Taken::Nothing, None)
        );
        assert_eq!(parsed("y@-2"), ("y".into(), Taken::Classes, Some(-2)));
        let binary = Taken::As(Numbers::BinaryLogits);
        assert_eq!(parsed("a@b=binary-logits"), ("a@b".into(), binary, None));
    }

    #[test]
    fn an_error_shows_the_forms() {
        for bad in ["", "=logits", "y=softmax", "y=binary@1", "@1"] {
            let error = bad.parse::<ClassSpec>().unwrap_err().to_string();
            assert!(error.contains("OUTPUT=HOW@AXIS"), "{error}");
            assert!(error.contains("binary-logits, none"), "{error}");
        }
    }
}
