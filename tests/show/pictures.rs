//! DOT and SVG: well formed, whatever names a model has.

use dropout_onnx::onnx::Model;
use dropout_onnx::show::{Options, dot, svg};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::common::build::{model, op, x_to_y};
use crate::everything::everything;

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
fn a_model_without_dropout_says_so() {
    let none = model(13, x_to_y([op("y = Relu(x)")])).read();
    let picture = svg::text(&none, &Options::default()).unwrap();
    assert!(xml(&picture).contains("no dropout in this file"));
}
