//! No panic on any input, and what strip says holds, whatever it was given.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::common::promises::{Reached, changing, folding, parse, stripping};
use crate::common::tape::{cases, tapes};
use dropout_onnx::audit::ModelAudit;
use dropout_onnx::onnx::Model;
use dropout_onnx::source::Source;
use dropout_onnx::wire::{bytes_field, varint_field};
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;

/// Real models to break.
static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let read = |path| std::fs::read(path).unwrap();
    let mut models: Vec<_> = crate::common::models().into_iter().map(read).collect();
    models.retain(|model| model.len() < 40_000);
    models
});

/// Something done to the bytes of a model.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Truncate(Index),
    Remove(Index, usize),
    /// Bytes of another model, in place of as many.
    Overwrite(Index, Index, Index, usize),
    Insert(Index, Index, Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => at().prop_map(Damage::Truncate),
        1 => (at(), 0..40usize).prop_map(|(at, len)| Damage::Remove(at, len)),
        1 => (at(), at(), at(), 0..200usize).prop_map(|(a, b, c, n)| Damage::Overwrite(a, b, c, n)),
        1 => (at(), at(), at(), 0..200usize).prop_map(|(a, b, c, n)| Damage::Insert(a, b, c, n)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let end = bytes.len() + 1;
    let piece = |model: &Index, at: &Index, len: usize| -> &'static [u8] {
        let model = model.get(&FIXTURES);
        let at = at.index(model.len());
        &model[at..(at + len).min(model.len())]
    };
    match damage {
        Damage::Flip(at, mask) if !bytes.is_empty() => *at.get_mut(bytes) ^= mask,
        Damage::Set(at, byte) if !bytes.is_empty() => *at.get_mut(bytes) = *byte,
        Damage::Flip(..) | Damage::Set(..) => {}
        Damage::Truncate(at) => bytes.truncate(at.index(end)),
        Damage::Remove(at, len) => {
            let at = at.index(end);
            bytes.drain(at..(at + len).min(end - 1));
        }
        Damage::Overwrite(at, model, from, len) => {
            let (at, piece) = (at.index(end), piece(model, from, *len));
            let until = (at + piece.len()).min(end - 1);
            bytes.splice(at..until, piece.iter().copied());
        }
        Damage::Insert(at, model, from, len) => {
            let at = at.index(end);
            let piece = piece(model, from, *len);
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn damaged_models_are_read_or_refused(
        model in any::<Index>(),
        damage in proptest::collection::vec(damage(), 1..6),
    ) {
        let mut bytes = model.get(&FIXTURES).clone();
        damage.iter().for_each(|damage| apply(&mut bytes, damage));
        parse(&bytes);
        stripping(&bytes);
        changing(&bytes);
        folding(&bytes);
    }

    #[test]
    fn damaged_odd_models_are_read_or_refused(
        tapes in tapes(),
        damage in proptest::collection::vec(damage(), 1..6),
    ) {
        let mut bytes = tapes.model();
        damage.iter().for_each(|damage| apply(&mut bytes, damage));
        parse(&bytes);
        stripping(&bytes);
        changing(&bytes);
        folding(&bytes);
    }

    #[test]
    fn odd_models_are_stripped_to_the_same_structure(tapes in tapes()) {
        let bytes = tapes.model();
        prop_assert_eq!(parse(&bytes), Reached::Read);
        stripping(&bytes);
        changing(&bytes);
        folding(&bytes);
    }
}

/// The generator is of use only while its models reach the end of the road.
#[test]
fn most_odd_models_can_be_stripped() {
    let mut random = 1u64;
    let mut byte = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 56) as u8
    };
    let reached: Vec<_> = (0..100)
        .map(|_| {
            let tape: Vec<u8> = (0..1000).map(|_| byte()).collect();
            stripping(&crate::common::wire_gen::model(&tape, &tape))
        })
        .collect();
    let stripped = reached.iter().filter(|r| **r == Reached::Stripped).count();
    assert!(stripped >= 60, "only {stripped} of 100");
}

#[test]
fn every_truncation_is_read_or_refused() {
    let smallest = FIXTURES.iter().min_by_key(|model| model.len()).unwrap();
    for end in 0..smallest.len() {
        parse(&smallest[..end]);
        stripping(&smallest[..end]);
        changing(&smallest[..end]);
    }
}

/// `inner` in a graph in an attribute of a node in a graph, so many times.
fn nested(depth: usize, mut inner: Vec<u8>) -> Vec<u8> {
    for _ in 0..depth {
        let attribute = [bytes_field(1, b"body"), bytes_field(6, &inner)].concat();
        let node = [bytes_field(4, b"Loop"), bytes_field(5, &attribute)].concat();
        inner = bytes_field(1, &node);
    }
    inner
}

fn model(graph: &[u8]) -> Vec<u8> {
    let opset = bytes_field(8, &varint_field(2, 13));
    [opset, bytes_field(7, graph)].concat()
}

fn refusal(bytes: &[u8]) -> String {
    assert_eq!(parse(bytes), Reached::Nothing);
    let error = Model::read(Source::from_bytes(bytes.to_vec())).unwrap_err();
    error.to_string()
}

#[test]
fn graphs_nested_too_deep_are_refused() {
    let why = refusal(&model(&nested(10_000, Vec::new())));
    assert!(why.contains("nested more than 128 deep"), "{why}");
}

#[test]
fn graphs_nested_as_deep_as_may_be_are_stripped() {
    let constant = [bytes_field(2, b"x"), bytes_field(4, b"Constant")].concat();
    let inputs = [
        bytes_field(1, b"x"),
        bytes_field(2, b"y"),
        bytes_field(2, b"m"),
    ]
    .concat();
    let dropout = [inputs, bytes_field(4, b"Dropout")].concat();
    let relu = [
        bytes_field(1, b"m"),
        bytes_field(2, b"z"),
        bytes_field(4, b"Relu"),
    ]
    .concat();
    let output = bytes_field(12, &bytes_field(1, b"z"));
    let nodes = [constant, dropout, relu].map(|node| bytes_field(1, &node));
    let graph = nested(128, [nodes.concat(), output].concat());
    assert_eq!(parse(&model(&graph)), Reached::Read);
    assert_eq!(stripping(&model(&graph)), Reached::Stripped);
}

#[test]
fn types_nested_too_deep_are_unknown() {
    let mut kind = bytes_field(1, &varint_field(1, 1));
    for _ in 0..10_000 {
        kind = bytes_field(4, &bytes_field(1, &kind));
    }
    let input = [bytes_field(1, b"x"), bytes_field(2, &kind)].concat();
    assert_eq!(parse(&model(&bytes_field(11, &input))), Reached::Read);
}

#[test]
fn groups_nested_too_deep_are_refused() {
    let groups = [[0xf3, 0x01].repeat(10_000), [0xf4, 0x01].repeat(10_000)].concat();
    let why = refusal(&model(&groups));
    assert!(why.contains("groups nested more than 100 deep"), "{why}");
}

/// Were any of these believed, the test would not end.
#[test]
fn sizes_that_lie_cost_nothing() {
    let dims: Vec<u8> = [1 << 40, 1 << 20].map(|dim| varint_field(1, dim)).concat();
    for data in [varint_field(2, 1), varint_field(2, 8), varint_field(2, 22)] {
        let tensor = [
            dims.clone(),
            data,
            bytes_field(8, b"w"),
            bytes_field(9, b"few"),
        ]
        .concat();
        assert_eq!(parse(&model(&bytes_field(5, &tensor))), Reached::Read);
        assert_eq!(
            stripping(&model(&bytes_field(5, &tensor))),
            Reached::Stripped
        );
    }
    for length in [u64::MAX, 1 << 62, 1 << 40, u64::from(u32::MAX)] {
        let mut bytes = model(&[]);
        bytes.extend(bytes_field(7, b""));
        bytes.pop();
        dropout_onnx::wire::put_varint(&mut bytes, length);
        let why = refusal(&bytes);
        assert!(why.contains(&format!("has a length of {length}")), "{why}");
    }
}

/// Every loop over nodes, uses and calls is one: no recursion.
#[test]
fn long_chains_do_not_overflow_the_stack() {
    let mut graph = bytes_field(11, &bytes_field(1, b"v0"));
    for i in 1..20_000 {
        let op = if i % 3 == 0 { "Dropout" } else { "Relu" };
        let (from, to) = (format!("v{}", i - 1), format!("v{i}"));
        let fields = [(1, from.as_str()), (2, &to), (4, op)];
        let node = fields.map(|(number, name)| bytes_field(number, name.as_bytes()));
        graph.extend(bytes_field(1, &node.concat()));
    }
    graph.extend(bytes_field(12, &bytes_field(1, b"v19999")));
    assert_eq!(stripping(&model(&graph)), Reached::Stripped);
}

#[test]
fn functions_that_call_functions_are_followed_in_bounded_time() {
    let call = |number: u32, callee: usize| {
        let name = format!("f{callee}");
        let fields = [(1, "x"), (1, "r"), (4, &name), (7, "odd")];
        let node = fields.map(|(number, name)| bytes_field(number, name.as_bytes()));
        bytes_field(number, &node.concat())
    };
    let inputs = ["x", "r"].map(|name| bytes_field(11, &bytes_field(1, name.as_bytes())));
    let mut bytes = model(&[inputs.concat(), call(1, 0)].concat());
    for index in 0..300 {
        // twice: there are 2 to the power of 299 ways through them
        let body = match index {
            299 => {
                let fields = [(1, "x"), (1, "r"), (2, "y"), (4, "Dropout")];
                let node = fields.map(|(number, name)| bytes_field(number, name.as_bytes()));
                bytes_field(7, &node.concat())
            }
            _ => call(7, index + 1).repeat(2),
        };
        let name = format!("f{index}");
        let header = [(1, name.as_str()), (10, "odd"), (4, "x"), (4, "r")];
        let header = header.map(|(number, name)| bytes_field(number, name.as_bytes()));
        bytes.extend(bytes_field(25, &[header.concat(), body].concat()));
    }
    assert_eq!(parse(&bytes), Reached::Read);
    assert_eq!(stripping(&bytes), Reached::Stripped);
}

/// Dropped data, masks, data and constants, in every order, as one to four inputs of every operator: a
/// file may give an operator more inputs than it has, or fewer.
#[test]
fn operators_take_any_number_of_any_inputs() {
    let schemas = include_str!("../schema/operators.tsv").lines();
    let operators: BTreeSet<&str> = schemas
        .skip(1)
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert!(operators.len() > 150, "{operators:?}");
    let values = ["d", "k", "x", "s"];
    let mut lists: Vec<String> = values.map(String::from).to_vec();
    // of two all, of three and four some
    for (from, step) in [(0, 1), (4, 9), (20, 9)] {
        let longer = |list: &String| values.map(|value| format!("{list}, {value}"));
        let longer: Vec<String> = lists[from..].iter().flat_map(longer).collect();
        lists.extend(longer.into_iter().step_by(step));
    }
    for operator in operators {
        let mask = "r = RandomUniform()\nb = Less(r, keep)\nk = Cast(b)\nd = Mul(x, k)";
        let applied = (lists.iter().enumerate())
            .map(|(place, list)| format!("o{place} = {operator}({list})"))
            .collect::<Vec<String>>();
        let sum: Vec<String> = (0..lists.len()).map(|place| format!("o{place}")).collect();
        let text = format!(
            "{mask}\n{}\ny = Sum({})",
            applied.join("\n"),
            sum.join(", ")
        );
        let bytes = crate::common::masks::at(13, 0.5, &text).encode_to_vec();
        let model = Model::read(Source::from_bytes(bytes.clone())).unwrap();
        ModelAudit::new("model.onnx", &model).unwrap();
        assert!(stripping(&bytes) >= Reached::Read, "{operator}");
    }
}
