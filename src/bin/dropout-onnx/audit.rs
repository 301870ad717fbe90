//! `dropout-onnx audit`: the dropout in models, and whether it is still active.

mod findings;
mod text;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use dropout_onnx::audit::baseline::Resolved;
use dropout_onnx::audit::config::{self, Usage};
use dropout_onnx::audit::{Document, Level, ModelAudit};
use dropout_onnx::keras::Archive;
use dropout_onnx::onnx::Model;
use dropout_onnx::report::html::{self, Pictures};
use dropout_onnx::report::{concise, github, json, jsonl, junit, markdown, sarif};
use dropout_onnx::show::svg::{self, Picture};

use crate::Status;
use crate::baseline::{BaselineArgs, Baselines};
use crate::config::{ConfigArgs, Configs};
use crate::io::{self, Global};
use crate::parallel;
use crate::paths::{Found, PathArgs};
use crate::rules::RuleArgs;

/// List the dropout in models, and whether it is still active
///
/// Folders are searched for `*.onnx`, except for hidden files and files that `.gitignore` excludes.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Format of the report [default: text, or the configuration's]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write the report to a file once it is complete
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Number of models to audit in parallel [default: CPU cores]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Keras model (.keras) that the model was exported from: reports what became of each dropout in it
    ///
    /// A dropout is active, inert, missing (as after an export for inference), or unknown. Takes one model.
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// Exit with 0 whatever is found
    #[arg(long)]
    exit_zero: bool,
    #[command(flatten)]
    paths: PathArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    baseline: BaselineArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table, for people
    Text,
    /// One line per finding: `path: level rule: message`
    Concise,
    /// The audit document, described by docs/audit.schema.json
    Json,
    /// One line per model, as soon as it is audited
    Jsonl,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub Actions annotations
    Github,
    /// JUnit XML: one suite per model, one test per finding
    Junit,
    /// Tables, for a job summary
    Markdown,
    /// A page to sort and filter, in one file
    Html,
}

impl From<config::Format> for Format {
    fn from(format: config::Format) -> Format {
        match format {
            config::Format::Text => Format::Text,
            config::Format::Concise => Format::Concise,
            config::Format::Json => Format::Json,
            config::Format::Jsonl => Format::Jsonl,
            config::Format::Sarif => Format::Sarif,
            config::Format::Github => Format::Github,
            config::Format::Junit => Format::Junit,
            config::Format::Markdown => Format::Markdown,
            config::Format::Html => Format::Html,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx audit model.onnx
  dropout-onnx audit --format sarif --output audit.sarif models/
  dropout-onnx audit --format html --output audit.html models/
  git ls-files '*.onnx' | dropout-onnx audit --files-from -
  dropout-onnx audit --deny runtime-dropout --allow notes model.onnx
  dropout-onnx audit --explain active-dropout
  dropout-onnx audit --source model.keras model.onnx
  dropout-onnx audit --config strict.toml model.onnx
  dropout-onnx audit --write-baseline baseline.json models/
  dropout-onnx audit --baseline baseline.json models/

docs/configuration.md describes dropout-onnx.toml, fingerprints and baselines.

Exit status: 0 no errors, except those that are allowed or in the baseline; 1 a rule reported an
error: active dropout, an operator that no runtime loads, or a rule of --deny; 2 a model, the
configuration or the baseline could not be read.";

/// Rules about invalid models and dropout, the worst first.
const INVALID: &[&str] = &["unsound-model", "invalid-dropout", "invalid-rate"];

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    if let Some(page) = args.rules.explained()? {
        io::print(&page)?;
        return Ok(Status::Done);
    }
    let rules = args.rules.selection()?;
    let found = args.paths.find()?;
    let source = match (&args.source, &found[..]) {
        (None, _) => None,
        (Some(path), [_]) => Some(Archive::open(path)?),
        (Some(_), _) => bail!("--source takes one model, which was exported from it"),
    };
    let configs = args.config.load(&found, &rules)?;
    let format = match args.format {
        Some(format) => format,
        None => configs.format()?.map_or(Format::Text, Format::from),
    };
    let models = || found.iter().map(Found::path);
    let settings: Vec<&Path> = configs.files().chain(args.baseline.files()).collect();
    let report = match &args.output {
        Some(path) if settings.iter().any(|file| io::same_place(file, path)) => {
            bail!(
                "{}: is also read or written; name another file",
                path.display()
            )
        }
        Some(path) => Some(io::ReportFile::new(path, models(), global)?),
        None => None,
    };
    let baselines = args.baseline.open(models(), configs.files(), global)?;
    let run = Run {
        args,
        global,
        format,
        configs,
        baselines,
        report,
        source,
    };
    run.audit(&found)
}

/// Everything that is decided before the first model is read.
struct Run<'a> {
    args: &'a Args,
    global: &'a Global,
    format: Format,
    configs: Configs,
    baselines: Baselines,
    report: Option<io::ReportFile>,
    source: Option<Archive>,
}

/// A model, and what came of the configuration and the baseline.
struct Audited {
    model: ModelAudit,
    /// For the page.
    pictures: Vec<Picture>,
    usages: Vec<Usage>,
    resolved: Vec<Resolved>,
}

impl Run<'_> {
    fn audit(mut self, found: &[Found]) -> Result<Status> {
        let mut pictures = Pictures::new();
        let streams = self.format == Format::Jsonl && self.report.is_none();
        let progress = self.global.bar("auditing", found.len());
        let (mut models, mut usages, mut resolved) = (Vec::new(), Vec::new(), Vec::new());
        let indexed: Vec<(usize, &Found)> = found.iter().enumerate().collect();
        parallel::in_order(
            self.args.jobs,
            &indexed,
            |(index, found)| self.model(*index, found),
            |audited| {
                if streams {
                    let line = jsonl::line(&audited.model)?;
                    progress.suspend(|| io::print(&line))?;
                }
                pictures.insert(audited.model.path.clone(), audited.pictures);
                models.push(audited.model);
                usages.push(audited.usages);
                resolved.extend(audited.resolved);
                progress.inc(1);
                Ok(())
            },
        )?;
        progress.finish_and_clear();
        for (found, model) in found.iter().zip(&models) {
            self.baselines.add(found.path(), model);
        }

        let mut document = Document::new(models);
        document.remarks = self.configs.remarks(&usages);
        document.remarks.extend(self.baselines.remarks(resolved));
        self.print(&document, &pictures, streams)?;
        let status = self.status(&document);
        if let Some(written) = self.baselines.write(&document.models)?
            && !self.global.quiet
        {
            io::print_aside(&format!("{written}\n"));
        }
        Ok(status)
    }

    fn model(&self, index: usize, found: &Found) -> Audited {
        let rules = self.configs.rules(index);
        let path = found.path();
        let mut model = match found {
            Found::File(path) if path == Path::new("-") => io::read(path)
                .and_then(|model| ModelAudit::with("-", &model, rules))
                .unwrap_or_else(|e| ModelAudit::failed("-", &e)),
            Found::File(path) => ModelAudit::open_with(path, rules),
            Found::Nothing(path, error) => ModelAudit::failed(&path.to_string_lossy(), error),
        };
        if let (Some(source), None) = (&self.source, &model.error) {
            model.compare(source);
        }
        Audited {
            pictures: self.pictures(path, &model),
            usages: self.configs.apply(index, path, &mut model),
            resolved: self.baselines.apply(path, &mut model, rules),
            model,
        }
    }

    /// Pictures for the page; of a model that cannot be drawn, none.
    fn pictures(&self, path: &Path, model: &ModelAudit) -> Vec<Picture> {
        if self.format != Format::Html || model.sites.is_empty() {
            return Vec::new();
        }
        let drawn = Model::open(path).and_then(|model| svg::pictures(&model));
        drawn.unwrap_or_default()
    }

    fn print(&self, document: &Document, pictures: &Pictures, streamed: bool) -> Result<()> {
        if !streamed {
            let text = report(self.format, document, pictures, self.global)?;
            match &self.report {
                Some(file) => file.write(&text)?,
                None => io::print(&text)?,
            }
        }
        if self.format == Format::Jsonl && !self.global.quiet {
            // a line is a model, and nothing else
            let remarks = document.remarks.iter().map(concise::remark);
            io::print_aside(&remarks.collect::<String>());
        }
        Ok(())
    }

    /// Complains about what could not be audited.
    fn status(&self, document: &Document) -> Status {
        let mut status = Status::Done;
        // what is written to a baseline is known from now on
        let knows = self.baselines.writes();
        for model in &document.models {
            let open: Vec<_> = model.open_findings().filter(|_| !knows).collect();
            let mut broken = INVALID.iter();
            let broken = broken.find_map(|rule| open.iter().find(|f| f.rule == *rule));
            let broken = broken.map(|finding| &finding.message);
            if let Some(error) = model.error.as_ref().or(broken) {
                io::complain_of(Path::new(&model.path), error);
                status = Status::Failed;
            } else if open.iter().any(|f| f.level == Level::Error)
                && status == Status::Done
                && !self.args.exit_zero
            {
                status = Status::Found;
            }
        }
        status
    }
}

fn report(
    format: Format,
    document: &Document,
    pictures: &Pictures,
    global: &Global,
) -> Result<String> {
    let models = document.models.iter();
    let base = || std::env::current_dir().context("cannot find the current folder");
    Ok(match format {
        Format::Text | Format::Concise if global.quiet => String::new(),
        Format::Text => text::document(document, global.verbose),
        Format::Concise => {
            let remarks = document.remarks.iter().map(concise::remark);
            models.map(concise::lines).chain(remarks).collect()
        }
        Format::Json => json::text(document)?,
        Format::Jsonl => models.map(jsonl::line).collect::<Result<_, _>>()?,
        Format::Sarif => sarif::text(document, &base()?),
        Format::Github => {
            let base = base()?;
            let remarks = document.remarks.iter();
            let remarks = remarks.map(|remark| github::remark(remark, &base));
            let models = models.map(|model| github::commands(model, &base));
            models.chain(remarks).collect()
        }
        Format::Junit => junit::text(document)?,
        Format::Markdown => markdown::text(document),
        Format::Html => html::text(document, pictures),
    })
}
