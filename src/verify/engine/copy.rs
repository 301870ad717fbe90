//! The copy of a model that is run: without functions, and with marks on the operators that draw random
//! numbers. All engines run it, so that they draw the same.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::functions::{Flat, flat};
use super::mend::{self, Repair, give_outputs, mend};
use super::patch::int;
use super::{Meaning, Stop};
use crate::hash::HashMap;
use crate::onnx::{
    Attribute, AttributeValue, Editor, Model, Name, Node, NodeId, RANDOM_OPERATORS, Values,
};
use crate::semantics::view::View;
use crate::source::{Rope, Source};
use crate::wire::{bytes_field, varint_field};

/// The attribute that holds the opset version ruling a `Dropout`.
pub(super) const VERSION: &str = "dropout_onnx.version";
/// The attribute that declares whether a `Dropout` trains: one of the three below.
pub(super) const TRAINING: &str = "dropout_onnx.training";
/// It does not: the inference meaning.
pub(super) const NEVER: i64 = 0;
/// According to the operator.
pub(super) const AS_WRITTEN: i64 = 1;
/// It does, also where its version cannot declare it.
pub(super) const ALWAYS: i64 = 2;
/// The attribute that takes the place of the ratio: the bits of a 64 bit float.
pub(super) const RATE: &str = "dropout_onnx.rate";
/// The attribute that holds a node's stream of random numbers.
pub(super) const STREAM: &str = "dropout_onnx.stream";
/// The attribute that is 1 if a node is evaluated repeatedly in each step of a loop that is written out.
pub(super) const REPEATS: &str = "dropout_onnx.repeats";

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
        let mut notes = Vec::new();
        let common: Vec<&Repair> = mend::ALL.iter().copied().flatten().collect();
        for repairs in [&common[..], repairs] {
            notes.extend(mend(&mut model, repairs, opset)?);
        }
        give_outputs(&mut model)?;
        let marks = marks(&model, meaning);
        let mut random = BTreeMap::new();
        if !marks.is_empty() {
            let values = Values::new(&model);
            let mut editor = Editor::new(&mut model, values);
            for (id, stream) in marks {
                let node = editor.model().node(id);
                if !node.is("Dropout") {
                    *random.entry(node.op_type.to_string()).or_default() += 1;
                }
                let own = match node.attribute(VERSION).map(|version| &version.value) {
                    Some(AttributeValue::Int(version)) => Some(*version),
                    _ => versions.get(&id).copied(),
                };
                let version = own.unwrap_or(opset);
                let repeats = repeats(editor.view(), id).then(|| int(REPEATS, 1));
                let attributes = attributes(node, meaning, stream, version);
                for attribute in attributes.into_iter().chain(repeats) {
                    editor.set_attribute(id, attribute);
                }
            }
            editor.finish()?;
        }
        Ok(Copy {
            model,
            notes,
            random,
            opset,
        })
    }

    /// Its bytes. A model without an opset gets that of its functions, or 1, and `domain` is one of its
    /// domains.
    pub(super) fn source(&self, domain: Option<&str>) -> Result<Source, Stop> {
        let mut rope: Rope = self.model.to_rope()?;
        let import = |domain: &str, version: i64| {
            let domain = bytes_field(1, domain.as_bytes());
            let version = varint_field(2, version.cast_unsigned());
            bytes_field(8, &[domain, version].concat())
        };
        if self.model.opset(self.model.main(), "").is_none() {
            rope.push(import("", self.opset));
        }
        if let Some(domain) = domain {
            rope.push(import(domain, 1));
        }
        Ok(Source::from_rope(rope))
    }
}

/// The operators that draw, each with a stream of its own. A stream belongs to a name, so that both sides
/// of a comparison draw the same numbers whatever was removed.
fn marks(model: &Model, meaning: Meaning) -> Vec<(NodeId, u64)> {
    let draws = |node: &Node| {
        let random = || RANDOM_OPERATORS.iter().any(|name| node.op_type == *name);
        node.in_default_domain() && (node.op_type == "Dropout" || random())
    };
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

/// What a node that draws must do.
fn attributes(node: &Node, meaning: Meaning, stream: u64, version: i64) -> Vec<Attribute> {
    let mut attributes = vec![int(STREAM, stream.cast_signed())];
    if node.is("Dropout") {
        let (training, rate) = match meaning {
            Meaning::Inference => (NEVER, None),
            Meaning::AsWritten { .. } => (AS_WRITTEN, None),
            Meaning::Training { rate, .. } => (ALWAYS, rate),
        };
        attributes.extend([int(VERSION, version), int(TRAINING, training)]);
        attributes.extend(rate.map(|rate| int(RATE, rate.to_bits().cast_signed())));
    }
    if node.is("Multinomial") && own_seed(node) == 0 {
        // the engines' own implementation: seeded by this attribute, else different every time
        let seed = AttributeValue::Float((stream % (1 << 24)) as f32);
        attributes.push(Attribute::new("seed", seed));
    }
    attributes
}
