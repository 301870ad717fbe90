//! Expressions by number: equal numbers are equal expressions.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use crate::hash::HashMap;

/// The number of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Expression(pub u32);

impl Expression {
    /// An input that is absent.
    pub const ABSENT: Expression = Expression(0);
}

/// The words of a key in the making.
pub(super) type Words = SmallVec<[u32; 16]>;

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
    /// An operator: its name, domain, overload and number of outputs, a version or a function, attributes.
    Operator,
    /// An operator, by number, applied to inputs.
    Apply,
    /// The n-th of applications that look alike but may differ.
    Draw,
    /// An output of an application but the first, which is the application itself.
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

/// All expressions seen so far, and all strings in them.
#[derive(Debug)]
pub(super) struct Expressions {
    /// The words of all expressions, one after the other: a tag and what follows it.
    words: Vec<u32>,
    /// Where the words of each expression end.
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    strings: HashMap<Box<[u8]>, u32>,
}

impl Default for Expressions {
    fn default() -> Self {
        let mut expressions = Expressions {
            words: Vec::new(),
            ends: Vec::new(),
            numbers: HashTable::new(),
            hasher: RandomState::default(),
            strings: HashMap::default(),
        };
        expressions.number(Tag::Absent, &[]);
        expressions.string(b"");
        expressions
    }
}

/// The words of the expression with this number.
fn words<'e>(words: &'e [u32], ends: &[usize], number: u32) -> Option<&'e [u32]> {
    let number = number as usize;
    let start = match number.checked_sub(1) {
        Some(before) => *ends.get(before)?,
        None => 0,
    };
    words.get(start..*ends.get(number)?)
}

impl Expressions {
    /// The number of a string: 0 of the empty one.
    pub fn string(&mut self, bytes: &[u8]) -> u32 {
        if bytes.is_empty() && !self.strings.is_empty() {
            return 0;
        }
        if let Some(&number) = self.strings.get(bytes) {
            return number;
        }
        let number = self.strings.len() as u32;
        self.strings.insert(bytes.into(), number);
        number
    }

    /// An output of an application.
    pub fn output(&mut self, application: Expression, place: usize) -> Expression {
        match place {
            0 => application,
            _ => self.number(Tag::Output, &[application.0, place as u32]),
        }
    }

    /// An operator with this key, applied to inputs.
    pub fn apply(&mut self, operator: &[u32], inputs: &[Expression]) -> Expression {
        let operator = self.number(Tag::Operator, operator);
        let words = [operator].into_iter().chain(inputs.iter().copied());
        let words: Words = words.map(|part| part.0).collect();
        self.number(Tag::Apply, &words)
    }

    /// The number of the expression with this key.
    pub fn number(&mut self, tag: Tag, words: &[u32]) -> Expression {
        let start = self.words.len();
        self.words.push(tag as u32);
        self.words.extend_from_slice(words);
        let (old, new) = self.words.split_at(start);
        let of = |&number: &u32| self::words(old, &self.ends, number);
        let same = |number: &u32| of(number) == Some(new);
        let number = self.ends.len() as u32;
        let hash = |number: &u32| self.hasher.hash_one(of(number));
        match (self.numbers).entry(self.hasher.hash_one(Some(new)), same, hash) {
            Entry::Occupied(known) => {
                let known = *known.get();
                self.words.truncate(start);
                Expression(known)
            }
            Entry::Vacant(entry) => {
                entry.insert(number);
                self.ends.push(self.words.len());
                Expression(number)
            }
        }
    }

    /// The words of an expression after its tag, if it has this tag.
    pub fn words(&self, expression: Expression, tag: Tag) -> Option<&[u32]> {
        let key = words(&self.words, &self.ends, expression.0)?;
        let (first, words) = key.split_first()?;
        (*first == tag as u32).then_some(words)
    }
}

/// Appends a number of two words.
pub(super) fn push_long(words: &mut Words, value: u64) {
    words.extend([value as u32, (value >> 32) as u32]);
}
