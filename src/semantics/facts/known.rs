//! Values of one number, known or not.

use crate::onnx::DataType;

/// What number every element of a tensor is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Known {
    Number(Number),
    /// No single number, but the same in every run.
    Constant,
    /// An input of the model without a default, or of a function that nothing calls.
    Input,
    /// A run decides.
    Computed,
    /// A call of the function leaves it out.
    Absent,
}

/// A number that every element of a tensor is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    /// Exact in 64 bits; booleans are 0 and 1.
    pub value: f64,
    pub element: DataType,
    pub origin: Origin,
}

/// Why a tensor is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is the same in every run.
    Constant,
    /// It is the default of an input of the model.
    Default,
    /// It is computed from defaults of inputs.
    Computed,
}

// equal keys of calls: the bits of numbers count
impl Eq for Known {}

impl std::hash::Hash for Known {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        if let Known::Number(number) = self {
            (
                number.value.to_bits(),
                number.element.0,
                number.origin as u8,
            )
                .hash(state);
        }
    }
}

impl Known {
    /// True or false, if it is the same in every run.
    pub(super) fn is_true(self) -> Option<bool> {
        match self {
            Known::Number(number) if number.origin == Origin::Constant => Some(number.value != 0.0),
            _ => None,
        }
    }

    pub(super) fn constant(value: f64, element: DataType) -> Known {
        Known::Number(Number {
            value,
            element,
            origin: Origin::Constant,
        })
    }
}
