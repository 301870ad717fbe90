//! Which rules are told, and at which level.

use dropout_onnx::ErrorKind;
use dropout_onnx::audit::{Level, ModelAudit, RULES, Selection};

use super::dropouts;
use crate::common::build::op;

/// Makes a selection of options as on a command line: `deny=all`.
fn selection(options: &str) -> dropout_onnx::Result<Selection> {
    let mut rules = Selection::default();
    for option in options.split_whitespace() {
        let (what, name) = option.split_once('=').expect("what=name");
        rules = match what {
            "select" => rules.select(name)?,
            "allow" => rules.allow(name)?,
            "deny" => rules.deny(name)?,
            _ => panic!("{what}"),
        };
    }
    Ok(rules)
}

fn level(options: &str, name: &str) -> Option<Level> {
    let rule = RULES.iter().find(|rule| rule.name == name).expect("a rule");
    selection(options).expect("a selection").level(rule)
}

#[test]
fn without_options_rules_have_their_own_level() {
    for rule in RULES {
        assert_eq!(Selection::default().level(rule), Some(rule.level));
    }
    assert_eq!(level("", "active-dropout"), Some(Level::Error));
    assert_eq!(level("", "lost-rate"), Some(Level::Warning));
    assert_eq!(level("", "shared-seed"), Some(Level::Note));
}

#[test]
fn the_narrower_name_counts_for_more() {
    for (options, active, lost, seed) in [
        ("deny=lost-rate", "error", "error", "note"),
        ("allow=active-dropout", "", "warning", "note"),
        ("select=lost-rate", "", "warning", ""),
        ("select=lost-rate select=shared-seed", "", "warning", "note"),
        ("select=errors select=notes", "error", "", "note"),
        ("select=all", "error", "warning", "note"),
        ("deny=all", "error", "error", "error"),
        ("allow=all", "", "", ""),
        ("deny=warnings", "error", "error", "note"),
        ("allow=notes", "error", "warning", ""),
        ("allow=all deny=warnings", "", "error", ""),
        ("deny=all allow=warnings", "error", "", "error"),
        (
            "deny=all allow=warnings deny=lost-rate",
            "error",
            "error",
            "error",
        ),
        ("deny=warnings allow=lost-rate", "error", "", "note"),
        ("allow=lost-rate deny=warnings", "error", "", "note"),
        // what is not selected is not told, whatever is denied
        ("select=lost-rate deny=active-dropout", "", "warning", ""),
        ("select=lost-rate deny=all", "", "error", ""),
        ("select=lost-rate allow=lost-rate", "", "", ""),
    ] {
        for (name, expected) in [
            ("active-dropout", active),
            ("lost-rate", lost),
            ("shared-seed", seed),
        ] {
            let level = level(options, name).map(|level| level.to_string());
            assert_eq!(level.unwrap_or_default(), expected, "{name} with {options}");
        }
    }
}

/// What holds of a rule when one selection is over another: `command line / file`.
#[test]
fn a_selection_over_another_counts_for_more_by_whatever_name() {
    for (options, active, lost, seed) in [
        (" / ", "error", "warning", "note"),
        (" / deny=lost-rate allow=notes", "error", "error", ""),
        ("allow=lost-rate / deny=lost-rate", "error", "", "note"),
        ("deny=lost-rate / allow=lost-rate", "error", "error", "note"),
        // broad on the command line, narrow in the file
        ("allow=all / deny=lost-rate", "", "", ""),
        ("deny=warnings / allow=lost-rate", "error", "error", "note"),
        ("allow=notes / deny=all", "error", "error", ""),
        // what the command line selects replaces what the file selects
        ("select=shared-seed / select=lost-rate", "", "", "note"),
        ("select=all / select=lost-rate", "error", "warning", "note"),
        (" / select=lost-rate", "", "warning", ""),
        ("deny=all / select=lost-rate", "", "error", ""),
        (
            "deny=shared-seed / select=lost-rate",
            "",
            "warning",
            "error",
        ),
        // a rule asked for by its own name is told, whatever the file leaves out
        ("select=lost-rate / allow=lost-rate", "", "warning", ""),
        ("select=lost-rate / allow=all", "", "warning", ""),
        ("select=lost-rate / deny=lost-rate", "", "error", ""),
        ("select=warnings / allow=lost-rate", "", "", ""),
    ] {
        let (line, file) = options.split_once('/').expect("command line / file");
        let rules = selection(line)
            .expect("a selection")
            .over(selection(file).expect("one"));
        for (name, expected) in [
            ("active-dropout", active),
            ("lost-rate", lost),
            ("shared-seed", seed),
        ] {
            let rule = RULES.iter().find(|rule| rule.name == name).expect("a rule");
            let level = rules.level(rule).map(|level| level.to_string());
            assert_eq!(level.unwrap_or_default(), expected, "{name} with {options}");
        }
    }
}

#[test]
fn unknown_names_are_errors_with_the_nearest_name() {
    for (name, says) in [
        (
            "active-dropuot",
            "unknown rule `active-dropuot`; did you mean `active-dropout`?",
        ),
        (
            "lost_rate",
            "unknown rule `lost_rate`; did you mean `lost-rate`?",
        ),
        (
            "Mask-Used",
            "unknown rule `Mask-Used`; did you mean `mask-used`?",
        ),
        ("", "unknown rule ``; there are active-dropout, "),
        (
            "everything",
            "unknown rule `everything`; there are active-dropout, ",
        ),
    ] {
        for what in ["select", "allow", "deny"] {
            let error = selection(&format!("{what}={name}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().starts_with(says), "{error}");
        }
    }
}

#[test]
fn a_name_cannot_be_both_allowed_and_denied() {
    for name in ["lost-rate", "warnings", "all"] {
        for options in [
            format!("allow={name} deny={name}"),
            format!("deny={name} allow={name}"),
        ] {
            let error = selection(&options).unwrap_err();
            let says = format!("`{name}` is both allowed and denied");
            assert_eq!(error.to_string(), says);
        }
    }
    assert!(selection("allow=lost-rate deny=warnings deny=all").is_ok());
}

#[test]
fn an_audit_reports_the_selected_rules() {
    let model = dropouts([op("d = Dropout(x)"), op("y = Dropout(d, r, on)")]).read();
    let told = |options| {
        let rules = selection(options).unwrap();
        let audit = ModelAudit::with("model.onnx", &model, &rules).unwrap();
        assert_eq!(audit.sites.len(), 2);
        let told = audit
            .findings
            .iter()
            .map(|f| format!("{} {}", f.rule, f.level));
        told.collect::<Vec<_>>().join(", ")
    };
    let all =
        "leftover-dropout note, lost-rate warning, active-dropout error, dropout-on-output warning";
    assert_eq!(told(""), all);
    assert_eq!(told("select=lost-rate"), "lost-rate warning");
    assert_eq!(told("allow=errors allow=warnings"), "leftover-dropout note");
    assert_eq!(
        told("select=warnings deny=lost-rate"),
        "lost-rate error, dropout-on-output warning"
    );
}
