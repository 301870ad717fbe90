//! What holds for every model that is folded.

use dropout_onnx::onnx::{self, DataType};
use dropout_onnx::rewrite::Action;
use dropout_onnx::rewrite::fold::{self, Options, Plan};
use dropout_onnx::verify::{self, Demand, Verdict, run, structure};
use prost::Message;

use crate::common::build::{graph, model, op};
use crate::common::proto::{Graph, Model, Node, Tensor};

/// A model with factors folded.
pub struct Folded {
    pub after: Model,
    pub whole: fold::Folded,
    pub before: onnx::Model,
}

pub fn bytes(rope: &dropout_onnx::source::Rope) -> Vec<u8> {
    let mut bytes = Vec::new();
    rope.write_to(&mut bytes).expect("writing to memory");
    bytes
}

/// Folds a model that tract runs: at least one factor, and the result is shown to be right.
#[track_caller]
pub fn folds(model: &Model) -> Folded {
    let folded = folds_unrun(model);
    let (found, verdict) = verified(&folded.before, &folded.whole);
    let run = found.run.expect("asked for").outcome;
    assert_eq!(run, run::Outcome::Equal, "{:#?}", folded.after.lines());
    assert_eq!(verdict, Verdict::Equal);
    folded
}

/// Folds a model that tract does not run: structure alone is looked at.
#[track_caller]
pub fn folds_unrun(model: &Model) -> Folded {
    let before = model.read();
    let whole = fold::fold(&before, &Options::default()).expect("fold");
    let why = whys(&whole.plan);
    assert!(!whole.outcome.is_unchanged(), "nothing folded: {why}");
    let bytes = bytes(&whole.edited.rope);
    let after = Model::decode(&bytes[..]).expect("a decodable result");
    let (old, new) = (model.main(), after.main());
    assert_eq!(
        (&old.input, &old.output),
        (&new.input, &new.output),
        "an interface changed"
    );
    let changed = &whole.outcome.trace;
    let same = structure::compare_but(&before, &whole.edited.model, changed).expect("compare");
    assert!(
        matches!(same, structure::Verdict::Same { outputs } if outputs > 0),
        "{same:?}"
    );
    // without leave to change anything, structure sees that something did
    let strict = structure::compare(&before, &whole.edited.model).expect("compare");
    assert!(
        matches!(strict, structure::Verdict::Different { .. }),
        "{strict:?}"
    );
    let again = fold::fold(&whole.edited.model, &Options::default()).expect("fold again");
    assert_eq!(again.plan.applied().count(), 0, "a second run folds more");
    Folded {
        after,
        whole,
        before,
    }
}

pub fn verified(before: &onnx::Model, folded: &fold::Folded) -> (verify::Verification, Verdict) {
    let options = verify::Options::default();
    let found = verify::verify_fold(before, folded, &options).expect("verify");
    let verdict = found.verdict(Demand::Rewrite);
    (found, verdict)
}

fn whys(plan: &Plan) -> String {
    let whys = plan
        .steps
        .iter()
        .map(|step| format!("{}: {}", step.label, step.action));
    whys.collect::<Vec<_>>().join("\n")
}

/// Why the only factor of a model stays where it is; the result is the model, byte for byte.
#[track_caller]
pub fn stays(model: &Model) -> String {
    let before = model.read();
    let folded = fold::fold(&before, &Options::default()).expect("fold");
    assert!(folded.outcome.is_unchanged(), "{:#?}", folded.plan.steps);
    assert!(
        bytes(&folded.edited.rope) == model.encode_to_vec(),
        "bytes changed"
    );
    let [step] = &folded.plan.steps[..] else {
        panic!("not one factor: {:?}", folded.plan.steps);
    };
    match &step.action {
        Action::Refused(why) => why.clone(),
        other => panic!("{other:?}"),
    }
}

/// Asserts that a model has no factors at all, and is left as it is.
#[track_caller]
pub fn has_no_factor(model: &Model) {
    let folded = fold::fold(&model.read(), &Options::default()).expect("fold");
    assert!(folded.plan.steps.is_empty(), "{:?}", folded.plan.steps);
    assert!(
        bytes(&folded.edited.rope) == model.encode_to_vec(),
        "bytes changed"
    );
}

impl Folded {
    /// The nodes that are left, in this order.
    #[track_caller]
    pub fn leaves(self, lines: &[&str]) -> Folded {
        assert_eq!(self.after.lines(), lines);
        self
    }

    /// The elements of an initializer are these, to the bit.
    #[track_caller]
    pub fn has(self, name: &str, elements: &[f32]) -> Folded {
        assert_eq!(floats(&self.initializer(name)), elements, "`{name}`");
        self
    }

    #[track_caller]
    pub fn initializer(&self, name: &str) -> Tensor {
        let mut all = self.after.main().initializer.iter();
        let found = all.find(|tensor| tensor.name() == name);
        found
            .unwrap_or_else(|| panic!("no initializer `{name}`"))
            .clone()
    }

    /// Both texts, for a snapshot.
    pub fn texts(&self) -> String {
        let text = |model| dropout_onnx::show::text(model).expect("text");
        let steps = self.whole.plan.steps.iter().map(|step| {
            let factor = step
                .factor
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let into = step.into.join(", ");
            format!("{} x {factor}: {}, into {into}\n", step.label, step.action)
        });
        format!(
            "plan\n----\n{}\nbefore\n------\n{}\nafter\n-----\n{}",
            steps.collect::<String>(),
            text(&self.before),
            text(&self.whole.edited.model)
        )
    }
}

/// Floats of `raw_data`.
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    let (elements, rest) = tensor.raw_data().as_chunks::<4>();
    assert!(rest.is_empty() && tensor.data_type() == DataType::FLOAT.0);
    elements
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect()
}

/// Numbers that differ from each other.
pub fn some(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 37 + 11) % 23) as f32 / 8.0 - 1.3)
        .collect()
}

/// A weight times a factor: in 64 bits, rounded once.
pub fn times(w: f32, s: f32) -> f32 {
    (f64::from(w) * f64::from(s)) as f32
}

/// All of these weights times a factor.
pub fn scaled(weights: &[f32], s: f32) -> Vec<f32> {
    weights.iter().map(|&w| times(w, s)).collect()
}

/// `y` from `x`, of these shapes, opset 17.
pub fn of(x: &[i64], y: &[i64], nodes: impl IntoIterator<Item = Node>) -> Graph {
    let float = DataType::FLOAT;
    graph(nodes)
        .input_of("x", float, x)
        .output_of("y", float, y)
}

pub fn opset17(graph: Graph) -> Model {
    model(17, graph)
}

/// Nodes by their texts.
pub fn nodes(texts: &[&str]) -> Vec<Node> {
    texts.iter().map(|text| op(text)).collect()
}
