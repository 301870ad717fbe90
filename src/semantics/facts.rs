//! Facts about values that hold without running the model: shapes with symbols, small lists of integers,
//! and constants of one number.
//!
//! A fact is computed when it is first asked for, with those it depends on, without recursion. What was
//! computed is kept: no answer depends on earlier questions, and nothing is given up. The rule of the
//! operator that produces a value wins over a declared shape, which fills in what the rule leaves open.
//!
//! Facts hold in a context of a function (see [`crate::semantics::calls`]). A question without a context
//! is about all of them: the answer is what all of them agree on. A state of a Loop has a shape or is a
//! constant only if each step leaves it as it is.

mod asking;
mod dim;
mod entered;
mod given;
mod integers;
mod known;
mod number;
mod rules;
mod runs;
mod value;
mod window;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::hash::HashMap;
use crate::onnx::{GraphId, Name, NodeId, ValueId, ValueInfo};

use super::calls::{Calls, ContextId, Contexts};
use super::view::{NodeRef, View};

pub(crate) use dim::{Dim, Shape, Symbol, axis_of};
pub(crate) use known::{Known, Number, Origin};
pub(crate) use rules::permutation;
pub(crate) use runs::Runs;

use asking::{Asking, unknown};
use dim::At;
use entered::{Entered, Key};

/// The facts about the values of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'m> {
    view: View<'m>,
    memo: &'m Memo,
}

/// The facts that were computed so far, of one model.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    calls: OnceCell<Calls>,
    draws: OnceCell<Vec<NodeId>>,
    declared: OnceCell<HashMap<ValueId, (GraphId, usize, Section)>>,
    contexts: RefCell<Contexts<Key>>,
    /// The calls of all functions, callers first.
    entered: OnceCell<Vec<Entered>>,
    runs: OnceCell<HashMap<ContextId, Runs>>,
    /// `None` while an answer is computed: what depends on itself has no known answer.
    answers: RefCell<HashMap<Question, Option<Answer>>>,
    names: RefCell<(HashMap<Name, u32>, Vec<Name>)>,
    /// Contexts in which the states of a Loop are assumed to keep their shapes, with the body, by the
    /// context without that assumption and the body.
    assumed: RefCell<HashMap<(ContextId, GraphId), ContextId>>,
    assumptions: RefCell<HashMap<ContextId, (ContextId, GraphId)>>,
    /// Why elements could not be read.
    failed: RefCell<Option<Error>>,
    /// Constants that were not read because of their size.
    unread: RefCell<BTreeSet<ValueId>>,
}

/// Where the type of a value is declared.
#[derive(Clone, Copy, Debug)]
enum Section {
    Inputs,
    Outputs,
    ValueInfos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Question {
    at: At,
    about: About,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum About {
    Shape,
    /// The elements of a tensor of integers.
    List,
    /// The number that each element is.
    Number,
}

#[derive(Clone, Debug)]
enum Answer {
    Shape(Shape),
    List(Option<Shape>),
    Number(Known),
}

/// Tensors of more elements are no lists of integers: weights are not read for them.
const LONGEST: usize = 128;

impl<'m> Facts<'m> {
    pub fn new(view: View<'m>, memo: &'m Memo) -> Facts<'m> {
        Facts { view, memo }
    }

    pub fn view(self) -> View<'m> {
        self.view
    }

    /// Which functions call which.
    pub fn calls(self) -> &'m Calls {
        self.memo.calls.get_or_init(|| Calls::new(self.view.model))
    }

    /// The nodes that draw random numbers, in the order of their graphs.
    pub fn draws(self) -> impl Iterator<Item = NodeRef<'m>> {
        let all = || self.view.nodes().filter(|node| node.draws());
        let draws = self
            .memo
            .draws
            .get_or_init(|| all().map(|node| node.id).collect());
        draws.iter().map(move |&node| self.view.node(node))
    }

    /// The contexts in which a graph runs; an unknown one if nothing calls it.
    pub fn contexts(self, graph: GraphId) -> Vec<ContextId> {
        let Some(function) = self.view.function_of(graph) else {
            return vec![ContextId::OUTSIDE];
        };
        self.entered();
        let mut contexts = self.memo.contexts.borrow_mut();
        if contexts.of(function).is_empty() {
            contexts.enter_unknown(function);
        }
        contexts.of(function).to_vec()
    }

    /// The limits that were reached, each with a node that it is about.
    pub fn limits(self) -> Vec<(NodeId, &'static str)> {
        let contexts = self.memo.contexts.borrow();
        let joined = contexts
            .joined()
            .filter_map(|f| self.calls().of(f).first().copied());
        let joined = joined.map(|call| {
            let what = "at most 64 different ways of calling a function are distinguished";
            (call, what)
        });
        let unread = self.memo.unread.borrow();
        let readers = unread
            .iter()
            .filter_map(|&value| self.view.value(value).readers().next());
        let unread =
            readers.map(|(node, _)| (node.id, "a constant of one number may have at most 64 MiB"));
        joined.chain(unread).collect()
    }

    /// The shape of a value in all contexts.
    pub fn shape(self, value: ValueId) -> Shape {
        let own = (ContextId::OUTSIDE, value);
        let contexts = self.contexts(self.view.value(value).graph);
        let mut shapes = contexts.iter().map(|&cx| self.shape_in(cx, value));
        let first = shapes.next().unwrap_or(Shape::Like(own));
        let joined = shapes.try_fold(first, |one, two| one.join(&two));
        joined.map_or(Shape::Like(own), |shape| shape.named(own))
    }

    pub fn shape_in(self, cx: ContextId, value: ValueId) -> Shape {
        match self.answer((cx, value), About::Shape) {
            Answer::Shape(shape) => shape,
            _ => Shape::Like((cx, value)),
        }
    }

    /// The number of axes of a value; `None` if it is not known.
    pub fn rank(self, value: ValueId) -> Option<usize> {
        self.shape(value).rank()
    }

    /// The sizes of a value, where they are known; `None` if not even its rank is.
    pub fn sizes(self, value: ValueId) -> Option<Vec<Option<i64>>> {
        let shape = self.shape(value);
        Some(shape.dims()?.iter().map(|dim| dim.size()).collect())
    }

    /// The integers that an attribute or an input holds, if they are the same in every run and context.
    pub fn integers(self, node: NodeId, input: usize, attribute: &str) -> Option<Vec<i64>> {
        let node = self.view.node(node);
        if let Some(ints) = node.ints(attribute) {
            return Some(ints.to_vec());
        }
        let value = node.input(input)?;
        let contexts = self.contexts(node.graph()).into_iter();
        let mut lists = contexts.map(|cx| self.list_in(cx, value.id)?.all_sizes());
        let first = lists.next()??;
        lists
            .all(|list| list.as_ref() == Some(&first))
            .then_some(first)
    }

    /// The elements of a small tensor of integers, with symbols.
    pub fn list_in(self, cx: ContextId, value: ValueId) -> Option<Shape> {
        match self.answer((cx, value), About::List) {
            Answer::List(list) => list,
            _ => None,
        }
    }

    /// What number each element of a value is.
    ///
    /// # Errors
    /// The elements of a constant cannot be read.
    pub fn number_in(self, cx: ContextId, value: ValueId) -> Result<Known> {
        let answer = self.answer((cx, value), About::Number);
        if let Some(error) = self.memo.failed.take() {
            self.memo.answers.borrow_mut().clear();
            return Err(error);
        }
        Ok(match answer {
            Answer::Number(known) => known,
            _ => Known::Computed,
        })
    }

    /// The number that each element of a value is in every run and context.
    pub fn constant(self, value: ValueId) -> Option<Number> {
        let contexts = self.contexts(self.view.value(value).graph).into_iter();
        let mut all = contexts.map(|cx| match self.number_in(cx, value) {
            Ok(Known::Number(number)) if number.origin == Origin::Constant => Some(number),
            _ => None,
        });
        let first = all.next()??;
        all.all(|other| other == Some(first)).then_some(first)
    }

    /// A dimension in words: its size or name, or `?`.
    pub fn dim_text(self, dim: Dim) -> String {
        match dim {
            Dim::Size(size) => size.to_string(),
            Dim::Affine {
                symbol: Symbol::Named(name),
                factor: 1,
                offset: 0,
            } => self.memo.names.borrow().1[name as usize].to_string(),
            _ => "?".to_string(),
        }
    }

    /// The dimensions of a shape in words; `None` if not even the rank is known.
    pub fn shape_text(self, shape: &Shape) -> Option<Vec<String>> {
        let dims = shape.dims()?.iter();
        Some(dims.map(|&dim| self.dim_text(dim)).collect())
    }

    fn symbol(self, name: &Name) -> Symbol {
        let (of_name, names) = &mut *self.memo.names.borrow_mut();
        let next = names.len() as u32;
        Symbol::Named(*of_name.entry(name.clone()).or_insert_with(|| {
            names.push(name.clone());
            next
        }))
    }

    /// The type that the file declares for a value.
    fn declared(self, value: ValueId) -> Option<&'m ValueInfo> {
        let model = self.view.model;
        let all = self.memo.declared.get_or_init(|| {
            let mut all = HashMap::default();
            for (id, graph) in model.graphs() {
                let sections = [
                    (Section::Inputs, &graph.inputs[..]),
                    (Section::Outputs, &graph.outputs[..]),
                    (Section::ValueInfos, graph.value_infos()),
                ];
                for (section, infos) in sections {
                    for (index, info) in infos.iter().enumerate() {
                        if let Some(value) = self.view.lookup(id, &info.name)
                            && info.type_bytes().is_some()
                        {
                            all.entry(value.id).or_insert((id, index, section));
                        }
                    }
                }
            }
            all
        });
        let &(graph, index, section) = all.get(&value)?;
        let graph = model.graph(graph);
        Some(match section {
            Section::Inputs => &graph.inputs[index],
            Section::Outputs => &graph.outputs[index],
            Section::ValueInfos => &graph.value_infos()[index],
        })
    }

    /// Answers a question, those that it depends on first.
    fn answer(self, at: At, about: About) -> Answer {
        let asked = Question { at, about };
        let mut open = vec![asked];
        while let Some(&question) = open.last() {
            if let Some(Some(_)) = self.memo.answers.borrow().get(&question) {
                open.pop();
                continue;
            }
            self.memo.answers.borrow_mut().insert(question, None);
            let mut asking = Asking::new(self, question.at.0);
            let answer = asking.answer(question);
            if asking.missing.is_empty() {
                self.memo
                    .answers
                    .borrow_mut()
                    .insert(question, Some(answer));
                open.pop();
            } else {
                open.append(&mut asking.missing);
            }
        }
        let answers = self.memo.answers.borrow();
        match answers.get(&asked) {
            Some(Some(answer)) => answer.clone(),
            _ => unknown(asked),
        }
    }

    /// A context in which the states of the Loop with this body are assumed to keep their shapes.
    fn assume(self, cx: ContextId, body: GraphId) -> ContextId {
        let mut assumed = self.memo.assumed.borrow_mut();
        *assumed.entry((cx, body)).or_insert_with(|| {
            let copy = self.memo.contexts.borrow_mut().copy(cx);
            self.memo.assumptions.borrow_mut().insert(copy, (cx, body));
            copy
        })
    }
}

#[cfg(test)]
mod tests;
