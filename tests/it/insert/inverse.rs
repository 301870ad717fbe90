//! What insert puts in, strip takes out: byte for byte.

use dropout_onnx::dropout::Examined;
use dropout_onnx::onnx::{Model, Values};
use dropout_onnx::rewrite::Action;
use dropout_onnx::rewrite::insert::{Options, insert, plan};
use dropout_onnx::source::Source;
use proptest::prelude::*;

use super::check::*;
use crate::common::build::*;
use crate::common::proto::{Graph, Node};

fn read(bytes: Vec<u8>, folder: Option<std::path::PathBuf>) -> Model {
    Model::read_in(Source::from_bytes(bytes), folder).unwrap()
}

/// Leaves out of the choices what the plan refuses or leaves; `None` if nothing is left.
fn possible(model: &Model, options: Options) -> Option<Options> {
    let (places, plan) = plan(&Examined::new(model), &options).ok()?;
    let fits = |step: &&dropout_onnx::rewrite::Step| step.action == Action::Apply;
    let names = plan
        .steps
        .iter()
        .filter(fits)
        .map(|step| &places[step.site].data);
    let names: std::collections::BTreeSet<_> = names.cloned().collect();
    let choices: Vec<_> = names
        .into_iter()
        .map(|name| at(&name.to_string()))
        .collect();
    (!choices.is_empty()).then_some(options.choices(choices))
}

#[test]
fn every_value_of_every_fixture() {
    let (mut models, mut places, mut active, mut switched) = (0, 0, 0, 0);
    for path in crate::common::models() {
        let Ok(original) = Model::open(&path) else {
            continue;
        };
        // what strip leaves is what it must come back to
        let Ok(base) = dropout_onnx::rewrite::strip::strip(&original, &Default::default()) else {
            continue;
        };
        let bytes = bytes_of(&base.edited.rope);
        if bytes.len() > 8 << 20 {
            continue;
        }
        let base = read(bytes.clone(), original.folder().map(Into::into));
        for acting in ["inert", "active", "runtime:zz_on"] {
            let all = acts(acting, options([named("*")]));
            let Ok((_, planned)) = plan(&Examined::new(&base), &all) else {
                continue;
            };
            if planned.refusals().next().is_some() || planned.applied().next().is_none() {
                continue;
            }
            let inserted = insert(&base, &all).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            let back = match inserted.outcome.added_input {
                true => pruned(inserted.edited.model()),
                false => stripped(inserted.edited.model()),
            };
            assert!(
                back == bytes,
                "{path:?}, {acting}: strip does not give the model back"
            );
            places += inserted.outcome.inserted;
            active += usize::from(acting == "active");
            switched += usize::from(inserted.outcome.added_input);
            models += 1;
        }
    }
    assert!(
        models > 25 && places > 300 && active > 10 && switched > 10,
        "{models} {places} {active} {switched}"
    );
}

#[test]
fn values_asked_for_by_name_also_if_they_are_outputs_or_inputs() {
    let mut outputs = 0;
    for path in crate::common::models() {
        let Ok(original) = Model::open(&path) else {
            continue;
        };
        let Ok(base) = dropout_onnx::rewrite::strip::strip(&original, &Default::default()) else {
            continue;
        };
        let bytes = bytes_of(&base.edited.rope);
        if bytes.len() > 1 << 20 {
            continue;
        }
        let base = read(bytes.clone(), original.folder().map(Into::into));
        let main = base.graph(base.main());
        for info in main.outputs.iter().chain(&main.inputs) {
            let asked = options([at(&info.name.to_string())]);
            let Some(asked) = possible(&base, asked) else {
                continue;
            };
            let inserted = insert(&base, &asked).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            let back = stripped(inserted.edited.model());
            assert!(back == bytes, "{path:?}, {}: not given back", info.name);
            outputs += 1;
        }
    }
    assert!(outputs > 40, "{outputs}");
}

/// A node of a generated graph: its operator, and which of the values before it are its inputs.
#[derive(Clone, Debug)]
enum Made {
    One(&'static str, usize),
    Two(&'static str, usize, usize),
    /// An If whose branches capture values from outside.
    Branch(usize, usize, bool),
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        (
            prop::sample::select(vec!["Relu", "Tanh", "Neg", "Identity"]),
            0usize..50
        )
            .prop_map(|(op, a)| Made::One(op, a)),
        (
            prop::sample::select(vec!["Add", "Mul", "Max"]),
            0usize..50,
            0usize..50
        )
            .prop_map(|(op, a, b)| Made::Two(op, a, b)),
        (0usize..50, 0usize..50, any::<bool>()).prop_map(|(a, b, c)| Made::Branch(a, b, c)),
    ]
}

/// A graph of these nodes; `described` gives types to some inner values.
fn generated(made: &[Made], outputs: &[usize], described: bool) -> Graph {
    let name = |index: usize| match index {
        0 => "x".to_string(),
        1 => "w".to_string(),
        other => format!("v{other}"),
    };
    let mut nodes: Vec<Node> = Vec::new();
    let mut count = 2;
    for made in made {
        let pick = |index: &usize| name(index % count);
        let out = name(count);
        nodes.push(match made {
            Made::One(op_type, a) => op(&format!("{out} = {op_type}({})", pick(a))),
            Made::Two(op_type, a, b) => op(&format!("{out} = {op_type}({}, {})", pick(a), pick(b))),
            Made::Branch(a, b, deep) => {
                let inner = match deep {
                    true => vec![
                        op(&format!("{out}_h = Relu({})", pick(a))),
                        op(&format!("{out}_t = Add({out}_h, {})", pick(b))),
                    ],
                    false => vec![op(&format!("{out}_t = Neg({})", pick(a)))],
                };
                let then = graph(inner).output(&format!("{out}_t"));
                let other = vec![op(&format!("{out}_e = Abs({})", pick(b)))];
                let other = graph(other).output(&format!("{out}_e"));
                op(&format!("{out} = If(c)"))
                    .with(subgraph("then_branch", then))
                    .with(subgraph("else_branch", other))
            }
        });
        count += 1;
    }
    let mut graph = graph(nodes)
        .input("x")
        .init("w", f32s(SHAPE, &[0.5; 6]))
        .init("c", flag(true));
    let mut listed: Vec<usize> = outputs.iter().map(|o| 2 + o % made.len()).collect();
    listed.sort_unstable();
    listed.dedup();
    for &output in &listed {
        graph = graph.output(&name(output));
    }
    if described {
        for index in (2..count)
            .step_by(2)
            .filter(|index| !listed.contains(index))
        {
            graph = graph.info(&name(index));
        }
    }
    graph
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_values_of_generated_graphs(
        nodes in prop::collection::vec(made(), 1..12),
        outputs in prop::collection::vec(0usize..50, 1..4),
        chosen in prop::collection::vec(0usize..80, 1..8),
        opset in prop::sample::select(vec![6i64, 8, 11, 12, 13, 17, 22]),
        active in any::<bool>(),
        described in any::<bool>(),
        ir in prop::sample::select(vec![3i64, 8]),
    ) {
        let model = model(opset, generated(&nodes, &outputs, described)).ir(ir);
        let before = model.read();
        let mut names: Vec<String> = before
            .nodes()
            .flat_map(|(_, node)| node.outputs.iter().map(ToString::to_string))
            .collect();
        names.extend(["x".to_string(), "w".to_string()]);
        let choices: Vec<_> = chosen.iter().map(|i| at(&names[i % names.len()])).collect();
        let acting = match active && !(7..12).contains(&opset) { true => "active", false => "inert" };
        let single: Vec<_> = choices
            .into_iter()
            .filter(|choice| possible(&before, acts(acting, options([choice.clone()]))).is_some())
            .collect();
        prop_assume!(!single.is_empty());
        let wanted = acts(acting, options(single));
        let inserted = insert(&before, &wanted).unwrap();
        let after = inserted.edited.model();
        after.check(&Values::new(after)).unwrap();
        let compared = dropout_onnx::verify::structure::compare(&before, after).unwrap();
        let same = matches!(compared, dropout_onnx::verify::structure::Verdict::Same { .. });
        prop_assert!(same, "{:?}", compared);
        let original = bytes_of(&before.to_rope().unwrap());
        prop_assert!(bytes_of(&inserted.edited.rope) != original);
        prop_assert!(stripped(after) == original, "{}", dropout_onnx::show::text(after).unwrap());
    }
}
