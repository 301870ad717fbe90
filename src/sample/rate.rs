//! Another rate for random masks.
//!
//! A rate is not written into a mask, which has no one place for it: its draw is replaced by one that
//! is, with the chance asked for, a number the mask drops, and else one that it keeps. What comes out
//! is brought to the scale of the new rate by a `Mul` (and an `Add`, of alpha dropout). That the copy
//! then has this rate is read by the recognisers, not taken from the request.

use crate::dropout::alpha::scale_and_shift;
use crate::dropout::{self, Form, Junction, KeptDraw, Kind, MaskUse, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, Model, Node, NodeId, Values, encode_float,
    encode_number,
};
use crate::semantics::view::View;
use crate::verify::draw::{drawn_element, drawn_shape};

/// Tolerance of the rate of a mask, limited by float16.
const SEEN: f64 = 2e-3;

/// A factor this near to 1 is 1.
const NEAR: f64 = 1e-6;

/// Why the rate of a site cannot be set.
pub(super) fn refusal(model: &Model, site: &Site, why: &str) -> Error {
    let why = format!("its rate cannot be set: {why}");
    Error::new(ErrorKind::Unsupported, why).at(model.place(site.nodes[0]))
}

/// Sets the rate of a random mask.
///
/// # Errors
/// Why that cannot be done.
pub(super) fn set(editor: &mut Editor<'_>, site: &Site, rate: f64) -> Result<(), String> {
    if let Some(why) = &site.entangled {
        return Err(why.clone());
    }
    if site.mask == MaskUse::Output {
        return Err("its mask is an output, which a different rate would change as well".into());
    }
    let Some(draw) = &site.kept_draw else {
        return Err("the calls of its function have different rates or scales".to_string());
    };
    match site.kind {
        // its standard deviation is no probability
        Kind::GaussianNoise => Ok(()),
        Kind::GaussianDropout => {
            let deviation = |p: f64| (p / (1.0 - p)).sqrt();
            let old = site.rate.ok_or("the file does not declare the rate")?;
            widen(editor, draw.source, deviation(rate) / deviation(old));
            Ok(())
        }
        Kind::Dropout | Kind::AlphaDropout => {
            choose(editor, **draw, rate)?;
            for junction in &site.junctions {
                let (factor, shift) = change(site.kind, junction, rate);
                affine(editor, junction, factor, shift)?;
            }
            Ok(())
        }
    }
}

/// What makes of the output of a junction that with another rate.
fn change(kind: Kind, junction: &Junction, rate: f64) -> (f64, f64) {
    let (a, b) = junction.kept;
    if kind == Kind::AlphaDropout {
        let (new_a, new_b) = scale_and_shift(rate);
        return (new_a / a, new_b - b * new_a / a);
    }
    let inverted = junction.prescale.is_some() || !junction.needs_scale();
    match inverted {
        true => (junction.scale / a / (1.0 - rate), 0.0),
        false => (1.0, 0.0), // classic: training does not scale
    }
}

/// Multiplies the deviation of a normal draw by `factor`.
fn widen(editor: &mut Editor<'_>, source: NodeId, factor: f64) {
    let old = match editor
        .model()
        .node(source)
        .attribute("scale")
        .map(|a| &a.value)
    {
        Some(AttributeValue::Float(scale)) => f64::from(*scale),
        _ => 1.0,
    };
    let scale = AttributeValue::Float((old * factor) as f32);
    editor.set_attribute(source, Attribute::new("scale", scale));
}

/// Replaces a draw by one that drops with this chance.
fn choose(editor: &mut Editor<'_>, draw: KeptDraw, rate: f64) -> Result<(), String> {
    let id = draw.source;
    let dropped = draw.dropped.ok_or("it is made of several draws")?;
    let node = editor.model().node(id).clone();
    let Some(output) = node.output(0).cloned() else {
        return Err("it has no draw".to_string());
    };
    let element = drawn_element(editor.view().node(id)).unwrap_or(DataType::FLOAT);
    let shape = drawn_shape(editor, id).ok_or("the shape of the draw is unknown")?;
    let at = (id.graph, Some(id));
    let float = |number: f64| encode_float(DataType::FLOAT, number).unwrap_or_default();
    editor.remove_node(id);
    let chance = Attribute::tensor((DataType::FLOAT, &[1], &float(rate)));
    let chance = Node::new("ConstantOfShape").on([shape]).with(chance);
    let chance = editor.put(at, "draw/chance", chance);
    let drops = editor.put(at, "draw/drops", Node::new("Bernoulli").on([chance]));
    let mut number = |hint: &str, number: f64| {
        editor.put_constant(at, hint, (DataType::FLOAT, &[], &float(number)))
    };
    let step = number("draw/step", dropped - draw.value);
    let kept = number("draw/kept", draw.value);
    let step = editor.put(at, "draw/steps", Node::new("Mul").on([drops, step]));
    let sum = Node::new("Add").on([step, kept]);
    if element == DataType::FLOAT {
        editor.put_as(at, output, sum);
        return Ok(());
    }
    let drawn = editor.put(at, "draw/drawn", sum);
    editor.put_as(at, output, Node::cast(element).on([drawn]));
    Ok(())
}

/// Puts `factor · y + shift` in the place of what comes out of a junction.
fn affine(
    editor: &mut Editor<'_>,
    junction: &Junction,
    factor: f64,
    shift: f64,
) -> Result<(), String> {
    if (factor - 1.0).abs() < NEAR && shift.abs() < NEAR {
        return Ok(());
    }
    let model = editor.model();
    let ends = [junction.output, junction.data].into_iter();
    let mut known = ends.filter_map(|value| model.element_type(editor.values(), value));
    let element = known.next().unwrap_or(DataType::FLOAT);
    let encoded = (
        encode_number(element, factor),
        encode_number(element, shift),
    );
    let (Some(factor), Some(added)) = encoded else {
        return Err(format!("it drops {element} elements"));
    };
    let Some((data, at, name)) = editor.detach(junction.node, junction.output) else {
        return Err("its output has no name".to_string());
    };
    let factor = editor.put_constant(at, "rate/factor", (element, &[], &factor));
    let product = Node::new("Mul").on([data, factor]);
    if shift == 0.0 {
        editor.put_as(at, name, product);
        return Ok(());
    }
    let scaled = editor.put(at, "rate/scaled", product);
    let shift = editor.put_constant(at, "rate/shift", (element, &[], &added));
    editor.put_as(at, name, Node::new("Add").on([scaled, shift]));
    Ok(())
}

/// Checks that every mask in the copy has the rate.
pub(super) fn check(model: &Model, sites: &[&Site], copy: &Model, rate: f64) -> Result<()> {
    if rate == 0.0 {
        return Ok(()); // what drops nothing is not found
    }
    let masks = |site: &&Site| site.form == Form::RandomMask && site.kind != Kind::GaussianNoise;
    let known = |site: &Site| (site.kind, site.scaling);
    let mut meant: Vec<_> = sites.iter().copied().filter(masks).map(known).collect();
    let found = dropout::find_masks(View::new(copy, &Values::new(copy)))?;
    let found: Vec<&Site> = found.iter().filter(masks).collect();
    let other = |site: &&&Site| site.rate.is_none_or(|found| (found - rate).abs() > SEEN);
    if let Some(site) = found.iter().find(other) {
        return Err(refusal(
            copy,
            site,
            "the result would have a different rate",
        ));
    }
    let mut found: Vec<_> = found.into_iter().map(known).collect();
    meant.sort();
    found.sort();
    if meant != found {
        let lost = sites.iter().find(|site| masks(site)).unwrap_or(&sites[0]);
        return Err(refusal(
            model,
            lost,
            "the result would not be recognised as dropout",
        ));
    }
    Ok(())
}
