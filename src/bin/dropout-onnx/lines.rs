//! Reports as lines with labels.

use std::fmt::Write;

use dropout_onnx::diff::{self, Diff};
use dropout_onnx::onnx::Name;
use dropout_onnx::rewrite::Identity;

use crate::style::{LABEL, Table, paint, wrap};

/// The width of labels, with the space after them.
const INDENT: usize = 10;

/// A report as text: lines with labels.
#[derive(Default)]
pub struct Lines(String);

impl Lines {
    pub fn line(&mut self, label: &str, text: String) {
        self.block(label, &wrap(&text, INDENT).join("\n"));
    }

    /// Lines after one label; an indented one keeps its indentation, and what does not fit is indented by 2 more.
    pub fn items(&mut self, label: &str, items: &[String]) {
        for (index, item) in items.iter().enumerate() {
            let text = item.trim_start();
            let indent = &item[..item.len() - text.len()];
            let wrapped = wrap(text, INDENT + 2 + indent.len());
            let label = if index == 0 { label } else { "" };
            self.block(
                label,
                &format!("{indent}{}", wrapped.join(&format!("\n  {indent}"))),
            );
        }
    }

    /// Lines that are not wrapped, such as those of a table.
    fn block(&mut self, label: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let label = if index == 0 { label } else { "" };
            let label = paint(LABEL, format!("{label:<8}"));
            let _ = writeln!(self.0, "{label}  {line}");
        }
    }

    /// A table; the label is before its first line.
    pub fn table(&mut self, label: &str, table: &Table) {
        let text = table.render(&" ".repeat(INDENT));
        if let Some(text) = text.get(INDENT..) {
            let _ = write!(
                self.0,
                "{}{text}",
                paint(LABEL, format!("{label:<INDENT$}"))
            );
        }
    }

    pub fn identities(&mut self, all: &[Identity]) {
        for Identity { value, why, .. } in all {
            self.line("kept", format!("an Identity for `{value}`: {why}"));
        }
    }

    /// Inputs of the model that the result no longer uses; `hint`: what removes them.
    pub fn idle_inputs(&mut self, inputs: &[Name], hint: &str) {
        for input in inputs {
            let stays = "is no longer used, but stays in the interface";
            self.line("input", format!("`{input}` {stays}{hint}"));
        }
    }

    /// A summary of the differences, then each of them.
    pub fn diff(&mut self, diff: &Diff) {
        self.line("changed", diff::text::summary(diff));
        for line in crate::diff::lines(diff) {
            self.block("", &line);
        }
    }

    pub fn into_text(self) -> String {
        self.0
    }
}
