//! After strip: what the difference names is what a judge that knows no difference counts.

use std::collections::BTreeSet;

use dropout_onnx::diff::{Kind, Options, Part, Verdict, diff};
use dropout_onnx::dropout::Kind as DropoutKind;
use dropout_onnx::onnx::Model;
use dropout_onnx::rewrite::strip::{self, strip};

/// Every named node with its scope, if names tell nodes apart.
fn nodes(model: &Model) -> Option<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    for (id, node) in model.nodes() {
        let fresh = found.insert((model.scope(id.graph), node.name.to_string()));
        if node.name.is_empty() || !fresh {
            return None;
        }
    }
    Some(found)
}

fn initializers(model: &Model) -> BTreeSet<(String, String)> {
    let graphs = model.graphs().flat_map(|(id, graph)| {
        let scope = model.scope(id);
        let names = graph
            .initializers()
            .map(|(_, tensor)| tensor.name.to_string());
        names
            .map(move |name| (scope.clone(), name))
            .collect::<Vec<_>>()
    });
    graphs.collect()
}

#[test]
fn the_diff_of_strip_is_what_it_did() {
    let mut judged = 0;
    for path in crate::common::models() {
        let model = Model::open(&path).unwrap();
        let options = strip::Options::default().kinds(DropoutKind::ALL.to_vec());
        let Ok(stripped) = strip(&model, &options) else {
            continue;
        };
        let after = stripped.edited.model();
        let found = diff(
            &model,
            after,
            &Options::default().structure(true).values(false),
        )
        .unwrap();
        let place = path.display();
        let verdict = match stripped.outcome.is_unchanged() {
            true => Verdict::IdenticalBytes,
            false => Verdict::SameStructure,
        };
        assert_eq!(found.verdict, verdict, "{place}: {:?}", found.parts);
        let named = |part: Part, kind: Kind| -> BTreeSet<(String, String)> {
            let changes = found
                .changes
                .iter()
                .filter(|c| (c.part, c.change) == (part, kind));
            changes.map(|c| (c.scope.clone(), c.name.clone())).collect()
        };
        // no weight, type or header is another
        let quiet = (found.changes.iter()).find(|c| {
            let part = matches!(c.part, Part::Model | Part::Opset | Part::Metadata)
                || (c.part == Part::Input && c.scope == "graph");
            part || (c.part == Part::Initializer && c.change == Kind::Changed)
        });
        assert!(quiet.is_none(), "{place}: {quiet:?}");
        let gone = |before: BTreeSet<_>, after: BTreeSet<_>| -> BTreeSet<(String, String)> {
            before.difference(&after).cloned().collect()
        };
        let functions = named(Part::Function, Kind::Removed);
        let outside = |names: BTreeSet<(String, String)>| -> BTreeSet<(String, String)> {
            // what is in a function or a node that went is not listed by itself
            let went = |scope: &str| {
                functions.iter().any(|(_, f)| scope.starts_with(f.as_str()))
                    || (named(Part::Node, Kind::Removed).iter())
                        .any(|(_, node)| scope.contains(&format!("/{node}.")))
            };
            names
                .into_iter()
                .filter(|(scope, _)| !went(scope))
                .collect()
        };
        let weights = gone(initializers(&model), initializers(after));
        assert_eq!(
            named(Part::Initializer, Kind::Removed),
            outside(weights),
            "{place}"
        );
        if let (Some(before), Some(after)) = (nodes(&model), nodes(after)) {
            judged += 1;
            let removed = outside(gone(before.clone(), after.clone()));
            let added = gone(after, before);
            assert_eq!(named(Part::Node, Kind::Removed), removed, "{place}");
            assert_eq!(named(Part::Node, Kind::Added), added, "{place}");
        }
    }
    assert!(judged >= 15, "only {judged} models have nodes with names");
}

#[test]
fn what_read_a_dropout_reads_past_it() {
    let mut seen = 0;
    for path in crate::common::models() {
        let model = Model::open(&path).unwrap();
        let Ok(stripped) = strip(&model, &strip::Options::default()) else {
            continue;
        };
        let found = diff(&model, stripped.edited.model(), &Options::default()).unwrap();
        let of = |kind: Kind| found.changes.iter().filter(move |c| c.change == kind);
        let gone = |scope: &str, node: &String| {
            of(Kind::Removed).any(|c| c.part == Part::Node && c.scope == scope && c.name == *node)
        };
        for change in of(Kind::Rewired) {
            let known = change.past.iter().all(|node| gone(&change.scope, node));
            assert!(known, "{}: {change:?}", path.display());
            seen += usize::from(!change.past.is_empty());
        }
    }
    assert!(seen >= 20, "only {seen}");
}
