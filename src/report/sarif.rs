//! SARIF 2.1.0, for code scanning and viewers.
//!
//! A model is no text: a finding's place is its node, as a logical location. Fingerprints come from
//! rule, scope and node, so that a finding stays itself when other nodes come, go or move.

use std::path::Path;

use serde_json::{Value, json};

use super::place::{Uri, uri};
use crate::audit::{Document, Finding, ModelAudit, RULES};
use crate::hash::HashMap;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole log. Paths below `base`, the root of the repository, are written relative to it.
pub fn text(document: &Document, base: &Path) -> String {
    let rules = rules(document);
    let models = &document.models;
    let results = models.iter().flat_map(|model| results(model, base, &rules));
    let failed = models.iter().filter_map(|model| {
        let error = model.error.as_deref()?;
        Some(json!({
            "level": "error",
            "message": message(error),
            "locations": [{"physicalLocation": physical(model, base)}],
        }))
    });
    let failed: Vec<Value> = failed.collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "dropout-onnx",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|(_, rule)| rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": failed.is_empty(),
                "toolExecutionNotifications": failed,
            }],
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

/// The rules that found something, in the order of all rules, with what SARIF tells of each.
fn rules(document: &Document) -> Vec<(&'static str, Value)> {
    let findings = || document.models.iter().flat_map(|model| &model.findings);
    let met = RULES
        .iter()
        .filter(|rule| findings().any(|finding| finding.rule == rule.name));
    met.map(|rule| {
        let page = rule.page();
        let described = json!({
            "id": rule.name,
            "shortDescription": {"text": rule.summary()},
            "help": {"text": page, "markdown": page},
            "defaultConfiguration": {"level": rule.level},
        });
        (rule.name, described)
    })
    .collect()
}

fn results(model: &ModelAudit, base: &Path, rules: &[(&str, Value)]) -> Vec<Value> {
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
                    "physicalLocation": physical(model, base),
                    "logicalLocations": [logical(finding)],
                }],
                // The one key that GitHub reads; where it is missing, GitHub hashes lines of text.
                "partialFingerprints": {"primaryLocationLineHash": format!("{hash}:{number}")},
            });
            let index = rules.iter().position(|(name, _)| *name == finding.rule);
            if let (Some(index), Some(result)) = (index, result.as_object_mut()) {
                result.insert("ruleIndex".to_string(), index.into());
            }
            result
        })
        .collect()
}

/// The same for a finding wherever else the model changes.
fn fingerprint(finding: &Finding) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [
        finding.rule,
        &finding.scope,
        finding.node.as_deref().unwrap_or_default(),
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// A message without placeholders: braces are doubled (§3.11.5).
fn message(text: &str) -> Value {
    json!({"text": text.replace('{', "{{").replace('}', "}}")})
}

fn physical(model: &ModelAudit, base: &Path) -> Value {
    let artifact = match uri(base, &model.path) {
        Uri::Relative(uri) => json!({"uri": uri, "uriBaseId": "%SRCROOT%"}),
        Uri::Absolute(uri) => json!({"uri": uri}),
    };
    // GitHub takes no location without a line.
    json!({"artifactLocation": artifact, "region": {"startLine": 1}})
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
