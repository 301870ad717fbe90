//! The copy in memory whose masks drop: switched on, at another rate if asked, and with draws that
//! tract can make.
//!
//! A rate is not written into a mask, which has no one place for it: its draw is replaced by one that
//! is, with the chance asked for, a number the mask drops, and else one that it keeps. What comes out
//! is brought to the scale of the new rate by a `Mul` (and an `Add`, of alpha dropout). That the copy
//! then has this rate is what the recognisers say of it, not what was meant.

use crate::dropout::{self, Exit, Form, KeptDraw, Kind, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{
    Attribute, AttributeValue, DataType, Editor, GraphKind, Model, Name, Node, NodeId, Producer,
    ValueId, Values, encode_float, encode_number,
};
use crate::rewrite::Edited;
use crate::rewrite::wiring::{
    At, constant, detach, drawn_element, drawn_shape, fix, put, to, value,
};

/// −λα of SELU, what alpha dropout lets out in place of what it drops (Klambauer et al. 2017).
const ALPHA: f64 = -1.758_099_340_847_376_6;

/// How far a condition is followed back to an input.
const DEPTH: usize = 16;

/// How near a rate is to the one asked for: numbers are written as float32.
const NEAR: f64 = 1e-6;

/// A copy, and what was done besides.
pub(super) struct Copy {
    pub edited: Edited,
    pub notes: Vec<String>,
}

/// Puts the copy together. `given` tells inputs that are fed data.
///
/// # Errors
/// The rate of a mask cannot be set.
pub(super) fn of(
    model: &Model,
    values: &Values,
    sites: &[&Site],
    rate: Option<f64>,
    given: &dyn Fn(&Name) -> bool,
) -> Result<Copy> {
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, values.clone());
    let mut notes = Vec::new();
    for site in sites {
        if let (Form::RandomMask, Some(switch), Some(off)) = (site.form, site.switch, site.off) {
            fix(&mut editor, switch, 1.0 - off)?;
        }
        let inside = site.source().unwrap_or(site.nodes[0]);
        notes.extend(take_branch(&mut editor, inside, given));
        if let (Form::RandomMask, Some(rate)) = (site.form, rate) {
            set_rate(&mut editor, site, rate).map_err(|why| refusal(model, site, &why))?;
        }
    }
    let draws = model.nodes().filter(|(_, node)| !is_loadable(node));
    for (id, _) in draws {
        make_loadable(&mut editor, id);
    }
    editor.finish()?;
    let edited = Edited::new(&copy)?;
    if let Some(rate) = rate {
        check(model, sites, &edited.model, rate)?;
    }
    notes.dedup();
    Ok(Copy { edited, notes })
}

fn refusal(model: &Model, site: &Site, why: &str) -> Error {
    let why = format!("its rate cannot be set: {why}");
    Error::new(ErrorKind::Unsupported, why).at(model.place(site.nodes[0]))
}

/// Makes the `If`s around a node take its branch, where an input decides that nobody gives: one
/// that says whether the model trains.
fn take_branch(
    editor: &mut Editor<'_>,
    inside: NodeId,
    given: &dyn Fn(&Name) -> bool,
) -> Option<String> {
    let mut graph = inside.graph;
    let mut note = None;
    while let GraphKind::Attribute {
        node: id,
        attribute,
        ..
    } = &editor.model().graph(graph).kind
    {
        let (id, then) = (*id, *attribute == "then_branch");
        let input = switch_input(editor.model(), editor.values(), id);
        let name = input.map(|input| editor.values()[input].name.clone());
        if let Some(name) = name.filter(|name| !given(name)) {
            let place = editor.model().place(id);
            let at = (id.graph, Some(id));
            let flag = (DataType::BOOL, &[][..], vec![u8::from(then)]);
            let fixed = constant(editor, at, "branch/taken", flag);
            if let Some(fixed) = editor.values().lookup(editor.model(), id.graph, &fixed) {
                editor.set_input(id, 0, fixed);
                note = Some(format!(
                    "{place}: takes the branch that drops, as no data was given for {name}"
                ));
            }
        }
        graph = id.graph;
    }
    note
}

/// The input of the model that an `If` asks, be it negated or cast.
fn switch_input(model: &Model, values: &Values, id: NodeId) -> Option<ValueId> {
    if !model.node(id).is("If") {
        return None;
    }
    let mut at = values.input(id, 0)?;
    for _ in 0..DEPTH {
        match values[at].producer {
            Producer::Input(_) => return (values[at].graph == model.main()).then_some(at),
            Producer::Node { node, .. } => {
                let follow = ["Not", "Cast", "Identity", "Squeeze", "Reshape"];
                if !follow.iter().any(|op| model.node(node).is(op)) {
                    return None;
                }
                at = values.input(node, 0)?;
            }
            _ => return None,
        }
    }
    None
}

fn set_rate(editor: &mut Editor<'_>, site: &Site, rate: f64) -> Result<(), String> {
    if let Some(why) = &site.entangled {
        return Err(why.clone());
    }
    let Some(draw) = site.kept_draw else {
        return Err("the calls of its function keep at different draws".to_string());
    };
    match site.kind {
        // its standard deviation is no probability
        Kind::GaussianNoise => Ok(()),
        Kind::GaussianDropout => {
            let deviation = |p: f64| (p / (1.0 - p)).sqrt();
            let old = site.rate.ok_or("the file does not tell which it is")?;
            widen(editor, draw.source, deviation(rate) / deviation(old));
            Ok(())
        }
        Kind::Dropout | Kind::AlphaDropout => {
            choose(editor, draw, rate)?;
            for exit in &site.exits {
                let (factor, shift) = change(site.kind, exit, rate);
                affine(editor, exit, factor, shift)?;
            }
            Ok(())
        }
    }
}

/// What makes of the output of an exit that with another rate.
fn change(kind: Kind, exit: &Exit, rate: f64) -> (f64, f64) {
    let (a, b) = exit.kept;
    if kind == Kind::AlphaDropout {
        let new_a = ((1.0 - rate) * (1.0 + rate * ALPHA * ALPHA)).powf(-0.5);
        let new_b = -new_a * ALPHA * rate;
        return (new_a / a, new_b - b * new_a / a);
    }
    let inverted = exit.prescale.is_some() || !exit.needs_scale();
    match inverted {
        true => (exit.scale / a / (1.0 - rate), 0.0),
        false => (1.0, 0.0), // classic: training does not scale
    }
}

/// Draws from a normal distribution with a deviation so many times as large.
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
    let dropped = draw.dropped.ok_or("no one draw drops all that it meets")?;
    let node = editor.model().node(id).clone();
    let Some(output) = node.output(0).cloned() else {
        return Err("it draws nothing".to_string());
    };
    let element = drawn_element(editor.model(), editor.values(), id).unwrap_or(DataType::FLOAT);
    let shape = drawn_shape(editor, id).ok_or("the shape it draws in is not told")?;
    let at = (id.graph, Some(id));
    let float = |number: f64| {
        let bytes = encode_float(DataType::FLOAT, number).unwrap_or_default();
        (DataType::FLOAT, bytes)
    };
    editor.remove_node(id);
    let (f32, bytes) = float(rate);
    let chance = Some(value((f32, &[1], bytes)));
    let chance = put(
        editor,
        at,
        "ConstantOfShape",
        vec![shape],
        chance,
        Err("draw/chance"),
    );
    let drops = put(
        editor,
        at,
        "Bernoulli",
        vec![chance],
        None,
        Err("draw/drops"),
    );
    let mut number = |hint: &str, number: f64| {
        let (f32, bytes) = float(number);
        constant(editor, at, hint, (f32, &[], bytes))
    };
    let step = number("draw/step", dropped - draw.value);
    let kept = number("draw/kept", draw.value);
    let step = put(
        editor,
        at,
        "Mul",
        vec![drops, step],
        None,
        Err("draw/steps"),
    );
    if element == DataType::FLOAT {
        put(editor, at, "Add", vec![step, kept], None, Ok(output));
        return Ok(());
    }
    let drawn = put(editor, at, "Add", vec![step, kept], None, Err("draw/drawn"));
    put(
        editor,
        at,
        "Cast",
        vec![drawn],
        Some(to(element)),
        Ok(output),
    );
    Ok(())
}

/// Puts `factor · y + shift` in the place of what comes out of an exit.
fn affine(editor: &mut Editor<'_>, exit: &Exit, factor: f64, shift: f64) -> Result<(), String> {
    if (factor - 1.0).abs() < NEAR && shift.abs() < NEAR {
        return Ok(());
    }
    let model = editor.model();
    let ends = [exit.output, exit.data].into_iter();
    let mut known = ends.filter_map(|value| model.element_type(editor.values(), value));
    let element = known.next().unwrap_or(DataType::FLOAT);
    let encoded = (
        encode_number(element, factor),
        encode_number(element, shift),
    );
    let (Some(factor), Some(added)) = encoded else {
        return Err(format!("it drops {element} elements"));
    };
    let Some((mut data, at, name)) = detach(editor, exit.node, exit.output) else {
        return Err("what it lets out has no name of its own".to_string());
    };
    let factor = constant(editor, at, "rate/factor", (element, &[], factor));
    let (inputs, last) = (vec![data, factor], shift == 0.0);
    let scaled = if last {
        Ok(name.clone())
    } else {
        Err("rate/scaled")
    };
    data = put(editor, at, "Mul", inputs, None, scaled);
    if !last {
        let shift = constant(editor, at, "rate/shift", (element, &[], added));
        put(editor, at, "Add", vec![data, shift], None, Ok(name));
    }
    Ok(())
}

/// False of a node that draws and that no runtime loads: it takes the shape as an input.
fn is_loadable(node: &Node) -> bool {
    let op = node.op_type.as_str().unwrap_or_default();
    let takes_shape = op.starts_with("Stateless")
        || (matches!(op, "RandomUniform" | "RandomNormal") && node.input(0).is_some());
    !(node.draws() && takes_shape)
}

/// Lets it draw in the shape of a tensor of zeros, as ONNX can say.
fn make_loadable(editor: &mut Editor<'_>, id: NodeId) {
    let node = editor.model().node(id).clone();
    let Some(output) = node.output(0).cloned().filter(|_| !node.is_removed()) else {
        return;
    };
    let element = drawn_element(editor.model(), editor.values(), id).unwrap_or(DataType::FLOAT);
    let at: At = (id.graph, Some(id));
    let (Some(zero), Some(shape)) = (encode_float(element, 0.0), drawn_shape(editor, id)) else {
        return;
    };
    editor.remove_node(id);
    let zero = Some(value((element, &[1], zero)));
    let like = put(
        editor,
        at,
        "ConstantOfShape",
        vec![shape],
        zero,
        Err("draw/like"),
    );
    let normal = node
        .op_type
        .as_str()
        .is_some_and(|op| op.contains("Normal"));
    let op = if normal {
        "RandomNormalLike"
    } else {
        "RandomUniformLike"
    };
    let laws = ["low", "high", "mean", "scale"];
    let mut attributes = node.attributes;
    attributes.retain(|attribute| laws.iter().any(|law| attribute.name == *law));
    let like = Node {
        name: node.name,
        inputs: vec![like],
        outputs: vec![output],
        attributes,
        ..Node::new(op)
    };
    editor.insert_node(at.0, at.1, like);
}

/// Looks at the copy: does every mask drop at the rate, and is none lost?
fn check(model: &Model, sites: &[&Site], copy: &Model, rate: f64) -> Result<()> {
    if rate == 0.0 {
        return Ok(()); // what drops nothing is not found
    }
    let masks = |site: &&Site| site.form == Form::RandomMask && site.kind != Kind::GaussianNoise;
    let known = |site: &Site| (site.kind, site.scaling);
    let mut meant: Vec<_> = sites.iter().copied().filter(masks).map(known).collect();
    let found = dropout::find_masks(copy, &Values::new(copy))?;
    let found: Vec<&Site> = found.iter().filter(masks).collect();
    let other = |site: &&&Site| site.rate.is_none_or(|found| (found - rate).abs() > NEAR);
    if let Some(site) = found.iter().find(other) {
        return Err(refusal(copy, site, "it would not be the one asked for"));
    }
    let mut found: Vec<_> = found.into_iter().map(known).collect();
    (meant.sort(), found.sort());
    if meant != found {
        let lost = sites.iter().find(|site| masks(site)).unwrap_or(&sites[0]);
        return Err(refusal(
            model,
            lost,
            "it would not be seen as the dropout it was",
        ));
    }
    Ok(())
}
