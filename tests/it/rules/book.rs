//! The pages of the rules.

use std::path::Path;

use dropout_onnx::audit::{RULES, handbook, rule};

/// `UPDATE_DOCS=1 cargo test --test it rules::` writes the page anew.
#[test]
fn the_page_of_all_rules_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, handbook()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == handbook(),
        "docs/rules.md is not current: UPDATE_DOCS=1 cargo test --test it rules::"
    );
}

#[test]
fn every_page_has_its_parts() {
    let parts = [
        "## What it finds",
        "## Why it matters",
        "## Example",
        "## What to do",
    ];
    for rule in RULES {
        let page = rule.page();
        let headings: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with("## "))
            .collect();
        assert_eq!(headings, parts, "{}", rule.name);
        assert!(page.starts_with(&format!(
            "# {} ({})\n\n{}\n",
            rule.name,
            rule.level,
            rule.summary()
        )));
        assert_eq!(page.matches("```").count(), 2, "{}", rule.name);
        let summary = rule.summary();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{summary}");
        assert!(
            !page.lines().any(|line| line.ends_with(' ')),
            "{}",
            rule.name
        );
    }
}

#[test]
fn every_name_is_its_own_and_leads_to_its_file() {
    for (i, known) in RULES.iter().enumerate() {
        assert_eq!(rule(known.name).unwrap().summary(), known.summary());
        let first = RULES.iter().position(|other| other.name == known.name);
        assert_eq!(first, Some(i), "{}", known.name);
        let file = format!("src/audit/rules/{}.rs", known.name.replace('-', "_"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.contains(&format!("\"{}\", ", known.name)),
            "{}",
            known.name
        );
        let test = format!("fn {}()", known.name.replace('-', "_"));
        let tests = [
            "sites",
            "invalid",
            "neighbours",
            "operators",
            "random",
            "weights",
        ];
        let tested = tests.iter().any(|tests| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/rules");
            let text = std::fs::read_to_string(folder.join(format!("{tests}.rs"))).unwrap();
            text.contains(&test)
        });
        assert!(tested, "no test is called {test}");
    }
}
