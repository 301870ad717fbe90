//! Classes while runs come in.

use super::rows::{Rows, softmax};
use super::{Classes, Numbers, entropy, top};

/// What every run must be for a reading to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Any numbers.
    None,
    /// Probabilities: of classes with the sum 1, or each between 0 and 1.
    Probabilities,
    /// Their logarithms.
    Logarithms,
}

/// The classes of one output, read in one way, while runs come in.
#[derive(Debug)]
pub(in crate::sample) struct Counter {
    numbers: Numbers,
    axis: Option<usize>,
    demand: Demand,
    count: usize,
    shape: Vec<usize>,
    rows: Rows,
    runs: u64,
    /// Sums of probabilities, row by row.
    sums: Vec<f64>,
    votes: Vec<u64>,
}

impl Counter {
    /// Reads an output of this shape; `None` if there are not two classes along the axis.
    pub(super) fn new(
        shape: &[usize],
        numbers: Numbers,
        axis: Option<usize>,
        demand: Demand,
    ) -> Option<Counter> {
        let mut of_rows = shape.to_vec();
        let count = match axis {
            None => 2,
            Some(axis) if axis < shape.len() => of_rows.remove(axis),
            Some(_) => return None,
        };
        (count >= 2).then(|| Counter {
            numbers,
            axis,
            demand,
            count,
            rows: Rows::new(numbers, axis, count, &of_rows),
            shape: of_rows,
            runs: 0,
            sums: Vec::new(),
            votes: Vec::new(),
        })
    }

    /// Takes in a run. `tolerance` is how far a sum may be from 1.
    ///
    /// # Errors
    /// Why it cannot be read so; it is not taken in then.
    pub(in crate::sample) fn push(&mut self, values: &[f64], tolerance: f64) -> Result<(), String> {
        let mut row = Vec::with_capacity(self.count);
        if self.demand != Demand::None {
            for index in 0..self.rows.number {
                self.rows.read(values, index, &mut row);
                self.check(&row, tolerance)?;
            }
        }
        self.runs += 1;
        self.sums.resize(self.rows.number * self.count, 0.0);
        self.votes.resize(self.rows.number * self.count, 0);
        let sums = self.sums.chunks_exact_mut(self.count);
        let votes = self.votes.chunks_exact_mut(self.count);
        for (index, (sums, votes)) in sums.zip(votes).enumerate() {
            self.rows.read(values, index, &mut row);
            if !row.iter().any(|x| x.is_nan()) {
                votes[top(&row)] += 1;
            }
            if matches!(self.numbers, Numbers::Logits | Numbers::BinaryLogits) {
                softmax(&mut row);
            }
            for (sum, p) in sums.iter_mut().zip(&row) {
                *sum += p;
            }
        }
        Ok(())
    }

    fn check(&self, row: &[f64], tolerance: f64) -> Result<(), String> {
        let p = |x: f64| match self.demand {
            Demand::Logarithms => x.exp(),
            _ => x,
        };
        if let Some(x) = row.iter().find(|x| x.is_nan() || p(**x) < -tolerance) {
            let x = match self.numbers {
                Numbers::Binary => row[1],
                _ => *x,
            };
            return Err(format!("{x} is not a probability"));
        }
        let sum: f64 = row.iter().map(|&x| p(x)).sum();
        match (sum - 1.0).abs() <= tolerance {
            true => Ok(()),
            false => Err(format!("the probabilities of a row sum to {sum:.4}, not 1")),
        }
    }

    /// The figures; `None` without a run, or without rows.
    pub(in crate::sample) fn finish(self) -> Option<Classes> {
        if self.sums.is_empty() {
            return None;
        }
        let runs = self.runs as f64;
        let means = self.sums.iter().map(|sum| sum / runs).collect::<Vec<_>>();
        let binary = self.numbers.is_binary();
        let mut mean = vec![
            0.0;
            if binary {
                self.rows.number
            } else {
                means.len()
            }
        ];
        for (index, row) in means.chunks_exact(self.count).enumerate() {
            for (class, &p) in row.iter().enumerate() {
                mean[self.rows.element(index, class)] = p; // of binary ones yes comes last
            }
        }
        let votes = self.votes.chunks_exact(self.count);
        let (top, agreement) = votes
            .map(|votes| {
                let top = first_most(votes);
                (top, votes[top] as f64 / runs)
            })
            .unzip();
        Some(Classes {
            numbers: self.numbers,
            axis: self.axis,
            count: self.count,
            shape: self.shape,
            entropy: means.chunks_exact(self.count).map(entropy).collect(),
            mean,
            top,
            agreement,
            accuracy: None,
            deterministic_accuracy: None,
        })
    }
}

fn first_most(votes: &[u64]) -> usize {
    let most = votes.iter().max();
    votes
        .iter()
        .position(|vote| Some(vote) == most)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(runs: &[&[f64]], numbers: Numbers, demand: Demand) -> Result<Classes, String> {
        let axis = (!numbers.is_binary()).then_some(1);
        let mut counter = Counter::new(&[1, runs[0].len()], numbers, axis, demand).unwrap();
        for run in runs {
            counter.push(run, 1e-3)?;
        }
        Ok(counter.finish().unwrap())
    }

    fn probabilities(runs: &[&[f64]]) -> Result<Classes, String> {
        count(runs, Numbers::Probabilities, Demand::Probabilities)
    }

    #[test]
    fn entropy_and_agreement_as_by_hand() {
        let runs: [&[f64]; 4] = [
            &[1.0, 0.0, 0.0],
            &[1.0, 0.0, 0.0],
            &[1.0, 0.0, 0.0],
            &[0.0, 1.0, 0.0],
        ];
        let found = probabilities(&runs).unwrap();
        assert_eq!(found.mean, [0.75, 0.25, 0.0]);
        // −¾ ln ¾ − ¼ ln ¼
        assert!((found.entropy[0] - 0.562_335_144_618_808_3).abs() < 1e-12);
        assert_eq!((found.top[0], found.agreement[0]), (0, 0.75));
        assert_eq!((found.top_element(0), found.top_mean(0)), (0, 0.75));
        // the twins: all agree, and nobody knows
        let sure = probabilities(&runs[..3]).unwrap();
        assert_eq!((sure.entropy[0], sure.agreement[0]), (0.0, 1.0));
        let even = probabilities(&[&[1.0 / 3.0; 3]]).unwrap();
        assert!((even.entropy[0] - 3f64.ln()).abs() < 1e-12);
        assert_eq!(even.top, [0]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (row, why) in [
            ([0.5, 0.6, -0.1], "-0.1 is not a probability"),
            ([0.5, 0.4, 0.0], "sum to 0.9000, not 1"),
            ([f64::NAN, 0.5, 0.5], "NaN is not a probability"),
        ] {
            let found = probabilities(&[&row]).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
        let found = count(&[&[1.5]], Numbers::Binary, Demand::Probabilities).unwrap_err();
        assert_eq!(found, "1.5 is not a probability");
        assert!(Counter::new(&[4, 1], Numbers::Logits, Some(1), Demand::None).is_none());
        assert!(Counter::new(&[], Numbers::Logits, Some(0), Demand::None).is_none());
    }

    #[test]
    fn softmax_makes_probabilities_of_logits() {
        let logits: &[f64] = &[0.0, 2f64.ln(), 0.0];
        let found = count(&[logits], Numbers::Logits, Demand::None).unwrap();
        for (p, expected) in found.mean.iter().zip([0.25, 0.5, 0.25]) {
            assert!((p - expected).abs() < 1e-12);
        }
        // logarithms are logits of which more is known
        assert!(count(&[logits], Numbers::Logits, Demand::Logarithms).is_err());
        let logarithms: Vec<f64> = found.mean.iter().map(|p| p.ln()).collect();
        let again = count(&[&logarithms], Numbers::Logits, Demand::Logarithms).unwrap();
        assert_eq!(again.top, found.top);
        assert!((again.entropy[0] - found.entropy[0]).abs() < 1e-12);
    }

    #[test]
    fn yes_and_no_are_two_classes() {
        let runs: [&[f64]; 4] = [&[0.9, 0.5], &[0.7, 0.3], &[0.6, 0.1], &[0.2, 0.1]];
        let found = count(&runs, Numbers::Binary, Demand::Probabilities).unwrap();
        assert_eq!((found.count, found.shape.clone()), (2, vec![1, 2]));
        assert_eq!(
            (&found.top[..], &found.agreement[..]),
            (&[1, 0][..], &[0.75, 1.0][..])
        );
        assert!((found.mean[0] - 0.6).abs() < 1e-12 && (found.top_mean(1) - 0.75).abs() < 1e-12);
        let entropy = -0.6 * 0.6f64.ln() - 0.4 * 0.4f64.ln();
        assert!((found.entropy[0] - entropy).abs() < 1e-12);
        assert_eq!(found.tops(&[0.4, 0.8]), [0, 1]);
        let logits: [&[f64]; 1] = [&[3f64.ln()]];
        let found = count(&logits, Numbers::BinaryLogits, Demand::None).unwrap();
        assert!((found.mean[0] - 0.75).abs() < 1e-12 && found.top == [1]);
    }

    #[test]
    fn numbers_that_are_none_have_no_vote() {
        let runs: [&[f64]; 2] = [&[f64::NAN, 1.0], &[0.0, 1.0]];
        let found = count(&runs, Numbers::Logits, Demand::None).unwrap();
        assert!(found.entropy[0].is_nan());
        assert_eq!((found.top[0], found.agreement[0]), (1, 0.5));
        assert_eq!(top(&[f64::NAN, 1.0, 2.0]), 2);
        assert_eq!(top(&[f64::NEG_INFINITY; 2]), 0);
    }
}
