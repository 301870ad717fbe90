//! The copy in memory whose dropout drops: masks that an input switches on are on, and draws are such
//! as tract can make.

use super::rate;
use smallvec::smallvec;

use crate::dropout::{Form, Site};
use crate::error::Result;
use crate::onnx::{
    Attribute, DataType, Editor, GraphKind, Name, Node, NodeId, Producer, encode_float,
};
use crate::rewrite::Edited;
use crate::semantics::draws::distribution;
use crate::semantics::view::{NodeRef, ValueRef, View};
use crate::verify::draw::{drawn_element, drawn_shape, fix};

/// A copy, and what was done besides.
pub(super) struct Copy {
    pub edited: Edited,
    pub notes: Vec<String>,
}

/// Creates the copy. `given` is true for inputs with data.
///
/// # Errors
/// The rate of a mask cannot be set.
pub(super) fn of(
    view: View<'_>,
    sites: &[&Site],
    new_rate: Option<f64>,
    given: &dyn Fn(&Name) -> bool,
) -> Result<Copy> {
    let model = view.model;
    let mut copy = model.clone();
    let mut editor = Editor::new(&mut copy, view.values.clone());
    let mut notes = Vec::new();
    for site in sites {
        if let (Form::RandomMask, Some(switch), Some(off)) = (site.form, site.switch, site.off) {
            fix(&mut editor, switch, 1.0 - off)?;
        }
        if let (Some((input, number)), Some(_)) = (site.given, new_rate) {
            fix(&mut editor, input, number)?;
        }
        let inside = site.source().unwrap_or(site.nodes[0]);
        notes.extend(take_branch(&mut editor, inside, given));
        if let (Form::RandomMask, Some(p)) = (site.form, new_rate) {
            rate::set(&mut editor, site, p).map_err(|why| rate::refusal(model, site, &why))?;
        }
    }
    for node in view.nodes().filter(|node| !is_loadable(*node)) {
        make_loadable(&mut editor, node.id);
    }
    editor.finish()?;
    let edited = Edited::new(&copy)?;
    if let Some(p) = new_rate {
        rate::check(model, sites, edited.model(), p)?;
    }
    notes.dedup();
    Ok(Copy { edited, notes })
}

/// Makes the `If`s around a node take its branch, if their condition is an input without data that
/// switches training.
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
        let view = View::new(editor.model(), editor.values());
        let name = switch_input(view.node(id)).map(|input| input.get().name.clone());
        if let Some(name) = name.filter(|name| !given(name)) {
            let place = editor.model().place(id);
            let at = (id.graph, Some(id));
            let taken = (DataType::BOOL, &[][..], &[u8::from(then)][..]);
            let taken = editor.put_constant(at, "branch/taken", taken);
            editor.set_input_to(id, 0, &taken);
            note = Some(format!(
                "{place}: takes the branch with dropout, because no data was given for {name}"
            ));
        }
        graph = id.graph;
    }
    note
}

/// The input of the model that an `If` asks, be it negated or cast.
fn switch_input(node: NodeRef<'_>) -> Option<ValueRef<'_>> {
    if !node.is("If") {
        return None;
    }
    let mut at = node.input(0)?;
    loop {
        let Some(node) = at.node() else {
            let is_input = matches!(at.get().producer, Producer::Input(_));
            let main = at.view().model.main();
            return (is_input && at.get().graph == main).then_some(at);
        };
        if !["Not", "Cast", "Identity", "Squeeze", "Reshape"].contains(&node.op()) {
            return None;
        }
        at = node.input(0)?;
    }
}

/// False of a node that draws and that no runtime loads: it takes the shape as an input.
fn is_loadable(node: NodeRef<'_>) -> bool {
    let op = node.op();
    let takes_shape = op.starts_with("Stateless")
        || (matches!(op, "RandomUniform" | "RandomNormal") && node.input(0).is_some());
    !(takes_shape && distribution(node).is_some())
}

/// Makes it draw in the shape of a tensor of zeros, which ONNX can express.
fn make_loadable(editor: &mut Editor<'_>, id: NodeId) {
    let node = editor.model().node(id).clone();
    let Some(output) = node.output(0).cloned().filter(|_| !node.is_removed()) else {
        return;
    };
    let element = drawn_element(editor.view().node(id)).unwrap_or(DataType::FLOAT);
    let at = (id.graph, Some(id));
    let (Some(zero), Some(shape)) = (encode_float(element, 0.0), drawn_shape(editor, id)) else {
        return;
    };
    editor.remove_node(id);
    let zeros = Node::new("ConstantOfShape").on([shape]);
    let zeros = zeros.with(Attribute::tensor((element, &[1], &zero)));
    let like = editor.put(at, "draw/like", zeros);
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
        inputs: smallvec![like],
        outputs: smallvec![output],
        attributes,
        ..Node::new(op)
    };
    editor.insert_node(at.0, at.1, like);
}
