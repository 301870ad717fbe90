//! How reports look: a few styles, and columns.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use dropout_onnx::report::one_line;

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Labels at the start of a line.
pub const LABEL: Style = Style::new().bold();
/// What is less important.
pub const DIM: Style = Style::new().dimmed();

/// Text in a style; the stream removes the style if colours are off.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Rows in columns, two blanks between them. Styles apply to whole cells.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<(Style, String)>>,
}

impl Table {
    /// Adds a row; names in it may hold any character.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (Style, String)>) {
        let cells = cells.into_iter();
        let cells = cells.map(|(style, text)| (style, one_line(&text)));
        self.rows.push(cells.collect());
    }

    /// The table, each line after `indent`.
    pub fn render(&self, indent: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|(_, text)| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            out.push_str(indent);
            let filled = row.iter().rposition(|(_, text)| !text.is_empty());
            let filled = filled.map_or(0, |last| last + 1);
            for (column, (style, text)) in row[..filled].iter().enumerate() {
                out.push_str(&paint(*style, text));
                if column + 1 < filled {
                    let pad = widths[column] - text.chars().count() + 2;
                    out.push_str(&" ".repeat(pad));
                }
            }
            out.push('\n');
        }
        out
    }
}
