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
    Attribute, AttributeValue, DataType, Editor, GraphId, GraphKind, Model, Name, Node, NodeId,
    Producer, Use, ValueId, Values, encode_float, encode_number, encode_tensor,
};
use crate::rewrite::Edited;
use crate::source::Source;

use super::engine::{self, Stop, Unrunnable};

/// A model whose masks keep everything.
#[derive(Debug)]
pub(super) struct Reference {
    pub edited: Edited,
    /// True if putting outputs back to the inference scale rounds nothing.
    pub exact: bool,
    /// What was done, in words.
    pub notes: Vec<String>,
}

/// Lets every mask keep everything; `None` if the model has no masks.
///
/// # Errors
/// The model is not sound, or cannot be put together.
pub(super) fn of(model: &Model) -> Result<Option<Reference>, Stop> {
    let values = Values::new(model);
    let sites = dropout::find_masks(model, &values)?;
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
    let sites = dropout::find_masks(&model, &values)?;
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
    let mut exact = true;
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
            exact &= match site.off {
                None => put_back(&mut editor, exit),
                Some(_) => exit.scale == 1.0 && exit.prescale.is_none(),
            };
        }
    }
    editor.finish()?;
    Ok(Some(Reference {
        edited: Edited::new(&copy)?,
        exact,
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
    let mut note = format!("masks keep everything ({})", kinds.join(", "));
    if !draws.is_empty() {
        draws.truncate(6);
        note.push_str(&format!("; their draws are {}", draws.join(", ")));
    }
    note.push_str("; what they let out is put back to the inference scale");
    let mut notes = vec![note];
    for site in sites {
        if let (Some(_), Some(off)) = (site.switch, site.off) {
            let place = model.place(site.nodes[0]);
            notes.push(format!("{place}: its switch is {off}, which is off"));
        }
    }
    notes
}

/// Where nodes are put in: a graph, and the node that they come before.
type At = (GraphId, Option<NodeId>);

/// Element type, shape and little-endian elements.
type Elements<'t> = (DataType, &'t [i64], Vec<u8>);

/// Puts in a node with one output. Returns the output's name, which is made from a hint if not given.
fn put(
    editor: &mut Editor<'_>,
    at: At,
    op_type: &str,
    inputs: Vec<Name>,
    attribute: Option<Attribute>,
    output: Result<Name, &str>,
) -> Name {
    let output = output.unwrap_or_else(|hint| editor.fresh_name(hint));
    let node = Node {
        name: output.clone(),
        inputs,
        outputs: vec![output.clone()],
        attributes: attribute.into_iter().collect(),
        ..Node::new(op_type)
    };
    editor.insert_node(at.0, at.1, node);
    output
}

fn constant(editor: &mut Editor<'_>, at: At, hint: &str, elements: Elements<'_>) -> Name {
    let value = value(elements);
    put(editor, at, "Constant", Vec::new(), Some(value), Err(hint))
}

/// The attribute `value` with a tensor.
fn value((element, dims, bytes): Elements<'_>) -> Attribute {
    let tensor = encode_tensor(&Name::default(), element, dims, &bytes);
    Attribute::new("value", AttributeValue::NewTensor(tensor))
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
        let elements = (element, &[][..], bytes.clone());
        let name = constant(editor, at, "input/fixed", elements);
        let found = editor.values().lookup(editor.model(), node.graph, &name);
        if let Some(constant) = found {
            editor.set_input(node, input, constant);
        }
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
    let FrozenInput { node, input, kept } = *frozen;
    let (model, values) = (editor.model(), editor.values());
    let mask = values.input(node, input);
    let element = match model.node(node).is("Where") {
        true => Some(DataType::BOOL),
        false => mask.and_then(|mask| model.element_type(values, mask)),
    };
    let element = element.unwrap_or(DataType::FLOAT);
    if let Some(bytes) = encode_number(element, kept) {
        let at = (node.graph, Some(node));
        let name = constant(editor, at, "mask/kept", (element, &[], bytes));
        if let Some(value) = editor.values().lookup(editor.model(), node.graph, &name) {
            editor.set_input(node, input, value);
        }
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
    let element = element_of(model, values, id).unwrap_or(DataType::FLOAT);
    let Some(bytes) = encode_number(element, draw.value) else {
        return;
    };
    let like = node.op_type.as_str().is_some_and(|op| op.ends_with("Like"));
    let at = (id.graph, Some(id));
    let shape = match (node.attribute("shape").map(|a| &a.value), node.input(0)) {
        (_, Some(data)) if like || node.is("Bernoulli") => put(
            editor,
            at,
            "Shape",
            vec![data.clone()],
            None,
            Err("draw/shape"),
        ),
        (_, Some(shape)) => {
            let to = Attribute::new("to", AttributeValue::Int(DataType::INT64.0.into()));
            put(
                editor,
                at,
                "Cast",
                vec![shape.clone()],
                Some(to),
                Err("draw/shape"),
            )
        }
        (Some(AttributeValue::Ints(shape)), None) => {
            let bytes = shape.iter().flat_map(|dim| dim.to_le_bytes()).collect();
            let dims = [shape.len() as i64];
            constant(editor, at, "draw/shape", (DataType::INT64, &dims, bytes))
        }
        _ => return,
    };
    editor.remove_node(id);
    let value = value((element, &[1], bytes));
    put(
        editor,
        at,
        "ConstantOfShape",
        vec![shape],
        Some(value),
        Ok(output),
    );
}

/// The element type of what a node draws.
fn element_of(model: &Model, values: &Values, id: NodeId) -> Option<DataType> {
    let node = model.node(id);
    match node.attribute("dtype").map(|a| &a.value) {
        Some(AttributeValue::Int(element)) if *element != 0 => {
            return Some(DataType(*element as i32));
        }
        _ => {}
    }
    let output = values.output(model, id, 0)?;
    let like = node.op_type.as_str().is_some_and(|op| op.ends_with("Like"));
    let input = values.input(id, 0).filter(|_| like || node.is("Bernoulli"));
    let ends = [Some(output), input];
    (ends.into_iter().flatten()).find_map(|value| model.element_type(values, value))
}

/// Puts what comes out of a mask that keeps everything back to the inference scale. True if that
/// rounds nothing that the model after does not round as well.
fn put_back(editor: &mut Editor<'_>, exit: &Exit) -> bool {
    let (a, b) = exit.kept;
    let factor = exit.scale / a;
    let model = editor.model();
    let found = [exit.output, exit.data].into_iter();
    let element = found
        .filter_map(|value| model.element_type(editor.values(), value))
        .next()
        .unwrap_or(DataType::FLOAT);
    if factor == 1.0 && b == 0.0 {
        return exit.prescale.is_none();
    }
    let node = model.node(exit.node);
    let name = editor.values()[exit.output].name.clone();
    let Some(output) = node.outputs.iter().position(|output| *output == name) else {
        return false;
    };
    let (Some(shift), Some(scale)) = (encode_float(element, b), encode_float(element, factor))
    else {
        return false;
    };
    let kept = editor.fresh_name(&format!("{name}/kept"));
    editor.detach_output(exit.node, output, &kept);
    let at = (exit.node.graph, editor.node_behind(exit.node));
    let mut data = kept;
    if b != 0.0 {
        let shift = constant(editor, at, "kept/shift", (element, &[], shift));
        data = put(
            editor,
            at,
            "Sub",
            vec![data, shift],
            None,
            Err("kept/shifted"),
        );
    }
    let scale = constant(editor, at, "kept/scale", (element, &[], scale));
    put(editor, at, "Mul", vec![data, scale], None, Ok(name));
    let power_of_two = factor.log2().fract() == 0.0;
    b == 0.0 && (power_of_two || (a == 1.0 && exit.prescale.is_none()))
}
