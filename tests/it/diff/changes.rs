//! Every kind of change, made by hand, is found, and nothing else is.

use dropout_onnx::diff::{self, Options, Verdict};

use super::{compare, lines};
use crate::common::build::{entry, model, op, x_to_y};
use crate::common::everything::{EDITS, everything, node};

#[test]
fn every_edit_is_found_and_nothing_else() {
    let before = everything().read();
    for edit in EDITS {
        let mut after = everything();
        (edit.edit)(&mut after);
        let found = lines(&before, &after.read());
        // of a hash, that there is one
        let cut = |line: &String| match line.split_once(" #") {
            Some((what, _)) => what.to_string(),
            None => line.clone(),
        };
        let found: Vec<_> = found.iter().map(cut).collect();
        assert_eq!(found, edit.lines, "{}", edit.what);
    }
}

#[test]
fn the_other_way_round_what_was_added_is_removed() {
    let before = everything().read();
    for edit in EDITS {
        let mut after = everything();
        (edit.edit)(&mut after);
        let found = lines(&after.read(), &before);
        assert!(!found.is_empty(), "{}", edit.what);
        let signs = |lines: &[String], sign: &str| {
            let lines = lines.iter().filter(|l| l.trim_start().starts_with(sign));
            lines.count()
        };
        let forth: Vec<_> = edit.lines.iter().map(ToString::to_string).collect();
        assert_eq!(
            signs(&found, "+ "),
            signs(&forth, "- "),
            "{}: {found:?}",
            edit.what
        );
        assert_eq!(
            signs(&found, "- "),
            signs(&forth, "+ "),
            "{}: {found:?}",
            edit.what
        );
    }
}

#[test]
fn what_no_typed_view_shows_is_compared_as_well() {
    let before = everything();
    let mut after = everything();
    after.unknown = Some(crate::common::proto::UNKNOWN.to_vec());
    node(&mut after, "mean").doc_string = Some("the mean".into());
    node(&mut after, "out")
        .metadata_props
        .push(entry("line", "1"));
    after.main_mut().doc_string = Some("everything".into());
    let found = lines(&before.read(), &after.read());
    let parts: Vec<_> = found
        .iter()
        .map(|l| l.split(" bytes").next().unwrap())
        .collect();
    let expected = [
        "model",
        "  + model field 9999: 4",
        "graph",
        "  + graph doc_string: 10",
        "  ~ node mean: doc_string: nothing -> 8",
        "  ~ node out: metadata_props: nothing -> 9",
    ];
    assert_eq!(parts, expected);
}

#[test]
fn the_structure_is_equal_or_the_first_difference_is_reported() {
    let options = Options::default().structure(true);
    let before = everything().read();
    let mut after = everything();
    node(&mut after, "mean").name = Some("average".into());
    let same = diff::diff(&before, &after.read(), &options).unwrap();
    assert_eq!((same.verdict, same.parts), (Verdict::SameStructure, None));
    node(&mut after, "average").op_type = Some("ReduceMax".into());
    let found = diff::diff(&before, &after.read(), &options).unwrap();
    assert_eq!(found.verdict, Verdict::Different);
    let parts = found.parts.unwrap();
    assert!(
        parts.contains("ReduceMean `mean`") && parts.contains("ReduceMax"),
        "{parts}"
    );
    // not selected, not looked at
    assert_eq!(compare(&before, &after.read()).parts, None);
}

#[test]
fn a_model_that_is_not_sound_is_compared_all_the_same() {
    let broken = |inner: &str| model(13, x_to_y([op(&format!("y = Relu({inner})"))])).read();
    let found = lines(&broken("gone"), &broken("lost"));
    assert_eq!(
        found[1..],
        ["  ~ node y: input 0: gone -> lost".to_string()]
    );
    assert!(lines(&broken("gone"), &broken("gone")).is_empty());
    let cycle = model(
        13,
        x_to_y([op("a = Relu(b)"), op("b = Relu(a)"), op("y = Add(a, x)")]),
    );
    let one = cycle.read();
    let mut other = cycle;
    other.main_mut().node[2].op_type = Some("Sub".into());
    assert_eq!(lines(&one, &other.read()).len(), 2);
}

#[test]
fn summaries_count_what_changed() {
    let before = everything().read();
    let mut after = everything();
    node(&mut after, "centred").input.swap(0, 1);
    node(&mut after, "mean").op_type = Some("ReduceMax".into());
    let found = compare(&before, &after.read());
    let summary = diff::text::summary(&found);
    assert_eq!(summary, "different: 1 node rewired, 1 node changed");
}
