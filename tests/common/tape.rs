//! Tapes for the generator of odd models, as proptest makes and shrinks them.

use proptest::prelude::*;

/// The choices of the generator, printed as one line.
#[derive(Clone)]
pub struct Tape(pub Vec<u8>);

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tape \"{}\"", self.0.escape_ascii())
    }
}

pub fn tape() -> impl Strategy<Value = Tape> {
    proptest::collection::vec(any::<u8>(), 0..2000).prop_map(Tape)
}

/// Without files of failed cases: a regression becomes a test with a name.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::with_cases(count)
    }
}
