//! Mean and standard deviation of a stream.

/// Mean and squared deviations of every element of a tensor, by Welford's recurrence (1962): one
/// pass, no run kept, no cancellation. An element that was NaN or infinite in any run has neither:
/// both are NaN.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    count: u64,
    mean: Vec<f64>,
    /// Sum of squared deviations from the mean.
    squares: Vec<f64>,
}

impl Moments {
    /// Adds one value of each element. The first call sets their number.
    pub(super) fn push(&mut self, values: &[f64]) {
        if self.count == 0 {
            self.mean = vec![0.0; values.len()];
            self.squares = vec![0.0; values.len()];
        }
        self.count += 1;
        let count = self.count as f64;
        let state = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, squares), &value) in state.zip(values) {
            if !value.is_finite() {
                *mean = f64::NAN; // and stays so
            }
            let from_old = value - *mean;
            *mean += from_old / count;
            *squares += from_old * (value - *mean);
        }
    }

    /// Elements that were NaN or infinite in some run.
    pub(super) fn not_finite(&self) -> usize {
        self.mean.iter().filter(|mean| mean.is_nan()).count()
    }

    pub(super) fn mean(self) -> Vec<f64> {
        self.mean
    }

    /// The standard deviation, of a sample: the squares over one less than their number.
    pub(super) fn std(&self) -> Vec<f64> {
        let freedom = self.count as f64 - 1.0;
        let of_one = |squares: &f64| (squares / freedom).sqrt();
        self.squares.iter().map(of_one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_by_hand() {
        let mut moments = Moments::default();
        for value in [[2.0, 1e9], [4.0, 1e9 + 1.0], [9.0, 1e9 + 2.0]] {
            moments.push(&value);
        }
        let std = moments.std();
        assert_eq!(moments.not_finite(), 0);
        assert_eq!(moments.mean(), [5.0, 1e9 + 1.0]);
        assert!((std[0] - 13f64.sqrt()).abs() < 1e-12, "{std:?}"); // (9 + 1 + 16) / 2
        // the twin: squares summed about 0 would have lost this in the ninth digit
        assert_eq!(std[1], 1.0);
    }

    #[test]
    fn one_value_has_no_deviation() {
        let mut moments = Moments::default();
        moments.push(&[1.0]);
        assert!(moments.std()[0].is_nan());
    }

    #[test]
    fn what_is_not_finite_spoils_its_own_element_only() {
        let mut moments = Moments::default();
        for value in [
            [1.0, 2.0, 3.0],
            [f64::INFINITY, f64::NAN, 5.0],
            [1.0, 2.0, 7.0],
        ] {
            moments.push(&value);
        }
        assert_eq!(moments.not_finite(), 2);
        let std = moments.std();
        assert!(
            std[0].is_nan() && std[1].is_nan() && std[2] == 2.0,
            "{std:?}"
        );
        let mean = moments.mean();
        assert!(
            mean[0].is_nan() && mean[1].is_nan() && mean[2] == 5.0,
            "{mean:?}"
        );
    }
}
