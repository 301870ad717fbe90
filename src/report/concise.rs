//! One line per finding, for `grep` and editors: `path: level rule: message`.

use super::one_line;
use crate::audit::{ModelAudit, Remark};

/// The findings of a model that are open, a line each.
pub fn lines(model: &ModelAudit) -> String {
    let mut out = String::new();
    for finding in model.open_findings() {
        let (path, message) = (one_line(&model.path), one_line(&finding.message));
        let (level, rule) = (finding.level, finding.rule);
        out.push_str(&format!("{path}: {level} {rule}: {message}\n"));
    }
    out
}

/// A remark: `path:line: level name: message`.
pub fn remark(remark: &Remark) -> String {
    let (path, message) = (one_line(&remark.place()), one_line(&remark.message));
    format!("{path}: {} {}: {message}\n", remark.level, remark.name)
}
