//! What the rules find in models that exporters wrote.

use std::collections::BTreeMap;
use std::fmt::Write;

use dropout_onnx::audit::{Level, ModelAudit, RULES, Verdict};

use crate::common;

/// How often each rule fires in each fixture. `INSTA_UPDATE=always cargo test --test it rules::` writes
/// it anew.
#[test]
fn counts() {
    let mut text = String::new();
    for path in common::models() {
        if !path.starts_with(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")) {
            continue;
        }
        let audit = ModelAudit::open(&path);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for finding in &audit.findings {
            *counts.entry(finding.rule).or_default() += 1;
        }
        let _ = writeln!(text, "{}", path.file_stem().unwrap().display());
        for (rule, count) in counts {
            let _ = writeln!(text, "  {count} {rule}");
        }
    }
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("rules_fixtures", text);
    });
}

/// On all models at hand: what is found is about sites and nodes that are there, and an error where
/// the verdict is that dropout acts.
#[test]
fn findings_are_consistent() {
    for path in common::models() {
        let audit = ModelAudit::open(&path);
        assert_eq!(audit.error, None, "{}", path.display());
        for finding in &audit.findings {
            let known = RULES.iter().find(|rule| rule.name == finding.rule);
            assert_eq!(known.map(|rule| rule.level), Some(finding.level));
            assert!(finding.node.as_ref().is_some_and(|node| !node.is_empty()));
            assert!(
                finding.message.starts_with(&finding.scope.to_string()),
                "{finding:?}"
            );
            if let Some(site) = finding.site {
                assert_eq!(audit.sites[site].id, site);
            }
        }
        let of = |rule| {
            audit
                .findings
                .iter()
                .filter(move |f| f.rule == rule)
                .count()
        };
        let active = audit.verdict == Some(Verdict::Active);
        assert_eq!(active, of("active-dropout") > 0, "{}", path.display());
        let unloadable = of("unloadable-random") > 0;
        let error = audit.findings.iter().any(|f| f.level == Level::Error);
        assert_eq!(error, active || unloadable, "{}", path.display());
        assert_eq!(
            of("invalid-rate") + of("invalid-dropout"),
            0,
            "{}",
            path.display()
        );
    }
}
