//! Fingerprints: what a dropout is, whatever it is called. What each survives, and a twin that
//! changes it.

use std::collections::{BTreeMap, BTreeSet};

use dropout_onnx::audit::ModelAudit;
use dropout_onnx::dropout::{self, Form, Mode};
use dropout_onnx::onnx::{self, DataType};
use dropout_onnx::rewrite::strip::{self, strip};
use dropout_onnx::source::Source;
use prost::Message;
use tract_onnx::pb;

use crate::common::build::{
    f32_scalar, f32s, flag, float, function, graph, i64s, int, ints, model, op, raw, scalar,
    subgraph, x_to_y,
};
use crate::common::models;
use crate::common::proto::{Graph, Model, Node};

/// The fingerprints of the sites, in the order of the file.
fn sites(model: &onnx::Model) -> Vec<String> {
    let audit = ModelAudit::new("model.onnx", model).expect("an audit");
    let sites = audit.sites.into_iter();
    sites
        .map(|site| site.fingerprint.expect("a fingerprint").to_string())
        .collect()
}

/// Fingerprints of sites, and rule by rule those of findings.
fn everything(model: &onnx::Model) -> (Vec<String>, Vec<String>) {
    let audit = ModelAudit::new("model.onnx", model).expect("an audit");
    let mut findings: Vec<String> = audit
        .findings
        .iter()
        .map(|finding| format!("{} {}", finding.rule, finding.fingerprint))
        .collect();
    findings.sort();
    (sites(model), findings)
}

#[test]
fn names_do_not_matter_in_any_model() {
    let (mut with_sites, mut without_site) = (0, 0);
    for path in models() {
        let Ok(model) = onnx::Model::open(&path) else {
            continue;
        };
        let bytes = std::fs::read(&path).unwrap();
        let Ok(mut proto) = pb::ModelProto::decode(bytes.as_slice()) else {
            continue;
        };
        crate::common::rename::rename(&mut proto, 7, false);
        let folder = path.parent().map(Into::into);
        let source = Source::from_bytes(proto.encode_to_vec());
        let renamed = onnx::Model::read_in(source, folder).unwrap();
        // what classic dropout left is told by its name
        let found = dropout::find(&dropout_onnx::Analysis::of(&model)).unwrap();
        if found.iter().any(|site| site.form == Form::Scale) {
            continue;
        }
        let (before, after) = (everything(&model), everything(&renamed));
        assert_eq!(before, after, "{}", path.display());
        with_sites += usize::from(!before.0.is_empty());
        without_site += before
            .1
            .iter()
            .filter(|f| f.starts_with("random-outside"))
            .count();
        let fresh =
            |print: &String| print.len() == 16 && print.chars().all(|c| c.is_ascii_hexdigit());
        assert!(before.0.iter().all(fresh), "{before:?}");
    }
    assert!(with_sites > 10 && without_site > 0);
}

/// The course's network, exported to opset 9 for training, to 17 as it is, and by dynamo to 18: there
/// ratio and flag are attributes, constants, and inputs of another kind; names and versions differ.
#[test]
fn a_new_export_of_a_network_keeps_fingerprints() {
    let of = |stem: &str| {
        let path = format!("{}/fixtures/{stem}.onnx", env!("CARGO_MANIFEST_DIR"));
        sites(&onnx::Model::open(path).unwrap())
    };
    let first = of("torch_course_training_op9");
    assert_eq!(first.len(), 2);
    assert_ne!(first[0], first[1]);
    assert_eq!(of("torch_course_preserve_op17"), first);
    assert_eq!(of("torch_course_dynamo_train_op18"), first);
    // tf2onnx 1.16 and 1.17, Keras 2 and 3
    assert_eq!(of("keras_kinds_op13"), of("keras3_kinds_op15"));
    // another framework, another network
    assert!(
        of("keras_course_train_op8")
            .iter()
            .all(|print| !first.contains(print))
    );
}

/// Stripping what is inert leaves what else is there as it was.
#[test]
fn fingerprints_survive_changes_of_other_dropout() {
    let mut compared = 0;
    let mixed = network([
        op("a = Relu(h)"),
        op("b = Dropout(a, r, off)"),
        op("c = Tanh(b)"),
        op("e = Dropout(c, r, on)"),
        op("f = Dropout(e, r, off)"),
        op("d = Relu(f)"),
    ]);
    let read = |path| Some((format!("{path:?}"), onnx::Model::open(&path).ok()?));
    let all = models().into_iter().filter_map(read);
    for (path, model) in all.chain([("mixed".to_string(), mixed.read())]) {
        let audit = ModelAudit::new("model.onnx", &model).unwrap();
        let inert = audit
            .sites
            .iter()
            .filter(|site| site.mode == Mode::Inert)
            .count();
        if inert == 0 || inert == audit.sites.len() {
            continue;
        }
        let options = strip::Options::default().only(vec![Mode::Inert]);
        let stripped = strip(&model, &options).unwrap();
        let mut before = BTreeMap::new();
        for print in sites(&model) {
            *before.entry(print).or_insert(0) += 1;
        }
        for print in sites(stripped.edited.model()) {
            let left = before.get_mut(&print).filter(|left| **left > 0);
            *left.unwrap_or_else(|| panic!("{path}: {print} is new")) -= 1;
            compared += 1;
        }
    }
    assert!(compared > 0);
}

/// Gemm, Relu, a dropout, Gemm: `nodes` are the two in the middle and what else there is.
fn network(nodes: impl IntoIterator<Item = Node>) -> Model {
    let mut all = vec![op("h = MatMul(x, w)")];
    all.extend(nodes);
    all.push(op("y = MatMul(d, v)"));
    model(13, constants(x_to_y(all)))
}

fn constants(graph: Graph) -> Graph {
    graph
        .init("w", f32s(&[3, 4], &[0.5; 12]))
        .init("v", f32s(&[4, 3], &[0.25; 12]))
        .init("r", f32_scalar(0.5))
        .init("on", flag(true))
        .init("off", flag(false))
}

fn plain() -> [Node; 2] {
    [op("a = Relu(h)"), op("d = Dropout(a, r, on)")]
}

fn mask() -> Vec<Node> {
    vec![
        op("a = Relu(h)"),
        op("u = RandomUniformLike(a)"),
        op("k = GreaterOrEqual(u, r)"),
        op("m = Cast(k)").with(int("to", 1)),
        op("t = Mul(m, two)"),
        op("d = Mul(a, t)"),
    ]
}

#[track_caller]
fn one(model: &Model) -> String {
    let sites = sites(&model.read());
    assert_eq!(sites.len(), 1);
    sites.into_iter().next().unwrap()
}

#[test]
fn what_does_not_change_the_network_does_not_change_them() {
    let first = one(&network(plain()));
    let opset_7 = |nodes: [Node; 2]| {
        let mut model = network(nodes);
        model.opset_import[0].version = Some(7);
        model
    };
    let mut retrained = network(plain());
    let weights = &mut retrained.main_mut().initializer[0];
    *weights = f32s(&[3, 4], &[9.0; 12]);
    weights.name = Some("w".into());
    for (what, other) in [
        ("retrained", retrained),
        (
            "inert",
            network([op("a = Relu(h)"), op("d = Dropout(a, r, off)")]),
        ),
        (
            "no flag",
            network([op("a = Relu(h)"), op("d = Dropout(a, r)")]),
        ),
        (
            "default ratio",
            network([op("a = Relu(h)"), op("d = Dropout(a)")]),
        ),
        (
            "a mask that is used",
            network([op("a = Relu(h)"), op("d, m = Dropout(a, r, on)")]),
        ),
        (
            "ratio as an attribute",
            opset_7([
                op("a = Relu(h)"),
                op("d = Dropout(a)").with(float("ratio", 0.5)),
            ]),
        ),
        (
            "Identity and Cast before",
            network([
                op("i = Identity(h)"),
                op("c = Cast(i)").with(int("to", 1)),
                op("a = Relu(c)"),
                op("b = Identity(a)"),
                op("d = Dropout(b, r, on)"),
            ]),
        ),
        (
            "Identity after",
            network([
                op("a = Relu(h)"),
                op("e = Dropout(a, r, on)"),
                op("d = Identity(e)"),
            ]),
        ),
        (
            "its shape is asked for",
            network([
                op("a = Relu(h)"),
                op("d = Dropout(a, r, on)"),
                op("s = Shape(d)"),
                op("t = Shape(a)"),
            ]),
        ),
    ] {
        assert_eq!(one(&other), first, "{what}");
    }
    let longer = |first: &str| {
        let mut nodes = vec![
            op("b = Relu(h)"),
            op("c = Tanh(b)"),
            op("e = Sigmoid(c)"),
            op("a = Relu(e)"),
            op("d = Dropout(a, r, on)"),
        ];
        nodes[0] = op(&format!("b = {first}(h)"));
        one(&network(nodes))
    };
    assert_eq!(longer("Relu"), longer("Erf"), "four steps back");
}

#[test]
fn fingerprints_change_with_the_network_or_the_dropout() {
    let first = one(&network(plain()));
    let rate = |ratio: f32| {
        let mut model = network(plain());
        let constant = &mut model.main_mut().initializer[2];
        *constant = f32_scalar(ratio);
        constant.name = Some("r".into());
        model
    };
    assert_eq!(one(&rate(0.5)), first);
    let mut wider = network(plain());
    let weights = &mut wider.main_mut().initializer[1];
    *weights = f32s(&[4, 9], &[0.25; 36]);
    weights.name = Some("v".into());
    let mut mask = network(mask());
    mask.graph = (mask.graph.take()).map(|graph| graph.init("two", f32_scalar(2.0)));
    let branch = |node: Node| graph([node]).output("b");
    let inner = network([
        op("a = Relu(h)"),
        op("d = If(on)")
            .with(subgraph("then_branch", branch(op("b = Dropout(a, r, on)"))))
            .with(subgraph("else_branch", branch(op("b = Identity(a)")))),
    ]);
    for (what, other) in [
        ("another rate", rate(0.25)),
        ("wider weights after", wider),
        ("another form", mask),
        ("in a branch", inner),
        (
            "another operator before",
            network([op("a = Tanh(h)"), op("d = Dropout(a, r, on)")]),
        ),
        (
            "another operator after",
            network([
                op("a = Relu(h)"),
                op("e = Dropout(a, r, on)"),
                op("d = Relu(e)"),
            ]),
        ),
        (
            "used elsewhere as well",
            network([
                op("a = Relu(h)"),
                op("d = Dropout(a, r, on)"),
                op("z = Sin(d)"),
            ]),
        ),
    ] {
        assert_ne!(one(&other), first, "{what}");
    }
}

/// Masks by what they mean, not by how they are spelt.
#[test]
fn fingerprints_survive_a_different_spelling_of_a_mask() {
    let of = |nodes: Vec<Node>| {
        let mut model = network(nodes);
        let graph = model.graph.take().unwrap();
        model.graph = Some(
            graph
                .init("two", f32_scalar(2.0))
                .init("half", f32_scalar(0.5)),
        );
        one(&model)
    };
    let first = of(mask());
    let other = of(vec![
        op("a = Relu(h)"),
        op("u = RandomUniformLike(a)"),
        op("l = Less(u, r)"),
        op("k = Not(l)"),
        op("m = Cast(k)").with(int("to", 1)),
        op("s = Mul(a, two)"),
        op("d = Mul(s, m)"),
    ]);
    assert_eq!(first, other);
}

/// Opset 13 takes axes as inputs that were attributes, and exporters compute shapes as they like.
#[test]
fn shapes_and_axes_do_not_count() {
    let of = |version: i64, squeeze: Node, reshape: &[Node]| {
        let mut nodes = vec![op("q = Relu(h)"), squeeze];
        nodes.extend(reshape.iter().cloned());
        nodes.push(op("a = Reshape(s, shape)"));
        nodes.push(op("d = Dropout(a)"));
        let mut model = network(nodes);
        model.opset_import[0].version = Some(version);
        let graph = model.graph.take().unwrap();
        let graph = graph.init("axes", i64s(&[0]));
        model.graph = Some(match reshape.is_empty() {
            true => graph.init("shape", i64s(&[2, 4])),
            false => graph,
        });
        one(&model)
    };
    let attribute = || op("s = Unsqueeze(q)").with(ints("axes", &[0]));
    let first = of(11, attribute(), &[]);
    assert_eq!(of(13, op("s = Unsqueeze(q, axes)"), &[]), first);
    assert_eq!(of(11, attribute(), &[op("shape = Shape(h)")]), first);
    assert_ne!(of(11, op("s = Relu(q)"), &[]), first);
}

/// A function is named after a module and a number; float16 rounds a rate, which stays what it is.
#[test]
fn functions_and_precision_do_not_count() {
    let calling = |name: &str| {
        let nodes = [
            op(&format!("a = local::{name}(h)")),
            op("d = Dropout(a, r, on)"),
        ];
        let body = [op("o = Relu(i)")];
        network(nodes)
            .imports("local", 1)
            .function(function(name, "i", "o", 13, body))
    };
    assert_eq!(one(&calling("mlp_1")), one(&calling("mlp_7")));
    assert_ne!(one(&calling("mlp_1")), one(&network(plain())));
    let inside = |name: &str| {
        let nodes = [op(&format!("d = local::{name}(h, r, on)"))];
        let body = [op("a = Relu(i)"), op("o = Dropout(a, ratio, flag)")];
        network(nodes)
            .imports("local", 1)
            .function(function(name, "i, ratio, flag", "o", 13, body))
    };
    assert_eq!(one(&inside("dropout_1")), one(&inside("dropout_7")));
    assert_ne!(one(&inside("dropout_1")), one(&network(plain())));

    let of = |kind: DataType, rate: f64| {
        let size = if kind == DataType::FLOAT { 4 } else { 2 };
        let mut model = network(plain());
        let weights = model.main_mut().initializer.iter_mut();
        for tensor in weights.filter(|tensor| tensor.name.as_deref() != Some("on")) {
            let name = tensor.name.take();
            *tensor = match name.as_deref() {
                Some("r") => scalar(kind, rate),
                _ => raw(kind, &tensor.dims, &vec![0; 12 * size]),
            };
            tensor.name = name;
        }
        one(&model)
    };
    assert_eq!(of(DataType::FLOAT, 0.3), of(DataType::FLOAT16, 0.3));
    assert_ne!(of(DataType::FLOAT, 0.3), of(DataType::FLOAT16, 0.31));
}

#[test]
fn twins_share_one() {
    let nodes = [
        op("a = Relu(h)"),
        op("d = Dropout(a, r, on)"),
        op("b = Relu(h)"),
        op("e = Dropout(b, r, on)"),
        op("f = MatMul(e, v)"),
    ];
    let mut model = network(nodes);
    model.graph = model.graph.take().map(|graph| graph.output("f"));
    let found = sites(&model.read());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], found[1]);
}

/// A chain of what is passed over ends after a few: it costs its length, and no stack.
#[test]
fn a_long_chain_has_few_fingerprints() {
    let mut nodes = vec![op("n0 = Relu(x)")];
    for i in 0..20_000 {
        nodes.push(op(&format!("n{} = Dropout(n{i})", i + 1)));
    }
    nodes.push(op("y = Relu(n20000)"));
    let model = model(13, x_to_y(nodes)).read();
    let found = sites(&model);
    assert_eq!(found.len(), 20_000);
    let kinds: BTreeSet<_> = found.iter().collect();
    assert!((2..20).contains(&kinds.len()), "{kinds:?}");
}
