//! Evidence as documents: shown again, and not where anything in the document or a model was changed.

use std::path::Path;

use dropout_onnx::ErrorKind;
use dropout_onnx::dropout::{Convention, Examined};
use dropout_onnx::onnx::{DataType, Model};
use dropout_onnx::rewrite::insert::{self, By, Choice};
use dropout_onnx::rewrite::{Acting, Edited, Rate, fold, set, strip};
use dropout_onnx::verify::engine::Host;
use dropout_onnx::verify::evidence::{Evidence, Replay};
use dropout_onnx::verify::{self, Demand, Options, Verdict, Verification, run, verify_change};
use serde_json::{Value, json};

use crate::common::build::{
    SHAPE, f32_scalar, f32s, flag, graph, int, ints, model, op, subgraph, untyped, x_to_y,
};
use crate::common::masks::{MASKS, USES, at, numbers, spelt};
use crate::common::proto;

/// Two models, and evidence that they are equal.
struct Shown {
    before: Model,
    after: Model,
    document: Value,
}

impl Shown {
    fn new(before: &Examined<'_>, edited: &Edited, found: &Verification) -> Shown {
        let (before, after) = (before.model(), edited.model());
        Shown::of(before.clone(), after.clone(), found)
    }

    fn of(before: Model, after: Model, found: &Verification) -> Shown {
        let [old, new] = ["a.onnx", "b.onnx"].map(Path::new);
        let evidence = Evidence::of(found, (old, &before), (new, &after), Path::new(""));
        let text = evidence.unwrap().text().unwrap();
        let document = serde_json::from_str(&text).unwrap();
        Shown {
            before,
            after,
            document,
        }
    }

    /// What comes of a document about these models; `None` if it is none.
    fn again(&self, document: &Value) -> Option<Replay> {
        let evidence = Evidence::parse(&document.to_string()).ok()?;
        let (before, after) = (&self.before, &self.after);
        let replay = evidence.replay(before, after, &Host::default(), &[]);
        replay.ok()
    }

    fn verdict(&self, document: &Value) -> Option<Verdict> {
        Some(self.again(document)?.verdict)
    }
}

fn how() -> Options {
    let settings = run::Settings::default().runs(2);
    Options::asked(true, Some(settings))
}

fn examined(model: &proto::Model) -> Examined<'static> {
    Examined::owning(model.read())
}

fn stripped(model: &proto::Model) -> Shown {
    let before = examined(model);
    let stripped = strip::strip(&before, &strip::Options::default()).unwrap();
    assert!(stripped.outcome.removed > 0);
    let found = stripped.verify(&before, None, &how()).unwrap();
    Shown::new(&before, &stripped.edited, &found)
}

#[test]
fn a_layer_that_a_draw_skips_is_claimed() {
    let branch = |line: &str| {
        let mut branch = graph([op(line)]);
        branch.output = vec![untyped(&branch.node[0].output[0])];
        branch
    };
    let choice = op("y = If(b)")
        .with(subgraph("then_branch", branch("p = Add(x, w)")))
        .with(subgraph("else_branch", branch("q = Identity(x)")));
    let draw = op("u = RandomUniform()").with(ints("shape", &[1]));
    let nodes = [draw, op("b = Less(u, keep)"), op("w = Tanh(x)"), choice];
    let before = examined(&model(17, x_to_y(nodes).init("keep", f32_scalar(0.8))));
    let options = strip::Options::default().allow_unmeasured(true);
    let stripped = strip::strip(&before, &options).unwrap();
    let found = stripped.verify(&before, None, &how()).unwrap();
    let shown = Shown::new(&before, &stripped.edited, &found);
    assert_eq!(shown.verdict(&shown.document), Some(Verdict::Equal));
    let mut document = shown.document.clone();
    *document.pointer_mut("/question/result/claims").unwrap() = json!([]);
    assert_ne!(shown.verdict(&document), Some(Verdict::Equal));
}

fn classic() -> Shown {
    let before = examined(&operators());
    let options = strip::Options::default().convention(Convention::Classic);
    let stripped = strip::strip(&before, &options).unwrap();
    let found = stripped.verify(&before, None, &how()).unwrap();
    assert_eq!(found.measured.as_ref().unwrap().count(), 1);
    Shown::new(&before, &stripped.edited, &found)
}

/// A strip that also changes a batch normalization, and removes the input that switched the dropout.
fn normed() -> Shown {
    let norm = op("n, rm, rv = BatchNormalization(d, scale, bias, mean, var)");
    let nodes = [
        op("d = Dropout(x, ratio, on)"),
        norm.with(int("training_mode", 1)),
        op("y = Relu(n)"),
    ];
    let graph = x_to_y(nodes)
        .init("ratio", f32_scalar(0.5))
        .input_of("on", DataType::BOOL, &[])
        .init("scale", f32s(&[3], &[1.0, 2.0, 3.0]))
        .init("bias", f32s(&[3], &[0.5; 3]))
        .init("mean", f32s(&[3], &[0.25; 3]))
        .init("var", f32s(&[3], &[1.0; 3]));
    let before = examined(&model(17, graph));
    let options = strip::Options::default().batchnorm(true).prune_inputs(true);
    let stripped = strip::strip(&before, &options).unwrap();
    let found = stripped.verify(&before, None, &how()).unwrap();
    let shown = Shown::new(&before, &stripped.edited, &found);
    for changed in ["inference_norms", "removed_inputs"] {
        let place = format!("/question/result/changes/{changed}");
        let mut document = shown.document.clone();
        let changed = document.pointer_mut(&place).unwrap();
        assert_eq!(changed.as_array().unwrap().len(), 1, "{place}");
        *changed = json!([]);
        assert_ne!(shown.verdict(&document), Some(Verdict::Equal), "{place}");
    }
    shown
}

fn folded() -> Shown {
    let nodes = [op("m = Mul(x, c)"), op("y = MatMul(m, w)")];
    let graph = x_to_y(nodes).init("c", f32_scalar(0.3));
    let graph = graph.init(
        "w",
        f32s(&[3, 3], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
    );
    let before = examined(&model(13, graph));
    let folded = fold::fold(&before, &fold::Options::default()).unwrap();
    assert_eq!(folded.outcome.folded, 1);
    let found = folded.verify(&before, &how()).unwrap();
    Shown::new(&before, &folded.edited, &found)
}

/// A strip that leaves the scale of a classic mask, which is folded into weights.
fn stripped_and_folded() -> Shown {
    let text =
        "r = RandomUniformLike(x)\nb = Greater(r, p)\nk = Cast(b)\nd = Mul(x, k)\ny = MatMul(d, w)";
    let weights = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    let graph = spelt(text, &numbers(0.3)).init("w", f32s(&[3, 3], &weights));
    let before = examined(&model(15, graph));
    let stripped = strip::strip(&before, &strip::Options::default()).unwrap();
    let folded = stripped.fold_scales().unwrap();
    assert_eq!(folded.outcome.folded, 1);
    let found = stripped.verify(&before, Some(&folded), &how()).unwrap();
    Shown::new(&before, &folded.edited, &found)
}

fn changed(model: &proto::Model, options: &set::Options) -> Shown {
    let before = examined(model);
    let changed = set::set(&before, options).unwrap();
    let expected = changed.expected(options).unwrap();
    let found = verify_change(&before, changed.edited.examined(), &expected, &how()).unwrap();
    Shown::new(&before, &changed.edited, &found)
}

fn inserted() -> Shown {
    let before = examined(&model(17, x_to_y([op("r = Relu(x)"), op("y = Tanh(r)")])));
    let options = insert::Options::default()
        .choices(vec![Choice::parse(By::After, "Relu=0.2").unwrap()])
        .rate(None)
        .acting("runtime:training".parse().unwrap())
        .seed(Some(3));
    let inserted = insert::insert(&before, &options).unwrap();
    let expected = inserted.expected(&options);
    let found = verify_change(&before, inserted.edited.examined(), &expected, &how()).unwrap();
    Shown::new(&before, &inserted.edited, &found)
}

fn compared() -> Shown {
    // an output may be called as what differs between machines
    let of = |name: &str| {
        let nodes = [
            op(&format!("{name} = Relu(x)")),
            op(&format!("y = Tanh({name})")),
            op(&format!("why = Neg({name})")),
        ];
        let graph = x_to_y(nodes).output_of("why", DataType::FLOAT, SHAPE);
        model(17, graph).read()
    };
    let (one, other) = (of("r"), of("q"));
    let found = verify::verify(&one, &other, &how()).unwrap();
    assert_eq!(found.verdict(Demand::Outputs), Verdict::Equal);
    Shown::of(one, other, &found)
}

fn masked() -> proto::Model {
    at(
        15,
        0.25,
        "r = RandomUniformLike(x)\nb = Greater(r, p)\nk = Cast(b)\nd = Mul(x, k)\ny = Mul(d, s)",
    )
}

fn operators() -> proto::Model {
    let nodes = [op("d = Dropout(x, ratio, on)"), op("y = Relu(d)")];
    let graph = x_to_y(nodes)
        .init("ratio", f32_scalar(0.5))
        .init("on", flag(true));
    model(17, graph)
}

fn switched() -> proto::Model {
    let text = "r = RandomUniformLike(x)\nb = Less(r, p)\nxs = Mul(x, s)\nd = Where(b, zero, xs)\ny = Where(train, d, x)";
    let graph = spelt(text, &numbers(0.3));
    model(15, graph.input_of("train", DataType::BOOL, &[]))
}

fn everything() -> Vec<(&'static str, Shown)> {
    let rate = |rate| set::Options::default().rate(Some(Rate::new(rate).unwrap()));
    let active = rate(0.4).acting(Some(Acting::Active));
    vec![
        ("mask", stripped(&masked())),
        ("switched mask", stripped(&switched())),
        ("operator", stripped(&operators())),
        ("classic", classic()),
        ("batch normalization", normed()),
        ("fold", folded()),
        ("strip and fold", stripped_and_folded()),
        ("set mask", changed(&masked(), &rate(0.5))),
        ("set operator", changed(&operators(), &active)),
        ("insert", inserted()),
        ("verify", compared()),
    ]
}

#[test]
fn evidence_is_shown_again() {
    for (name, shown) in everything() {
        let again = shown.again(&shown.document).unwrap();
        assert_eq!(again.verdict, Verdict::Equal, "{name}");
        assert_eq!(again.notes, [""; 0], "{name}");
    }
    for (mask, text) in MASKS {
        for (usage, uses) in USES {
            let text = format!("r = RandomUniformLike(x)\n{text}\n{uses}");
            let shown = stripped(&at(15, 0.3, &text));
            let verdict = shown.verdict(&shown.document);
            assert_eq!(verdict, Some(Verdict::Equal), "{mask} {usage}");
            let claims = shown.document.pointer("/question/result/claims").unwrap();
            assert_eq!(claims.as_array().unwrap().len(), 1);
        }
    }
}

/// All leaves of a document, as pointers.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                leaves(
                    value,
                    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(all) => {
            for (index, value) in all.iter().enumerate() {
                leaves(value, format!("{at}/{index}"), found);
            }
        }
        _ => found.push(at),
    }
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::Bool(on) => json!(!on),
        Value::Number(number) => match number.as_u64() {
            Some(number) => json!(number + 1),
            None => json!(number.as_f64().unwrap() + 0.125),
        },
        Value::String(text) => json!(format!("{text}0")),
        _ => json!(0.125),
    }
}

/// What may change while the rest is still shown: names for people, what was not asked for, and which
/// tolerance is tried first.
const FREE: &[&str] = &[
    "/tool",
    "/before/path",
    "/after/path",
    "/place",
    "/how/allow_unmeasured",
    "/run/machine",
    "/run/engine",
    "/exact",
];

#[test]
fn every_fact_of_a_document_counts() {
    let free: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = everything()
            .into_iter()
            .map(|(name, shown)| scope.spawn(move || facts_that_do_not_count(name, &shown)))
            .collect();
        all.into_iter()
            .flat_map(|found| found.join().unwrap())
            .collect()
    });
    assert_eq!(free, [""; 0], "{free:#?}");
}

fn facts_that_do_not_count(name: &str, shown: &Shown) -> Vec<String> {
    let mut places = Vec::new();
    leaves(&shown.document, String::new(), &mut places);
    assert!(places.len() > 20, "{name}");
    places.retain(|place| !FREE.iter().any(|end| place.ends_with(end)));
    places.retain(|place| {
        let mut document = shown.document.clone();
        let leaf = document.pointer_mut(place).unwrap();
        *leaf = other(leaf);
        shown.verdict(&document) == Some(Verdict::Equal)
    });
    places
        .iter()
        .map(|place| format!("{name}: {place}"))
        .collect()
}

#[test]
fn each_mask_that_was_removed_needs_a_claim() {
    for (name, shown) in everything() {
        let place = match name {
            "strip and fold" => "/question/result/stripped/claims",
            _ => "/question/result/claims",
        };
        let claims = shown.document.pointer(place);
        if claims.is_none_or(|claims| claims.as_array().unwrap().is_empty()) {
            assert_ne!(name, "strip and fold");
            continue;
        }
        let mut document = shown.document.clone();
        *document.pointer_mut(place).unwrap() = json!([]);
        assert_ne!(shown.verdict(&document), Some(Verdict::Equal), "{name}");
        let why = |document: &Value| match shown.verdict(document) {
            Some(Verdict::NotShown { reason }) => reason,
            other => panic!("{name}: {other:?}"),
        };
        if name.ends_with("mask") && !name.starts_with("set") {
            assert!(
                why(&document).contains("claims nothing about"),
                "{}",
                why(&document)
            );
        }
    }
}

#[test]
fn a_claim_is_measured_not_looked_up() {
    let shown = stripped(&masked());
    let claim = |fact: &str, value: Value| {
        let mut document = shown.document.clone();
        let place = format!("/question/result/claims/0/{fact}");
        *document.pointer_mut(&place).unwrap() = value;
        match shown.verdict(&document) {
            Some(Verdict::Different { why }) => why,
            other => panic!("{fact}: {other:?}"),
        }
    };
    assert!(claim("rate", json!(0.3)).contains("drops 0.25"));
    assert!(claim("uses/0/kept/0", json!(2.0)).contains("multiplies what it keeps by"));
    claim("shared", json!(true));
}

#[test]
fn a_changed_model_is_not_that_of_the_evidence() {
    for (name, shown) in everything() {
        let changed = |model: &Model| {
            let mut bytes = Vec::new();
            let source = model.source();
            let length = usize::try_from(source.len()).unwrap();
            bytes.resize(length, 0);
            source.read_exact_at(&mut bytes, 0).unwrap();
            bytes.extend([0x28, 7]); // model_version
            Model::read(dropout_onnx::source::Source::from_bytes(bytes)).unwrap()
        };
        let evidence = Evidence::parse(&shown.document.to_string()).unwrap();
        for (which, before, after) in [
            ("BEFORE", changed(&shown.before), shown.after.clone()),
            ("AFTER", shown.before.clone(), changed(&shown.after)),
        ] {
            let replay = evidence
                .replay(&before, &after, &Host::default(), &[])
                .unwrap();
            let Verdict::Different { why } = replay.verdict else {
                panic!("{name}: {:?}", replay.verdict);
            };
            assert!(
                why.starts_with(&format!("{which} is not the model")),
                "{why}"
            );
            assert!(replay.verification.is_none());
        }
    }
}

#[test]
fn outputs_of_another_machine_need_not_be_the_same_bits() {
    let shown = stripped(&operators());
    let hash = "/found/run/runs/0/after/y/blake3";
    let mut document = shown.document.clone();
    *document.pointer_mut(hash).unwrap() = json!("00");
    let Some(Verdict::Different { why }) = shown.verdict(&document) else {
        panic!("a hash that differs");
    };
    assert!(why.contains("run.runs[0].after.y.blake3"), "{why}");
    *document.pointer_mut("/found/run/machine").unwrap() = json!("pdp11");
    let replay = shown.again(&document).unwrap();
    assert_eq!(replay.verdict, Verdict::Equal);
    assert!(replay.notes[0].contains("pdp11"), "{:?}", replay.notes);
    let input = "/found/run/runs/0/inputs/x/blake3";
    *document.pointer_mut(input).unwrap() = json!("00");
    assert_ne!(shown.verdict(&document), Some(Verdict::Equal));
}

#[test]
fn what_was_not_shown_has_no_evidence() {
    let one = model(17, x_to_y([op("y = Relu(x)")])).read();
    let other = model(17, x_to_y([op("y = Tanh(x)")])).read();
    let found = verify::verify(&one, &other, &how()).unwrap();
    let [old, new] = [("a", &one), ("b", &other)].map(|(name, model)| (Path::new(name), model));
    let error = Evidence::of(&found, old, new, Path::new("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Verification);
    for bad in ["", "{}", "{\"schema\":\"dropout-onnx/evidence/2\"}", "[]"] {
        let error = Evidence::parse(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{bad}");
    }
}

#[test]
fn documents_are_valid() {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/evidence.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for (name, shown) in everything() {
        let errors: Vec<String> = schema
            .iter_errors(&shown.document)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0], "{name}");
        for (place, value) in [
            ("/schema", json!("dropout-onnx/evidence/2")),
            ("/before/blake3", json!(1)),
            ("/question/result/is", json!("better")),
            ("/question/how/run/runs", json!(-1)),
            ("/found/structure", json!("1")),
        ] {
            let mut bad = shown.document.clone();
            *bad.pointer_mut(place).unwrap() = value;
            assert!(!schema.is_valid(&bad), "{name}: {place}");
        }
    }
}
