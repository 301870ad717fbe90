//! What a model with masks is compared by when it is run: the original, with every mask where it
//! keeps all it meets.
//!
//! The draw of each mask is replaced by one that keeps its element, such as 0.75 for `u ≥ 0.5`, in the
//! shape the draw has; the mask, and whatever makes it, is computed from that as the file says. Kept
//! elements come out scaled by `1/(1-p)` (or not, or as alpha dropout does): what comes out is put
//! back to the inference scale by one `Mul`, after a `Sub` where something was added. Normal draws
//! become their mean. Nothing is cut, and nothing of how strip cuts is used.
//!
//! A mask that an input switches on is compared with that input off.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dropout::{self, Exit, Form, FrozenInput, KeptDraw, Kind, Site};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{
    Attribute, DataType, Editor, GraphKind, Model, Node, NodeId, Producer, Use, ValueId, Values,
    encode_float, encode_number,
};
use crate::rewrite::Edited;
use crate::semantics::view::View;
use crate::source::Source;
use crate::verify::compare::Tolerance;

use super::draw::{drawn_element, drawn_shape};
use super::engine::{self, Stop, Unrunnable};

/// A model whose masks keep everything.
#[derive(Debug)]
pub(super) struct Reference {
    pub edited: Edited,
    /// Room for what putting outputs back to the inference scale rounds.
    pub tolerance: Tolerance,
    /// What was done, in words.
    pub notes: Vec<String>,
}

/// Lets every mask keep everything; `None` if the model has no masks.
///
/// # Errors
/// The model is not sound, or cannot be put together.
pub(super) fn of(model: &Model) -> Result<Option<Reference>, Stop> {
    let values = Values::new(model);
    let sites = dropout::find_masks(View::new(model, &values))?;
    if !sites.iter().any(|site| in_function(model, site)) {
        return Ok(kept(model, values, &sites)?);
    }
    // calls may scale differently: each gets a body of its own
    let Some(bytes) = engine::inlined(model.source())? else {
        let why = "its functions draw masks, and are of another operator set than the model";
        return Err(Unrunnable::new(why).into());
    };
    let folder = model.folder().map(Path::to_path_buf);
    let model = Model::read_in(Source::from_bytes(bytes), folder)?;
    let values = Values::new(&model);
    let sites = dropout::find_masks(View::new(&model, &values))?;
    Ok(kept(&model, values, &sites)?)
}

/// True if a mask is drawn or met in a function.
fn in_function(model: &Model, site: &Site) -> bool {
    let mut nodes = site.exits.iter().map(|exit| exit.node).chain(site.source());
    nodes.any(|node| {
        let root = model.root(node.graph);
        matches!(model.graph(root).kind, GraphKind::Function(_))
    })
}

fn kept(model: &Model, values: Values, sites: &[Site]) -> Result<Option<Reference>> {
    let sites: Vec<&Site> = sites.iter().filter(|site| tellable(site)).collect();
    if sites.is_empty() {
        return Ok(None);
    }
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, values);
    let mut rounded = Vec::new();
    for site in &sites {
        for (input, number) in [site.switch.zip(site.off), site.given]
            .into_iter()
            .flatten()
        {
            fix(&mut editor, site, input, number);
        }
        if let Some(draw) = site.kept_draw {
            keep(&mut editor, draw);
        }
        for frozen in site.exits.iter().filter_map(|exit| exit.frozen.as_ref()) {
            thaw(&mut editor, frozen);
        }
        for exit in &site.exits {
            let rounds = match site.off {
                None => put_back(&mut editor, exit),
                Some(_) => exit.scale != 1.0 || exit.prescale.is_some(),
            };
            if rounds {
                rounded.push(element_at(&editor, exit));
            }
        }
    }
    editor.finish()?;
    Ok(Some(Reference {
        edited: Edited::new(&copy)?,
        tolerance: room(&rounded),
        notes: notes(model, &sites),
    }))
}

fn tellable(site: &Site) -> bool {
    let known = site.form == Form::FrozenMask || site.kept_draw.is_some();
    known && site.entangled.is_none()
}

fn notes(model: &Model, sites: &[&Site]) -> Vec<String> {
    let mut kinds: BTreeMap<(Form, Kind), usize> = BTreeMap::new();
    let mut draws = Vec::new();
    for site in sites {
        *kinds.entry((site.form, site.kind)).or_default() += 1;
        if let Some(draw) = site.kept_draw {
            let draw = format!("{}", draw.value as f32);
            if !draws.contains(&draw) {
                draws.push(draw);
            }
        }
    }
    let kinds = kinds.into_iter().map(|((form, kind), count)| match form {
        Form::FrozenMask => format!("{count} frozen {kind}"),
        _ => format!("{count} random {kind}"),
    });
    let kinds: Vec<String> = kinds.collect();
    let mut note = format!(
        "the original's masks are set to keep everything ({})",
        kinds.join(", ")
    );
    if !draws.is_empty() {
        draws.truncate(6);
        note.push_str(&format!(", with draws of {}", draws.join(", ")));
    }
    note.push_str(", and corrected to the inference scale");
    let mut notes = vec![note];
    for site in sites {
        if let (Some(_), Some(off)) = (site.switch, site.off) {
            let place = model.place(site.nodes[0]);
            notes.push(format!("{place}: its switch is {off} (off)"));
        }
    }
    notes
}

/// Lets a site, and nothing else, see a number in place of a value.
fn fix(editor: &mut Editor<'_>, site: &Site, value: ValueId, number: f64) {
    let element = editor.model().element_type(editor.values(), value);
    let element = element.unwrap_or(DataType::BOOL);
    let Some(bytes) = encode_number(element, number) else {
        return;
    };
    let readers: Vec<(NodeId, usize)> = editor.values().uses(value).filter_map(input).collect();
    let region = region(editor, site);
    let inside = |(node, _): &(NodeId, usize)| region.contains(node);
    for (node, input) in readers.into_iter().filter(inside) {
        let at = (node.graph, Some(node));
        let name = editor.put_constant(at, "input/fixed", (element, &[], &bytes));
        editor.set_input_to(node, input, &name);
    }
}

fn input(at: Use) -> Option<(NodeId, usize)> {
    match at {
        Use::Input { node, input } => Some((node, input as usize)),
        _ => None,
    }
}

/// The nodes that make up the mask of a site, back from its exits to the data.
fn region(editor: &Editor<'_>, site: &Site) -> HashSet<NodeId> {
    let (model, values) = (editor.model(), editor.values());
    let data = site.exits.iter().flat_map(|exit| {
        let before = exit.prescale.map(|prescale| prescale.from);
        [Some(exit.data), before].into_iter().flatten()
    });
    let mut seen: HashSet<ValueId> = data.collect();
    let scaled = site.exits.iter().filter_map(|exit| exit.prescale);
    let exits = site.exits.iter().map(|exit| exit.node);
    let mut open: Vec<NodeId> = exits.chain(scaled.map(|prescale| prescale.node)).collect();
    // of other draws the inputs are shapes
    let is_shape = |id| Some(id) == site.source() && !model.node(id).is("Bernoulli");
    let mut nodes = HashSet::default();
    while let Some(id) = open.pop() {
        if !nodes.insert(id) || is_shape(id) {
            continue;
        }
        let inputs = 0..model.node(id).inputs.len();
        for read in inputs.filter_map(|input| values.input(id, input)) {
            if seen.insert(read)
                && let Producer::Node { node, .. } = values[read].producer
            {
                open.push(node);
            }
        }
    }
    nodes
}

/// Replaces a constant mask by the number that it is where it keeps.
fn thaw(editor: &mut Editor<'_>, frozen: &FrozenInput) {
    let FrozenInput {
        node, input, kept, ..
    } = *frozen;
    let (model, values) = (editor.model(), editor.values());
    let mask = values.input(node, input);
    let element = match model.node(node).is("Where") {
        true => Some(DataType::BOOL),
        false => mask.and_then(|mask| model.element_type(values, mask)),
    };
    let element = element.unwrap_or(DataType::FLOAT);
    if let Some(bytes) = encode_number(element, kept) {
        let at = (node.graph, Some(node));
        let name = editor.put_constant(at, "mask/kept", (element, &[], &bytes));
        editor.set_input_to(node, input, &name);
    }
}

/// Replaces a draw by a constant in its shape.
fn keep(editor: &mut Editor<'_>, draw: KeptDraw) {
    let id = draw.source;
    let (model, values) = (editor.model(), editor.values());
    let node = model.node(id).clone();
    let Some(output) = node.output(0).cloned().filter(|_| !node.is_removed()) else {
        return;
    };
    let element = drawn_element(model, values, id).unwrap_or(DataType::FLOAT);
    let Some(bytes) = encode_number(element, draw.value) else {
        return;
    };
    let at = (id.graph, Some(id));
    let Some(shape) = drawn_shape(editor, id) else {
        return;
    };
    editor.remove_node(id);
    let constant = Node::new("ConstantOfShape").on([shape]);
    let value = Attribute::tensor((element, &[1], &bytes));
    editor.put_as(at, output, constant.with(value));
}

/// The element type of what comes out of a mask.
fn element_at(editor: &Editor<'_>, exit: &Exit) -> DataType {
    let mut ends = [exit.output, exit.data].into_iter();
    let found = ends.find_map(|value| editor.model().element_type(editor.values(), value));
    found.unwrap_or(DataType::FLOAT)
}

/// Room for rounding in these types: that of the coarsest, as outputs may be of a finer one.
fn room(rounded: &[DataType]) -> Tolerance {
    let coarse = [DataType::FLOAT16, DataType::BFLOAT16];
    match rounded.iter().any(|element| coarse.contains(element)) {
        true => Tolerance::of("float16"),
        false if rounded.is_empty() => Tolerance::Exact,
        false => Tolerance::ByType,
    }
}

/// Puts what comes out of a mask that keeps everything back to the inference scale. True if that
/// rounds what the model after does not round as well.
fn put_back(editor: &mut Editor<'_>, exit: &Exit) -> bool {
    let (a, b) = exit.kept;
    let factor = exit.scale / a;
    let element = element_at(editor, exit);
    if factor == 1.0 && b == 0.0 {
        return exit.prescale.is_some();
    }
    let (Some(shift), Some(scale)) = (encode_float(element, b), encode_float(element, factor))
    else {
        return true;
    };
    let Some((mut data, at, name)) = editor.detach(exit.node, exit.output) else {
        return true;
    };
    if b != 0.0 {
        let shift = editor.put_constant(at, "kept/shift", (element, &[], &shift));
        data = editor.put(at, "kept/shifted", Node::new("Sub").on([data, shift]));
    }
    let scale = editor.put_constant(at, "kept/scale", (element, &[], &scale));
    editor.put_as(at, name, Node::new("Mul").on([data, scale]));
    let power_of_two = factor.log2().fract() == 0.0;
    b != 0.0 || !(power_of_two || (a == 1.0 && exit.prescale.is_none()))
}
