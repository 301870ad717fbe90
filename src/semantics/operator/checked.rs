//! Checks the table against the schemas of ONNX in `tests/schema/operators.tsv`, which `operators.py` in
//! the same folder writes.

use std::collections::BTreeSet;

use crate::onnx::DataType;

use super::*;

const SCHEMAS: &str = include_str!("../../../tests/schema/operators.tsv");

/// A schema, with the types of its parameters: a type variable or the name of a type, followed by `?` if
/// optional and `*` if variadic.
struct Schema {
    name: &'static str,
    since: i64,
    deprecated: bool,
    inputs: Vec<&'static str>,
    outputs: Vec<&'static str>,
    attributes: Vec<&'static str>,
}

fn schemas() -> Vec<Schema> {
    let lines = SCHEMAS.lines().skip(1);
    let schema = |line: &'static str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let words = |cell: usize| cells[cell].split_whitespace().collect();
        Schema {
            name: cells[0],
            since: cells[1].parse().unwrap(),
            deprecated: !cells[2].is_empty(),
            inputs: words(3),
            outputs: words(4),
            attributes: words(5),
        }
    };
    lines.map(schema).collect()
}

fn row(name: &str, opset: i64) -> Option<&'static Operator> {
    within(rows().get(name.as_bytes())?, opset)
}

/// The type at a place: the last one repeats if it is variadic.
fn at<'s>(kinds: &[&'s str], place: usize) -> Option<&'s str> {
    let last = || kinds.last().filter(|kind| kind.ends_with('*'));
    let kind = kinds.get(place).or_else(last);
    kind.map(|kind| kind.trim_end_matches(['?', '*']))
}

/// How a column contradicts a schema; `None` if they agree.
fn wrong(schema: &Schema, output: usize, kind: Type) -> Option<String> {
    let made = at(&schema.outputs, output).unwrap();
    let named = DataType::from_name(made);
    let ok = match kind {
        Type::Inputs(from, to) | Type::EachOf(from, to) => {
            let given = usize::from(from)..usize::from(to).min(schema.inputs.len());
            !given.is_empty() && given.clone().all(|n| at(&schema.inputs, n) == Some(made))
        }
        Type::Is(element) => named.is_none_or(|named| named == element),
        // opsets without this attribute or input use the alternative
        Type::Attribute(name, otherwise) if !schema.attributes.contains(&name) => {
            return wrong(schema, output, *otherwise);
        }
        Type::Optional(input, otherwise) if at(&schema.inputs, input.into()).is_none() => {
            return wrong(schema, output, *otherwise);
        }
        Type::Optional(input, _) => at(&schema.inputs, input.into()) == Some(made),
        _ => named.is_none(),
    };
    // a type variable that an input has too must not be ignored
    let free = !schema
        .inputs
        .iter()
        .any(|given| at(&[given], 0) == Some(made));
    let ok = ok && (free || !matches!(kind, Type::Is(_) | Type::Unknown) || named.is_some());
    let name = schema.name;
    (!ok).then(|| {
        format!(
            "{name}-{}: output {output} is {made}, not {kind:?}",
            schema.since
        )
    })
}

#[test]
fn each_operator_of_onnx_has_a_row_until_a_schema_that_was_not_checked() {
    let all = schemas();
    assert!(all.len() > 600 && all.iter().any(|schema| schema.since > CHECKED));
    assert_eq!(all.iter().map(|schema| schema.since).max(), Some(LISTED));
    let mut names = BTreeSet::new();
    for schema in &all {
        let known = row(schema.name, schema.since).is_some();
        let expected = schema.since <= CHECKED && !schema.deprecated;
        // GroupNormalization was deprecated by its next schema
        let expected = expected || schema.name == "GroupNormalization";
        assert_eq!(known, expected, "{}-{}", schema.name, schema.since);
        names.insert(schema.name);
    }
    for (name, rows) in rows() {
        let name = std::str::from_utf8(name).unwrap();
        assert!(names.contains(name), "ONNX has no {name}");
        let own = all.iter().filter(|schema| schema.name == name);
        let first = own.map(|schema| schema.since).min().unwrap();
        assert_eq!(rows[0].since, first, "{name}");
        let early = row(name, first - 1).map(|row| row.since);
        assert_eq!(early, Some(first), "{name}");
        for pair in rows.windows(2) {
            assert_eq!(pair[0].until, pair[1].since, "{name}");
        }
    }
}

#[test]
fn types_of_outputs_are_those_of_the_schemas() {
    let all = schemas();
    let rows = all.iter().filter_map(|s| Some((s, row(s.name, s.since)?)));
    let mut wrongs = Vec::new();
    for (schema, row) in rows {
        let outputs = schema.outputs.len().max(row.types.len());
        for output in 0..outputs {
            if at(&schema.outputs, output).is_some() {
                wrongs.extend(wrong(schema, output, row.type_of(output)));
            }
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

#[test]
fn a_wrong_type_is_seen() {
    let all = schemas();
    let schema = |name: &str, since: i64| {
        let mut all = all.iter();
        all.find(|s| s.name == name && s.since == since).unwrap()
    };
    use super::columns::types::*;
    for (name, since, output, right, other) in [
        ("Relu", 14, 0, T0, T1),
        ("CastLike", 15, 0, T1, T0),
        ("RMSNormalization", 23, 0, T1, T0),
        ("Where", 16, 0, EITHER, ALL),
        ("Dropout", 10, 1, BOOL, T0),
        ("Dropout", 7, 1, T0, BOOL),
        ("TopK", 11, 1, INT64, INT32),
        ("TopK", 11, 0, T0, INT64),
        ("Split", 13, 1, EACH, Type::Unknown),
    ] {
        let schema = schema(name, since);
        assert_eq!(wrong(schema, output, right), None);
        assert!(wrong(schema, output, other).is_some(), "{name} {other:?}");
    }
}

#[test]
fn columns_agree_with_each_other() {
    for row in rows().values().flat_map(|rows| rows.iter()) {
        let name = row.name;
        let made = row.elements == Elements::Make;
        assert!(!made || row.linear == Linear::Nonlinear, "{name}");
        assert!(!made || row.data == Data::Nothing, "{name}");
        let joint = [
            Linear::Joint,
            Linear::JointPositive,
            Linear::Bilinear,
            Linear::Quotient,
        ];
        assert!(
            row.data != Data::First || !joint.contains(&row.linear),
            "{name}"
        );
        let moves = [
            Elements::Copy,
            Elements::Move,
            Elements::Repeat,
            Elements::Pick,
        ];
        assert!(
            !moves.contains(&row.elements) || row.linear != Linear::Nonlinear,
            "{name}"
        );
        let integer = row.type_of(0) == Type::Is(DataType::INT32);
        assert!(
            row.linear == Linear::Nonlinear || row.continuous != Continuous::Never || integer,
            "{name}"
        );
        assert!(
            row.shape != Shape::Broadcast || row.elements == Elements::Map,
            "{name}"
        );
    }
}

#[test]
fn only_what_keeps_the_element_type_may_leave_an_input_as_it_is() {
    let passable = |name| Operator::named(name, 21).unwrap().passable(2);
    for (name, inputs) in [("Relu", 1), ("Clip", 1), ("PRelu", 1), ("Max", 2)] {
        assert_eq!(passable(name), inputs, "{name}");
    }
    for name in ["IsNaN", "QuantizeLinear", "DequantizeLinear", "Less", "Add"] {
        assert_eq!(passable(name), 0, "{name}");
    }
}
