//! Comparing and updating a snapshot.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dropout_onnx::report::one_line;
use dropout_onnx::show::{Header, Options, json};
use similar::{Algorithm, ChangeTag, TextDiff};

use crate::Status;
use crate::io::Global;
use crate::output::ReportFile;
use crate::style::{BAD, DIM, GOOD, paint};

/// Lines of context around a change.
const CONTEXT: usize = 2;
/// After so long a difference is shown that is not the smallest.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file of a snapshot.
pub struct Snapshot {
    path: PathBuf,
    file: ReportFile,
    /// What insta writes at the beginning of its files.
    front: String,
    text: Option<String>,
    /// Its header; `None` if it does not exist.
    header: Option<Header>,
    /// True of the document as JSON.
    json: bool,
}

impl Snapshot {
    /// Reads a snapshot, if it exists; refuses other files.
    pub fn open(path: &Path, model: &Path, global: &Global) -> Result<Snapshot> {
        let file = ReportFile::new(path, [model], global)?;
        let whole = match std::fs::read(path) {
            Ok(bytes) => Some(String::from_utf8(bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => {
                let place = || format!("{}: cannot read", path.display());
                return Err(e).with_context(place);
            }
        };
        let (mut front, mut text) = (String::new(), None);
        let (mut header, mut is_json) = (None, false);
        if let Some(whole) = whole {
            let whole = whole.unwrap_or_default().replace("\r\n", "\n");
            let (beginning, rest) = insta_front(&whole);
            is_json = rest.trim_start().starts_with('{');
            header = match is_json {
                true => json::header(rest),
                false => Header::parse(rest),
            };
            if header.is_none() {
                bail!(
                    "{}: is not a snapshot: the first line is not `{}`, and it is not the JSON of show",
                    path.display(),
                    Header::of(Options::default())
                );
            }
            (front, text) = (beginning.to_string(), Some(rest.to_string()));
        }
        Ok(Snapshot {
            path: path.to_path_buf(),
            file,
            front,
            text,
            header,
            json: is_json,
        })
    }

    /// Its header.
    pub fn header(&self) -> Option<Header> {
        self.header
    }

    /// True of the document as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }
}

/// The front matter of a file of insta, and the snapshot.
fn insta_front(text: &str) -> (&str, &str) {
    let end = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.find("\n---\n"))
        .map_or(0, |end| end + "---\n".len() + "\n---\n".len());
    text.split_at(end)
}

/// What came of a comparison.
pub struct Checked {
    pub outcome: Outcome,
    /// The report.
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Unchanged,
    Changed,
    Written,
}

impl Checked {
    pub fn status(&self) -> Status {
        match self.outcome {
            Outcome::Unchanged | Outcome::Written => Status::Done,
            Outcome::Changed => Status::Found,
        }
    }
}

/// Compares and reports. `form` is the form of the new text: whether it is JSON, and its header.
pub fn run(snapshot: &Snapshot, form: (bool, Header), now: &str, update: bool) -> Result<Checked> {
    let path = snapshot.path.display();
    let mut text = String::new();
    match &snapshot.text {
        // insta ends its files as it likes
        Some(then) if then.trim_end() == now.trim_end() => {
            let text = format!("{path}: {}\n", paint(GOOD, "unchanged"));
            let outcome = Outcome::Unchanged;
            return Ok(Checked { outcome, text });
        }
        None if !update => bail!("{path}: does not exist; create it with --update"),
        // the lines of one form say nothing about those of the other
        Some(_) if form.0 != snapshot.json => {}
        Some(then) => text = difference(then, now, &path.to_string()),
        None => {}
    }
    if update {
        snapshot.file.write(&format!("{}{now}", snapshot.front))?;
        let _ = writeln!(text, "{path}: {}", paint(GOOD, "written"));
        let outcome = Outcome::Written;
        return Ok(Checked { outcome, text });
    }
    let why = match snapshot.header {
        Some(then) if (snapshot.json, then) != form => {
            let json = if snapshot.json { ", as JSON" } else { "" };
            format!("the snapshot has different options: `{then}`{json}")
        }
        _ => "the model changed".to_string(),
    };
    let why = paint(BAD, why);
    let _ = writeln!(text, "{path}: {why}; --update accepts the new snapshot");
    let outcome = Outcome::Changed;
    Ok(Checked { outcome, text })
}

/// What changed, line by line, as `diff -u` shows it.
fn difference(then: &str, now: &str, path: &str) -> String {
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Patience)
        .timeout(PATIENCE)
        .diff_lines(then.trim_end(), now.trim_end());
    let mut out = format!("--- {path}\n+++ the model\n");
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let _ = writeln!(out, "{}", paint(DIM, hunk.header()));
        for change in hunk.iter_changes() {
            let line = one_line(change.value().trim_end_matches('\n'));
            let _ = match change.tag() {
                ChangeTag::Delete => writeln!(out, "{}", paint(BAD, format!("-{line}"))),
                ChangeTag::Insert => writeln!(out, "{}", paint(GOOD, format!("+{line}"))),
                ChangeTag::Equal => writeln!(out, " {line}"),
            };
        }
    }
    out
}
