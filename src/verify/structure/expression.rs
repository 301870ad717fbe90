//! Expressions by number: equal numbers are equal expressions.

use crate::hash::HashMap;

use indexmap::IndexSet;

/// The number of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Expression(pub u32);

impl Expression {
    /// An input that is absent.
    pub const ABSENT: Expression = Expression(0);
}

/// What kind of thing an expression is: the first word of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Tag {
    /// Nothing.
    Absent,
    /// An input of a model, by name, with its default.
    Input,
    /// An input of a function or of a graph inside an attribute, by depth and place.
    Formal,
    /// A constant tensor.
    Constant,
    /// A constant sparse tensor.
    Sparse,
    /// An operator applied to inputs.
    Apply,
    /// The n-th of applications that look alike but may differ.
    Draw,
    /// An output of an application.
    Output,
    /// Ones in the shape of something.
    Ones,
    /// A graph by what it computes.
    Body,
    /// A function: its body and the defaults of its attributes.
    Function,
    /// What training assigns to what.
    Binding,
    /// Weights with a factor, or without it, by number.
    Weights,
}

/// All expressions met so far, and all strings in them.
#[derive(Debug)]
pub(super) struct Expressions {
    keys: IndexSet<Box<[u32]>, foldhash::fast::RandomState>,
    strings: HashMap<Box<[u8]>, u32>,
}

impl Default for Expressions {
    fn default() -> Self {
        let mut keys = IndexSet::default();
        keys.insert(Box::from([Tag::Absent as u32]));
        Expressions {
            keys,
            strings: HashMap::default(),
        }
    }
}

impl Expressions {
    /// The number of a string.
    pub fn string(&mut self, bytes: &[u8]) -> u32 {
        if let Some(&number) = self.strings.get(bytes) {
            return number;
        }
        let number = self.strings.len() as u32;
        self.strings.insert(bytes.into(), number);
        number
    }

    /// The number of the expression with this key.
    pub fn number(&mut self, tag: Tag, words: &[u32]) -> Expression {
        let mut key = Vec::with_capacity(words.len() + 1);
        key.push(tag as u32);
        key.extend_from_slice(words);
        Expression(self.keys.insert_full(key.into()).0 as u32)
    }

    /// The words of an expression behind its tag, if it has this tag.
    pub fn words(&self, expression: Expression, tag: Tag) -> Option<&[u32]> {
        let key = self.keys.get_index(expression.0 as usize)?;
        let (first, words) = key.split_first()?;
        (*first == tag as u32).then_some(words)
    }
}

/// Appends a number of two words.
pub(super) fn push_long(words: &mut Vec<u32>, value: u64) {
    words.extend([value as u32, (value >> 32) as u32]);
}
