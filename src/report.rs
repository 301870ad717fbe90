//! Audits as text for programs and other tools: one file a format, each a function from
//! [`Document`](crate::audit::Document) or [`ModelAudit`](crate::audit::ModelAudit) to text.
//!
//! `document` has what the other commands report. What people read in a terminal is the command's own.

pub mod concise;
#[cfg(feature = "tract")]
pub mod document;
pub mod github;
pub mod json;
pub mod jsonl;
#[cfg(feature = "junit")]
pub mod junit;
pub mod markdown;
mod place;
pub mod sarif;
mod summary;

pub use summary::summary;

/// Text on one line, that a terminal shows as it is: names in a model may hold any character.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Line separators, and what reorders text around it.
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.extend(c.escape_unicode()),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn control_characters_are_written_out() {
        for (text, expected) in [
            ("graph: Dropout `/2/Dropout`", "graph: Dropout `/2/Dropout`"),
            ("naïve σ 層", "naïve σ 層"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}"),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }
}
