//! DOT and SVG: well formed, whatever names a model has.

use std::path::{Path, PathBuf};

use dropout_onnx::onnx::Model;
use dropout_onnx::show::{Options, dot, svg};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::common::build::{f32_scalar, f32s, flag, model, op, x_to_y};
use crate::common::everything::everything;

fn fixture(stem: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures.join(format!("{stem}.onnx"))
}

/// Asserts that XML is well formed; returns its text.
fn xml(text: &str) -> String {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut depth, mut out) = (0, String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                depth += 1;
                start.attributes().for_each(|a| drop(a.unwrap()));
            }
            Event::End(_) => depth -= 1,
            Event::Text(text) => out.push_str(&text.decode().unwrap()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    out
}

/// Asserts that DOT is a list of statements with balanced braces; returns its strings, unescaped.
fn strings(text: &str) -> Vec<String> {
    let (mut depth, mut found, mut chars) = (0, Vec::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            '"' => {
                let mut string = String::new();
                loop {
                    match chars.next().expect("the end of a string") {
                        '"' => break,
                        '\\' => match chars.next().unwrap() {
                            'n' => string.push('\n'),
                            c => string.push(c),
                        },
                        c => string.push(c),
                    }
                }
                found.push(string);
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{text}");
    found
}

const ODD: [&str; 6] = [
    "a\"b",
    "back\\slash",
    "<&>",
    "new\nline",
    "\u{1b}[31m",
    "層 \u{ffff}",
];

#[test]
fn odd_names_break_nothing() {
    for name in ODD {
        let mut built = model(7, x_to_y([op("h = Relu(x)"), op("y = Dropout(h)")]));
        let nodes = &mut built.main_mut().node;
        nodes[0].name = Some(name.into());
        nodes[0].output[0] = name.into();
        nodes[1].input[0] = name.into();
        let read = built.read();
        let picture = svg::text(&read, &Options::default()).unwrap();
        xml(&picture);
        assert!(!picture.contains('\u{1b}') && !picture.contains('\u{ffff}'));
        let graph = dot::text(&read, &Options::default()).unwrap();
        let shown = dropout_onnx::report::one_line(name);
        let all = strings(&graph);
        assert!(all.iter().any(|s| s == &shown), "{shown}: {all:?}");
    }
}

#[test]
fn every_model_has_pictures() {
    for path in crate::common::models() {
        let model = Model::open(&path).unwrap();
        strings(&dot::text(&model, &Options::default()).unwrap());
        match model.check(&dropout_onnx::onnx::Values::new(&model)) {
            Ok(()) => drop(xml(&svg::text(&model, &Options::default()).unwrap())),
            Err(_) => assert!(svg::text(&model, &Options::default()).is_err()),
        }
    }
}

#[test]
fn pictures_of_everything() {
    let model = everything().read();
    insta::assert_snapshot!(
        "everything_dot",
        dot::text(&model, &Options::default()).unwrap()
    );
    insta::assert_snapshot!(
        "everything_svg",
        svg::text(&model, &Options::default()).unwrap()
    );
}

/// The boxes of a picture: class, and lines.
fn boxes(picture: &str) -> Vec<(String, String)> {
    let rects = picture.split("<g><title>").skip(1);
    rects
        .map(|text| {
            let (lines, rest) = text.split_once("</title>").unwrap();
            let class = rest.split("class=\"").nth(1).unwrap();
            let (class, _) = class.split_once('"').unwrap();
            (class.to_string(), lines.to_string())
        })
        .collect()
}

#[test]
fn a_mask_is_coloured_from_its_draw_to_its_end_and_nothing_else() {
    let path = fixture("keras_course_random_mask_op13");
    let picture = svg::text(&Model::open(path).unwrap(), &Options::default()).unwrap();
    let panel = picture.split("class=\"title\"").nth(1).unwrap();
    let operators = |classes: &[&str]| {
        let of = boxes(panel).into_iter();
        let of = of.filter(|(class, _)| classes.contains(&class.as_str()));
        let mut of: Vec<_> = of
            .map(|(_, lines)| lines.lines().next().unwrap().to_string())
            .collect();
        of.sort();
        of
    };
    assert_eq!(operators(&["active own"]), ["Add", "RandomUniformLike"]);
    assert_eq!(
        operators(&["active"]),
        ["Cast", "Cast", "GreaterOrEqual", "Mul", "Mul", "Not"]
    );
    // the data's way, the shape's way, and what comes after
    let others = ["Add", "Cast", "ConstantOfShape", "MatMul", "Mul", "Relu"];
    assert_eq!(operators(&["box"]), others);
}

#[test]
fn boxes_show_constants_and_outer_values() {
    let shown = |stem: &str| {
        let model = Model::open(fixture(stem)).unwrap();
        svg::text(&model, &Options::default()).unwrap()
    };
    let branch = shown("torch_scripted_if_op13");
    let has = |class: &str, lines: &str| {
        let of = (class.to_string(), lines.to_string());
        assert!(boxes(&branch).contains(&of), "{:?}", boxes(&branch));
    };
    has("box", "Constant\n/Constant\nfloat[] {0.45}");
    has("box", "Constant\n/Constant_1\nbool[] {true}");
    has("port", "/Gemm_output_0\nfrom outside");
    has("port", "/Dropout_output_0\noutput");
    assert!(branch.contains(">in graph//If.then_branch</text>"));
    let function = shown("torch112_function_called_twice_op15");
    assert!(function.contains(">in function:torch.nn.modules.dropout::Dropout</text>"));
    let noise = shown("keras_kinds_op13");
    assert!(noise.contains(">gaussian_noise 1: active, σ=0.1, random_mask</text>"));
    assert!(noise.contains("GreaterEqual/y:0: float[] {0.2}"));
    // numbers that would leave no room for the name stay away
    let graph = x_to_y([op("h = Mul(x, w)"), op("y = Dropout(h)")]);
    let graph = graph.init("w", f32s(&[3], &[0.012_345_678, 1.0, 0.123_456_78]));
    let long = svg::text(&model(13, graph).read(), &Options::default()).unwrap();
    let class = ("box".to_string(), "Mul\nh\nw: float[3]".to_string());
    assert!(boxes(&long).contains(&class), "{:?}", boxes(&long));
}

#[test]
fn every_class_has_a_style() {
    let picture = svg::text(&everything().read(), &Options::default()).unwrap();
    let classes = picture.split("class=\"").skip(2); // the first is the picture's own
    let classes = classes.flat_map(|rest| rest.split('"').next().unwrap().split(' '));
    for class in classes {
        assert!(picture.contains(&format!(".{class} {{")), "{class}");
    }
    let dark = "@media (prefers-color-scheme: dark)";
    assert_eq!(picture.matches(dark).count(), 1);
    // in a page, other pictures keep theirs
    let rules = picture.split("</style>").next().unwrap().lines();
    let mut rules = rules.filter(|line| line.contains(": ") && !line.starts_with('@'));
    assert!(rules.all(|rule| rule.starts_with(".dropout-onnx ")));
}

#[test]
fn every_edge_of_the_graph_leads_somewhere() {
    let graph = dot::text(&everything().read(), &Options::default()).unwrap();
    let defined: Vec<&str> = (graph.lines())
        .filter(|line| line.contains(" [label=") && !line.contains(" -> "))
        .map(|line| line.trim().split(" [label=").next().unwrap())
        .collect();
    let edges = graph.lines().filter(|line| line.contains(" -> "));
    let mut count = 0;
    for edge in edges {
        let (from, to) = edge
            .trim()
            .split(" [label=")
            .next()
            .unwrap()
            .split_once(" -> ")
            .unwrap();
        assert!(defined.contains(&from) && defined.contains(&to), "{edge}");
        count += 1;
    }
    assert_eq!(count, 20);
}

#[test]
fn a_model_without_dropout_has_an_empty_picture() {
    let none = model(13, x_to_y([op("y = Relu(x)")])).read();
    let picture = svg::text(&none, &Options::default()).unwrap();
    assert!(xml(&picture).contains("no dropout in this file"));
}

/// A row of layers with dropout after each; the last has another rate.
fn layers(number: usize) -> Model {
    let names = |layer: usize| format!("block.{layer}");
    let mut graph = crate::common::build::graph([]).input("x");
    let mut last = "x".to_string();
    for layer in 0..number {
        let name = names(layer);
        let relu = op(&format!("{name}.r = Relu({last})")).named(&format!("/{name}/Relu"));
        let drop = op(&format!("{name}.d = Dropout({name}.r, ratio.{layer}, on)"));
        graph
            .node
            .extend([relu, drop.named(&format!("/{name}/Dropout"))]);
        let rate = if layer + 1 == number { 0.5 } else { 0.1 };
        graph = graph.init(&format!("ratio.{layer}"), f32_scalar(rate));
        last = format!("{name}.d");
    }
    model(13, graph.init("on", flag(true)).output(&last)).read()
}

#[test]
fn panels_that_differ_in_numbers_only_are_drawn_once() {
    let picture = svg::text(&layers(12), &Options::default()).unwrap();
    xml(&picture);
    let titles = |picture: &str| {
        let texts = picture.split("class=\"title\"").skip(1);
        let texts = texts.map(|rest| rest.split(['>', '<']).nth(1).unwrap().to_string());
        texts.collect::<Vec<_>>()
    };
    let found = titles(&picture);
    assert!(found.len() < 7, "{found:?}");
    assert!(
        found
            .iter()
            .any(|title| title.contains(" more: active, p=0.1, ")),
        "{found:?}"
    );
    // the twin: one of another rate has a picture of its own
    let others = found.iter().filter(|title| title.contains("p=0.5"));
    assert_eq!(
        others.collect::<Vec<_>>(),
        ["dropout 11: active, p=0.5, operator"]
    );
    let width = picture.split("width=\"").nth(1).unwrap();
    let width: f64 = width.split('"').next().unwrap().parse().unwrap();
    assert!(width < 1400.0, "{width}");
    // colours are explained, those that occur
    assert_eq!(picture.matches(">active</text>").count(), 1);
    assert_eq!(picture.matches(">inert</text>").count(), 0);
}
