//! Which dropouts are set.

use dropout_onnx::rewrite::set::{Filter, Options, set};

use super::check::*;

/// How many dropouts of a fixture a filter holds for.
fn count(stem: &str, filter: &str) -> usize {
    let changed = set(&fixture(stem), &only(filter, to_rate(0.125))).unwrap();
    changed.outcome.changed
}

#[test]
fn each_key() {
    let preserve = "torch_course_preserve_op17";
    for (filter, wanted) in [
        ("/2/Dropout", 1),
        ("*Dropout*", 2),
        ("layer=2", 1),
        ("layer=[25]", 2),
        ("scope=graph", 2),
        ("form=operator", 2),
        ("mode=active", 2),
        ("kind=dropout", 2),
        ("rate=0.5", 2),
        ("layer=2,mode=active,rate=0.5", 1),
        ("id=1", 1),
        ("id=1,layer=5", 1),
    ] {
        assert_eq!(count(preserve, filter), wanted, "{filter}");
    }
    assert_eq!(
        count("torch112_nested_functions_op15", "scope=function:*"),
        2
    );
    assert_eq!(count("torch_mlp_training_op7", "rate=0.1"), 1);
}

#[test]
fn several_filters_choose_what_any_chooses() {
    let filters = ["layer=2", "layer=5"]
        .map(|filter| filter.parse().unwrap())
        .to_vec();
    let options = to_rate(0.125).filters(filters);
    let changed = set(&fixture("torch_course_preserve_op17"), &options).unwrap();
    assert_eq!(changed.outcome.changed, 2);
}

#[test]
fn filters_that_match_nothing() {
    let preserve = fixture("torch_course_preserve_op17");
    for (filter, words) in [
        (
            "layer=encoder",
            "no dropout matches layer=encoder; there are 2, 5",
        ),
        ("name=/2/Dropou", "did you mean `/2/Dropout`"),
        ("mode=inert", "no dropout matches mode=inert"),
        ("id=2", "no dropout matches id=2; ids are 0 to 1"),
    ] {
        let why = refusal(&preserve, &only(filter, to_rate(0.125)));
        assert!(why.contains(words), "{why}");
    }
    let why = refusal(&fixture("keras_course_infer_op15"), &to_rate(0.2));
    assert!(
        why.contains("the model has no dropout") && why.contains("`insert`"),
        "{why}"
    );
    let why = refusal(&preserve, &Options::default());
    assert!(why.contains("nothing to change"), "{why}");
}

#[test]
fn filters_that_cannot_be_read() {
    for (filter, words) in [
        ("colour=red", "unknown key `colour`"),
        ("mode=loud", "unknown value `loud`; there are inert"),
        ("form=mask", "unknown value `mask`; there are operator"),
        ("form=scales", "did you mean `scale`"),
        ("rate=1", "is not a rate"),
        ("layer=", "layer is empty"),
        ("id=-1", "`-1` is not an id"),
        ("name=[", "not a pattern"),
    ] {
        let why = filter.parse::<Filter>().unwrap_err().to_string();
        assert!(why.contains(words), "{why}");
    }
}
