//! Where reports go: to standard output, or to a file.

use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use dropout_onnx::Error;
use dropout_onnx::source::{Destination, Rope, write_atomic};

use crate::io::{Global, same_file};

/// The destination of a report.
#[derive(clap::Args)]
pub struct Output {
    /// Write the report to a file once it is complete; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Output {
    /// Checks that the report can be written.
    pub fn open<'p>(
        &self,
        about: impl IntoIterator<Item = &'p Path>,
        global: &Global,
    ) -> Result<Report> {
        let file = self.file().map(|path| ReportFile::new(path, about, global));
        Ok(Report {
            file: file.transpose()?,
            ..Report::printed(global)
        })
    }

    /// The file; `None` for standard output.
    pub fn file(&self) -> Option<&Path> {
        self.output
            .as_deref()
            .filter(|path| *path != Path::new("-"))
    }
}

/// Extensions of text for people.
const TEXT: &[&str] = &["", "log", "out", "snap", "text", "txt"];

/// The format of a report: the one asked for, the one whose name is the extension of the file, or `otherwise`;
/// `None` for text.
///
/// # Errors
/// The extension is not that of a format, nor of text.
pub fn format<F>(
    asked: Option<F>,
    file: Option<&Path>,
    parse: impl Fn(&str) -> Option<F>,
    otherwise: impl FnOnce() -> Result<Option<F>>,
) -> Result<Option<F>> {
    let extension = file.and_then(Path::extension).unwrap_or_default();
    let extension = extension.to_string_lossy().to_lowercase();
    let by_name = || match &*extension {
        "md" => parse("markdown"),
        extension => parse(extension),
    };
    let format = match asked.or_else(by_name) {
        Some(format) => Some(format),
        None => otherwise()?,
    };
    if let (None, Some(file), false) = (&format, file, TEXT.contains(&&*extension)) {
        bail!(
            "{}: {extension} is not a format of this report; choose one with --format",
            file.display()
        );
    }
    Ok(format)
}

/// The value of an option with this name.
pub fn value<F: ValueEnum>(name: &str) -> Option<F> {
    F::from_str(name, false).ok()
}

/// A report that is about to be written.
pub struct Report {
    quiet: bool,
    file: Option<ReportFile>,
}

impl Report {
    /// A report on standard output.
    pub fn printed(global: &Global) -> Report {
        Report {
            quiet: global.quiet,
            file: None,
        }
    }

    /// True if it is printed.
    pub fn is_printed(&self) -> bool {
        self.file.is_none()
    }

    /// True if no one reads the text for people: it is neither printed nor written.
    pub fn is_quiet(&self) -> bool {
        self.quiet && self.is_printed()
    }

    pub fn write(&self, text: &str) -> Result<()> {
        match &self.file {
            Some(file) => file.write(text),
            None => print(text),
        }
    }
}

/// A file to write.
pub struct ReportFile(Destination);

impl ReportFile {
    /// Refuses to overwrite a model.
    pub fn new<'p>(
        path: &Path,
        about: impl IntoIterator<Item = &'p Path>,
        global: &Global,
    ) -> Result<ReportFile> {
        let destination = Destination::new(path)?.synced(!global.no_sync);
        if destination.is_read_only() {
            bail!("{}: is read-only; make it writable first", path.display());
        }
        let real = destination.real();
        if about.into_iter().any(|model| same_file(model, real)) {
            bail!(
                "{}: is one of the models; name another file",
                path.display()
            );
        }
        let extension = real.extension().unwrap_or_default();
        if extension.eq_ignore_ascii_case("onnx") && real.exists() {
            bail!("{}: is a model; name another file", path.display());
        }
        Ok(ReportFile(destination))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.0.real().parent().unwrap_or(Path::new(""))
    }

    /// Replaces the file by the text, without styles.
    pub fn write(&self, text: &str) -> Result<()> {
        let mut rope = Rope::new();
        rope.push(plain(text));
        write_atomic(&self.0, &rope)?;
        Ok(())
    }
}

/// Text without the styles that are for terminals.
pub fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Writes to standard output. If its reader has closed the pipe, as `head` does once it has read enough, the
/// rest is dropped without a word.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> Result<()> {
    stream(text).map(|_| ())
}

/// The same; `Break` if the reader has closed the pipe.
pub fn stream(text: &str) -> Result<ControlFlow<()>> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(e) => Err(Error::io("cannot write", e)
            .in_file("standard output")
            .into()),
    }
}

/// Writes bytes to standard output.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| Error::io("cannot write", e).in_file("standard output"))?;
    Ok(())
}
