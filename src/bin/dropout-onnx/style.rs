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

/// The width of the terminal, less `indent`; 80 columns if there is none.
fn room(indent: usize) -> usize {
    let width = terminal_size::terminal_size_of(std::io::stdout())
        .map_or(80, |(width, _)| usize::from(width.0));
    width.clamp(40, 120).saturating_sub(indent)
}

/// Text in lines that fit the terminal after `indent`. Words are not broken, and neither is text between
/// backticks.
pub fn wrap(text: &str, indent: usize) -> Vec<String> {
    let options = textwrap::Options::new(room(indent))
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

/// A page in Markdown whose paragraphs fit the terminal; code, tables, lists and titles stay as they are.
pub fn page(text: &str) -> String {
    let blocks = text.trim_end().split("\n\n").map(|block| {
        let is_text = |line: &str| !line.starts_with(['#', '|', '-', '*', ' ']);
        match block.lines().all(is_text) && !block.starts_with("```") {
            true => wrap(&block.replace('\n', " "), 0).join("\n"),
            false => block.to_string(),
        }
    });
    blocks.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// Rows in columns, two blanks between them. Styles apply to whole cells. A cell that would pass the edge of the
/// terminal is on a line below, with those after it.
#[derive(Default)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Row>,
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
        let head = self.head.iter().map(|name| (DIM, name.to_string()));
        let head: Vec<_> = head.collect();
        let widths = widths(self.rows.iter().chain([&head]));
        let mut out = lines(&head, &widths, indent);
        for (index, row) in self.rows.iter().enumerate() {
            out.push_str(&lines(row, &widths, indent));
            let remarks = self.remarks.iter().filter(|(at, _)| *at == index + 1);
            for line in remarks.flat_map(|(_, text)| wrap(text, indent.len() + 2)) {
                out.push_str(&format!("{indent}  {}\n", paint(DIM, line)));
            }
        }
        out
    }
}

type Row = Vec<(Style, String)>;

/// The width of each column.
fn widths<'r>(rows: impl Iterator<Item = &'r Row>) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, (_, text)) in widths.iter_mut().zip(row) {
            *width = text.chars().count().max(*width);
        }
    }
    widths
}

/// A row, on as many lines as it needs.
fn lines(row: &Row, widths: &[usize], indent: &str) -> String {
    const BELOW: &str = "    ";
    let room = room(indent.len());
    let (mut out, mut column, mut blanks) = (indent.to_string(), 0, 0);
    let Some(last) = row.iter().rposition(|(_, text)| !text.is_empty()) else {
        return String::new();
    };
    for ((style, text), width) in row[..=last].iter().zip(widths) {
        let length = text.chars().count();
        let below = column > 0 && column + length > room;
        if below {
            out.push_str(&format!("\n{indent}{BELOW}"));
            (column, blanks) = (BELOW.len(), 0);
        }
        let parts = match below {
            true => wrap(text, indent.len() + column),
            false => vec![text.clone()],
        };
        let parts: Vec<String> = parts.iter().map(|part| paint(*style, part)).collect();
        let text = parts.join(&format!("\n{indent}{BELOW}"));
        if length > 0 {
            out.push_str(&format!("{:blanks$}{text}", ""));
            blanks = 0;
        }
        blanks += width.saturating_sub(length) + 2;
        column += width + 2;
    }
    out + "\n"
}
