//! Audits scored against the truth about the models at hand: verdict, sites, kinds, rates, layers.
//! `cargo test --test it score:: -- --nocapture` prints the table.

mod explained;
mod scorer;
mod table;
mod truth;
mod twins;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dropout_onnx::audit::ModelAudit;

use scorer::{Scored, score};
use truth::{Row, rows};

/// The folders of models with a table of truth, and the column that names their files.
fn folders() -> Vec<(PathBuf, &'static str)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut folders = vec![(fixtures, "fixture")];
    let more = std::env::var_os("DROPOUT_ONNX_MODELS").map(PathBuf::from);
    folders.extend(more.map(|folder| (folder, "file")));
    folders.retain(|(folder, _)| folder.join("TRUTH.tsv").exists());
    folders
}

/// Every model with its row.
fn models() -> Vec<(String, PathBuf, Row)> {
    let mut models = Vec::new();
    for (folder, column) in folders() {
        for row in rows(&folder.join("TRUTH.tsv")) {
            let file = row[column].clone();
            models.push((file.clone(), folder.join(file), row));
        }
    }
    models
}

#[test]
fn every_exporter_is_scored_on_truth() {
    let mut scores: BTreeMap<String, Vec<Scored>> = BTreeMap::new();
    for (file, path, row) in models() {
        let audit = ModelAudit::open(&path);
        let scored = score(&file, &row, &audit);
        let exporter = row["exporter"].clone();
        scores.entry(exporter).or_default().push(scored);
    }
    table::print(&scores);
    let all = || scores.values().flatten();
    assert!(all().count() >= 10);
    let wrong: Vec<&str> = all().flat_map(|s| &s.wrong).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
