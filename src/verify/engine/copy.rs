//! The copy of a model that is run: without functions, and with marks on the operators that draw random
//! numbers. All engines run it, so that they draw the same.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::draws::{DOMAIN, REPEATS, STREAM, VERSION};
use super::functions::{Flat, flat};
use super::mend::{self, Repair, give_outputs, mend};
use super::{Meaning, Stop, Unrunnable};
use crate::hash::HashMap;
use crate::onnx::{Attribute, AttributeValue, Editor, Model, Name, Node, NodeId, Values};
use crate::semantics::view::View;
use crate::source::{Rope, Source};
use crate::wire::{bytes_field, varint_field};

/// A copy to run.
pub(super) struct Copy {
    pub(super) model: Model,
    /// What a reader should know.
    pub(super) notes: Vec<String>,
    /// Operators that draw random numbers, other than Dropout, and how often they occur.
    pub(super) random: BTreeMap<String, usize>,
    /// Its opset; if it has none, the newest of its functions, or 1.
    pub(super) opset: i64,
}

impl Copy {
    /// `repairs` are those of the engine.
    ///
    /// # Errors
    /// The model cannot be read, or its functions cannot be inlined.
    pub(super) fn of(source: &Source, meaning: Meaning, repairs: &[&Repair]) -> Result<Copy, Stop> {
        let Flat {
            mut model,
            versions,
            opset,
        } = flat(source)?;
        let random = mark(&mut model, meaning, &versions)?;
        let mut notes = Vec::new();
        let common: Vec<&Repair> = mend::ALL.iter().copied().flatten().collect();
        for repairs in [&common[..], repairs] {
            let mended = mend(&mut model, repairs, (opset, meaning));
            notes.extend(mended.map_err(|error| Unrunnable::new(error.to_string()))?);
        }
        give_outputs(&mut model)?;
        Ok(Copy {
            model,
            notes,
            random,
            opset,
        })
    }

    /// Its bytes. A model without an opset gets that of its functions, or 1.
    pub(super) fn source(&self) -> Result<Source, Stop> {
        let mut rope: Rope = self.model.to_rope()?;
        let import = |domain: &str, version: i64| {
            let domain = bytes_field(1, domain.as_bytes());
            let version = varint_field(2, version.cast_unsigned());
            bytes_field(8, &[domain, version].concat())
        };
        if self.model.opset(self.model.main(), "").is_none() {
            rope.push(import("", self.opset));
        }
        rope.push(import(DOMAIN, 1));
        Ok(Source::from_rope(rope))
    }
}

/// Marks the operators that draw: each with a stream of its own, and with the opset of a function that rules it.
/// Returns those that are no dropout, and how often they occur.
fn mark(
    model: &mut Model,
    meaning: Meaning,
    versions: &HashMap<NodeId, i64>,
) -> Result<BTreeMap<String, usize>, Stop> {
    let streams = streams(model, meaning);
    let mut random = BTreeMap::new();
    if streams.is_empty() {
        return Ok(random);
    }
    let values = Values::new(model);
    let mut editor = Editor::new(model, values);
    for (id, stream) in streams {
        let node = editor.model().node(id);
        let operator = node.op_type.to_string();
        let int = |name: &str, value| Attribute::new(name, AttributeValue::Int(value));
        let mut marks = vec![int(STREAM, stream.cast_signed())];
        marks.extend(repeats(editor.view(), id).then(|| int(REPEATS, 1)));
        marks.extend(versions.get(&id).map(|&version| int(VERSION, version)));
        if node.is("Multinomial") {
            // the engines' own implementation: seeded by this attribute, else different every time
            marks.clear();
            if own_seed(node) == 0 {
                let seed = AttributeValue::Float((stream % (1 << 24)) as f32);
                marks.push(Attribute::new("seed", seed));
            }
        }
        if !operator.contains("Dropout") {
            *random.entry(operator).or_default() += 1;
        }
        for mark in marks {
            editor.set_attribute(id, mark);
        }
    }
    editor.finish()?;
    Ok(random)
}

/// The operators that draw. A stream belongs to a name, so that both sides of a comparison draw the same numbers
/// whatever was removed.
fn streams(model: &Model, meaning: Meaning) -> Vec<(NodeId, u64)> {
    let draws = |node: &Node| node.is("Multinomial") || mend::draws(node);
    let drawing: Vec<(NodeId, &Node)> = model.nodes().filter(|(_, node)| draws(node)).collect();
    if drawing.is_empty() {
        return Vec::new();
    }
    let seed = match meaning {
        Meaning::Inference => 0,
        Meaning::AsWritten { seed } | Meaning::Training { seed, .. } => seed,
    };
    let mut uses: HashMap<&Name, usize> = HashMap::default();
    for (_, node) in model.nodes() {
        *uses.entry(&node.name).or_default() += 1;
    }
    let marked = drawing.into_iter().map(|(id, node)| {
        let mut bytes = node.name.as_bytes().to_vec();
        if uses.get(&node.name) != Some(&1) || node.name.is_empty() {
            let output = node.outputs.iter().find(|name| !name.is_empty());
            bytes.push(0);
            bytes.extend(output.map_or(&[][..], Name::as_bytes));
        }
        bytes.extend(seed.to_le_bytes());
        bytes.extend(own_seed(node).to_le_bytes());
        (id, xxh3_64(&bytes))
    });
    marked.collect()
}

/// True in the body of a Scan in that of a Loop, or the other way around.
fn repeats(view: View<'_>, id: NodeId) -> bool {
    let outer = std::iter::successors(view.owner(id.graph), |node| view.owner(node.graph()));
    let outer: Vec<&str> = outer.map(|node| node.op()).collect();
    outer.contains(&"Loop") && outer.contains(&"Scan")
}

/// A number for the seed of a node; 0 if it has none.
fn own_seed(node: &Node) -> u64 {
    match node.attribute("seed").map(|seed| &seed.value) {
        None => 0,
        Some(AttributeValue::Float(seed)) => u64::from(seed.to_bits()) + 1,
        Some(_) => 1,
    }
}
