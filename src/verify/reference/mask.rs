//! Edits that let a mask keep everything.

use crate::dropout::{FrozenInput, Junction, KeptDraw, MaskUse, Scaling, Site};
use crate::hash::HashSet;
use crate::onnx::{
    Attribute, DataType, Editor, Name, Node, NodeId, ValueId, encode_float, encode_number,
};
use crate::semantics::draws::drawn;
use crate::semantics::view::View;
use crate::verify::draw::{drawn_element, drawn_shape};

/// Lets every mask of a site keep everything. Returns the element types in which that rounds, where
/// the model after does not.
pub(super) fn keep_all(editor: &mut Editor<'_>, site: &Site) -> Vec<DataType> {
    let numbers = [site.switch.zip(site.off), site.given];
    for (input, number) in numbers.into_iter().flatten() {
        replace_in_mask(editor, site, input, number);
    }
    match &site.kept_draw {
        Some(draw) if site.mask != MaskUse::Output => replace_draw(editor, **draw),
        _ => {}
    }
    let frozen = site.junctions.iter().flat_map(|junction| &junction.frozen);
    frozen.for_each(|frozen| replace_frozen(editor, frozen));
    let mut rounded = Vec::new();
    let mut plain = HashSet::default();
    for junction in &site.junctions {
        let rounds = match site.off {
            None => rescale(editor, junction, &mut plain) || site.scaling == Scaling::Count,
            Some(_) => junction.scale != 1.0 || junction.prescale.is_some(),
        };
        if rounds {
            rounded.push(element_at(editor, junction));
        }
    }
    rounded
}

/// Replaces a value by a number, where nodes of a site's mask read it.
fn replace_in_mask(editor: &mut Editor<'_>, site: &Site, value: ValueId, number: f64) {
    let element = editor.model().element_type(editor.values(), value);
    let element = element.unwrap_or(DataType::BOOL);
    let Some(bytes) = encode_number(element, number) else {
        return;
    };
    let view = View::new(editor.model(), editor.values());
    let nodes = mask_nodes(view, site);
    let readers = view
        .value(value)
        .readers()
        .map(|(node, input)| (node.id, input));
    let readers: Vec<(NodeId, usize)> = readers.filter(|(node, _)| nodes.contains(node)).collect();
    for (node, input) in readers {
        let at = (node.graph, Some(node));
        let name = editor.put_constant(at, "input/fixed", (element, &[], &bytes));
        editor.set_input_to(node, input, &name);
    }
}

/// The nodes that compute the mask of a site, from its junctions back to the data.
pub(super) fn mask_nodes(view: View<'_>, site: &Site) -> HashSet<NodeId> {
    let junctions = site.junctions.iter();
    let before = junctions.filter_map(|junction| junction.prescale);
    let data = site.junctions.iter().map(|junction| junction.data);
    let data = data.chain(before.clone().map(|prescale| prescale.from));
    let mut seen: HashSet<ValueId> = data.collect();
    let junctions = site.junctions.iter().map(|junction| junction.node);
    let mut open: Vec<NodeId> = junctions
        .chain(before.map(|prescale| prescale.node))
        .collect();
    let mut nodes = HashSet::default();
    while let Some(id) = open.pop() {
        let node = view.node(id);
        // the inputs of a draw other than Bernoulli are shapes
        let draws = Some(id) == site.source() && !node.is("Bernoulli") && !node.is("Dropout");
        if !nodes.insert(id) || draws {
            continue;
        }
        let inputs = node
            .inputs()
            .flatten()
            .filter(|input| seen.insert(input.id));
        open.extend(inputs.filter_map(|input| Some(input.node()?.id)));
    }
    nodes
}

/// Replaces a constant mask by its value for kept elements.
fn replace_frozen(editor: &mut Editor<'_>, frozen: &FrozenInput) {
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
fn replace_draw(editor: &mut Editor<'_>, draw: KeptDraw) {
    let Some((drawn, kept)) = constant_draw(editor, draw) else {
        return;
    };
    editor.remove_node(draw.source);
    let at = (draw.source.graph, Some(draw.source));
    editor.put_as(at, drawn, Node::new("Identity").on([kept]));
}

/// Puts a constant in the shape of a draw before it. Returns the names of what is drawn and of the constant.
pub(super) fn constant_draw(editor: &mut Editor<'_>, draw: KeptDraw) -> Option<(Name, Name)> {
    let id = draw.source;
    let (model, values) = (editor.model(), editor.values());
    let node = View::new(model, values).node(id);
    let drawn = drawn(node).filter(|_| !node.is_removed())?.name.clone();
    let element = drawn_element(node).unwrap_or(DataType::FLOAT);
    let bytes = encode_number(element, draw.value)?;
    let shape = drawn_shape(editor, id)?;
    let value = Attribute::tensor((element, &[1], &bytes));
    let constant = Node::new("ConstantOfShape").on([shape]).with(value);
    let kept = editor.put((id.graph, Some(id)), "draw/kept", constant);
    Some((drawn, kept))
}

/// The element type of the data after a mask.
fn element_at(editor: &Editor<'_>, junction: &Junction) -> DataType {
    let mut ends = [junction.output, junction.data].into_iter();
    let found = ends.find_map(|value| editor.model().element_type(editor.values(), value));
    found.unwrap_or(DataType::FLOAT)
}

/// Gives the output of a mask that keeps everything the inference scale. True if that rounds where the model
/// after does not, or rounds otherwise: engines multiply neighbouring constants first.
fn rescale(editor: &mut Editor<'_>, junction: &Junction, plain: &mut HashSet<NodeId>) -> bool {
    let (a, b) = junction.kept;
    if junction.scale / a == 1.0 && b == 0.0 {
        return junction.prescale.is_some();
    }
    let factor = left_factor(editor, junction, plain);
    if factor != 1.0 || b != 0.0 {
        correct(editor, junction, factor);
    }
    let is_power = |number: f64| number.abs().log2().fract() == 0.0;
    b != 0.0 || !is_power(junction.scale) || !is_power(a)
}

/// Makes numbers that data is multiplied by 1 where they are, so that nothing rounds. Returns the factor by
/// which the output still has to be multiplied.
fn left_factor(editor: &mut Editor<'_>, junction: &Junction, plain: &mut HashSet<NodeId>) -> f64 {
    let (mut scale, (mut kept, shift)) = (junction.scale, junction.kept);
    if let Some(before) = junction.prescale.filter(|before| !before.shared)
        && (plain.contains(&before.node) || divide(editor, before.node, before.from, 1.0 / scale))
    {
        plain.insert(before.node);
        scale = 1.0;
    }
    if kept != 1.0 && shift == 0.0 && divide(editor, junction.node, junction.data, kept) {
        kept = 1.0;
    }
    scale / kept
}

/// Divides what a node multiplies data by by a number. False of a node that is no product or quotient of the
/// data and something else.
fn divide(editor: &mut Editor<'_>, id: NodeId, data: ValueId, number: f64) -> bool {
    let view = View::new(editor.model(), editor.values());
    let node = view.node(id);
    let is_data = |input| node.input(input).is_some_and(|value| value.id == data);
    let (other, number) = match (is_data(0), is_data(1)) {
        (true, false) if node.is("Mul") => (1, number),
        (false, true) if node.is("Mul") => (0, number),
        (true, false) if node.is("Div") => (1, 1.0 / number),
        _ => return false,
    };
    let operand = node.input(other);
    let element = operand.and_then(|operand| operand.element_type());
    let bytes = element.and_then(|element| Some((element, encode_float(element, number)?)));
    let (Some(operand), Some((element, bytes))) = (operand, bytes) else {
        return false;
    };
    let (name, at) = (operand.name.clone(), (id.graph, Some(id)));
    let number = editor.put_constant(at, "kept/factor", (element, &[], &bytes));
    let one = editor.put(at, "kept/one", Node::new("Div").on([name, number]));
    editor.set_input_to(id, other, &one);
    true
}

/// Takes what a mask adds from its output, and multiplies the rest by a factor.
fn correct(editor: &mut Editor<'_>, junction: &Junction, factor: f64) {
    let b = junction.kept.1;
    let element = element_at(editor, junction);
    let (Some(shift), Some(scale)) = (encode_float(element, b), encode_float(element, factor))
    else {
        return;
    };
    let Some((mut data, at, name)) = editor.detach(junction.node, junction.output) else {
        return;
    };
    if b != 0.0 {
        let shift = editor.put_constant(at, "kept/shift", (element, &[], &shift));
        data = editor.put(at, "kept/shifted", Node::new("Sub").on([data, shift]));
    }
    let scale = editor.put_constant(at, "kept/scale", (element, &[], &scale));
    editor.put_as(at, name, Node::new("Mul").on([data, scale]));
}
