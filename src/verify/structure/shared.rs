//! What the numberings of both models share.

use crate::hash::{HashMap, HashSet};

use super::contents::Contents;
use super::expression::{Expression, Expressions};

#[derive(Debug)]
pub(super) struct Shared<'m> {
    pub expressions: Expressions,
    pub contents: Contents<'m>,
    /// Constants and inputs without dimensions.
    pub scalars: HashSet<Expression>,
    /// Products of data and a scalar, and that data.
    scaled: HashMap<Expression, Expression>,
}

impl Shared<'_> {
    /// Of the tensors of two models; `derived`: the second is an edit of the first.
    pub fn new(derived: bool) -> Self {
        Shared {
            expressions: Expressions::default(),
            contents: Contents::new(derived),
            scalars: HashSet::default(),
            scaled: HashMap::default(),
        }
    }

    /// Records that an expression is a product of data and a scalar.
    pub fn set_scaled(&mut self, product: Expression, data: Expression) {
        let data = self.shape_of(data);
        self.scaled.insert(product, data);
    }

    /// The expression that has the shape and type of data, and is no product by a scalar.
    pub fn shape_of(&self, data: Expression) -> Expression {
        self.scaled.get(&data).copied().unwrap_or(data)
    }
}
