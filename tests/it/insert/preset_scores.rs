//! How well the presets know where source models have dropout: recall and precision by architecture, over pairs
//! of inference and training exports. `cargo test --test it preset_scores -- --nocapture` prints what is
//! missed and what is elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dropout_onnx::dropout::Examined;
use dropout_onnx::onnx::{GraphId, Model, Name, NodeId};
use dropout_onnx::rewrite::Rate;
use dropout_onnx::rewrite::insert::{Choice, Like, Options, Preset, candidates, like};

/// A position: a graph and a value. Dropout before or after what only moves elements is at the same one.
type Position = (String, String);

/// The pairs, by name.
fn pairs() -> BTreeMap<String, [PathBuf; 2]> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/presets");
    let more = std::env::var_os("DROPOUT_ONNX_PAIRS").map(PathBuf::from);
    let folder = more.unwrap_or(own);
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let evals = files.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".eval.onnx")?;
        let train = path.with_file_name(format!("{name}.train.onnx"));
        Some((name.to_string(), [path.clone(), train]))
    });
    evals.collect()
}

/// Finds positions of a model.
struct Positions<'m> {
    model: &'m Model,
    scopes: BTreeMap<String, GraphId>,
    producers: BTreeMap<(GraphId, &'m Name), NodeId>,
    reads: BTreeMap<(GraphId, &'m Name), usize>,
}

impl<'m> Positions<'m> {
    fn new(model: &'m Model) -> Self {
        let scopes = model.graphs().map(|(id, _)| (model.scope(id), id));
        let mut found = Positions {
            model,
            scopes: scopes.collect(),
            producers: BTreeMap::new(),
            reads: BTreeMap::new(),
        };
        for (id, node) in model.nodes() {
            for output in &node.outputs {
                found.producers.insert((id.graph, output), id);
            }
            // what reads the shape reads no elements
            let reads = node.inputs.iter().filter(|_| node.op_type != "Shape");
            for input in reads {
                *found.reads.entry((id.graph, input)).or_default() += 1;
            }
        }
        found
    }

    /// The value before all that only moves its elements.
    fn of(&self, scope: &str, value: &str) -> Position {
        let graph = self.scopes[scope];
        let name = Name::from(value);
        let mut at = &name;
        loop {
            let before = self
                .producers
                .get(&(graph, at))
                .map(|&id| self.model.node(id));
            let before = before.filter(|node| MOVES.iter().any(|&op| node.op_type == op));
            match before.and_then(|node| node.inputs.iter().next()) {
                Some(input) if self.reads.get(&(graph, input)) == Some(&1) => at = input,
                _ => return (scope.to_string(), at.to_string()),
            }
        }
    }
}

const MOVES: [&str; 7] = [
    "Transpose",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Identity",
    "Cast",
];

/// What is true of a pair, and what each preset suggests.
#[derive(Default)]
struct Score {
    truth: BTreeSet<Position>,
    /// Where it has one at rate 0: whether a preset names it is neither right nor wrong.
    optional: BTreeSet<Position>,
    /// What `--sites` lists.
    listed: BTreeMap<&'static str, BTreeSet<Position>>,
    /// What each preset adds if it is asked for by name.
    named: BTreeMap<&'static str, BTreeSet<Position>>,
    /// Dropout of the training export without a place, with the reason.
    unplaced: Vec<String>,
}

impl Score {
    fn of(eval: &Path, train: &Path) -> Score {
        let (model, trained) = (Model::open(eval).unwrap(), Model::open(train).unwrap());
        let positions = Positions::new(&model);
        let rate = Rate::new(0.5).ok();
        let trained = Examined::new(&trained);
        let truth = match trained.sites().unwrap().is_empty() {
            true => Like::default(),
            false => like(&Examined::new(&model), &trained, rate)
                .unwrap_or_else(|e| panic!("{}: {e}", train.display())),
        };
        let mut score = Score::default();
        for choice in truth.choices {
            let scope = choice.scope.unwrap().replace('\\', "");
            let value = choice.at.unwrap().to_string();
            let of = match choice.rate.is_some_and(|rate| rate.value() == 0.0) {
                true => &mut score.optional,
                false => &mut score.truth,
            };
            of.insert(positions.of(&scope, &value));
        }
        score.optional = &score.optional - &score.truth;
        let unplaced = truth.unplaced.iter();
        score.unplaced = unplaced
            .map(|it| format!("{}: {}", it.dropout, it.why))
            .collect();
        let mut suggest = |choices: Vec<Choice>, named: bool| {
            let options = Options::default().choices(choices);
            let found = candidates(&model, &options).unwrap_or_default();
            for site in found.iter().filter(|site| site.left.is_none()) {
                let of = match named {
                    true => &mut score.named,
                    false => &mut score.listed,
                };
                let position = positions.of(&site.scope, &site.value);
                if score.optional.contains(&position) {
                    continue;
                }
                of.entry(site.preset.unwrap()).or_default().insert(position);
            }
        };
        suggest(Vec::new(), false);
        for &preset in Preset::ALL {
            let choice = Choice::default().preset(Some(preset));
            suggest(vec![choice], true);
        }
        score
    }

    fn all(&self) -> BTreeSet<&Position> {
        self.listed.values().flatten().collect()
    }

    fn right(&self) -> usize {
        let all = self.all();
        self.truth.iter().filter(|it| all.contains(it)).count()
    }
}

/// `2/3`: right ones of those suggested.
fn cell(right: usize, of: usize) -> String {
    match of {
        0 => "".to_string(),
        _ => format!("{right}/{of}"),
    }
}

fn table(scores: &BTreeMap<String, Score>) -> String {
    let words: Vec<&str> = Preset::ALL.iter().map(|preset| preset.word()).collect();
    let mut text = format!("{:<29} {:>7} {:>9}", "pair", "found", "listed");
    for word in &words {
        write!(text, " {word:>9}").unwrap();
    }
    text += "\n";
    let mut totals: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut add = |key, right, of| {
        let total: &mut [usize; 2] = totals.entry(key).or_default();
        total[0] += right;
        total[1] += of;
    };
    for (name, score) in scores {
        let (right, all) = (score.right(), score.all().len());
        let (found, suggested) = (cell(right, score.truth.len()), cell(right, all));
        write!(text, "{name:<29} {found:>7} {suggested:>9}").unwrap();
        add("found", right, score.truth.len());
        add("suggested", right, all);
        for &word in &words {
            let none = BTreeSet::new();
            let suggested = score.listed.get(word).unwrap_or(&none);
            let right = suggested.intersection(&score.truth).count();
            write!(text, " {:>9}", cell(right, suggested.len())).unwrap();
            add(word, right, suggested.len());
        }
        text.truncate(text.trim_end().len());
        text += "\n";
    }
    let share = |[right, of]: [usize; 2]| match of {
        0 => "".to_string(),
        _ => format!("{:.0} %", 100.0 * right as f64 / of as f64),
    };
    for line in ["all", ""] {
        write!(text, "{line:<29}").unwrap();
        for (key, width) in [("found", 7), ("suggested", 9)]
            .into_iter()
            .chain(words.iter().map(|&word| (word, 9)))
        {
            let total = totals[key];
            let cell = match line {
                "all" => cell(total[0], total[1]),
                _ => share(total),
            };
            write!(text, " {cell:>width$}").unwrap();
        }
        text.truncate(text.trim_end().len());
        text += "\n";
    }
    text
}

/// The rows and the totals, as docs/presets.md has them.
fn page(scores: &BTreeMap<String, Score>) -> String {
    let unplaced: usize = scores.values().map(|score| score.unplaced.len()).sum();
    let (table, totals) = (table(scores), totals(scores));
    format!(
        "```text\n{table}```\n\nAsked for by name, right of all: {totals}. Another {unplaced} dropout layers of the \
         training exports have no counterpart in the inference exports: they are applied to what is \
         constant there.\n"
    )
}

/// What each preset finds if it is asked for by name.
fn totals(scores: &BTreeMap<String, Score>) -> String {
    let total = |preset: &Preset| {
        let found = scores
            .values()
            .filter_map(|score| Some((score, score.named.get(preset.word())?)));
        let counts =
            found.map(|(score, found)| (found.intersection(&score.truth).count(), found.len()));
        let (right, of) = counts.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        format!("`{preset}` {right}/{of}")
    };
    Preset::ALL.iter().map(total).collect::<Vec<_>>().join(", ")
}

/// `UPDATE_DOCS=1 cargo test --test it preset_scores` writes the table into docs/presets.md.
#[test]
fn presets_are_scored_on_pairs_of_exports() {
    let scores: BTreeMap<String, Score> = pairs()
        .into_iter()
        .map(|(name, [eval, train])| (name, Score::of(&eval, &train)))
        .collect();
    for (name, score) in &scores {
        let all = score.all();
        for it in score.truth.iter().filter(|it| !all.contains(it)) {
            println!("{name}: missed {}", it.1);
        }
        for (preset, found) in &score.listed {
            for it in found.iter().filter(|it| !score.truth.contains(it)) {
                println!("{name}: {preset} elsewhere {}", it.1);
            }
        }
        for why in &score.unplaced {
            println!("{name}: unplaced {why}");
        }
    }
    println!("{}", page(&scores));
    let sum = |of: fn(&Score) -> usize| scores.values().map(of).sum::<usize>() as f64;
    let right = sum(Score::right);
    let (recall, precision) = (
        right / sum(|score| score.truth.len()),
        right / sum(|score| score.all().len()),
    );
    assert!(scores.len() > 60, "{} pairs", scores.len());
    assert!(recall >= RECALL, "recall {recall:.3}");
    assert!(precision >= PRECISION, "precision {precision:.3}");
    if std::env::var_os("DROPOUT_ONNX_PAIRS").is_none() {
        is_written(&page(&scores));
    }
}

const RECALL: f64 = 0.95;
const PRECISION: f64 = 0.85;

/// Asserts that docs/presets.md has this.
fn is_written(page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/presets.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- scores -->\n").unwrap();
    let (written, after) = rest.split_once("<!-- /scores -->").unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{before}<!-- scores -->\n{page}<!-- /scores -->{after}");
        return std::fs::write(&path, text).unwrap();
    }
    assert!(
        written == page,
        "docs/presets.md: UPDATE_DOCS=1 cargo test --test it preset_scores"
    );
}

/// The twin: what has no dropout where presets look for it is scored as such.
#[test]
fn a_model_without_dropout_has_no_right_position() {
    let (_, [eval, _]) = pairs().into_iter().next_back().unwrap();
    let score = Score::of(&eval, &eval);
    assert_eq!((score.truth.len(), score.right()), (0, 0));
    assert!(!score.all().is_empty());
}
