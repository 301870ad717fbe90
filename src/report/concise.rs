//! One line a finding, for `grep` and editors: `path: level rule: message`.

use super::one_line;
use crate::audit::ModelAudit;

/// The findings of a model, a line each.
pub fn lines(model: &ModelAudit) -> String {
    let mut out = String::new();
    for finding in &model.findings {
        let (path, message) = (one_line(&model.path), one_line(&finding.message));
        let (level, rule) = (finding.level, finding.rule);
        out.push_str(&format!("{path}: {level} {rule}: {message}\n"));
    }
    out
}
