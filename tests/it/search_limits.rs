//! Where a search for dropout stops early, it says so: no verdict by silence.

use dropout_onnx::dropout::{self, Findings};

use crate::common::build::{f32s, op, x_to_y};
use crate::common::masks::{at, masks_in_a_row, numbers, spelt};
use crate::common::proto::Model;

fn search(model: &Model) -> Findings {
    let model = model.read();
    dropout::search(&dropout_onnx::Analysis::of(&model)).expect("findings")
}

/// What stopped the search, as the names of nodes' operators and limits.
fn limits(model: &Model) -> Vec<(String, &'static str)> {
    let read = model.read();
    let limits = search(model).limits.into_iter();
    let told = limits.map(|limit| (read.node(limit.node).op_type.to_string(), limit.what));
    told.collect()
}

#[test]
fn a_mask_may_have_any_number_of_uses() {
    for uses in [100, 400, 3000] {
        let found = search(&masks_in_a_row(uses));
        assert_eq!((found.sites.len(), found.limits.len()), (1, 0), "{uses}");
        assert_eq!(found.sites[0].junctions.len(), uses);
    }
}

#[test]
fn a_mask_that_changes_at_more_draws_than_a_law_has_cells() {
    let steps = |count: f64| {
        let text = "r = RandomUniform()\na = Mul(r, count)\nf = Floor(a)\nh = Mul(f, half)\ng = Floor(h)\n\
                    e = Mul(g, two)\no = Sub(f, e)\nm = Mul(o, two)\ny = Mul(x, m)";
        let constants = [("count", count), ("half", 0.5), ("two", 2.0)];
        crate::common::build::model(13, spelt(text, &constants))
    };
    for few in [4.0, 20.0, 64.0] {
        assert_eq!(limits(&steps(few)), []);
        let sites = search(&steps(few)).sites;
        assert_eq!(sites[0].rate, Some(0.5), "{few}");
    }
    let what = "a mask changes at no more than 64 draws";
    assert_eq!(limits(&steps(66.0)), [("Floor".to_string(), what)]);
}

#[test]
fn constants_are_followed_through_any_nodes() {
    // a threshold behind many nodes, a large one, and a frozen mask behind many casts
    let chain = |between: usize| {
        let mut text = String::from("r = RandomUniform()\nc0 = Identity(keep)\n");
        for i in 0..between {
            text += &format!("c{} = Abs(c{i})\n", i + 1);
        }
        text += &format!("b = Less(r, c{between})\nk = Cast(b)\nm = Mul(k, s)\ny = Mul(x, m)");
        at(13, 0.3, &text)
    };
    for between in [3, 30, 3000] {
        let found = search(&chain(between));
        assert_eq!((found.sites.len(), found.limits.len()), (1, 0), "{between}");
    }
}

#[test]
fn a_threshold_as_large_as_the_data_may_be_large() {
    let thresholds = |last: f32| {
        let mut keep = vec![0.7; 200 * 300];
        *keep.last_mut().expect("an element") = last;
        let text =
            "r = RandomUniform()\nb = Less(r, kk)\nk = Cast(b)\nm = Mul(k, s)\ny = Mul(x, m)";
        let graph = spelt(text, &numbers(0.3)).init("kk", f32s(&[200, 300], &keep));
        crate::common::build::model(13, graph)
    };
    assert_eq!(search(&thresholds(0.7)).sites.len(), 1);
    assert_eq!(search(&thresholds(0.2)).sites.len(), 0);
}

#[test]
fn a_model_without_draws_stops_nowhere() {
    let plain = crate::common::build::model(13, x_to_y(vec![op("y = Tanh(x)")]));
    let found = search(&plain);
    assert_eq!((found.sites.len(), found.limits.len()), (0, 0));
}
