//! Tapes for the generator of odd models, as proptest makes and shrinks them.

use proptest::prelude::*;

use super::wire_gen;

/// The choices of the generator, printed in two lines.
#[derive(Clone)]
pub struct Tapes {
    tape: Vec<u8>,
    spelling: Vec<u8>,
}

impl Tapes {
    /// The model they stand for.
    pub fn model(&self) -> Vec<u8> {
        wire_gen::model(&self.tape, &self.spelling)
    }

    /// The same model, spelt as everybody would.
    pub fn plain(&self) -> Vec<u8> {
        wire_gen::model(&self.tape, &[])
    }
}

impl std::fmt::Debug for Tapes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\n  tape b\"{}\"", self.tape.escape_ascii())?;
        writeln!(f, "  spelling b\"{}\"", self.spelling.escape_ascii())
    }
}

pub fn tapes() -> impl Strategy<Value = Tapes> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..1500);
    (bytes(), bytes()).prop_map(|(tape, spelling)| Tapes { tape, spelling })
}

/// Without files of failed cases: a regression becomes a test with a name.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::with_cases(count)
    }
}
