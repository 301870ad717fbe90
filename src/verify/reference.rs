//! The reference of a run: the model with every mask such that it keeps all elements.
//!
//! The draw of each mask is replaced by one that keeps its element, such as 0.75 for `u ≥ 0.5`, in the
//! shape of the draw; the mask is computed from that as the file declares. Kept elements come out
//! scaled by `1/(1-p)` (or unscaled, or as in alpha dropout): the number that scales them is divided by
//! itself where a product reads it, else one `Mul`, after a `Sub` where something was added, restores the
//! inference scale. Normal draws become their mean. Nothing is removed, and nothing of how strip removes
//! masks is used.
//!
//! A mask with a switch is compared with the switch off.

mod classic;
mod mask;
mod shown;

use std::collections::BTreeMap;

use crate::dropout::{Convention, Examined, Form, Kind, Side, Site, inherited, under};
use crate::onnx::{DataType, Editor, Model, NodeId, numbers};
use crate::semantics::inline::inline;
use crate::semantics::operator::Linear;
use crate::semantics::view::View;
use crate::source::Source;

use super::compare::Tolerance;
use super::engine::{Stop, Unrunnable};

/// Scales of more bytes are not read: one for each channel takes less.
const LARGEST_SCALE: u64 = 1 << 16;

/// A model that is run in place of another.
#[derive(Debug)]
pub(super) struct Reference {
    pub source: Source,
    /// The tolerance for rounding where outputs are restored to the inference scale.
    pub tolerance: Tolerance,
    /// What was done, in words.
    pub notes: Vec<String>,
}

/// Lets every mask keep everything, and classic operators scale; `None` if there are none.
///
/// # Errors
/// The model cannot be put together, or its inference meaning is unknown.
pub(super) fn of(side: Side<'_>, convention: Convention) -> Result<Option<Reference>, Stop> {
    let sites = under(side.sites, convention);
    let side = side.with(&sites);
    let view = side.view;
    if !side.sites.iter().any(|site| is_in_function(view, site)) {
        return edited(side);
    }
    let model = view.model;
    let opset = |graph| model.opset(graph, "");
    let mut functions = model.functions().iter();
    if functions.any(|function| opset(function.body) != opset(model.main())) {
        let why = "its functions draw masks, and their operator set differs from the model's";
        return Err(Unrunnable::new(why).into());
    }
    // the scales of a mask may differ between calls: each call gets a body of its own
    let inlined = inline(view)?;
    let examined = Examined::new(&inlined.model);
    let own = examined.side()?;
    let sites = inherited(own.sites, &inlined, side.sites);
    edited(own.with(&under(&sites, convention)))
}

/// True if a mask is drawn or applied in a function.
fn is_in_function(view: View<'_>, site: &Site) -> bool {
    let mut nodes = site
        .junctions
        .iter()
        .map(|junction| junction.node)
        .chain(site.source());
    nodes.any(|node| view.function_of(node.graph).is_some())
}

fn edited(side: Side<'_>) -> Result<Option<Reference>, Stop> {
    let operators = classic::operators(side)?;
    let masks = Site::each_node(side.sites).filter(|site| has_reference(site));
    let masks: Vec<&Site> = masks.collect();
    if operators.is_empty() && masks.is_empty() {
        return Ok(None);
    }
    let mut notes = Vec::new();
    if !operators.is_empty() {
        let count = operators.len();
        notes.push(format!("Dropout operators scale by 1-p (classic; {count})"));
    }
    notes.extend(mask_notes(side.view.model, &masks));
    let mut copy = side.view.model.clone();
    let mut editor = Editor::new(&mut copy, side.view.values.clone());
    for (node, factor) in operators {
        classic::scale(&mut editor, node, factor);
    }
    let step = step(side.view, &masks);
    let adds = masks.iter().any(|site| adds(side.view, site));
    let masks = masks.into_iter();
    let rounded: Vec<DataType> = masks
        .flat_map(|site| {
            shown::keep_all(&mut editor, site);
            mask::keep_all(&mut editor, site)
        })
        .collect();
    editor.finish()?;
    Ok(Some(Reference {
        source: Source::from_rope(copy.to_rope()?),
        tolerance: step.unwrap_or_else(|| tolerance(&rounded, adds)),
        notes,
    }))
}

/// True of a mask that some draw lets keep everything.
fn has_reference(site: &Site) -> bool {
    let known = site.form == Form::FrozenMask || site.kept_draw.is_some();
    known && site.entangled.is_none()
}

fn mask_notes(model: &Model, sites: &[&Site]) -> Vec<String> {
    if sites.is_empty() {
        return Vec::new();
    }
    let mut kinds: BTreeMap<(Form, Kind), usize> = BTreeMap::new();
    let mut draws = Vec::new();
    for site in sites {
        *kinds.entry((site.form, site.kind)).or_default() += 1;
        if let Some(draw) = &site.kept_draw {
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

/// The tolerance for data that was quantized before or after a mask, at another scale than the result
/// quantizes it: two steps of the coarsest QuantizeLinear. `None` if no mask has that.
fn step(view: View<'_>, masks: &[&Site]) -> Option<Tolerance> {
    let quantizes = |id: &NodeId| view.node(*id).applies("QuantizeLinear");
    let is_quantized = |site: &&Site| site.mask_nodes(view).iter().any(quantizes);
    if !masks.iter().any(is_quantized) {
        return None;
    }
    let scales = view.nodes().filter(|node| quantizes(&node.id));
    let scales = scales.filter_map(|node| {
        let scale = node.input(1)?.initializer()?;
        let bytes = view.model.small_elements(scale, LARGEST_SCALE).ok()??;
        numbers(scale.data_type, &bytes)?
            .into_iter()
            .reduce(f64::max)
    });
    let rtol = 1e-4; // as for float
    let atol = 2.0 * scales.reduce(f64::max)?;
    let atol = format!("{atol:.1e}").parse().unwrap_or(atol);
    Some(Tolerance::Close { rtol, atol })
}

/// True if a mask is applied by an addition: a kept −0 comes out as 0.
fn adds(view: View<'_>, site: &Site) -> bool {
    let mut junctions = site
        .junctions
        .iter()
        .filter_map(|junction| view.node(junction.node).operator());
    junctions.any(|operator| matches!(operator.linear, Linear::Joint))
}

/// The tolerance for rounding in these types: that of the coarsest, as outputs may be of a finer one.
fn tolerance(rounded: &[DataType], adds: bool) -> Tolerance {
    let coarse = [DataType::BFLOAT16, DataType::FLOAT16];
    match coarse.into_iter().find(|coarse| rounded.contains(coarse)) {
        Some(coarse) => Tolerance::OfType(coarse),
        None if rounded.is_empty() && adds => Tolerance::Values,
        None if rounded.is_empty() => Tolerance::Exact,
        None => Tolerance::ByType,
    }
}
