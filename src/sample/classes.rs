//! What an output says of classes: predictive entropy, and how far runs agree on the top class.
//!
//! Source: Y. Gal, *Uncertainty in Deep Learning* (2016), 3.3.1: predictive entropy, and the
//! variation ratio, which is one minus the agreement.

/// What runs say of the classes along the last axis of an output, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// How many classes there are.
    pub count: usize,
    /// True if the output is no distribution, and softmax made one of every run.
    pub softmax: bool,
    /// The mean distribution, rows one after the other.
    pub mean: Vec<f64>,
    /// Entropy of the mean distribution in nats, from 0 to ln(count).
    pub entropy: Vec<f64>,
    /// The class that most runs put on top; of several the first.
    pub top: Vec<usize>,
    /// The share of the runs that do.
    pub agreement: Vec<f64>,
}

/// Classes while runs come in.
#[derive(Debug)]
pub(super) struct Counter {
    count: usize,
    runs: u64,
    /// Sums of the distributions, as long as every run is one.
    plain: Option<Vec<f64>>,
    /// Sums of what softmax makes of them, if somebody asked for classes.
    softmax: Option<Vec<f64>>,
    votes: Vec<u64>,
}

impl Counter {
    /// Counts classes along the last axis of an output of this shape: if `asked`, whatever it is,
    /// else as long as every run is a distribution. `None` without such an axis.
    pub(super) fn new(shape: &[usize], asked: bool) -> Option<Counter> {
        let &count = shape.last().filter(|&&count| count >= 2)?;
        let elements = shape.iter().product();
        Some(Counter {
            count,
            runs: 0,
            plain: Some(vec![0.0; elements]),
            softmax: asked.then(|| vec![0.0; elements]),
            votes: vec![0; elements],
        })
    }

    /// Takes in a run. False if it is no distribution, and nobody asked for classes.
    pub(super) fn push(&mut self, values: &[f64], tolerance: f64) -> bool {
        if !is_distribution(values, self.count, tolerance) {
            self.plain = None;
        }
        if self.plain.is_none() && self.softmax.is_none() {
            return false;
        }
        self.runs += 1;
        let rows = || values.chunks_exact(self.count);
        if let Some(sums) = &mut self.plain {
            add(sums, values.iter().copied());
        }
        if let Some(sums) = &mut self.softmax {
            add(sums, rows().flat_map(softmax));
        }
        // softmax leaves the order as it is
        for (row, votes) in rows().zip(self.votes.chunks_exact_mut(self.count)) {
            votes[top(row)] += 1;
        }
        true
    }

    pub(super) fn finish(self) -> Classes {
        let runs = self.runs as f64;
        let softmax = self.plain.is_none();
        let sums = self.plain.or(self.softmax).unwrap_or_default();
        let mean: Vec<f64> = sums.iter().map(|sum| sum / runs).collect();
        let votes = || self.votes.chunks_exact(self.count);
        let most = votes().map(|votes| votes.iter().max().copied().unwrap_or(0));
        Classes {
            count: self.count,
            softmax,
            entropy: mean.chunks_exact(self.count).map(entropy).collect(),
            top: votes().map(first_most).collect(),
            agreement: most.map(|most| most as f64 / runs).collect(),
            mean,
        }
    }
}

fn add(sums: &mut [f64], terms: impl Iterator<Item = f64>) {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// True if every row is not negative and sums to 1.
pub(super) fn is_distribution(values: &[f64], count: usize, tolerance: f64) -> bool {
    let one = |row: &[f64]| {
        let sum: f64 = row.iter().sum();
        row.iter().all(|&p| p >= -tolerance) && (sum - 1.0).abs() <= tolerance
    };
    !values.is_empty() && values.chunks_exact(count).all(one)
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|x| (x - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// −Σ p ln p, where 0 ln 0 is 0.
fn entropy(row: &[f64]) -> f64 {
    let terms = row
        .iter()
        .map(|&p| if p <= 0.0 { 0.0 } else { -p * p.ln() });
    terms.sum()
}

/// The class with the largest number; of several the first.
pub(super) fn top(row: &[f64]) -> usize {
    let mut best = 0;
    for (class, &p) in row.iter().enumerate() {
        if p > row[best] || row[best].is_nan() {
            best = class;
        }
    }
    best
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

    fn count(runs: &[&[f64]], asked: bool) -> Option<Classes> {
        let mut counter = Counter::new(&[1, 3], asked)?;
        let all = runs.iter().all(|run| counter.push(run, 1e-3));
        all.then(|| counter.finish())
    }

    #[test]
    fn entropy_and_agreement_as_by_hand() {
        let runs: [&[f64]; 4] = [
            &[1.0, 0.0, 0.0],
            &[1.0, 0.0, 0.0],
            &[1.0, 0.0, 0.0],
            &[0.0, 1.0, 0.0],
        ];
        let found = count(&runs, false).unwrap();
        assert_eq!(found.mean, [0.75, 0.25, 0.0]);
        // −¾ ln ¾ − ¼ ln ¼
        assert!((found.entropy[0] - 0.562_335_144_618_808_3).abs() < 1e-12);
        assert_eq!(
            (found.top[0], found.agreement[0], found.softmax),
            (0, 0.75, false)
        );
        // the twins: all agree, and nobody knows
        let sure = count(&runs[..3], false).unwrap();
        assert_eq!((sure.entropy[0], sure.agreement[0]), (0.0, 1.0));
        let even: &[f64] = &[1.0 / 3.0; 3];
        let even = count(&[even], false).unwrap();
        assert!((even.entropy[0] - 3f64.ln()).abs() < 1e-12);
        assert_eq!(even.top, [0]);
    }

    #[test]
    fn what_is_no_distribution_has_classes_if_asked() {
        let logits: [&[f64]; 1] = [&[0.0, 2f64.ln(), 0.0]];
        assert_eq!(count(&logits, false), None);
        let found = count(&logits, true).unwrap();
        assert!(found.softmax);
        for (p, expected) in found.mean.iter().zip([0.25, 0.5, 0.25]) {
            assert!((p - expected).abs() < 1e-12);
        }
        // runs that look like a distribution by chance are still logits
        let mixed: [&[f64]; 2] = [&[0.0, 1.0, 0.0], &[0.0, 3.0, 0.0]];
        assert!(count(&mixed, true).unwrap().softmax);
        assert!(!count(&mixed[..1], true).unwrap().softmax);
        for row in [[0.5, 0.6, -0.1], [0.5, 0.4, 0.0], [f64::NAN, 0.5, 0.5]] {
            assert_eq!(count(&[&row], false), None, "{row:?}");
        }
        assert!(Counter::new(&[4, 1], true).is_none() && Counter::new(&[], true).is_none());
    }

    #[test]
    fn numbers_that_are_none_do_not_panic() {
        let found = count(&[&[f64::NAN; 3]], true).unwrap();
        assert!(found.entropy[0].is_nan());
        assert_eq!(top(&[f64::NAN, 1.0, 2.0]), 2);
        assert_eq!(top(&[f64::NEG_INFINITY; 2]), 0);
    }
}
