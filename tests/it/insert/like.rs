//! Dropout where another model has it.

use dropout_onnx::dropout::{Examined, Site};
use dropout_onnx::onnx::{self, DataType};
use dropout_onnx::rewrite::insert::{Inserted, Like, Options, insert, like};
use dropout_onnx::rewrite::{Acting, Rate, strip};
use dropout_onnx::source::Source;

use super::check::*;
use crate::common::build::*;
use crate::common::proto::{Graph, Model, Node};

fn found(model: &onnx::Model, trained: &onnx::Model) -> dropout_onnx::Result<Like> {
    like(&Examined::new(model), &Examined::new(trained), None)
}

/// Inserts what has a place, active; asserts that strip gives the model back.
#[track_caller]
fn placed(model: &onnx::Model, like: &Like) -> Inserted {
    let options = Options::default()
        .choices(like.choices.clone())
        .acting(Acting::Active);
    let inserted = insert(model, &options).expect("insert");
    let back = stripped(inserted.edited.model());
    assert!(
        back == bytes_of(&model.to_rope().unwrap()),
        "strip does not give the model back"
    );
    inserted
}

fn sites(model: &onnx::Model) -> Vec<Site> {
    Examined::new(model).sites().unwrap().to_vec()
}

/// A dense layer, its bias added by a node of its own or not.
fn dense(at: &str, sum: bool) -> Vec<Node> {
    match sum {
        true => vec![
            op(&format!("{at}p = MatMul(x, {at}w)")),
            op(&format!("{at}h = Add({at}p, {at}b)")),
        ],
        false => vec![op(&format!("{at}h = Gemm(x, {at}w, {at}b)"))],
    }
}

fn weights(graph: Graph, at: &str, weight: f32) -> Graph {
    let graph = graph.init(&format!("{at}w"), f32s(&[3, 3], &[weight; 9]));
    graph.init(&format!("{at}b"), f32s(&[3], &[weight; 3]))
}

/// x, a dense layer, [dropout], Relu, [dropout], Tanh. The names begin with `at`.
fn net(at: &str, weight: f32, bias: bool, dropout: [Option<f32>; 2]) -> Model {
    let mut nodes = dense(at, bias);
    let mut last = format!("{at}h");
    let drop = |last: &mut String, name: &str, rate: Option<f32>, nodes: &mut Vec<Node>| {
        if rate.is_some() {
            nodes.push(op(&format!(
                "{at}{name} = Dropout({last}, {at}{name}r, on)"
            )));
            *last = format!("{at}{name}");
        }
    };
    drop(&mut last, "d", dropout[0], &mut nodes);
    nodes.push(op(&format!("{at}a = Relu({last})")));
    last = format!("{at}a");
    drop(&mut last, "e", dropout[1], &mut nodes);
    nodes.push(op(&format!("y = Tanh({last})")));
    let mut graph = weights(x_to_y(nodes), at, weight).init("on", flag(true));
    for (name, rate) in ["d", "e"].into_iter().zip(dropout) {
        if let Some(rate) = rate {
            graph = graph.init(&format!("{at}{name}r"), f32_scalar(rate));
        }
    }
    model(13, graph)
}

#[test]
fn names_weights_and_the_form_of_a_bias_do_not_matter() {
    let trained = net("t", 1.0, true, [Some(0.2), Some(0.4)]);
    for bias in [true, false] {
        let model = net("m", -3.0, bias, [None, None]).read();
        let like = found(&model, &trained.read()).unwrap();
        assert!(like.unplaced.is_empty(), "{:?}", like.unplaced);
        let inserted = placed(&model, &like);
        let data: Vec<String> = inserted.places.iter().map(|p| p.data.to_string()).collect();
        assert_eq!(data, ["mh", "ma"]);
        let rates: Vec<f64> = inserted.places.iter().map(|p| p.rate.value()).collect();
        assert_eq!(rates, [0.2, 0.4]);
    }
}

#[test]
fn dropout_at_another_place_is_put_there() {
    for (dropout, at) in [([Some(0.3), None], "mh"), ([None, Some(0.3)], "ma")] {
        let trained = net("t", 1.0, true, dropout);
        let model = net("m", -3.0, true, [None, None]).read();
        let inserted = placed(&model, &found(&model, &trained.read()).unwrap());
        let data: Vec<String> = inserted.places.iter().map(|p| p.data.to_string()).collect();
        assert_eq!(data, [at]);
    }
}

/// The residual of one of two readers: the other reads the data itself.
#[test]
fn only_the_readers_of_the_dropout_read_it() {
    let net = |dropped: &str, rest: &[Node]| {
        let mut nodes = vec![op("h = Relu(x)")];
        nodes.extend(rest.iter().cloned());
        nodes.extend([op(&format!("a = Tanh({dropped})")), op("y = Add(a, h)")]);
        model(
            13,
            x_to_y(nodes)
                .init("r", f32_scalar(0.3))
                .init("on", flag(true)),
        )
    };
    let trained = net("d", &[op("d = Dropout(h, r, on)")]);
    let bare = net("h", &[]).read();
    let like = found(&bare, &trained.read()).unwrap();
    let inserted = placed(&bare, &like);
    let lines = decoded(&inserted).lines();
    assert_eq!(
        lines[1..],
        [
            "h/dropout = Dropout(h, h/dropout/ratio, h/dropout/training_mode)",
            "a = Tanh(h/dropout)",
            "y = Add(a, h)"
        ]
    );
    // the twin: all of them do
    let all = [
        op("d = Dropout(h, r, on)"),
        op("a = Tanh(d)"),
        op("y = Add(a, d)"),
    ];
    let nodes = [op("h = Relu(x)")].into_iter().chain(all);
    let trained = model(
        13,
        x_to_y(nodes)
            .init("r", f32_scalar(0.3))
            .init("on", flag(true)),
    );
    let inserted = placed(&bare, &found(&bare, &trained.read()).unwrap());
    assert_eq!(decoded(&inserted).lines()[3], "y = Add(a, h/dropout)");
}

#[test]
fn an_output_that_drops_leaves_other_readers_the_data() {
    let graph = |nodes: &[&str]| {
        let graph = x_to_y(nodes.iter().map(|text| op(text))).output("z");
        model(13, graph.init("r", f32_scalar(0.3)).init("on", flag(true)))
    };
    let trained = graph(&["h = Relu(x)", "y = Dropout(h, r, on)", "z = Tanh(h)"]);
    let model = graph(&["y = Relu(x)", "z = Tanh(y)"]).read();
    let inserted = placed(&model, &found(&model, &trained.read()).unwrap());
    let lines = decoded(&inserted).lines();
    assert_eq!(lines[0], "y/before_dropout = Relu(x)");
    assert_eq!(lines[2], "z = Tanh(y/before_dropout)");
}

#[test]
fn what_has_no_place_is_named_with_the_reason() {
    let trained = net("t", 1.0, true, [Some(0.2), Some(0.4)]);
    let short = [op("h = MatMul(x, w)"), op("y = Tanh(h)")];
    let short = model(13, weights(x_to_y(short), "", 1.0)).read();
    let like = found(&short, &trained.read()).unwrap();
    assert_eq!((like.choices.len(), like.unplaced.len()), (1, 1));
    assert!(
        like.unplaced[0].why.contains("nothing in this model"),
        "{like:?}"
    );
    placed(&short, &like);
    let other = model(13, x_to_y([op("y = Sin(x)")])).read();
    let error = found(&other, &trained.read()).unwrap_err();
    assert!(
        error.to_string().contains("no dropout of the other model"),
        "{error}"
    );
    let error = found(&short, &short).unwrap_err();
    assert!(error.to_string().contains("has no dropout"), "{error}");
}

#[test]
fn a_lost_rate_is_not_invented() {
    let trained = model(
        13,
        x_to_y(["h = Relu(x)", "d = Dropout(h)", "y = Tanh(d)"].map(op)),
    );
    let model = model(13, x_to_y(["h = Relu(x)", "y = Tanh(h)"].map(op))).read();
    let error = found(&model, &trained.read()).unwrap_err().to_string();
    assert!(error.contains("its rate is not known"), "{error}");
    let rate = Rate::new(0.25).ok();
    let (to, from) = (Examined::new(&model), trained.read());
    let like = like(&to, &Examined::new(&from), rate).unwrap();
    assert_eq!(like.choices[0].rate, rate);
}

#[test]
fn dropout_in_functions_that_are_removed_belongs_to_each_call() {
    let body = [
        op("t = Constant()").with(tensor("value", flag(true))),
        op("o = Dropout(i, r, t)"),
    ];
    let drop = function("Drop", "i, r", "o", 13, body);
    let nodes = [
        "a = local::Drop(x, p)",
        "h = Relu(a)",
        "b = local::Drop(h, q)",
        "y = Tanh(b)",
    ];
    let graph = x_to_y(nodes.map(op))
        .init("p", f32_scalar(0.1))
        .init("q", f32_scalar(0.2));
    let trained = model(13, graph).imports("local", 1).function(drop);
    let model = model(13, x_to_y(["h = Relu(x)", "y = Tanh(h)"].map(op))).read();
    let like = found(&model, &trained.read()).unwrap();
    let places = like.choices.iter();
    let places = places.map(|c| (c.at.clone().unwrap().to_string(), c.rate.unwrap().value()));
    assert_eq!(
        places.collect::<Vec<_>>(),
        [("x".into(), 0.1), ("h".into(), 0.2)]
    );
}

/// The stripped form of every fixture gets its dropout back where it was, with its rates.
#[test]
fn fixtures_get_their_dropout_back() {
    let (mut models, mut places, mut without) = (0, 0, 0);
    for path in crate::common::models() {
        let Ok(trained) = onnx::Model::open(&path) else {
            continue;
        };
        let (before, bare) = (sites(&trained), strip::strip(&trained, &Default::default()));
        let Ok(bare) = bare else { continue };
        let bytes = bytes_of(&bare.edited.rope);
        if before.is_empty() || bytes.len() > 8 << 20 || bare.outcome.removed < before.len() {
            continue;
        }
        let folder = trained.folder().map(Into::into);
        let bare = onnx::Model::read_in(Source::from_bytes(bytes), folder).unwrap();
        let Ok(like) = like(
            &Examined::new(&bare),
            &Examined::new(&trained),
            Rate::new(0.5).ok(),
        ) else {
            without += 1;
            continue;
        };
        let options = Options::default().choices(like.choices.clone());
        let Ok(inserted) = insert(&bare, &options) else {
            continue;
        };
        assert!(
            stripped(inserted.edited.model()) == bytes_of(&bare.to_rope().unwrap()),
            "{path:?}"
        );
        let rates = |sites: &[Site]| {
            let mut rates: Vec<String> = sites.iter().map(|s| format!("{:?}", s.rate)).collect();
            rates.sort();
            rates
        };
        let after = sites(inserted.edited.model());
        if like.unplaced.is_empty() && after.len() == before.len() {
            assert_eq!(rates(&after), rates(&before), "{path:?}");
        }
        models += 1;
        places += inserted.outcome.inserted;
    }
    assert!(
        models > 12 && places > 30,
        "{models} models, {places} places, {without} without"
    );
}

fn decoded(inserted: &Inserted) -> Model {
    use prost::Message;
    Model::decode(&bytes_of(&inserted.edited.rope)[..]).unwrap()
}

#[test]
fn quantized_models_are_matched() {
    let trained = net("t", 1.0, true, [None, Some(0.4)]);
    let nodes = [
        "xq = QuantizeLinear(x, s, z)",
        "xd = DequantizeLinear(xq, s, z)",
        "wd = DequantizeLinear(w, s, z)",
        "p = MatMul(xd, wd)",
        "h = Add(p, b)",
        "a = Relu(h)",
        "aq = QuantizeLinear(a, s, z)",
        "ad = DequantizeLinear(aq, s, z)",
        "y = Tanh(ad)",
    ];
    let graph = x_to_y(nodes.map(op))
        .init("s", f32_scalar(0.1))
        .init("b", f32s(&[3], &[0.5; 3]));
    let graph = graph.init("z", raw(DataType::INT8, &[], &[0]));
    let graph = graph.init("w", raw(DataType::INT8, &[3, 3], &[1; 9]));
    let model = model(13, graph).read();
    let inserted = placed(&model, &found(&model, &trained.read()).unwrap());
    assert_eq!(inserted.places[0].rate.value(), 0.4);
    assert_eq!(inserted.places[0].data, "ad");
}

#[test]
fn dropouts_that_follow_each_other_do_so_again() {
    let nodes = [
        "h = Relu(x)",
        "d = Dropout(h, p, on)",
        "e = Dropout(d, q, on)",
        "y = Tanh(e)",
    ];
    let graph = x_to_y(nodes.map(op))
        .init("p", f32_scalar(0.1))
        .init("q", f32_scalar(0.2));
    let trained = model(13, graph.init("on", flag(true)));
    let bare = model(13, x_to_y(["h = Relu(x)", "y = Tanh(h)"].map(op))).read();
    let inserted = placed(&bare, &found(&bare, &trained.read()).unwrap());
    let rates: Vec<f64> = inserted.places.iter().map(|p| p.rate.value()).collect();
    assert_eq!(rates, [0.1, 0.2]);
    let lines = decoded(&inserted).lines();
    assert!(
        lines[2].starts_with("h/dropout_2 = Dropout(h/dropout, "),
        "{lines:?}"
    );
    assert_eq!(lines[3], "y = Tanh(h/dropout_2)");
}
