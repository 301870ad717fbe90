//! Looking for the difference between two numbered models.

use super::difference::{Hidden, Kind};
use super::expression::{Expression, Tag};
use super::numbering::Numbering;
use super::shared::Shared;
use super::sides::Sides;
use super::step::{Step, exclusive, kind, operator, step};
use super::weights::Weights;
use crate::hash::HashSet;
use crate::onnx::Producer;

/// How many pairs of expressions are followed.
const STEPS: usize = 100_000;

/// Two expressions that differ.
type Pair = (Expression, Expression);

impl Sides<'_, '_> {
    /// The kind of all differences between these pairs of expressions, the places that runs have to reach,
    /// and the weights if only these differ.
    pub fn kind(&self, pairs: Vec<Pair>) -> (Kind, Vec<Hidden>, Option<Weights>) {
        let mut kinds = HashSet::from_iter([Kind::Operators]);
        let (mut constants, mut attributes) = (Vec::new(), Vec::new());
        let mut versions = false;
        let mut seen: HashSet<Pair> = pairs.iter().copied().collect();
        let (mut open, mut leaves) = (pairs, Vec::new());
        while let Some(pair) = open.pop() {
            if seen.len() > STEPS {
                return (Kind::Unknown, Vec::new(), None);
            }
            let step = step(self, pair);
            let Step { inputs, own, .. } = step;
            versions |= step.versions;
            match own {
                Some(Kind::Operators) if !step.versions => leaves.push(pair),
                Some(Kind::Operators) => {}
                Some(own) => {
                    kinds.insert(own);
                    match own {
                        Kind::Constant => constants.push(pair),
                        Kind::Attributes => attributes.push(pair),
                        _ => {}
                    }
                }
                None => {}
            }
            open.extend(inputs.into_iter().filter(|&pair| seen.insert(pair)));
        }
        let exclusive = exclusive(self, &leaves);
        for (side, own) in [self.before, self.after].into_iter().zip(&exclusive) {
            kinds.extend(own.iter().map(|&expression| kind(self, side, expression)));
        }
        let worst = kinds.iter().copied().max().unwrap_or(Kind::Operators);
        let hidden = match worst.hidden_from_runs() {
            Some(_) => self.hidden(&kinds, &[&constants[..], &attributes].concat(), &exclusive),
            None => Vec::new(),
        };
        let weights = match leaves.is_empty() && !versions {
            true => self.weights(&kinds, &constants),
            false => None,
        };
        (worst, hidden, weights)
    }

    /// Follows two different expressions towards their inputs, as long as only inputs differ, and
    /// describes the place where they diverge.
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
            let node = side.node(expression)?;
            let domain = side
                .view
                .model
                .node(node)
                .domain
                .as_str()
                .unwrap_or_default();
            side.view.model.opset(node.graph, domain)
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
            let node = side.view.model.node(side.node(expression)?);
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
    if let Some(id) = side.node(of_output.unwrap_or(expression)) {
        let node = side.view.model.node(id);
        return format!("{} `{}`", node.op_type, side.view.model.label(id));
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
    let mut values = side.view.all_values();
    let value = values.find(|value| side.value(value.id) == expression);
    value.map_or(known.to_string(), |value| {
        let what = match value.producer {
            Producer::Initializer(_) | Producer::SparseInitializer(_) => "initializer",
            Producer::Input(_) => "input",
            _ => "constant",
        };
        format!("{what} `{}`", value.name)
    })
}
