//! Factors: what a product by a constant multiplies by, and how that spreads over weights.

use std::fmt;

use crate::onnx::DataType;

/// A finite factor that is not zero: one number, or one for each index of an axis.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Factor {
    /// The axis it varies along, counted from the last one (0); `None` if it is one number.
    pub axis: Option<usize>,
    /// The number, or one for each index along the axis.
    pub elements: Vec<f64>,
    /// The type it is written in.
    pub data_type: DataType,
}

impl Factor {
    /// The same along another axis, with other elements.
    pub(super) fn along(&self, axis: usize, elements: Vec<f64>) -> Factor {
        Factor {
            axis: Some(axis),
            elements,
            data_type: self.data_type,
        }
    }

    /// One divided by it.
    pub(super) fn inverse(&self) -> Factor {
        let elements = self.elements.iter().map(|element| 1.0 / element);
        Factor {
            elements: elements.collect(),
            ..self.clone()
        }
    }

    /// The number, if it is one.
    pub fn scalar(&self) -> Option<f64> {
        match (self.axis, &self.elements[..]) {
            (None, &[number]) => Some(number),
            _ => None,
        }
    }

    pub(super) fn is_positive(&self) -> bool {
        self.elements.iter().all(|&element| element > 0.0)
    }

    /// True if multiplying by it rounds nothing, except on overflow and close to zero.
    pub fn is_power_of_two(&self) -> bool {
        self.elements
            .iter()
            .all(|&element| is_power_of_two(element))
    }
}

pub(super) fn is_power_of_two(number: f64) -> bool {
    number.is_normal() && number.to_bits() & ((1 << 52) - 1) == 0
}

impl fmt::Display for Factor {
    /// `0.5`, or `16 factors, 0.5 to 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: f64| crate::semantics::scalar::shortest(number, self.data_type);
        match self.scalar() {
            Some(scalar) => write!(f, "{}", number(scalar)),
            None => {
                let least = self.elements.iter().copied().fold(f64::INFINITY, f64::min);
                let most = self
                    .elements
                    .iter()
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max);
                let (count, least, most) = (self.elements.len(), number(least), number(most));
                write!(f, "{count} factors from {least} to {most}")
            }
        }
    }
}

/// How a factor spreads over the elements of a tensor: element `i` is multiplied by
/// `elements[i / inner % elements.len()]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spread {
    pub elements: Vec<f64>,
    pub inner: u64,
}

impl Spread {
    pub fn all(number: f64) -> Spread {
        Spread {
            elements: vec![number],
            inner: 1,
        }
    }

    /// Along an axis of a tensor of this shape; `None` if it has not as many indices there.
    pub fn along(dims: &[i64], axis: usize, elements: &[f64]) -> Option<Spread> {
        (*dims.get(axis)? == elements.len() as i64).then(|| Spread {
            elements: elements.to_vec(),
            inner: inner(&dims[axis + 1..]),
        })
    }

    /// Over the first two axes: the second has the channels of the group that the index of the first is
    /// in. `None` if there are more than weights can have.
    pub fn groups(dims: &[i64], factor: &Factor, groups: i64) -> Option<Spread> {
        let &[first, second, ..] = dims else {
            return None;
        };
        let few = (1..1 << 24).contains(&first.checked_mul(second)?);
        if !few || dims.iter().any(|&dim| dim < 1) {
            return None;
        }
        let in_group = (first / groups).max(1);
        let channels = (0..first).flat_map(|i| {
            let group = i / in_group;
            (0..second).map(move |j| group * second + j)
        });
        let element = |channel: i64| factor.elements.get(channel as usize).copied();
        Some(Spread {
            elements: channels.map(|c| element(c).unwrap_or(1.0)).collect(),
            inner: inner(&dims[2..]),
        })
    }

    pub fn at(&self, index: u64) -> f64 {
        if let [number] = self.elements[..] {
            return number; // divisions cost more than all else
        }
        let place = index / self.inner.max(1) % self.elements.len().max(1) as u64;
        self.elements.get(place as usize).copied().unwrap_or(1.0)
    }
}

fn inner(dims: &[i64]) -> u64 {
    dims.iter()
        .map(|&dim| dim.max(1) as u64)
        .fold(1, u64::saturating_mul)
}
