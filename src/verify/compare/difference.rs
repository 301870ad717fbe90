//! A difference between two outputs, or between the interfaces of two models.

use std::fmt;

/// How an output of one model differs from that of the other.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Difference {
    /// The models cannot be fed or read alike.
    Interface {
        /// A sentence without a full stop.
        reason: String,
    },
    /// Different element types.
    Type {
        /// The output.
        output: String,
        /// Its element type in the first model.
        before: &'static str,
        /// And in the second.
        after: &'static str,
    },
    /// Different shapes.
    Shape {
        /// The output.
        output: String,
        /// Its shape in the first model.
        before: Vec<usize>,
        /// And in the second.
        after: Vec<usize>,
    },
    /// Different values.
    Value {
        /// The output.
        output: String,
        /// Position of the first element that differs, by axis.
        index: Vec<usize>,
        /// The element in the first model.
        before: String,
        /// And in the second.
        after: String,
        /// Number of elements that differ.
        differing: usize,
        /// Number of elements.
        elements: usize,
        /// Largest distance between two elements; NaN if one of a pair is.
        max_abs: f64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Difference::Interface { reason } => f.write_str(reason),
            Difference::Type {
                output,
                before,
                after,
            } => {
                write!(
                    f,
                    "output {output} has elements of type {before} before, {after} after"
                )
            }
            Difference::Shape {
                output,
                before,
                after,
            } => {
                write!(
                    f,
                    "output {output} has shape {before:?} before, {after:?} after"
                )
            }
            Difference::Value {
                output,
                index,
                before,
                after,
                differing,
                elements,
                max_abs,
            } => write!(
                f,
                "output {output}{index:?} is {before} before, {after} after; \
                 {differing} of {elements} elements differ, by up to {max_abs:e}"
            ),
        }
    }
}
