//! Arguments that subcommands share: where models come from and go to, colours, messages.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstream::ColorChoice;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use dropout_onnx::Error;
use dropout_onnx::onnx::Model;
use dropout_onnx::report::one_line;
use dropout_onnx::source::{Destination, Rope, Source, write_atomic};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::style;

/// Options of every subcommand.
#[derive(Args, Clone, Copy)]
pub struct Global {
    /// Colours: when the output is a terminal and NO_COLOR is not set, always, or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: every site and step
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Global {
    /// Sets what holds for the whole run.
    pub fn apply(&self) {
        let choice = match self.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        choice.write_global();
    }

    /// A line that says what is being done, on a terminal, while it takes time.
    pub fn progress(&self, doing: &'static str) -> ProgressBar {
        self.show(ProgressBar::new_spinner(), doing)
    }

    /// The same for a number of things, with a bar if they are several.
    pub fn bar(&self, doing: &'static str, number: usize) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
        match style {
            Ok(style) if number > 1 => {
                let bar = ProgressBar::new(number as u64).with_style(style);
                self.show(bar, doing)
            }
            _ => self.progress(doing),
        }
    }

    fn show(&self, bar: ProgressBar, doing: &'static str) -> ProgressBar {
        if self.quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_message(doing);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// Reads a model from a file, or from standard input if the path is `-`.
pub fn read(path: &Path) -> Result<Model, Error> {
    if path != Path::new("-") {
        return Model::open(path);
    }
    Source::from_reader(std::io::stdin().lock())
        .and_then(|source| Model::read_in(source, Some(PathBuf::new())))
        .map_err(|e| e.in_file(name(path)))
}

/// Reads two models to compare.
pub fn read_both(before: &Path, after: &Path) -> Result<(Model, Model)> {
    if before == Path::new("-") && after == before {
        bail!("BEFORE and AFTER are both standard input; one of them must be a file");
    }
    Ok((read(before)?, read(after)?))
}

/// What a model is called in messages.
pub fn name(path: &Path) -> &Path {
    match path == Path::new("-") {
        true => Path::new("standard input"),
        false => path,
    }
}

/// Writes a report to standard output.
pub fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::io("cannot write", e).in_file("standard output"))?;
    Ok(())
}

/// Writes what is no text to standard output.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| Error::io("cannot write", e).in_file("standard output"))?;
    Ok(())
}

/// A file that a report goes to.
pub struct ReportFile(Destination);

impl ReportFile {
    /// Refuses to write over what is reported on.
    pub fn new<'p>(path: &Path, about: impl IntoIterator<Item = &'p Path>) -> Result<ReportFile> {
        let destination = Destination::new(path)?;
        let mut about = about.into_iter();
        if about.any(|model| same_file(model, destination.real())) {
            bail!(
                "{}: is one of the models; name another file",
                path.display()
            );
        }
        Ok(ReportFile(destination))
    }

    /// Replaces the file by the report, without styles.
    pub fn write(&self, text: &str) -> Result<()> {
        let plain = anstream::adapter::strip_str(text).to_string();
        let mut rope = Rope::new();
        rope.push(plain);
        write_atomic(&self.0, &rope)?;
        Ok(())
    }
}

/// Writes a report to standard error.
pub fn print_aside(text: &str) {
    // There is nowhere left to say that this failed.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Says on standard error what went wrong.
pub fn complain(error: &anyhow::Error) {
    let error = one_line(&format!("{error:#}"));
    print_aside(&format!("{} {error}\n", style::paint(style::BAD, "error:")));
}

/// Where a rewrite reads from and writes to.
#[derive(Args)]
pub struct Files {
    /// The model; `-` is standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Where the result goes; `-` is standard output. Beside IN, with the rewrite in its name, if
    /// not given
    #[arg(value_name = "OUT", conflicts_with_all = ["out", "in_place"])]
    pub output: Option<PathBuf>,
    /// The same as OUT
    #[arg(
        short,
        long = "output",
        value_name = "OUT",
        conflicts_with = "in_place"
    )]
    out: Option<PathBuf>,
    /// Replace IN by the result
    #[arg(short, long)]
    pub in_place: bool,
    /// Overwrite OUT if it exists
    #[arg(short, long)]
    force: bool,
    /// Print what would be done, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// When OUT is in another folder than IN: take the files of weights that stand beside IN along
    #[arg(long, value_name = "HOW")]
    external_data: Option<External>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum External {
    /// Copy them
    Copy,
    /// Make hard links to them
    Link,
}

/// A place that a result may go to.
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(Destination),
}

impl Files {
    /// Finds out where the result goes, and refuses places it must not go to. `suffix` is what the
    /// rewrite puts into a name: `stripped`.
    pub fn target(&self, suffix: &str) -> Result<Target> {
        let stdin = self.input == Path::new("-");
        if self.in_place {
            if stdin {
                bail!("--in-place needs a file, and IN is standard input");
            }
            let destination = Destination::new(&self.input)?;
            if destination.exists() && !destination.real().is_file() {
                bail!(
                    "{}: is not a file, and --in-place replaces a file",
                    self.input.display()
                );
            }
            return Ok(Target::File(destination));
        }
        let path = match self.output.as_ref().or(self.out.as_ref()) {
            Some(path) if path == Path::new("-") => return Ok(Target::Stdout),
            Some(path) => path.clone(),
            None if stdin => return Ok(Target::Stdout),
            None => beside(&self.input, suffix),
        };
        let destination = Destination::new(&path)?.with_mode_of(&self.input);
        if !stdin && same_file(&self.input, destination.real()) {
            bail!(
                "{}: is IN as well as OUT; --in-place replaces it",
                path.display()
            );
        }
        may_write(&destination, self.force)?;
        Ok(Target::File(destination))
    }

    /// The files of weights to take along, each with where it goes; refuses to leave them behind.
    pub fn external(&self, model: &Model, target: &Target) -> Result<Vec<(PathBuf, PathBuf)>> {
        let Target::File(destination) = target else {
            return Ok(Vec::new());
        };
        let files = model.external_files()?;
        let from = model.folder().unwrap_or(Path::new(""));
        let to = destination.real().parent().unwrap_or(Path::new(""));
        let input = name(&self.input).display();
        if let Some(file) = files
            .iter()
            .find(|file| same_file(&from.join(file), destination.real()))
        {
            bail!(
                "{}: OUT would overwrite {}, the weights of {input}",
                destination.named().display(),
                file.display()
            );
        }
        if files.is_empty() || same_file(or_here(from), or_here(to)) {
            return Ok(Vec::new());
        }
        if self.external_data.is_none() {
            bail!(
                "{input}: its weights are in {} beside it, and OUT is in another folder; \
                 --external-data copy or link takes them along",
                files[0].display()
            );
        }
        let mut pairs = Vec::new();
        for file in files {
            let (source, copy) = (from.join(&file), to.join(&file));
            if copy.exists() && !self.force {
                bail!("{}: exists already; --force overwrites it", copy.display());
            }
            pairs.push((source, copy));
        }
        Ok(pairs)
    }

    /// Writes the result, and what goes with it.
    pub fn write(
        &self,
        rope: &Rope,
        target: &Target,
        external: &[(PathBuf, PathBuf)],
    ) -> Result<()> {
        for (from, to) in external {
            let place = || format!("{}: cannot write", to.display());
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder).with_context(place)?;
            }
            let destination = Destination::new(to)?;
            if self.external_data == Some(External::Link) {
                if to.exists() {
                    std::fs::remove_file(to).with_context(place)?;
                }
                std::fs::hard_link(from, to).with_context(place)?;
            } else {
                let source = Source::open(from)?;
                let mut whole = Rope::new();
                whole.push_range(&source, 0..source.len());
                write_atomic(&destination, &whole)?;
            }
        }
        match target {
            Target::File(destination) => write_atomic(destination, rope)?,
            Target::Stdout => {
                let mut out = std::io::stdout().lock();
                rope.write_to(&mut out)
                    .and_then(|()| {
                        let flushed = out.flush();
                        flushed.map_err(|e| Error::io("cannot write", e))
                    })
                    .map_err(|e| e.in_file("standard output"))?;
            }
        }
        Ok(())
    }
}

/// Refuses places that a result must not go to: an existing file if not forced, a folder, what is in
/// no folder.
pub fn may_write(destination: &Destination, force: bool) -> Result<()> {
    let path = destination.named().display();
    if destination.real().is_dir() {
        bail!("{path}: is a directory; name a file in it");
    }
    if destination.real().is_file() && !force {
        bail!("{path}: exists already; --force overwrites it");
    }
    let folder = or_here(destination.real().parent().unwrap_or(Path::new("")));
    if !folder.is_dir() {
        let (folder, exists) = (folder.display(), folder.exists());
        match exists {
            true => bail!("{path}: {folder} is not a folder"),
            false => bail!("{path}: the folder {folder} does not exist"),
        }
    }
    Ok(())
}

impl Target {
    /// Where the result is, in words.
    pub fn name(&self) -> String {
        match self {
            Target::Stdout => "standard output".to_string(),
            Target::File(destination) => destination.named().display().to_string(),
        }
    }
}

/// `model.onnx` and `stripped` make `model.stripped.onnx`.
pub fn beside(input: &Path, suffix: &str) -> PathBuf {
    let mut name = input.file_stem().map_or_else(OsString::new, OsString::from);
    name.push(".");
    name.push(suffix);
    if let Some(extension) = input.extension() {
        name.push(".");
        name.push(extension);
    }
    input.with_file_name(name)
}

fn or_here(folder: &Path) -> &Path {
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

pub fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b || same_inode(&a, &b),
        _ => false,
    }
}

/// True of two names (hard links) of one file.
#[cfg(unix)]
fn same_inode(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_inode(_: &Path, _: &Path) -> bool {
    false
}
