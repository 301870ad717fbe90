//! Workflow commands of GitHub Actions, which shows them next to the files of a pull request:
//! `::error file=model.onnx,title=active-dropout::message`.

use std::path::Path;

use super::group::groups;
use super::one_line;
use super::place::relative;
use crate::audit::{Level, ModelAudit, Remark};

/// The error of a model that cannot be audited, or its open findings: one command per rule and message,
/// because GitHub shows ten of a level and drops the others. Paths below `base`, the root of the
/// repository, are written relative to it.
pub fn commands(model: &ModelAudit, base: &Path) -> String {
    let file = relative(base, &model.path).unwrap_or_else(|| model.path.clone());
    let mut out = String::new();
    if let Some(error) = &model.error {
        out.push_str(&command("error", &file, "cannot audit", error));
    }
    for group in groups(model) {
        let name = severity(group.level);
        let message = format!("{}. {}.", group.message(), group.help(&file));
        out.push_str(&command(name, &file, group.rule, &message));
    }
    out
}

/// A remark, as a command.
pub fn remark(remark: &Remark, base: &Path) -> String {
    let file = relative(base, &remark.path).unwrap_or_else(|| remark.path.clone());
    let Remark { name, message, .. } = remark;
    let line = remark
        .line
        .map_or(String::new(), |line| format!(",line={line}"));
    command_at(severity(remark.level), &file, &line, name, message)
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    }
}

fn command(name: &str, file: &str, title: &str, message: &str) -> String {
    command_at(name, file, "", title, message)
}

fn command_at(name: &str, file: &str, line: &str, title: &str, message: &str) -> String {
    let message = data(&one_line(message));
    let (file, title) = (property(file), property(title));
    format!("::{name} file={file}{line},title={title}::{message}\n")
}

/// Escapes as `escapeData` of GitHub's own toolkit (`@actions/core`, command.ts).
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes as its `escapeProperty`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
