//! `dropout-onnx insert`: dropout put into a model.

mod sites;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::builder::TypedValueParser;
use dropout_onnx::report::document;
use dropout_onnx::rewrite::insert::{By, Choice, Inserted, Options, PlanFile, Preset, insert};
use dropout_onnx::rewrite::{Acting, Action, Rate};
use dropout_onnx::verify::acting::{Expected, verify_change};

use crate::Status;
use crate::completions::Offering;
use crate::io::{self, Files, Format, Global};
use crate::rewriting::{Conclusion, Lines, Rewriting};
use crate::style::{DIM, Table, WARN, paint};
use crate::verification::{Verify, count};

/// Put dropout in, for fine-tuning or Monte-Carlo runs
///
/// Dropout is put behind values: what used a value uses the dropout. Choose them by operator, name,
/// layer or position, each with a rate of its own if you like (`--after Relu=0.2`); what any of the
/// options chooses gets dropout, but outputs of the model only if `--at` names them. Where two of them
/// meet at different rates, `--at` counts; of others it is an error. It is inert unless asked otherwise: the result computes what the model did, and `strip` gives the model back,
/// byte for byte. `set` switches it on later.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("seed", |arg| arg.long("verify-seed")))]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// The probability to drop, where a selector has none of its own: at least 0, less than 1. At 0
    /// nothing drops until `set` changes it
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<Rate>,
    /// Whether it acts: inert, active, or runtime[:NAME], which adds an optional boolean input to the
    /// model, false if not given
    #[arg(long, value_name = "MODE", default_value = "inert", value_parser = mode(), hide_possible_values = true)]
    mode: Acting,
    /// Seed of the first dropout; the others have those that follow
    #[arg(
        id = "dropout_seed",
        long = "seed",
        value_name = "N",
        allow_negative_numbers = true
    )]
    seed: Option<i64>,
    /// Share masks along these axes, 2,3 for whole channels of images: written as a random mask, which
    /// every runtime runs
    #[arg(
        long,
        value_name = "AXES",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    shared_axes: Option<Vec<i64>>,
    /// List what would be chosen, with shapes and usual rates, and write nothing
    #[arg(long)]
    sites: bool,
    /// How the report is written; a list of sites also as a plan file (toml)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: SitesFormat,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    verify: Verify,
}

/// How a report, or a list of sites, is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SitesFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// With --sites: a plan file, to edit and to give to --plan
    Toml,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Selectors, each with =RATE behind it if it has its own")]
struct Selectors {
    /// Values that operators of this type make
    #[arg(long, value_name = "OP_TYPE", value_parser = choice(By::After))]
    after: Vec<Choice>,
    /// Values, or what nodes make, whose name matches; `*` is any text
    #[arg(long, value_name = "GLOB", value_parser = choice(By::Name))]
    name: Vec<Choice>,
    /// What layers hand on whose path matches: `encoder.layers.*.linear1`, `model/dense_1`
    #[arg(long, value_name = "PATH", value_parser = choice(By::Layer))]
    layer: Vec<Choice>,
    /// A usual position: head, conv, attention, residual or embedding
    #[arg(long, value_name = "WHICH", value_parser = presets(), hide_possible_values = true)]
    preset: Vec<Choice>,
    /// Exactly this value
    #[arg(long, value_name = "VALUE", value_parser = choice(By::At))]
    at: Vec<Choice>,
    /// Choices from a file (TOML): `[[insert]]` tables with at, after, name, layer, preset, scope,
    /// rate and shared_axes; all that stands in one table must hold. `rate`, `mode` and `seed` above
    /// them hold where no option says otherwise
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx insert model.onnx --sites            where dropout would usually go
  dropout-onnx insert model.onnx --rate 0.3 --preset head
  dropout-onnx insert model.onnx --after Relu=0.2 --layer 'encoder.*.linear2=0.1'
  dropout-onnx insert model.onnx --rate 0.1 --preset attention --mode runtime:training
  dropout-onnx insert model.onnx --rate 0.2 --preset conv --shared-axes 2,3 --mode active
  dropout-onnx insert model.onnx --sites --format toml > dropout.toml
  dropout-onnx insert model.onnx --plan dropout.toml

Exit status: 0 inserted and verified; 1 the result differs, nothing is written; 2 it could not do
the job, nothing is written.";

pub fn rate(text: &str) -> Result<Rate, String> {
    text.parse().map_err(|e: dropout_onnx::Error| e.to_string())
}

/// Parses `--mode`; completions offer what has no name behind it.
pub fn mode() -> impl TypedValueParser<Value = Acting> {
    let parse = |text: &str| text.parse().map_err(|e: dropout_onnx::Error| e.to_string());
    Offering::new(parse, ["inert", "active", "runtime"])
}

fn choice(by: By) -> impl Fn(&str) -> Result<Choice, String> + Clone {
    move |text| Choice::parse(by, text).map_err(|e| e.to_string())
}

fn presets() -> impl TypedValueParser<Value = Choice> {
    let words = Preset::ALL.iter().map(|preset| preset.word());
    Offering::new(choice(By::Preset), words)
}

fn options(args: &Args) -> Result<Options> {
    let selectors = &args.selectors;
    let choices = [
        &selectors.after,
        &selectors.name,
        &selectors.layer,
        &selectors.preset,
        &selectors.at,
    ];
    let choices = choices.into_iter().flatten().map(|choice| Choice {
        shared_axes: args.shared_axes.clone(),
        ..choice.clone()
    });
    let choices = choices.collect();
    let mut options = Options {
        choices,
        rate: args.rate,
        acting: args.mode.clone(),
        seed: args.seed,
    };
    if let Some(path) = &selectors.plan {
        let file = PlanFile::read(path)?;
        file.merge(&mut options, args.mode != Acting::Inert)?;
    }
    Ok(options)
}

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let options = options(args)?;
    if args.sites {
        return sites::run(&args.files.input, &options, args.format);
    }
    let format = match args.format {
        SitesFormat::Text => Format::Text,
        SitesFormat::Json => Format::Json,
        SitesFormat::Toml => bail!("--format toml is how --sites writes a plan file"),
    };
    if options.choices.is_empty() {
        bail!(
            "nothing was chosen: --after, --name, --layer, --preset, --at or --plan say where \
             dropout goes, and --sites lists where it usually does"
        );
    }
    let rewriting = Rewriting::open(&args.files, &args.verify, global, "dropout")?;
    let inserted = insert(&rewriting.model, &options);
    let inserted = inserted.map_err(|e| e.in_file(io::name(&args.files.input)))?;
    let expected = Expected::of_insert(&inserted, &options);
    let end = rewriting.conclude(&inserted.edited, false, |before, after, how| {
        verify_change(before, after, &expected, how)
    })?;
    let text = match format {
        Format::Json => document::text(&document::insert(&end, &options, &inserted)?)?,
        Format::Text => text(global, &options, &inserted, &end),
    };
    end.print(&text, format)?;
    Ok(end.status())
}

fn text(global: &Global, options: &Options, inserted: &Inserted, end: &Conclusion<'_>) -> String {
    let mut lines = Lines::default();
    let number = count(inserted.outcome.inserted, "dropout");
    lines.line("inserted", format!("{number}, {}", options.acting));
    let shown = if global.verbose { usize::MAX } else { 12 };
    let mut table = Table::default();
    for step in inserted.plan.steps.iter().take(shown) {
        let place = &inserted.places[step.site];
        let (output, why) = match &step.action {
            Action::Apply => (place.output.to_string(), String::new()),
            other => ("-".to_string(), other.to_string()),
        };
        let seed = place.seed.map(|seed| format!("seed {seed}"));
        table.row([
            (anstyle::Style::new(), format!("p={}", place.rate)),
            (DIM, seed.unwrap_or_default()),
            (anstyle::Style::new(), step.label.clone()),
            (anstyle::Style::new(), output),
            (DIM, why),
        ]);
    }
    lines.line("", table.render("          ").trim().to_string());
    let more = inserted.plan.steps.len().saturating_sub(shown);
    if more > 0 {
        let more = format!("and {more} more; -v lists them all");
        lines.line("", paint(DIM, more));
    }
    if let Some(switch) = &inserted.outcome.switch {
        lines.line(
            "input",
            switched(switch.to_string(), inserted.outcome.added_input),
        );
    }
    end.text(&mut lines);
    lines.into_text()
}

/// What is said of the input that switches dropout.
pub fn switched(name: String, added: bool) -> String {
    match added {
        true => format!(
            "`{name}` {} the interface, optional: true switches dropout on; strip leaves it there",
            paint(WARN, "is added to")
        ),
        false => format!("`{name}`, which was there, switches dropout on"),
    }
}
