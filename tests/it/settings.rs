//! Configurations and baselines as text: whatever they hold, they are read or refused in words.

use dropout_onnx::ErrorKind;
use dropout_onnx::audit::{Baseline, Config};
use proptest::prelude::*;

const CONFIG: &str = r#"
format = "sarif"

[rules]
deny = ["runtime-dropout", "warnings"]
allow = ["notes"]
select = ["all"]

[[allow]]
layer = "encoder.*.dropout"
rules = ["active-dropout"]
models = ["mc/**/*.onnx", "{a,b}.onnx"]
reason = "σ is what we want"
expires = 2026-12-31

[[allow]]
fingerprint = "84332d0e6e300965"
reason = "ticket 1234"
count = 12
"#;

const BASELINE: &str = r#"{
  "schema": "dropout-onnx/baseline/1",
  "findings": [
    {"path": "../a.onnx", "rule": "active-dropout", "fingerprint": "84332d0e6e300965", "count": 2, "message": "σ"},
    {"path": "b.onnx", "rule": "lost-rate", "fingerprint": "41e6647ddd679da5", "count": 1, "message": ""}
  ]
}"#;

/// Takes out a few characters, and puts a piece in.
fn damaged(text: &str, at: usize, cut: usize, piece: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = at % (characters.len() + 1);
    let end = (at + cut).min(characters.len());
    let mut out: String = characters[..at].iter().collect();
    out.push_str(piece);
    out.extend(&characters[end..]);
    out
}

#[test]
fn what_is_whole_is_read_and_written_as_it_was() {
    assert_eq!(Config::parse(CONFIG).unwrap().allowances().len(), 2);
    let known = Baseline::parse(BASELINE).unwrap();
    assert_eq!(known.len(), 3);
    assert_eq!(known.paths().collect::<Vec<_>>(), ["../a.onnx", "b.onnx"]);
    let again = Baseline::parse(&known.text().unwrap()).unwrap();
    assert_eq!(again, known);
    assert!(Baseline::parse(CONFIG).is_err());
    assert!(Config::parse(BASELINE).is_err());
}

/// Patterns that make automata too large are refused, not compiled.
#[test]
fn patterns_that_are_too_large_are_refused() {
    for (pattern, fits) in [("?".repeat(100), true), ("?".repeat(1 << 20), false)] {
        let text = format!("[[allow]]\nreason = \"a\"\nlayer = \"{pattern}\"\n");
        let config = Config::parse(&text);
        assert_eq!(config.is_ok(), fits);
        if let Err(error) = config {
            assert!(
                error.to_string().starts_with("line 3, column 9: `???"),
                "{error}"
            );
            assert!(error.to_string().len() < 1000);
        }
    }
    let deep = format!(
        "[[allow]]\nreason = \"a\"\nlayer = {}\n",
        "[".repeat(100_000)
    );
    assert!(Config::parse(&deep).is_err());
    assert!(Baseline::parse(&"[".repeat(100_000)).is_err());
}

proptest! {
    #[test]
    fn what_is_damaged_is_refused_in_words(
        at in any::<usize>(),
        cut in 0..12usize,
        piece in "[\\[\\]{}\"'=.,#\n\\\\a-zé0-9 *-]{0,6}",
    ) {
        if let Err(error) = Config::parse(&damaged(CONFIG, at, cut, &piece)) {
            prop_assert_eq!(error.kind(), ErrorKind::Usage);
            prop_assert!(error.to_string().starts_with("line "), "{}", error);
        }
        if let Err(error) = Baseline::parse(&damaged(BASELINE, at, cut, &piece)) {
            prop_assert_eq!(error.kind(), ErrorKind::Usage);
            prop_assert!(error.to_string().contains("baseline"), "{}", error);
        }
    }
}
