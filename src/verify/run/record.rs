//! What went into the runs and came out, as hashes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::verify::engine::Value;

/// One run of both models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Record {
    /// The inputs of both.
    pub inputs: BTreeMap<String, Hashed>,
    /// The outputs of the first model.
    pub before: BTreeMap<String, Hashed>,
    /// The outputs of the second model.
    pub after: BTreeMap<String, Hashed>,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hashed {
    /// Its element type.
    pub element: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// The BLAKE3 hash of its elements, little-endian and in row-major order.
    pub blake3: String,
}

impl Record {
    /// Hashes the tensors of a run.
    pub(super) fn of(
        inputs: &BTreeMap<String, Value>,
        before: (&[String], &[Value]),
        after: (&[String], &[Value]),
    ) -> Record {
        let named = |(names, values): (&[String], &[Value])| {
            let pairs = names.iter().zip(values);
            let pairs = pairs.map(|(name, value)| (name.clone(), Hashed::of(value)));
            pairs.collect()
        };
        let inputs = inputs.iter();
        Record {
            inputs: inputs
                .map(|(name, value)| (name.clone(), Hashed::of(value)))
                .collect(),
            before: named(before),
            after: named(after),
        }
    }
}

impl Hashed {
    fn of(value: &Value) -> Hashed {
        Hashed {
            element: value.element_type().to_string(),
            shape: value.shape().to_vec(),
            blake3: value.blake3().to_hex().to_string(),
        }
    }
}
