//! Values of few numbers: what the elements of a mask can be, for a number that is drawn or for any.

use smallvec::{SmallVec, smallvec};

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{ValueId, numbers};
use crate::semantics::operator::Linear;
use crate::semantics::scalar;
use crate::semantics::view::{NodeRef, ValueRef};

use super::super::Finder;
use super::cone::Cone;

/// Constants of more bytes are not read.
const LARGEST: u64 = 1 << 20;

/// The numbers that elements can be.
pub(super) type Few = SmallVec<[f64; 2]>;

/// The most numbers that are kept apart.
const MOST: usize = 4;

fn few(all: impl IntoIterator<Item = f64>) -> Option<Few> {
    let mut few = Few::new();
    for number in all {
        if few.contains(&number) {
            continue;
        }
        if few.len() == MOST || number.is_nan() {
            return None;
        }
        few.push(number);
    }
    Some(few)
}

fn bits() -> Few {
    smallvec![0.0, 1.0]
}

/// True of zeros and ones.
pub(super) fn are_bits(few: &Few) -> bool {
    few.iter().all(|&number| number == 0.0 || number == 1.0)
}

impl Finder<'_> {
    /// What the values of a cone can be if every element drawn is this number, or any number.
    pub(super) fn few(&self, cone: &Cone, drawn: Option<f64>) -> Result<HashMap<ValueId, Few>> {
        let mut known: HashMap<ValueId, Few> = HashMap::default();
        let source = |value: ValueId| self.view.value(value).node();
        let coin = |value| source(value).is_some_and(|node| node.is("Bernoulli"));
        if let Some(value) = cone.drawn {
            let any = coin(value).then(bits);
            known.extend(drawn.map(|d| smallvec![d]).or(any).map(|few| (value, few)));
        }
        let mut seen = HashSet::default();
        for &id in &cone.order {
            let node = self.view.node(id);
            for value in node.inputs().flatten() {
                self.few_of_constant(value, &mut known, &mut seen)?;
            }
            known.extend(self.few_of(node, &known));
        }
        Ok(known)
    }

    /// What the first output of a node is, of inputs that are known.
    fn few_of(&self, node: NodeRef<'_>, known: &HashMap<ValueId, Few>) -> Option<(ValueId, Few)> {
        let inputs = node.inputs().flatten();
        let inputs: Vec<Option<Few>> = inputs.map(|value| known.get(&value.id).cloned()).collect();
        let output = node.output(0)?;
        let found = made(node, &inputs)?;
        let found = match output.element_type() {
            Some(to) => few(found.into_iter().map(|number| scalar::cast(number, to)))?,
            None => found,
        };
        Some((output.id, found))
    }

    /// Adds what the elements of a constant are, as of the region in which DropBlock draws.
    fn few_of_constant(
        &self,
        value: ValueRef<'_>,
        known: &mut HashMap<ValueId, Few>,
        seen: &mut HashSet<ValueId>,
    ) -> Result<()> {
        let mut open = vec![value];
        while let Some(&next) = open.last() {
            let done = known.contains_key(&next.id) || !self.is_fixed(next.id);
            let node = next.node().filter(|_| !done);
            if !done && let Some(number) = self.number(next.id, &self.conditions)? {
                known.insert(next.id, smallvec![number]);
            } else if !done && let Some(tensor) = next.initializer() {
                let bytes = self.view.model.small_elements(tensor, LARGEST)?;
                let all = bytes.and_then(|bytes| numbers(tensor.data_type, &bytes));
                known.extend(all.and_then(few).map(|few| (next.id, few)));
            } else if let Some(node) = node {
                if seen.insert(next.id) {
                    open.extend(node.inputs().flatten());
                    continue;
                }
                known.extend(self.few_of(node, known));
            }
            open.pop();
        }
        Ok(())
    }
}

fn copies(node: NodeRef<'_>) -> bool {
    node.operator().is_some_and(|operator| operator.copies())
}

/// What the elements can be that a node makes.
fn made(node: NodeRef<'_>, inputs: &[Option<Few>]) -> Option<Few> {
    let linear = node.operator()?.linear;
    let first = inputs.first()?.clone();
    let is_zero = |few: &Option<Few>| few.as_deref() == Some(&[0.0]);
    let found = match node.op() {
        "Mul" | "And" if inputs.iter().any(is_zero) => Some(smallvec![0.0]),
        "MaxPool" => first,
        "Pad" => match (inputs.get(2), node.get().attribute("value")) {
            (None, None) => few(first?.into_iter().chain([0.0])),
            (Some(value), _) => few(first?.into_iter().chain(value.clone()?)),
            (None, Some(_)) => None,
        },
        "ReduceMean" => first.filter(|few| few.len() == 1),
        "Where" if first.as_ref().is_none_or(|few| few.len() > 1) => {
            let [_, x, y] = inputs else { return None };
            few(x.clone()?.into_iter().chain(y.clone()?))
        }
        _ if copies(node) => first,
        op => applied(op, inputs),
    };
    let layer = matches!(linear, Linear::Any | Linear::Positive | Linear::Bilinear);
    // without a bias
    let zeros = || layer && is_zero(&inputs[0]) && inputs.len() <= 2;
    found
        .or_else(|| zeros().then(|| smallvec![0.0]))
        .or_else(|| compared(node.op(), inputs))
        .or_else(|| scalar::makes_booleans(node.op()).then(bits))
}

/// What a comparison of an infinite number with an unknown one gives: an unknown number is finite.
fn compared(op: &str, inputs: &[Option<Few>]) -> Option<Few> {
    let number = |few: &Option<Few>| match few.as_deref() {
        None => Some(0.0),
        Some(&[number]) if number.is_infinite() => Some(number),
        Some(_) => None,
    };
    let numbers: Vec<f64> = inputs.iter().map(number).collect::<Option<_>>()?;
    let decided = scalar::makes_booleans(op) && numbers.iter().any(|number| *number != 0.0);
    let number = scalar::apply(op, &numbers, false).filter(|_| decided);
    number.map(|number| smallvec![number])
}

/// All that an elementwise operator can make of some numbers.
fn applied(op: &str, inputs: &[Option<Few>]) -> Option<Few> {
    let mut rows: Vec<Vec<f64>> = vec![Vec::new()];
    for input in inputs {
        let input = input.as_ref()?;
        let longer = rows.iter().flat_map(|row| {
            let each = input.iter();
            each.map(|&number| row.iter().copied().chain([number]).collect())
        });
        rows = longer.collect();
        if rows.len() > MOST * MOST {
            return None;
        }
    }
    let all: Option<Vec<f64>> = rows
        .iter()
        .map(|row| scalar::apply(op, row, false))
        .collect();
    few(all?)
}
