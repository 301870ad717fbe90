//! Statistics of classifiers: predictive entropy, and how far runs agree on the top class.
//!
//! Source: Y. Gal, *Uncertainty in Deep Learning* (2016), 3.3.1: predictive entropy, and the
//! variation ratio, which is one minus the agreement.
//!
//! Which outputs are classes is seen by what they are in every run, not by the operators that made
//! them: probabilities along the last axis, or along axis 1, where channels are; or logarithms of
//! these. A sigmoid's one number per row is an exception, since any number between 0 and 1 would pass
//! for it: there the operator decides. Logits are any numbers, and are classes if the caller
//! declares them ([`ClassSpec`]).

mod candidates;
mod counter;
mod rows;
mod spec;

pub(super) use candidates::{candidates, is_sigmoid};
pub(super) use counter::Counter;
pub use spec::{ClassSpec, Taken};

use serde::Serialize;

use rows::Rows;

/// The kind of numbers of a classifier's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Numbers {
    /// They are the probabilities of the classes: not negative, and with the sum 1, as softmax has it.
    Probabilities,
    /// Softmax makes them probabilities: logits, or logarithms of probabilities.
    Logits,
    /// Each is the probability of yes, of a question of its own, as a sigmoid has it.
    Binary,
    /// Sigmoid makes each the probability of yes.
    BinaryLogits,
}

impl Numbers {
    /// All of them.
    pub const ALL: [Numbers; 4] = [
        Numbers::Probabilities,
        Numbers::Logits,
        Numbers::Binary,
        Numbers::BinaryLogits,
    ];

    /// What they are called: `binary-logits`.
    pub fn name(self) -> &'static str {
        match self {
            Numbers::Probabilities => "probabilities",
            Numbers::Logits => "logits",
            Numbers::Binary => "binary",
            Numbers::BinaryLogits => "binary-logits",
        }
    }

    /// True if every number is a question of its own, of the classes no (0) and yes (1).
    pub fn is_binary(self) -> bool {
        matches!(self, Numbers::Binary | Numbers::BinaryLogits)
    }
}

/// Statistics of the classes of an output. A row is the support of one distribution: all elements
/// along the axis of the classes, or, of binary ones, a single element.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Classes {
    /// How the output's numbers are read.
    pub numbers: Numbers,
    /// The axis of the classes; none of binary ones.
    pub axis: Option<usize>,
    /// How many classes there are; two, no and yes, of binary ones.
    pub count: usize,
    /// The shape of the rows: the output's, without the axis of the classes. Figures of rows are in
    /// row-major order.
    pub shape: Vec<usize>,
    /// The mean probabilities, in the shape of the output; of binary ones that of yes.
    #[cfg_attr(test, schemars(with = "Vec<Option<f64>>"))]
    pub mean: Vec<f64>,
    /// Entropy of the mean distribution of every row in nats, from 0 to ln(count).
    #[cfg_attr(test, schemars(with = "Vec<Option<f64>>"))]
    pub entropy: Vec<f64>,
    /// The class that most runs put on top, of every row; of several the first.
    pub top: Vec<usize>,
    /// The share of the runs that do. A run where a row has NaN counts, and puts none on top.
    #[cfg_attr(test, schemars(with = "Vec<Option<f64>>"))]
    pub agreement: Vec<f64>,
    /// With labels: the share of rows whose top class is their label.
    pub accuracy: Option<f64>,
    /// The same of the top class at inference.
    pub deterministic_accuracy: Option<f64>,
}

impl Classes {
    /// The class on top of every row of an output of the same shape; NaN is never on top.
    pub fn tops(&self, values: &[f64]) -> Vec<usize> {
        let rows = Rows::new(self.numbers, self.axis, self.count, &self.shape);
        let mut row = Vec::new();
        (0..rows.number)
            .map(|index| {
                rows.read(values, index, &mut row);
                top(&row)
            })
            .collect()
    }

    /// Where the top class of a row is in the output.
    pub fn top_element(&self, row: usize) -> usize {
        let rows = Rows::new(self.numbers, self.axis, self.count, &self.shape);
        rows.element(row, self.top[row])
    }

    /// The mean probability of the top class of a row.
    pub fn top_mean(&self, row: usize) -> f64 {
        let mean = self.mean[self.top_element(row)];
        match self.numbers.is_binary() && self.top[row] == 0 {
            true => 1.0 - mean,
            false => mean,
        }
    }
}

/// The class with the largest number; of several the first.
fn top(row: &[f64]) -> usize {
    let mut best = 0;
    for (class, &p) in row.iter().enumerate() {
        if p > row[best] || row[best].is_nan() {
            best = class;
        }
    }
    best
}

/// −Σ p ln p, where 0 ln 0 is 0.
fn entropy(row: &[f64]) -> f64 {
    let terms = row
        .iter()
        .map(|&p| if p <= 0.0 { 0.0 } else { -p * p.ln() });
    terms.sum()
}
