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

/// A blank that [`wrap`] keeps on its line.
pub const NO_BREAK: char = '\u{a0}';

/// Text in lines no longer than the terminal is wide, less `indent`; 80 columns if there is none. Words are
/// not broken, and neither is text between backticks.
pub fn wrap(text: &str, indent: usize) -> Vec<String> {
    let width = terminal_size::terminal_size_of(std::io::stdout())
        .map_or(80, |(width, _)| usize::from(width.0));
    let width = width.clamp(40, 120).saturating_sub(indent);
    let options = textwrap::Options::new(width)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let mut quoted = false;
    let unbroken = text.chars().map(|c| {
        quoted ^= c == '`';
        if quoted && c == ' ' { NO_BREAK } else { c }
    });
    let unbroken: String = unbroken.collect();
    let lines = textwrap::wrap(&unbroken, options);
    lines
        .iter()
        .map(|line| line.replace(NO_BREAK, " "))
        .collect()
}

/// Rows in columns, two blanks between them. Styles apply to whole cells.
#[derive(Default)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<(Style, String)>>,
    /// Lines below rows, by the number of rows before them.
    remarks: Vec<(usize, String)>,
}

impl Table {
    /// Adds a row; names in it may hold any character.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (Style, String)>) {
        let cells = cells.into_iter();
        let cells = cells.map(|(style, text)| (style, one_line(&text)));
        self.rows.push(cells.collect());
    }

    /// A line below the last row; none if empty.
    pub fn remark(&mut self, text: String) {
        if !text.is_empty() {
            self.remarks.push((self.rows.len(), one_line(&text)));
        }
    }

    /// Names of the columns, above the first row.
    pub fn head(&mut self, head: impl IntoIterator<Item = &'static str>) {
        self.head = head.into_iter().collect();
    }

    /// Without columns that are empty in every row.
    pub fn compact(mut self) -> Table {
        for column in (0..self.head.len()).rev() {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            if cells.clone().all(|(_, text)| text.is_empty()) {
                self.head.remove(column);
                for row in &mut self.rows {
                    row.remove(column);
                }
            }
        }
        self
    }

    /// The table, each line after `indent`.
    pub fn render(&self, indent: &str) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let head: Vec<_> = (self.head.iter())
            .map(|name| (DIM, name.to_string()))
            .collect();
        let head = (!head.is_empty()).then_some(head);
        let rows: Vec<_> = head.iter().chain(&self.rows).collect();
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|(_, text)| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for (index, row) in rows.into_iter().enumerate() {
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
            let number = index + 1 - usize::from(head.is_some());
            for (_, text) in self
                .remarks
                .iter()
                .filter(|(at, _)| *at == number && number > 0)
            {
                for line in wrap(text, indent.len() + 12) {
                    out.push_str(&format!("{indent}  {}\n", paint(DIM, line)));
                }
            }
        }
        out
    }
}
