//! Finding the weights that differ where nothing else does.

use super::difference::Kind;
use super::expression::{Expression, Tag};
use super::numbering::Numbering;
use super::sides::Sides;
use super::weights::{Weight, Weights};
use crate::hash::{HashMap, HashSet};
use crate::onnx::DataType;
use crate::semantics::view::ValueRef;

impl Sides<'_, '_> {
    /// The weights of these pairs of constants; `None` if something else differs as well.
    pub(super) fn weights(
        &self,
        kinds: &HashSet<Kind>,
        constants: &[(Expression, Expression)],
    ) -> Option<Weights> {
        let only = |kind: &Kind| matches!(kind, Kind::Operators | Kind::Constant);
        if constants.is_empty() || !kinds.iter().all(only) {
            return None;
        }
        let words = |expression| self.shared.expressions.words(expression, Tag::Constant);
        let mut of: HashMap<Expression, Vec<Expression>> = HashMap::default();
        for &(old, new) in constants {
            // type, rank, sizes, elements
            let ((_, was), (_, is)) = (words(old)?.split_last()?, words(new)?.split_last()?);
            if was != is {
                return None;
            }
            of.entry(new).or_default().push(old);
        }
        let mut first: HashMap<Expression, ValueRef<'_>> = HashMap::default();
        let mut named = HashMap::default();
        for value in constants_of(self.before) {
            first.entry(self.before.value(value.id)).or_insert(value);
            named.insert((value.get().graph, &value.get().name), value);
        }
        let mut all = Vec::new();
        for value in constants_of(self.after) {
            let Some(old) = of.get(&self.after.value(value.id)) else {
                continue;
            };
            let same_name = named.get(&(value.get().graph, &value.get().name)).copied();
            let number = |value: ValueRef<'_>| self.before.value(value.id);
            let before = match same_name {
                Some(before) if number(before) == self.after.value(value.id) => continue,
                Some(before) if old.contains(&number(before)) => before,
                _ => *first.get(&old[0])?,
            };
            let tensor = value.constant()?;
            all.push(Weight {
                before: before.get().name.clone(),
                after: value.get().name.clone(),
                shape: tensor.dims.clone(),
                ids: [before.id, value.id],
            });
            if !is_weight(tensor.data_type) {
                return None;
            }
        }
        let some = all.iter().any(|weight| !weight.shape.is_empty());
        some.then_some(Weights { all, max: None })
    }
}

/// The constants of a model that outputs depend on.
fn constants_of<'s, 'm>(side: &'s Numbering<'m>) -> impl Iterator<Item = ValueRef<'m>> + 's {
    let values = side.view.all_values();
    values.filter(|value| side.is_live(value.id) && value.constant().is_some())
}

/// True of the types that weights have: not of shapes, indices and strings.
fn is_weight(element: DataType) -> bool {
    element.is_float() || [DataType::INT8, DataType::UINT8].contains(&element)
}
