//! No panic on any input, and what strip says holds, whatever it was given.

mod common;
#[path = "common/promises.rs"]
mod promises;
#[path = "common/tape.rs"]
mod tape;
#[path = "common/wire_gen.rs"]
mod wire_gen;

use std::sync::LazyLock;

use promises::{Reached, parse, stripping};
use proptest::prelude::*;
use proptest::sample::Index;
use tape::{cases, tape};

/// Real models to break.
static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let read = |path| std::fs::read(path).unwrap();
    let mut models: Vec<_> = common::models().into_iter().map(read).collect();
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
    #![proptest_config(cases(300))]

    #[test]
    fn damaged_models_are_read_or_refused(
        model in any::<Index>(),
        damage in proptest::collection::vec(damage(), 1..6),
    ) {
        let mut bytes = model.get(&FIXTURES).clone();
        damage.iter().for_each(|damage| apply(&mut bytes, damage));
        parse(&bytes);
        stripping(&bytes);
    }

    #[test]
    fn damaged_odd_models_are_read_or_refused(
        tape in tape(),
        damage in proptest::collection::vec(damage(), 1..6),
    ) {
        let mut bytes = wire_gen::model(&tape.0);
        damage.iter().for_each(|damage| apply(&mut bytes, damage));
        parse(&bytes);
        stripping(&bytes);
    }

    #[test]
    fn odd_models_are_stripped_to_the_same_structure(tape in tape()) {
        let bytes = wire_gen::model(&tape.0);
        prop_assert_eq!(parse(&bytes), Reached::Read);
        stripping(&bytes);
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
            stripping(&wire_gen::model(&tape))
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
    }
}
