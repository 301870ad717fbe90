//! `dropout-onnx insert`: dropout inserted into a model.

mod sites;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::builder::TypedValueParser;
use dropout_onnx::dropout::Examined;
use dropout_onnx::job::Written;
use dropout_onnx::keras::Archive;
use dropout_onnx::report::{alike, document};
use dropout_onnx::rewrite::insert::{
    By, Choice, Inserted, Options, PlanFile, Preset, Unplaced, from, insert, like,
};
use dropout_onnx::rewrite::{Acting, Action, Rate, Step};

use crate::Status;
use crate::completions::Offering;
use crate::io::{self, Global, PlanFormat};
use crate::lines::Lines;
use crate::many::{self, Done, Report, Reported, Work};
use crate::rewriting::{Conclusion, Rewriting};
use crate::style::{DIM, Table, WARN, paint};
use crate::verification::count;

/// Insert dropout, for fine-tuning or Monte Carlo dropout
///
/// Dropout is inserted after values, and every reader of a value then reads the dropout. Select values
/// by operator, name, layer or position, each with an optional rate (`--after Relu=0.2`). A value that
/// any of the options selects gets dropout; outputs of the model only if `--at` names them. If two
/// options select a value with different rates, `--at` takes precedence, and otherwise it is an error.
///
/// Inserted dropout is inert by default: the result computes what the model computed, and `strip`
/// restores the model byte for byte. `set` makes it active later.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Probability to drop, for selectors without =RATE
    ///
    /// A number of at least 0 and less than 1; presets have a usual one. At 0 nothing is dropped until `set` changes the rate.
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    rate: Option<Rate>,
    /// Mode of the dropout: inert, active, or runtime[:NAME]
    ///
    /// runtime adds an optional boolean input that is false by default.
    #[arg(long, value_name = "MODE", default_value = "inert", value_parser = mode(), hide_possible_values = true)]
    mode: Acting,
    /// Seed of the first dropout; the others get consecutive seeds
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    mask_seed: Option<i64>,
    /// Share masks along these axes, for example 2,3 to drop whole channels of images. Writes random
    /// masks instead of Dropout operators
    #[arg(
        long,
        value_name = "AXES",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    shared_axes: Option<Vec<i64>>,
    /// Give each Dropout its mask as a second output, which nothing uses: ONNX Runtime's training needs it
    #[arg(long)]
    mask_output: bool,
    /// List the selected positions, with shapes and usual rates, and write nothing
    #[arg(long)]
    sites: bool,
    /// Format of the report, or of the list of --sites
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: PlanFormat,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    work: Work,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Selectors (append =RATE to override --rate)")]
struct Selectors {
    /// Outputs of nodes with this operator
    #[arg(long, value_name = "OP_TYPE", value_parser = choice(By::After))]
    after: Vec<Choice>,
    /// Values with a matching name, and outputs of nodes with one; `*` matches any text
    #[arg(long, value_name = "GLOB", value_parser = choice(By::Name))]
    name: Vec<Choice>,
    /// Outputs of layers whose path matches: `encoder.layers.*.linear1`, `model/dense_1`
    #[arg(long, value_name = "PATH", value_parser = choice(By::Layer))]
    layer: Vec<Choice>,
    /// Positions of a kind, with the usual rate: head (0.5), conv, attention, residual, embedding, ffn or drop-path (0.1)
    #[arg(long, value_name = "WHICH", value_parser = presets(), value_delimiter = ',', hide_possible_values = true)]
    preset: Vec<Choice>,
    /// The value with this name
    #[arg(long, value_name = "VALUE", value_parser = choice(By::At))]
    at: Vec<Choice>,
    /// Where the model FILE of the same architecture has dropout, with its rates, whatever the weights. What
    /// has no place here is named in a warning
    #[arg(long, value_name = "FILE", conflicts_with = "sites")]
    like: Option<PathBuf>,
    /// Where the Keras model FILE (.keras), which the model was exported from, has dropout, with its rates. What
    /// has no place here is named in a warning
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sites", "like"])]
    from: Option<PathBuf>,
    /// Read selectors from a TOML file: `[[insert]]` tables with at, after, name, layer, preset, scope,
    /// rate and shared_axes, where all keys of a table must match. `rate`, `mode` and `seed` at the top
    /// are defaults for --rate, --mode and --mask-seed
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx insert model.onnx --sites            lists the usual positions
  dropout-onnx insert model.onnx --rate 0.3 --preset head
  dropout-onnx insert model.onnx --after Relu=0.2 --layer 'encoder.*.linear2=0.1'
  dropout-onnx insert model.onnx --preset attention,residual,ffn=0.2 --mode runtime:training
  dropout-onnx insert model.onnx --rate 0.2 --preset conv --shared-axes 2,3 --mode active
  dropout-onnx insert model.onnx --preset head --mode active --mask-output
  dropout-onnx insert pruned.onnx --like trained.onnx
  dropout-onnx insert model.onnx --from model.keras
  dropout-onnx insert model.onnx --sites --format toml > dropout.toml
  dropout-onnx insert model.onnx --plan dropout.toml

Exit status: 0 inserted and verified; 1 the result differs, nothing is written; 2 error,
nothing is written.";

/// Parses `--mode`; completions offer the modes without a name.
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
    let choices = choices.into_iter().flatten();
    let choices = choices.map(|choice| choice.clone().shared_axes(args.shared_axes.clone()));
    let choices = choices.collect();
    let mut options = Options::default()
        .choices(choices)
        .rate(args.rate)
        .acting(args.mode.clone())
        .seed(args.mask_seed)
        .mask_output(args.mask_output);
    if let Some(path) = &selectors.plan {
        let file = PlanFile::read(path)?;
        file.merge(&mut options, args.mode != Acting::Inert)?;
    }
    Ok(options)
}

pub fn run(args: &Args, global: &Global) -> Result<Status> {
    let options = options(args)?;
    if args.sites {
        return sites::run(
            &args.work.files.input,
            &options,
            args.format,
            global.verbose,
        );
    }
    let format = args.format.of_report(false, "--sites")?;
    let selectors = &args.selectors;
    if options.choices.is_empty() && selectors.like.is_none() && selectors.from.is_none() {
        bail!(
            "no position selected: give --after, --name, --layer, --preset, --at, --like, --from or \
             --plan; --sites lists the usual positions"
        );
    }
    many::run(
        &args.work,
        "dropout",
        format,
        global,
        |rewriting, report| rewrite(args, &options, rewriting, report),
    )
}

/// Inserts dropout into one model.
fn rewrite(
    args: &Args,
    options: &Options,
    rewriting: &Rewriting<'_>,
    report: Report<'_>,
) -> Result<Done> {
    let here = |e: dropout_onnx::Error| e.in_file(rewriting.name());
    let (mut options, mut unplaced) = (options.clone(), Vec::new());
    let found = match (&args.selectors.like, &args.selectors.from) {
        (Some(path), _) => {
            let trained = Examined::owning(io::read(path)?);
            Some(like(rewriting.before(), &trained, options.rate).map_err(here)?)
        }
        (None, Some(path)) => {
            let source = Archive::open(path)?;
            Some(from(rewriting.before(), &source).map_err(here)?)
        }
        (None, None) => None,
    };
    if let Some(found) = found {
        options.choices.extend(found.choices);
        unplaced = found.unplaced;
    }
    // also where nothing else can be inserted
    warn(&unplaced, rewriting.name());
    let options = &options;
    let mut inserted = insert(rewriting.before(), options).map_err(here)?;
    inserted.unplaced = unplaced;
    let expected = inserted.expected(options);
    let end = rewriting.conclude_change(&inserted.edited, false, &expected)?;
    report(&Reported {
        end: &end,
        words: &|| {
            format!(
                "{} inserted",
                count(inserted.outcome.inserted, "dropout layer")
            )
        },
        document: &|| document::insert(&end, options, &inserted),
        text: &|| text(options, &inserted, &end),
    })
}

/// Names the dropout of the other model that was not inserted.
fn warn(unplaced: &[Unplaced], path: &Path) {
    for Unplaced { dropout, why, .. } in unplaced {
        io::warn(&format!("{}: {dropout}: not placed: {why}", path.display()));
    }
}

fn text(options: &Options, inserted: &Inserted, end: &Conclusion<'_>) -> String {
    let mut lines = Lines::default();
    let number = count(inserted.outcome.inserted, "dropout layer");
    match end.written {
        Written::DryRun => lines.line(
            "dry run",
            format!("would insert {number}, {}", options.acting),
        ),
        _ => lines.line("inserted", format!("{number}, {}", options.acting)),
    }
    lines.table("", &table(inserted, end.verbose));
    if let Some(switch) = &inserted.outcome.switch {
        lines.line(
            "input",
            switched(switch.to_string(), inserted.outcome.added_input),
        );
    }
    end.text(&mut lines);
    lines.into_text()
}

/// Where dropout was inserted; places that differ only in numbers in one row unless `verbose`.
fn table(inserted: &Inserted, verbose: bool) -> Table {
    let row = |step: &Step| {
        let place = &inserted.places[step.site];
        let (output, why) = match &step.action {
            Action::Apply => (place.output.to_string(), String::new()),
            other => ("-".to_string(), other.to_string()),
        };
        let seed = place.seed.map(|seed| format!("seed {seed}"));
        let key = (format!("p={}", place.rate), seed.unwrap_or_default(), why);
        (key, [step.label.clone(), output])
    };
    let steps = inserted.plan.steps.iter().enumerate();
    let groups = alike(steps, |(index, step)| {
        let (key, places) = row(step);
        ((key, verbose.then_some(*index)), places)
    });
    let mut table = Table::default();
    table.head(["RATE", "SEED", "", "AFTER", "DROPOUT", ""]);
    let plain = anstyle::Style::new();
    for group in groups {
        let ((rate, seed, why), _) = row(group.items[0].1);
        let [label, output] = group.places();
        table.row([
            (plain, rate),
            (DIM, seed),
            (plain, group.times()),
            (plain, label),
            (plain, output),
            (DIM, why),
        ]);
    }
    table.compact()
}

/// The report of the input that switches dropout.
pub fn switched(name: String, added: bool) -> String {
    match added {
        true => format!(
            "`{name}` {} the interface, optional, true switches dropout on; strip keeps it",
            paint(WARN, "is added to")
        ),
        false => format!("`{name}`, an existing input, switches dropout on"),
    }
}
