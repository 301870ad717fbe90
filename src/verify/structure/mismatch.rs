//! The difference between two structures: where it is, of what kind, and how it reads.

use std::fmt;

use super::Shared;
use super::expression::{Expression, Tag};
use super::numbering::Numbering;
use super::step::{Step, exclusive, operator, step};
use crate::hash::HashSet;
use crate::onnx::Producer;
use crate::words::words;

/// How many pairs of expressions are followed.
const STEPS: usize = 100_000;

/// The first difference between two structures, and the kind of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// An output or an interface.
    pub place: String,
    /// What is there before and after.
    pub why: String,
    /// The kind of difference; of several, the one that runs show the least of.
    pub kind: Kind,
}

words! {
    /// A kind of difference, from the one that runs show best to the one they show least.
    Kind {
        /// Other operators, versions of operators, or wiring: every run computes what differs.
        Operators = "operators",
        /// Inputs or outputs differ in number, order, name or type: a run matches them by name.
        Interface = "interface",
        /// Attributes of an operator differ.
        Attributes = "attributes",
        /// A constant or an initializer differs, or is there on one side only.
        Constant = "constant",
        /// A graph in an If or Loop differs, or a side that a Where selects from.
        Branch = "branch",
        /// There are too many differences to follow them all.
        Unknown = "unknown",
    }
}

impl Kind {
    /// Why equal outputs for random inputs do not show equal models; `None` if they do, as what differs
    /// takes part in every run.
    pub fn hidden_from_runs(self) -> Option<&'static str> {
        match self {
            Kind::Operators => None,
            Kind::Interface => Some("runs match inputs and outputs by name"),
            Kind::Attributes | Kind::Constant | Kind::Branch | Kind::Unknown => {
                Some("random inputs may not reach the difference")
            }
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.why)
    }
}

/// Both models, numbered, to look for differences.
pub(super) struct Sides<'a, 'm> {
    pub shared: &'a Shared<'m>,
    pub before: &'a Numbering<'m>,
    pub after: &'a Numbering<'m>,
}

/// Two expressions that differ.
type Pair = (Expression, Expression);

impl Sides<'_, '_> {
    /// The kind of all differences between these pairs of expressions.
    pub fn kind(&self, pairs: Vec<Pair>) -> Kind {
        let mut kind = Kind::Operators;
        let mut seen: HashSet<Pair> = pairs.iter().copied().collect();
        let (mut open, mut leaves) = (pairs, Vec::new());
        while let Some(pair) = open.pop() {
            if seen.len() > STEPS {
                return Kind::Unknown;
            }
            let Step { inputs, own } = step(self, pair);
            match own {
                Some(Kind::Operators) if inputs.is_empty() => leaves.push(pair),
                Some(own) => kind = kind.max(own),
                None => {}
            }
            open.extend(inputs.into_iter().filter(|&pair| seen.insert(pair)));
        }
        kind.max(exclusive(self, &leaves))
    }

    /// Follows two different expressions towards their inputs, as long as only inputs differ, and
    /// says what is there where they diverge.
    pub fn explain(&self, (mut old, mut new): Pair) -> String {
        let mut own = None;
        for _ in 0..STEPS {
            let step = step(self, (old, new));
            own = step.own;
            match (own, step.inputs.first()) {
                (None, Some(&pair)) => (old, new) = pair,
                _ => break,
            }
        }
        let (was, is) = (
            describe(self.before, self.shared, old),
            describe(self.after, self.shared, new),
        );
        let how = self.detail(old, new, own).map(|how| format!(" ({how})"));
        let how = how.unwrap_or_default();
        match was == is {
            true => format!("first diverges at {was}{how}"),
            false => format!("first diverges at {was} before and {is} after{how}"),
        }
    }

    /// What differs in two expressions of one form.
    fn detail(&self, old: Expression, new: Expression, own: Option<Kind>) -> Option<String> {
        let words = |tag| {
            let of = |side| self.shared.expressions.words(side, tag);
            Some((of(old)?, of(new)?))
        };
        if let Some((old, new)) = words(Tag::Constant) {
            // type, rank, sizes of two words each, elements
            return Some(match (old.split_last(), new.split_last()) {
                (Some((_, old)), Some((_, new))) if old == new => "values differ".to_string(),
                _ => "types or shapes differ".to_string(),
            });
        }
        if let Some((old, new)) = words(Tag::Input) {
            return (old[0] == new[0]).then(|| "defaults differ".to_string());
        }
        let versions = |expression, side: &Numbering<'_>| {
            let node = *side.nodes.get(&expression)?;
            let domain = side.model.node(node).domain.as_str().unwrap_or_default();
            side.model.opset(node.graph, domain)
        };
        let mut differ = Vec::new();
        if let (Some(old), Some(new)) = (versions(old, self.before), versions(new, self.after))
            && old != new
        {
            differ.push(format!("opset {old} before, {new} after"));
        }
        match own {
            Some(Kind::Attributes) => differ.push("attributes differ".to_string()),
            Some(Kind::Branch) => differ.push(match operator(self.before, old) {
                Some("Where") => "values to select from differ".to_string(),
                _ => "subgraphs differ".to_string(),
            }),
            _ => {}
        }
        let outputs = |expression, side: &Numbering<'_>| {
            let node = side.model.node(*side.nodes.get(&expression)?);
            Some((node.op_type.clone(), node.outputs.len()))
        };
        if let (Some((was, old)), Some((is, new))) =
            (outputs(old, self.before), outputs(new, self.after))
            && was == is
            && old != new
        {
            differ.push(format!("{old} outputs before, {new} after"));
        }
        (!differ.is_empty()).then(|| differ.join("; "))
    }
}

fn describe(side: &Numbering<'_>, shared: &Shared<'_>, expression: Expression) -> String {
    let has = |tag| shared.expressions.words(expression, tag);
    let of_output = has(Tag::Output).map(|words| Expression(words[0]));
    if let Some(&id) = side.nodes.get(&of_output.unwrap_or(expression)) {
        let node = side.model.node(id);
        return format!("{} `{}`", node.op_type, side.model.label(id));
    }
    let what = [
        (Tag::Input, "a graph input"),
        (Tag::Formal, "an input of its graph"),
        (Tag::Constant, "a constant"),
        (Tag::Sparse, "a sparse constant"),
        (Tag::Ones, "a mask of ones"),
        (Tag::Absent, "nothing"),
        (Tag::Body, "its subgraph"),
        (Tag::Function, "the function"),
        (Tag::Binding, "the binding"),
    ];
    let known = what.iter().find(|(tag, _)| has(*tag).is_some());
    let known = known.map_or("something else", |(_, word)| word);
    let leaf = [Tag::Input, Tag::Constant, Tag::Sparse];
    if leaf.into_iter().all(|tag| has(tag).is_none()) {
        return known.to_string();
    }
    let mut values = side.values.ids();
    let value = values.find(|&value| side.value(value) == expression);
    let value = value.map(|value| &side.values[value]);
    value.map_or(known.to_string(), |value| {
        let what = match value.producer {
            Producer::Initializer(_) | Producer::SparseInitializer(_) => "initializer",
            Producer::Input(_) => "input",
            _ => "constant",
        };
        format!("{what} `{}`", value.name)
    })
}
