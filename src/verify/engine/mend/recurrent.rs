//! Recurrent layers that tract reads wrongly: run backwards alone, or in half precision.

use super::Repair;
use crate::onnx::DataType;
use crate::verify::engine::site::Site;

pub(super) const ALL: &[Repair] = &[
    Repair::made("LSTM", needs, |site| recurrent(site, "y, h, c")),
    Repair::made("GRU", needs, |site| recurrent(site, "y, h")),
    Repair::made("RNN", needs, |site| recurrent(site, "y, h")),
];

/// tract runs a single direction forwards whatever it is, and starts with a state of single precision.
fn needs(site: &Site<'_>) -> bool {
    is_backward(site) || is_half(site)
}

fn is_backward(site: &Site<'_>) -> bool {
    site.text("direction") == "reverse" && site.has(0) && !site.has(4)
}

fn is_half(site: &Site<'_>) -> bool {
    site.element(0) == Some(DataType::FLOAT16)
}

fn recurrent(site: &Site<'_>, outputs: &str) -> String {
    let (is_half, is_backward) = (is_half(site), is_backward(site));
    let mut text = "x w r bias lengths first cell peep => y h c".to_string();
    for input in ["x", "w", "r", "bias", "first", "cell", "peep"]
        .iter()
        .filter(|_| is_half)
    {
        text += &format!("\n if {input}: {input} = Cast({input}){{to=float}}");
    }
    let (x, own) = match is_backward {
        true => ("backwards(x, [@layout=0])", "*, direction=forward"),
        false => ("x", "*"),
    };
    text += &format!("\n {outputs} = self({x}, w, r, bias, lengths, first, cell, peep){{{own}}}");
    if is_backward {
        text += "\n y = backwards(y, [@layout=0])";
    }
    for output in outputs.split(", ").filter(|_| is_half) {
        text += &format!("\n {output} = Cast({output}){{to=float16}}");
    }
    text
}
