//! What a region makes of its data, read from what comes out.

use super::probe::Feed;
use crate::onnx::DataType;
use crate::semantics::scalar::epsilon;

/// What came out of one trial.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub shape: Vec<usize>,
    /// What the original computes.
    pub output: Vec<f64>,
    /// What the rewrite leaves, without its scale.
    pub left: Vec<f64>,
}

/// All elements of the output are `factor · left + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub factor: f64,
    pub shift: f64,
}

/// What Softmax makes 0 of, next to other scores: how keys are dropped (Li et al. 2022, DropKey).
const FAR_BELOW: f64 = -1e3;

/// How close numbers have to be, relative to their size.
pub(super) fn tolerance(element: Option<DataType>) -> f64 {
    element
        .map_or(0.0, |element| 8.0 * epsilon(element))
        .max(2e-5)
}

impl Line {
    /// A multiple.
    pub fn times(factor: f64) -> Line {
        Line { factor, shift: 0.0 }
    }

    fn at(self, x: f64) -> f64 {
        self.factor * x + self.shift
    }

    /// True if this makes an output of an element.
    pub fn makes(self, output: f64, left: f64, tolerance: f64) -> bool {
        let size = (self.factor * left).abs() + self.shift.abs();
        if self.shift == f64::NEG_INFINITY {
            return output < FAR_BELOW;
        }
        (self.at(left) - output).abs() <= tolerance * size + tiny(tolerance)
    }

    /// True of lines that differ by no more than rounding.
    pub fn is_near(self, other: Line, tolerance: f64) -> bool {
        let near = |one: f64, two: f64| {
            let size = one.abs().max(two.abs()).max(self.factor.abs());
            one == two || (one - two).abs() <= tolerance * size + tiny(tolerance)
        };
        near(self.factor, other.factor) && near(self.shift, other.shift)
    }

    /// The line that all elements lie on.
    pub fn through(outcome: &Outcome, tolerance: f64) -> Result<Line, String> {
        let pairs = || outcome.left.iter().zip(&outcome.output);
        let order = |one: &(&f64, &f64), two: &(&f64, &f64)| one.0.total_cmp(two.0);
        let (Some((&x1, &y1)), Some((&x2, &y2))) = (pairs().min_by(order), pairs().max_by(order))
        else {
            return Err("has no elements".into());
        };
        let line = match x1 == x2 {
            _ if y1.max(y2) < FAR_BELOW => Line {
                factor: 0.0,
                shift: f64::NEG_INFINITY,
            },
            // one number: dropout multiplies it
            true => Line::times(y1 / x1),
            false => {
                // a multiple, if it is one: elements close to each other are rounded to any slope
                let (x, y) = if x1.abs() > x2.abs() {
                    (x1, y1)
                } else {
                    (x2, y2)
                };
                let multiple = Line::times(clean(y / x, 1.0, tolerance));
                if pairs().all(|(&x, &y)| multiple.makes(y, x, tolerance)) {
                    return Ok(multiple);
                }
                let factor = (y2 - y1) / (x2 - x1);
                let shift = y1 - factor * x1;
                let size = y1.abs().max(y2.abs());
                Line {
                    factor: clean(factor, size, tolerance),
                    shift: clean(shift, size, tolerance),
                }
            }
        };
        let odd = pairs().find(|&(&x, &y)| !line.makes(y, x, tolerance));
        match odd {
            None => Ok(line),
            Some((x, y)) => Err(format!(
                "makes {y} of {x}, but {} of {x1}, with the same draw",
                y1
            )),
        }
    }
}

/// What is no more than rounding of numbers of this size is 0.
fn clean(value: f64, size: f64, tolerance: f64) -> f64 {
    match value.abs() <= tolerance * size {
        true => 0.0,
        false => value,
    }
}

/// What counts as 0 among numbers around 1.
fn tiny(tolerance: f64) -> f64 {
    tolerance * 1e-2
}

/// Checks that an output has the shape of what the rewrite leaves.
pub(super) fn check_shape(outcome: &Outcome, left: &[usize]) -> Result<(), String> {
    match outcome.shape == left {
        true => Ok(()),
        false => Err(format!(
            "has the shape {:?}, where the rewrite leaves {left:?}",
            outcome.shape
        )),
    }
}

/// Which element of a draw decides each element of an output.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Map {
    pub draws: Vec<usize>,
}

impl Map {
    /// For each axis, whether draws are shared along it. `None` if they are shared in another way.
    pub fn shared(&self, shape: &[usize]) -> Option<Vec<bool>> {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        let all = || self.draws.iter().enumerate();
        let along = |axis: usize| {
            let (size, stride) = (shape[axis], strides[axis]);
            let first = |at: usize| at - at / stride % size * stride;
            size > 1 && all().all(|(at, draw)| *draw == self.draws[first(at)])
        };
        let shared: Vec<bool> = (0..shape.len()).map(along).collect();
        // the first element along shared axes stands for all
        let stands = |at: usize| {
            let mut axes = shared.iter().enumerate();
            axes.all(|(axis, &shared)| !shared || (at / strides[axis]).is_multiple_of(shape[axis]))
        };
        let mut own: Vec<usize> = (all().filter(|&(at, _)| stands(at)))
            .map(|(_, &draw)| draw)
            .collect();
        let count = own.len();
        own.sort_unstable();
        own.dedup();
        (own.len() == count).then_some(shared)
    }
}

/// The number of elements of a feed.
pub(super) fn elements(feed: &Feed) -> usize {
    feed.shape.iter().product()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(left: &[f64], output: &[f64]) -> Outcome {
        Outcome {
            shape: vec![left.len()],
            output: output.to_vec(),
            left: left.to_vec(),
        }
    }

    #[test]
    fn elements_on_a_line_give_its_factor_and_shift() {
        let line = Line::through(&outcome(&[1.0, -2.0, 0.5], &[3.0, -3.0, 2.0]), 1e-6);
        assert_eq!(
            line,
            Ok(Line {
                factor: 2.0,
                shift: 1.0
            })
        );
        let dropped = Line::through(&outcome(&[1.0, -2.0], &[0.0, 0.0]), 1e-6);
        assert_eq!(dropped, Ok(Line::times(0.0)));
        // 1.33 times, in half precision
        let close = outcome(&[1.0625, 1.0546875], &[1.416, 1.406]);
        let close = Line::through(&close, tolerance(Some(DataType::FLOAT16)));
        assert_eq!(close, Ok(Line::times(1.416 / 1.0625)));
        let noise = Line::through(&outcome(&[1.0, -2.0, 0.5], &[3.0, -3.0, 2.1]), 1e-6);
        assert!(noise.is_err());
    }

    #[test]
    fn draws_are_shared_along_whole_axes_or_in_another_way() {
        let shared = |draws: &[usize], shape: &[usize]| {
            let draws = draws.to_vec();
            Map { draws }.shared(shape)
        };
        assert_eq!(shared(&[0, 1, 2, 3], &[2, 2]), Some(vec![false, false]));
        assert_eq!(shared(&[0, 2, 1, 3], &[2, 2]), Some(vec![false, false]));
        assert_eq!(shared(&[0, 0, 1, 1], &[2, 2]), Some(vec![false, true]));
        assert_eq!(shared(&[5, 5, 5, 5], &[2, 2]), Some(vec![true, true]));
        assert_eq!(shared(&[0, 1, 1, 0], &[2, 2]), None);
        assert_eq!(shared(&[0, 1, 0, 2], &[2, 2]), None);
    }
}
