//! `dropout-onnx audit`: the dropout in models, and whether it is still active.

mod findings;
mod text;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use dropout_onnx::audit::baseline::Resolved;
use dropout_onnx::audit::config::{Format, Usage};
use dropout_onnx::audit::{Document, Level, ModelAudit};
use dropout_onnx::keras::Archive;
use dropout_onnx::onnx::Model;
use dropout_onnx::report::html::{self, Pictures};
use dropout_onnx::report::{concise, github, json, jsonl, junit, markdown, sarif};
use dropout_onnx::show::svg::{self, Picture};

use crate::Status;
use crate::baseline::{BaselineArgs, Baselines};
use crate::completions::choices;
use crate::config::{ConfigArgs, Configs};
use crate::io::{self, Global};
use crate::output::{self, Output, Report};
use crate::parallel;
use crate::paths::{Found, PathArgs};
use crate::rules::RuleArgs;
use crate::style;

/// List the dropout in models, and whether it is still active
///
/// Folders are searched for `*.onnx`, except for hidden files and files that `.gitignore` excludes.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Format of the report [default: text, or by FILE's extension or the configuration]
    #[arg(long, value_name = "FORMAT", value_parser = choices(Format::ALL, |it| (it.word(), it.about())))]
    format: Option<Format>,
    #[command(flatten)]
    output: Output,
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
        output::print(&style::page(&page))?;
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
    let models = || found.iter().map(Found::path);
    let settings: Vec<&Path> = configs.files().chain(args.baseline.files()).collect();
    if let Some(path) = args.output.file()
        && settings.iter().any(|file| io::same_place(file, path))
    {
        let path = path.display();
        bail!("{path}: is also read or written; name another file");
    }
    let report = args.output.open(models(), global)?;
    let parse = |word: &str| word.parse().ok();
    let otherwise = || configs.format();
    let format = output::format(args.format, args.output.file(), parse, otherwise)?;
    let baselines = args.baseline.open(models(), configs.files(), global)?;
    let run = Run {
        args,
        global,
        format: format.unwrap_or(Format::Text),
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
    report: Report,
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
        let streams = self.streams();
        let progress = self.global.bar("auditing", found.len());
        let (mut models, mut usages, mut resolved) = (Vec::new(), Vec::new(), Vec::new());
        let indexed: Vec<(usize, &Found)> = found.iter().enumerate().collect();
        parallel::in_order(
            self.args.jobs,
            &indexed,
            |(index, found)| self.model(*index, found),
            |audited| {
                let mut read = ControlFlow::Continue(());
                if streams {
                    let lines = self.lines(&audited.model)?;
                    read = progress.suspend(|| output::stream(&lines))?;
                }
                pictures.insert(audited.model.path.clone(), audited.pictures);
                models.push(audited.model);
                usages.push(audited.usages);
                resolved.extend(audited.resolved);
                progress.inc(1);
                // a baseline has all models
                let writes = self.baselines.writes();
                Ok(if writes {
                    ControlFlow::Continue(())
                } else {
                    read
                })
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

    /// True of formats with lines for each model, which are printed as soon as they are known.
    fn streams(&self) -> bool {
        let lines = match self.format {
            Format::Concise => !self.global.quiet,
            format => format == Format::Jsonl,
        };
        lines && self.report.is_printed()
    }

    fn lines(&self, model: &ModelAudit) -> Result<String> {
        Ok(match self.format {
            Format::Jsonl => jsonl::line(model)?,
            _ => concise::lines(model),
        })
    }

    fn print(&self, document: &Document, pictures: &Pictures, streamed: bool) -> Result<()> {
        let remarks = document.remarks.iter().map(concise::remark);
        let remarks: String = remarks.collect();
        match self.format {
            // a line is a model, and nothing else
            Format::Jsonl if !self.global.quiet => io::print_aside(&remarks),
            Format::Concise if streamed => output::print(&remarks)?,
            _ => {}
        }
        if !streamed {
            self.report.write(&self.text(document, pictures)?)?;
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

    fn text(&self, document: &Document, pictures: &Pictures) -> Result<String> {
        let models = document.models.iter();
        let base = || std::env::current_dir().context("cannot find the current folder");
        Ok(match self.format {
            Format::Text | Format::Concise if self.report.is_quiet() => String::new(),
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
            _ => text::document(document, self.global.verbose),
        })
    }
}
