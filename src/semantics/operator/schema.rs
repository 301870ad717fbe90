//! Versions of operators and defaults of attributes, by the schemas of ONNX: `tests/schema/defaults.py`
//! writes them.

use std::sync::OnceLock;

use crate::hash::HashMap;
use crate::onnx::{Attribute, AttributeValue};

const SCHEMAS: &str = include_str!("schemas.tsv");

/// The versions of one operator.
struct Versions {
    /// The opset in which each began, in order, and whether it computes what the version before does.
    since: Vec<(i64, bool)>,
    /// Defaults of attributes: name, the first opset with this default, the default.
    defaults: Vec<(&'static str, i64, &'static str)>,
}

/// The newest opset of the schemas, and the operators.
fn schemas() -> &'static (i64, HashMap<&'static str, Versions>) {
    static SCHEMAS_READ: OnceLock<(i64, HashMap<&'static str, Versions>)> = OnceLock::new();
    SCHEMAS_READ.get_or_init(|| {
        let mut operators = HashMap::default();
        for line in SCHEMAS.lines() {
            let mut cells = line.split('\t');
            let name = cells.next().unwrap_or_default();
            let since = cells.next().unwrap_or_default().split(' ');
            let defaults = cells.next().unwrap_or_default().split(' ');
            let versions = Versions {
                since: since.filter_map(version).collect(),
                defaults: defaults.filter_map(default).collect(),
            };
            operators.insert(name, versions);
        }
        let newest = operators
            .remove("")
            .and_then(|newest| Some(newest.since.first()?.0));
        (newest.unwrap_or_default(), operators)
    })
}

fn version(text: &str) -> Option<(i64, bool)> {
    let number = text.trim_start_matches('+');
    Some((number.parse().ok()?, number != text))
}

fn default(text: &'static str) -> Option<(&'static str, i64, &'static str)> {
    let (name, rest) = text.split_once('@')?;
    let (since, value) = rest.split_once('=')?;
    Some((name, since.parse().ok()?, value))
}

/// The version of an operator of the default domain in an opset, by the opset in which it began; `None` if
/// the schemas do not have it.
pub(crate) fn since(operator: &str, opset: i64) -> Option<i64> {
    Some(versions_until(operator, opset)?.last()?.0)
}

/// The opset since which an operator of the default domain has computed what it does in an opset; later
/// versions allow more element types, or attributes whose defaults change nothing.
pub(crate) fn same_since(operator: &str, opset: i64) -> Option<i64> {
    let versions = versions_until(operator, opset)?;
    let first = versions.iter().rfind(|(_, is_same)| !is_same)?;
    Some(first.0)
}

/// The versions of an operator that have begun in an opset.
fn versions_until(operator: &str, opset: i64) -> Option<&'static [(i64, bool)]> {
    let (newest, operators) = schemas();
    let versions = operators.get(operator).filter(|_| opset <= *newest)?;
    let count = versions.since.partition_point(|(since, _)| *since <= opset);
    versions.since.get(..count)
}

/// The parameters of an operator that were attributes at first: the first opset that has them as inputs, and
/// their names. The first of them is input 1.
pub(crate) fn moved(operator: &str) -> Option<(i64, &'static [&'static str])> {
    Some(match operator {
        "Clip" => (11, &["min", "max"]),
        "Pad" => (11, &["pads", "value"]),
        "Reshape" => (5, &["shape"]),
        "Slice" => (10, &["starts", "ends", "axes"]),
        "Split" => (13, &["split"]),
        "Squeeze" | "Unsqueeze" | "ReduceSum" => (13, &["axes"]),
        "TopK" => (10, &["k"]),
        reduction if reduction.starts_with("Reduce") => (18, &["axes"]),
        _ => return None,
    })
}

/// True of an attribute at its default, which might as well be absent.
pub(crate) fn is_default(operator: &str, opset: i64, attribute: &Attribute) -> bool {
    let written = match &attribute.value {
        AttributeValue::Int(i) => format!("i{i}"),
        AttributeValue::Float(f) => format!("f{:08x}", f.to_bits()),
        AttributeValue::String(s) => format!("s{}", String::from_utf8_lossy(s)),
        AttributeValue::Ints(ints) => {
            let ints: Vec<String> = ints.iter().map(i64::to_string).collect();
            format!("I{}", ints.join(","))
        }
        _ => return false,
    };
    let name = attribute.name.as_str();
    let default = name.and_then(|name| default_of(operator, opset, name));
    default.is_some_and(|default| default == written)
}

/// The default of an attribute, after a letter for its type.
pub(crate) fn default_of(operator: &str, opset: i64, attribute: &str) -> Option<&'static str> {
    since(operator, opset)?;
    let defaults = schemas().1.get(operator)?.defaults.iter();
    let current = defaults.filter(|(name, since, _)| attribute == *name && *since <= opset);
    let current = current.max_by_key(|(_, since, _)| *since)?;
    Some(current.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_default_of(operator: &str, opset: i64, name: &str, value: AttributeValue) -> bool {
        is_default(operator, opset, &Attribute::new(name, value))
    }

    #[test]
    fn versions_begin_where_their_schema_does() {
        assert_eq!(
            [13, 17, 26].map(|opset| since("MatMul", opset)),
            [Some(13); 3]
        );
        assert_eq!(
            [12, 13].map(|opset| since("Softmax", opset)),
            [Some(11), Some(13)]
        );
        assert_eq!(since("Relu", 27), None, "newer than the schemas");
        assert_eq!(same_since("Relu", 27), None);
        let unchanged = [13, 14, 26].map(|opset| same_since("Relu", opset));
        assert_eq!(unchanged, [Some(6); 3], "more element types");
        let softmax = [12, 13, 26].map(|opset| same_since("Softmax", opset));
        assert_eq!(softmax, [Some(1), Some(13), Some(13)]);
        let slope = [6, 7, 16].map(|opset| same_since("PRelu", opset));
        assert_eq!(slope, [Some(6), Some(7), Some(7)], "broadcast otherwise");
        assert_eq!(since("Rellu", 13), None);
        assert_eq!(since("Dropout", 0), None);
    }

    #[test]
    fn a_default_is_that_of_the_version() {
        assert!(is_default_of(
            "Softmax",
            13,
            "axis",
            AttributeValue::Int(-1)
        ));
        assert!(!is_default_of(
            "Softmax",
            12,
            "axis",
            AttributeValue::Int(-1)
        ));
        assert!(is_default_of("Softmax", 12, "axis", AttributeValue::Int(1)));
        assert!(is_default_of(
            "LeakyRelu",
            16,
            "alpha",
            AttributeValue::Float(0.01)
        ));
        assert!(!is_default_of(
            "LeakyRelu",
            16,
            "alpha",
            AttributeValue::Float(0.02)
        ));
        assert!(is_default_of(
            "Conv",
            11,
            "auto_pad",
            AttributeValue::String("NOTSET".into())
        ));
        assert!(!is_default_of(
            "Conv",
            11,
            "group",
            AttributeValue::Float(1.0)
        ));
        assert!(!is_default_of(
            "Conv",
            11,
            "strides",
            AttributeValue::Ints(vec![1, 1])
        ));
    }
}
