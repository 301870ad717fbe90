//! A rewrite or check of many models: files and folders, on all cores, with one report.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anstyle::Style;
use anyhow::{Context, Result, anyhow, bail};
use dropout_onnx::report::{document, one_line};
use serde_json::{Value, json};

use crate::Status;
use crate::io::{self, Files, Format, Global};
use crate::output;
use crate::parallel;
use crate::paths::{self, Found};
use crate::rewriting::{Conclusion, Rewriting};
use crate::style::{BAD, GOOD, LABEL, WARN, paint};
use crate::verification::{Verify, count};

/// What a rewrite reads, writes and verifies.
#[derive(clap::Args)]
pub struct Work {
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub many: Many,
    #[command(flatten)]
    verify: Verify,
}

/// The other models of a rewrite, and where the results are written.
#[derive(clap::Args)]
#[command(next_help_heading = "Many models")]
pub struct Many {
    #[arg(value_name = "MORE", hide = true)]
    pub more: Vec<PathBuf>,
    /// Rewrite all models given, and write the results to this folder
    ///
    /// Models may also be folders and patterns such as `models/**/*.onnx`; the results have the same paths
    /// below DIR as the models below their folders.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "in_place"])]
    output_dir: Option<PathBuf>,
    #[command(flatten)]
    pub jobs: Jobs,
}

/// How many at a time.
#[derive(clap::Args)]
#[command(next_help_heading = "Many models")]
pub struct Jobs {
    /// Number of models to work on in parallel [default: CPU cores]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// What is done with many models.
pub struct Batch<'a> {
    pub words: &'a Words,
    pub format: Format,
    /// Where the lines go.
    pub report: &'a output::Report,
    /// True of work that writes files: it continues although no one reads the report.
    pub writes: bool,
}

/// The words of a progress bar and a summary.
pub struct Words {
    pub doing: &'static str,
    /// The key of the path in the document of a model that failed.
    pub key: &'static str,
    /// Of models with [`Status::Done`].
    pub done: &'static str,
    /// Of models with [`Status::Found`].
    pub found: &'static str,
    /// Of models with [`Status::Failed`].
    pub failed: &'static str,
}

/// What a rewrite did to one model. The document and the text are made only if asked for.
pub struct Reported<'a> {
    pub end: &'a Conclusion<'a>,
    /// In a few words: `3 dropout layers removed`.
    pub words: &'a dyn Fn() -> String,
    /// The machine-readable report.
    pub document: &'a dyn Fn() -> dropout_onnx::Result<Value>,
    /// The report for people.
    pub text: &'a dyn Fn() -> String,
}

/// Called once with what a rewrite did.
pub type Report<'r> = &'r dyn Fn(&Reported<'_>) -> Result<Done>;

/// What came of one model.
pub struct Done {
    pub status: Status,
    /// A line or document; empty if it was printed.
    pub line: String,
}

/// A model to rewrite, and the file for its result.
struct Task {
    input: PathBuf,
    output: Option<PathBuf>,
    error: Option<String>,
}

impl Many {
    /// All models and folders given.
    pub fn paths(&self, files: &Files) -> Vec<PathBuf> {
        let paths = [&files.input].into_iter().chain(&files.output);
        paths.chain(&self.more).cloned().collect()
    }

    /// The models, if many may be meant: several paths or a folder, to a folder or in place.
    fn tasks(&self, files: &Files) -> Result<Option<Vec<Task>>> {
        let more = &self.more;
        let paths = self.paths(files);
        let folder = paths.iter().find(|path| paths::is_many(path));
        if self.output_dir.is_none() {
            if !files.in_place {
                if let Some(folder) = folder {
                    let advice = "add --output-dir DIR for the results, or --in-place";
                    return Err(paths::not_one(folder, advice));
                }
                if let Some(third) = more.first() {
                    let third = third.display();
                    bail!(
                        "unexpected argument '{third}'; to rewrite several models, add \
                         --output-dir DIR, or --in-place"
                    );
                }
            }
            if !files.in_place || (paths.len() == 1 && folder.is_none()) {
                return Ok(None);
            }
        }
        let mut tasks: Vec<Task> = Vec::new();
        for paths::Model { found, below } in paths::models(&paths)? {
            let output = self.output_dir.as_ref().map(|folder| folder.join(below));
            let error = match &found {
                Found::Nothing(_, error) => Some(error.to_string()),
                Found::File(path) => {
                    let other = tasks
                        .iter()
                        .find(|task| output.is_some() && task.output == output);
                    other.map(|other| {
                        let (path, other) = (path.display(), other.input.display());
                        format!("{path}: {other} would be written to the same file")
                    })
                }
            };
            tasks.push(Task {
                input: found.path().to_path_buf(),
                output,
                error,
            });
        }
        Ok(Some(tasks))
    }
}

impl Task {
    /// Where it is read from and written to, below a folder that exists.
    fn files(&self, files: &Files) -> Result<Files> {
        if let Some(error) = &self.error {
            return Err(anyhow!("{error}"));
        }
        let folder = self.output.as_deref().and_then(Path::parent);
        if let (Some(folder), false) = (folder, files.dry_run) {
            let cannot = || format!("{}: cannot create the folder", folder.display());
            std::fs::create_dir_all(folder).with_context(cannot)?;
        }
        Ok(files.of(&self.input, self.output.as_deref()))
    }
}

/// Rewrites one model, or many: then with one line or document for each, and a summary. A model that fails
/// does not stop the others. `suffix` is what the rewrite puts into the name of a result.
pub fn run(
    work: &Work,
    suffix: &str,
    format: Format,
    global: &Global,
    rewrite: impl Fn(&Rewriting<'_>, Report<'_>) -> Result<Done> + Sync,
) -> Result<Status> {
    let Work {
        files,
        many,
        verify,
    } = work;
    let Some(tasks) = many.tasks(files)? else {
        let rewriting = Rewriting::open(files, verify, global, suffix)?;
        let done = rewrite(&rewriting, &|reported| whole(reported, format))?;
        return Ok(done.status);
    };
    if let Some(evidence) = &verify.evidence {
        bail!(
            "--evidence {}: is for one model at a time",
            evidence.display()
        );
    }
    let silent = global.silent();
    let words = Words {
        doing: "rewriting",
        key: "input",
        done: "done",
        found: "with a different result",
        failed: "failed",
    };
    many.jobs.each(
        &tasks,
        |task| &task.input,
        |task| {
            let files = task.files(files)?;
            let rewriting = Rewriting::open(&files, verify, &silent, suffix)?;
            rewrite(&rewriting, &|reported| one(reported, format))
        },
        &Batch {
            words: &words,
            format,
            report: &output::Report::printed(global),
            writes: true,
        },
        global,
    )
}

impl Jobs {
    /// Works on all items, and returns the results in order.
    pub fn in_order<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> R + Sync,
        each: impl FnMut(R) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        parallel::in_order(self.jobs, items, work, each)
    }

    /// Works on each, prints a line or document for each in order, and a summary. One that fails does not
    /// stop the others.
    pub fn each<T: Sync>(
        &self,
        tasks: &[T],
        path: impl Fn(&T) -> &Path + Sync,
        work: impl Fn(&T) -> Result<Done> + Sync,
        batch: &Batch<'_>,
        global: &Global,
    ) -> Result<Status> {
        let Batch {
            words,
            format,
            report,
            writes,
        } = *batch;
        let progress = global.bar(words.doing, tasks.len());
        let mut numbers = [0; 3];
        let mut whole = String::new();
        self.in_order(
            tasks,
            |task| (path(task).to_path_buf(), work(task)),
            |(path, done)| {
                let done = done.unwrap_or_else(|error| {
                    progress.suspend(|| failed(&path, &format!("{error:#}"), words.key, format))
                });
                numbers[done.status as usize] += 1;
                progress.inc(1);
                if !report.is_printed() {
                    whole.push_str(&done.line);
                } else if format == Format::Json || !report.is_quiet() {
                    let read = progress.suspend(|| output::stream(&done.line))?;
                    if !writes {
                        return Ok(read);
                    }
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        progress.finish_and_clear();
        let [good, found, failed] = numbers;
        if format == Format::Text && !report.is_quiet() {
            let plain = Style::new();
            let parts = [
                (good, plain, words.done),
                (found, BAD, words.found),
                (failed, WARN, words.failed),
            ];
            let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
            let parts = parts.map(|(number, style, word)| paint(style, format!("{number} {word}")));
            let parts: Vec<String> = parts.collect();
            let models = count(tasks.len(), "model");
            whole.push_str(&format!("{models}: {}\n", parts.join(", ")));
        }
        report.write(&whole)?;
        Ok(match (failed, found) {
            (0, 0) => Status::Done,
            (0, _) => Status::Found,
            _ => Status::Failed,
        })
    }
}

/// Complains about a model that failed.
fn failed(path: &Path, error: &str, key: &str, format: Format) -> Done {
    io::complain_of(path, error);
    let document = json!({key: path.to_string_lossy(), "error": error});
    let line = match format {
        Format::Json => format!("{document}\n"),
        Format::Text => String::new(),
    };
    let status = Status::Failed;
    Done { status, line }
}

/// Prints the report of the only model.
fn whole(reported: &Reported<'_>, format: Format) -> Result<Done> {
    let text = match format {
        Format::Json => document::text(&(reported.document)()?)?,
        Format::Text => (reported.text)(),
    };
    reported.end.print(&text, format)?;
    Ok(Done {
        status: reported.end.status(),
        line: String::new(),
    })
}

/// The line about one of many.
fn one(reported: &Reported<'_>, format: Format) -> Result<Done> {
    let Reported { end, .. } = reported;
    let status = end.status();
    let line = match format {
        Format::Json => format!("{}\n", (reported.document)()?),
        Format::Text => {
            let style = if status == Status::Done { GOOD } else { BAD };
            let input = one_line(&end.job.files().input.to_string_lossy());
            let words = paint(style, format!("{}{}", (reported.words)(), end.words()));
            format!("{}: {words}\n", paint(LABEL, input))
        }
    };
    Ok(Done { status, line })
}
