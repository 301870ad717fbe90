//! Where the rows of an output are.

use super::Numbers;

/// The rows of an output: which of its elements each is.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    numbers: Numbers,
    count: usize,
    /// How many elements lie between two classes of a row.
    stride: usize,
    pub number: usize,
}

impl Rows {
    /// Rows in this shape, with `count` classes along this axis of the output.
    pub fn new(numbers: Numbers, axis: Option<usize>, count: usize, shape: &[usize]) -> Rows {
        let behind = axis.and_then(|axis| shape.get(axis..));
        Rows {
            numbers,
            count,
            stride: behind.map_or(1, |behind| behind.iter().product()),
            number: shape.iter().product(),
        }
    }

    /// The index in the output of a class of a row; of binary ones that of the row.
    pub fn element(&self, row: usize, class: usize) -> usize {
        if self.numbers.is_binary() {
            return row;
        }
        let (outer, inner) = (row / self.stride, row % self.stride);
        (outer * self.count + class) * self.stride + inner
    }

    /// The numbers of a row as the output has them: in order the same as the probabilities. Of binary
    /// ones those of no and yes.
    pub fn read(&self, values: &[f64], row: usize, into: &mut Vec<f64>) {
        into.clear();
        match self.numbers {
            Numbers::Binary => into.extend([1.0 - values[row], values[row]]),
            Numbers::BinaryLogits => into.extend([0.0, values[row]]),
            Numbers::Probabilities | Numbers::Logits => {
                into.extend((0..self.count).map(|class| values[self.element(row, class)]));
            }
        }
    }
}

/// Numbers of a row as probabilities.
pub(super) fn softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for x in row.iter_mut() {
        *x = (*x - largest).exp();
    }
    let sum: f64 = row.iter().sum();
    for x in row {
        *x /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_along_an_axis_in_the_middle() {
        // [2, 3, 2]: rows [2, 2]
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let rows = Rows::new(Numbers::Logits, Some(1), 3, &[2, 2]);
        assert_eq!(rows.number, 4);
        let mut row = Vec::new();
        for (index, expected) in [[0., 2., 4.], [1., 3., 5.], [6., 8., 10.], [7., 9., 11.]]
            .iter()
            .enumerate()
        {
            rows.read(&values, index, &mut row);
            assert_eq!(row, expected);
        }
        assert_eq!(rows.element(3, 2), 11);
        // along the last
        let rows = Rows::new(Numbers::Logits, Some(2), 2, &[2, 3]);
        rows.read(&values, 4, &mut row);
        assert_eq!(row, [8., 9.]);
    }

    #[test]
    fn two_numbers_under_softmax_are_a_sigmoid() {
        let rows = Rows::new(Numbers::BinaryLogits, None, 2, &[1]);
        let mut row = Vec::new();
        rows.read(&[3f64.ln()], 0, &mut row);
        softmax(&mut row);
        assert!((row[1] - 0.75).abs() < 1e-12 && (row[0] - 0.25).abs() < 1e-12);
    }
}
