//! SARIF 2.1.0, for code scanning and viewers.
//!
//! A model is no text: a finding's place is its node, as a logical location. Its fingerprint is made
//! of its rule and the document's, so that it stays itself when nodes are renamed or move. What is
//! allowed has a `suppression`; a baseline gives every result a `baselineState`.

use std::path::Path;

use serde_json::{Value, json};

use super::place::{Uri, uri};
use crate::audit::{Document, Finding, ModelAudit, RULES, Remark};
use crate::hash::HashMap;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Where this version's documentation can be read.
const HOME: &str = concat!(
    "https://docs.rs/crate/dropout-onnx/",
    env!("CARGO_PKG_VERSION"),
    "/source/"
);

/// The whole log. Paths below `base`, the root of the repository, are written relative to it.
pub fn text(document: &Document, base: &Path) -> String {
    let rules = rules(document);
    let models = &document.models;
    // All results of a run have suppressions, or none (§3.27.23).
    let mut findings = models.iter().flat_map(|model| &model.findings);
    let suppressing = findings.any(|finding| finding.allowed.is_some());
    let results = (models.iter()).flat_map(|model| results(model, base, &rules, suppressing));
    let failed = models.iter().filter_map(|model| {
        let error = model.error.as_deref()?;
        Some(json!({
            "level": "error",
            "message": message(error),
            "locations": [{"physicalLocation": physical(&model.path, 1, base)}],
        }))
    });
    let failed: Vec<Value> = failed.collect();
    let successful = failed.is_empty();
    let remarks = document
        .remarks
        .iter()
        .map(|remark| notification(remark, base));
    let notifications: Vec<Value> = failed.into_iter().chain(remarks).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "dropout-onnx",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": format!("{HOME}README.md"),
                "rules": rules.iter().map(|(_, rule)| rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": successful,
                "ruleConfigurationOverrides": overrides(models),
                "toolExecutionNotifications": notifications,
            }],
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

/// The rules with findings, in the order of all rules, with their SARIF descriptors.
fn rules(document: &Document) -> Vec<(&'static str, Value)> {
    let findings = || document.models.iter().flat_map(|model| &model.findings);
    let met = RULES
        .iter()
        .filter(|rule| findings().any(|finding| finding.rule == rule.name));
    met.map(|rule| {
        let page = rule.page();
        let described = json!({
            "id": rule.name,
            "name": pascal_case(rule.name),
            "shortDescription": {"text": rule.summary()},
            "fullDescription": {"text": format!("{}. {}.", rule.summary(), rule.help())},
            "help": {"text": page, "markdown": page},
            "helpUri": format!("{HOME}docs/rules.md"),
            "defaultConfiguration": {"level": rule.level},
            "properties": {"tags": ["onnx", "dropout"], "precision": "high"},
        });
        (rule.name, described)
    })
    .collect()
}

/// Levels of rules that are not the default, for any of the models.
fn overrides(models: &[ModelAudit]) -> Vec<Value> {
    let mut overrides = Vec::new();
    for (rule, level) in models.iter().flat_map(|model| &model.rules) {
        let configuration = match level.is_null() {
            true => json!({"enabled": false}),
            false => json!({"level": level}),
        };
        let entry = json!({"descriptor": {"id": rule}, "configuration": configuration});
        if !overrides.contains(&entry) {
            overrides.push(entry);
        }
    }
    overrides
}

/// `ActiveDropout` for `active-dropout`: names of rules have no punctuation.
fn pascal_case(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let (first, rest) = part.split_at(1);
        first.to_uppercase() + rest
    });
    parts.collect()
}

fn results(
    model: &ModelAudit,
    base: &Path,
    rules: &[(&str, Value)],
    suppressing: bool,
) -> Vec<Value> {
    let mut met: HashMap<String, usize> = HashMap::default();
    let findings = model.findings.iter();
    findings
        .map(|finding| {
            let hash = fingerprint(finding);
            let number = met.entry(hash.clone()).or_default();
            *number += 1;
            let mut result = json!({
                "ruleId": finding.rule,
                "level": finding.level,
                "message": message(&finding.message),
                "locations": [{
                    "physicalLocation": physical(&model.path, 1, base),
                    "logicalLocations": [logical(finding)],
                }],
                // The one key that GitHub reads; where it is missing, GitHub hashes lines of text.
                "partialFingerprints": {"primaryLocationLineHash": format!("{hash}:{number}")},
            });
            let index = rules.iter().position(|(name, _)| *name == finding.rule);
            if let Some(result) = result.as_object_mut() {
                let mut add = |key: &str, value| result.insert(key.to_string(), value);
                index.map(|index| add("ruleIndex", index.into()));
                finding
                    .baseline
                    .map(|state| add("baselineState", json!(state)));
                if suppressing {
                    let allowed = finding.allowed.iter();
                    let suppressions: Vec<Value> = allowed
                        .map(|a| json!({"kind": "external", "justification": a.reason}))
                        .collect();
                    add("suppressions", suppressions.into());
                }
            }
            result
        })
        .collect()
}

/// The same for a finding whatever it is called and wherever else the model changes.
fn fingerprint(finding: &Finding) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [finding.rule, &finding.fingerprint.to_string()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// About a configuration or a baseline.
fn notification(remark: &Remark, base: &Path) -> Value {
    let line = remark.line.unwrap_or(1);
    json!({
        "descriptor": {"id": remark.name},
        "level": remark.level,
        "message": message(&remark.message),
        "locations": [{"physicalLocation": physical(&remark.path, line, base)}],
    })
}

/// A message without placeholders: braces are doubled (§3.11.5).
fn message(text: &str) -> Value {
    json!({"text": text.replace('{', "{{").replace('}', "}}")})
}

fn physical(path: &str, line: usize, base: &Path) -> Value {
    let artifact = match uri(base, path) {
        Uri::Relative(uri) => json!({"uri": uri, "uriBaseId": "%SRCROOT%"}),
        Uri::Absolute(uri) => json!({"uri": uri}),
    };
    // GitHub takes no location without a line.
    json!({"artifactLocation": artifact, "region": {"startLine": line}})
}

fn logical(finding: &Finding) -> Value {
    match &finding.node {
        Some(node) => json!({
            "name": node,
            "fullyQualifiedName": format!("{}/{node}", finding.scope),
        }),
        None => json!({"fullyQualifiedName": finding.scope}),
    }
}
