//! JUnit XML: one suite per model, one test case per finding. Errors are failures, with what to do as their
//! text; warnings and notes pass, with their message as output; findings that are allowed or in the baseline are skipped. A model without
//! findings is one case that passes. Remarks are a suite of each file they are about, and pass.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{help, one_line};
use crate::audit::{Document, Finding, Level, ModelAudit, Remark, TOOL};
use crate::error::{Error, ErrorKind, Result};

/// The whole report.
///
/// # Errors
/// None that a document gives rise to; the serializer's own.
pub fn text(document: &Document) -> Result<String> {
    let mut report = Report::new("dropout-onnx audit");
    report.add_test_suites(document.models.iter().map(suite));
    for remarks in document.remarks.chunk_by(|a, b| a.path == b.path) {
        report.add_test_suite(suite_of(
            &remarks[0].path,
            remarks.iter().map(remark).collect(),
        ));
    }
    let text = report.to_string();
    text.map_err(|e| Error::new(ErrorKind::Unsupported, e.to_string()))
}

fn suite(model: &ModelAudit) -> TestSuite {
    let mut cases: Vec<TestCase> = (model.findings.iter())
        .map(|finding| case(finding, &model.path))
        .collect();
    if let Some(error) = &model.error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(one_line(error));
        cases.push(TestCase::new("audit", status));
    } else if cases.is_empty() {
        cases.push(TestCase::new("audit", TestCaseStatus::success()));
    }
    let mut suite = suite_of(&model.path, cases);
    suite.add_property(("tool", TOOL));
    for (name, value) in in_force(model) {
        suite.add_property((name.as_str(), value.as_str()));
    }
    suite
}

/// The configuration that a model was audited by.
fn in_force(model: &ModelAudit) -> Vec<(String, String)> {
    let file = model.configuration.iter();
    let file = file.map(|file| ("configuration".to_string(), one_line(file)));
    let rules = model.rules.iter().map(|(rule, level)| {
        let level = level.as_str().unwrap_or("disabled");
        (format!("rule {rule}"), level.to_string())
    });
    file.chain(rules).collect()
}

fn suite_of(path: &str, mut cases: Vec<TestCase>) -> TestSuite {
    let path = one_line(path);
    for case in &mut cases {
        case.set_classname(path.as_str());
    }
    let mut suite = TestSuite::new(path);
    suite.add_test_cases(cases);
    suite
}

fn remark(remark: &Remark) -> TestCase {
    let name = match remark.line {
        Some(line) => format!("{}: line {line}", remark.name),
        None => remark.name.to_string(),
    };
    let mut case = TestCase::new(name, TestCaseStatus::success());
    case.set_system_out(format!("{}: {}", remark.level, one_line(&remark.message)));
    case
}

fn case(finding: &Finding, path: &str) -> TestCase {
    let name = match &finding.node {
        Some(node) => one_line(&format!("{}: {}/{node}", finding.rule, finding.scope)),
        None => finding.rule.to_string(),
    };
    let message = one_line(&finding.message);
    let excuse = match &finding.allowed {
        Some(allowed) => Some(format!("allowed: {}", one_line(&allowed.reason))),
        None if finding.is_open() => None,
        None => Some("in the baseline".to_string()),
    };
    if let Some(excuse) = excuse {
        let mut status = TestCaseStatus::skipped();
        status.set_message(excuse);
        let mut case = TestCase::new(name, status);
        case.set_system_out(format!("{}: {message}", finding.level));
        return case;
    }
    if finding.level == Level::Error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(message).set_type(finding.rule);
        status.set_description(help(finding.rule, path));
        return TestCase::new(name, status);
    }
    let mut case = TestCase::new(name, TestCaseStatus::success());
    case.set_system_out(format!("{}: {message}", finding.level));
    case
}
