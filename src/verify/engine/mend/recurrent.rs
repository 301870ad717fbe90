//! Recurrent layers that tract reads wrongly: run backwards alone, in half precision, or over sequences of different
//! lengths.

use super::Repair;
use super::site::Site;
use crate::onnx::{AttributeValue, DataType, Node};

pub(super) const ALL: &[Repair] = &[
    Repair::made("LSTM", needs, |site| recurrent(site, "y, h, c")),
    Repair::made("GRU", needs, |site| recurrent(site, "y, h")),
    Repair::made("RNN", needs, |site| recurrent(site, "y, h")),
];

/// tract runs a single direction forwards whatever it is, starts with a state of single precision, and takes no
/// lengths.
fn needs(site: &Site<'_>) -> bool {
    is_backward(site) || is_half(site) || has_lengths(site)
}

fn is_backward(site: &Site<'_>) -> bool {
    site.text("direction") == "reverse" && site.has(0) && !site.has(4)
}

fn is_half(site: &Site<'_>) -> bool {
    site.element(0) == Some(DataType::FLOAT16)
}

/// The last state of the cell is not computed then.
fn has_lengths(site: &Site<'_>) -> bool {
    let is_usual = site.int("layout", 0) == 0 && unread(site.node).is_none();
    site.has(0) && site.has(4) && is_usual && !site.wants(2)
}

/// The inputs that each direction has a part of.
const PARTS: [&str; 6] = ["w", "r", "bias", "first", "cell", "peep"];

fn recurrent(site: &Site<'_>, outputs: &str) -> String {
    let is_half = is_half(site);
    let mut text = "x w r bias lengths first cell peep => y h c".to_string();
    for input in ["x"].iter().chain(&PARTS).filter(|_| is_half) {
        text += &format!("\n if {input}: {input} = Cast({input}){{to=float}}");
    }
    let mut outputs = outputs;
    if has_lengths(site) {
        text += &by_lengths(site);
        outputs = "y, h";
    } else if is_backward(site) {
        text += &format!(
            "
            {outputs} = self(backwards(x, [@layout=0]), w, r, bias, lengths, first, cell, peep){{*, direction=forward}}
            y = backwards(y, [@layout=0])"
        );
    } else {
        text += &format!("\n {outputs} = self(x, w, r, bias, lengths, first, cell, peep){{*}}");
    }
    for output in outputs.split(", ").filter(|_| is_half) {
        text += &format!("\n {output} = Cast({output}){{to=float16}}");
    }
    text
}

/// Each direction in a layer of its own that runs forwards: of the other one, the steps of each sequence are reversed up to its length.
/// What comes after the end of a sequence is 0, and its last step is the final state.
fn by_lengths(site: &Site<'_>) -> String {
    let directions: &[&str] = match site.text("direction") {
        "bidirectional" => &["forward", "reverse"],
        "reverse" => &["reverse"],
        _ => &["forward"],
    };
    let mut text = "
        step = Unsqueeze(count(size(x, [0])), [1])
        length = Unsqueeze(CastLike(lengths, 0i), [0])
        final = Sub(length, [1])
        from = Where(Less(step, length), Sub(final, step), step)"
        .to_string();
    for part in PARTS {
        for direction in directions {
            text += &format!("\n {part}_{direction} = {part}");
        }
        if directions.len() > 1 {
            text +=
                &format!("\n if {part}: {part}_forward, {part}_reverse = Split({part}){{axis=0}}");
        }
    }
    for &direction in directions {
        let parts = PARTS.map(|part| format!("{part}_{direction}"));
        let [w, r, bias, first, cell, peep] = &parts;
        let is_reverse = direction == "reverse";
        let turned = |value: &str, axes: &str| match is_reverse {
            false => value.to_string(),
            true => format!(
                "GatherElements({value}, Expand(Unsqueeze(from, {axes}), Shape({value}))){{axis=0}}"
            ),
        };
        let (steps, all) = (turned("x", "[2]"), turned("all", "[1, 3]"));
        text += &format!(
            "
            steps = {steps}
            all = self(steps, {w}, {r}, {bias}, none, {first}, {cell}, {peep}){{*, direction=forward, !activations}}
            all = Mul(all, CastLike(Unsqueeze(Less(step, length), [1, 3]), all))
            h_{direction} = ReduceSum(Mul(all, CastLike(Unsqueeze(Equal(step, final), [1, 3]), all)), [0]){{keepdims=0}}
            y_{direction} = {all}"
        );
    }
    let joined = |output: &str| {
        let parts = directions
            .iter()
            .map(|direction| format!("{output}_{direction}"));
        parts.collect::<Vec<_>>().join(", ")
    };
    let (y, h) = (joined("y"), joined("h"));
    text + &format!("\n y = Concat({y}){{axis=1}}\n h = Concat({h}){{axis=0}}")
}

/// An attribute of a recurrent layer that changes what it computes, and that tract ignores.
pub(in crate::verify::engine) fn unread(node: &Node) -> Option<&'static str> {
    let usual: &[&[u8]] = match &*node.op_type.to_text() {
        "LSTM" => &[b"Sigmoid", b"Tanh", b"Tanh"],
        "GRU" => &[b"Sigmoid", b"Tanh"],
        "RNN" => &[b"Tanh"],
        _ => return None,
    };
    let is_other = |given: &[Vec<u8>]| given != usual;
    match node.attribute("activations").map(|given| &given.value) {
        Some(AttributeValue::Strings(given)) if given.chunks(usual.len()).any(is_other) => {
            return Some("activations");
        }
        _ => {}
    }
    if node.attribute("clip").is_some() {
        return Some("clip");
    }
    (node.int("input_forget", 0) != 0).then_some("input_forget")
}
