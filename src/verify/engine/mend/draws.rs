//! Dropout and the operators that draw random numbers, in every domain and version: as the two operators `Drop` and
//! `Draw` that both engines are given.
//!
//! | `Dropout` since opset | trains when | ratio | mask |
//! |---|---|---|---|
//! | 1, 6 | `is_test` is 0, the default | attribute, 0.5 | element type of the data |
//! | 7 | never | | element type of the data |
//! | 10 | never | | bool |
//! | 12, 13, 22 | input `training_mode` is true | input, 0.5 | bool |
//!
//! In inference the output is the input and the mask is all true: a model with dropout and the same model without it
//! are the same graph. Source: the ONNX operator changelog.

use super::site::Site;
use super::{Repair, always};
use crate::onnx::DataType;
use crate::verify::engine::Meaning;
use crate::verify::engine::draws::VERSION;

pub(super) const ALL: &[Repair] = &[
    Repair::made("Dropout", always, |site| {
        let version = site.int(VERSION, site.opset);
        let element = element(site.element(0));
        format!(
            "x ratio training => y mask {}",
            match version {
                ..7 => dropped(site, "@ratio=0.5d", Some(site.int("is_test", 0) == 0)),
                7..12 => dropped(site, "@ratio=0.5d", Some(false)),
                12.. => by_inputs(site, [1, 2]),
            }
        ) + &match version {
            ..10 => format!("\n if mask: mask = Cast(mask){{to={element}}}"),
            10.. => String::new(),
        }
    }),
    Repair::made("BiasDropout", always, biased).foreign(),
    Repair::made("BitmaskBiasDropout", has_no_mask, biased).foreign(),
    Repair::made("BitmaskDropout", has_no_mask, plain).foreign(),
    Repair::made("TrainableDropout", always, plain),
    Repair::made("TrainableDropout", always, plain).foreign(),
    Repair::made("RandomUniform", always, drawn),
    Repair::made("RandomNormal", always, drawn),
    Repair::made("RandomUniformLike", always, drawn),
    Repair::made("RandomNormalLike", always, drawn),
    Repair::made("Bernoulli", always, drawn),
    // draws that tf2onnx leaves in the default domain, where they are not defined: key and counter are not read
    Repair::made("StatelessRandomUniformV2", |site| site.has(0), drawn),
    Repair::made("StatelessRandomNormalV2", |site| site.has(0), drawn),
];

fn element(element: Option<DataType>) -> &'static str {
    element.and_then(DataType::name).unwrap_or("float")
}

/// A mask of bits is not made.
fn has_no_mask(site: &Site<'_>) -> bool {
    !site.wants(1)
}

fn plain(site: &Site<'_>) -> String {
    format!("x ratio training => y mask {}", by_inputs(site, [1, 2]))
}

/// Dropout of the sum of data and bias, and a residual added to the result.
fn biased(site: &Site<'_>) -> String {
    format!(
        "x bias rest ratio training => y mask
         x = Add(x, bias) {}
         y = Add(y, rest?)",
        by_inputs(site, [3, 4])
    )
}

/// Dropout whose ratio, and whether it trains, are inputs.
fn by_inputs(site: &Site<'_>, [ratio, training]: [usize; 2]) -> String {
    let trains = match site.has(training) {
        true => site.number(training).map(|number| number != 0.0),
        false => Some(false),
    };
    let ratio = if site.has(ratio) {
        "Cast(ratio){to=double}"
    } else {
        "0.5d"
    };
    dropped(site, ratio, trains)
}

/// Dropout by a ratio; whether it trains is an input if it is not known.
fn dropped(site: &Site<'_>, ratio: &str, trains: Option<bool>) -> String {
    let (ratio, trains) = match site.meaning {
        Meaning::Inference => (ratio.to_string(), Some(false)),
        Meaning::AsWritten { .. } => (ratio.to_string(), trains),
        Meaning::Training { rate: None, .. } => (ratio.to_string(), Some(true)),
        Meaning::Training {
            rate: Some(rate), ..
        } => (format!("{rate:?}d"), Some(true)),
    };
    let drop = "{stream, repeats}";
    match trains {
        Some(false) if !site.wants(1) => "\n y = x".to_string(),
        Some(false) => format!("\n y, mask = Drop(x, 0d){drop}"),
        Some(true) => format!("\n y, mask = Drop(x, {ratio}){drop}"),
        None => format!("\n y, mask = Drop(x, Where(training, {ratio}, 0d)){drop}"),
    }
}

/// A draw of a shape that is an attribute, an input, or that of an input.
fn drawn(site: &Site<'_>) -> String {
    let operator = site.node.op_type.to_string();
    let (is_normal, is_like) = (operator.contains("Normal"), operator.ends_with("Like"));
    let declared = i32::try_from(site.int("dtype", 0)).unwrap_or_default();
    let declared = Some(DataType(declared)).filter(|element| element.0 != 0);
    let of_input = site
        .element(0)
        .filter(|_| is_like || operator == "Bernoulli");
    let element = element(declared.or(of_input).or(site.output_element(0)));
    // without what opsets up to 8 lack
    let zeros = |rank, shape| match rank {
        0 => "0f".to_string(),
        rank => format!("Tile(Reshape(0f, {:?}), {shape})", vec![1; rank]),
    };
    let shape = match () {
        () if operator.starts_with("Stateless") => match site.sizes(0).as_deref() {
            Some([Some(rank @ 0..=16)]) => zeros(*rank as usize, "Cast(x){to=int64}"),
            _ => "ConstantOfShape(Cast(x){to=int64})".to_string(),
        },
        () if is_like || operator == "Bernoulli" => "Cast(x){to=float}".to_string(),
        () => zeros(site.ints("shape").unwrap_or_default().len(), "@shape"),
    };
    let normal = i64::from(is_normal);
    let draw = format!("Draw({shape}){{stream, repeats, low, high, mean, scale, normal={normal}}}");
    let draw = match operator.as_str() {
        "Bernoulli" => format!("Less({draw}, Cast(x){{to=double}})"),
        _ => draw,
    };
    format!("x => y\n y = Cast({draw}){{to={element}}}")
}
