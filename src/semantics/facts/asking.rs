//! One attempt at a question about a value.

use crate::onnx::GraphId;
use crate::semantics::calls::ContextId;
use crate::semantics::view::{NodeRef, ValueRef};

use super::dim::{At, Dim, Shape};
use super::known::Known;
use super::{About, Answer, Facts, Question};

/// The answer without any rule.
pub(super) fn unknown(question: Question) -> Answer {
    match question.about {
        About::Shape => Answer::Shape(Shape::Like(question.at)),
        About::List => Answer::List(None),
        About::Number => Answer::Number(Known::Computed),
    }
}

/// One attempt at a question: it records the questions to answer first.
pub(super) struct Asking<'m> {
    pub(super) facts: Facts<'m>,
    pub(super) cx: ContextId,
    /// The context without the assumption about a Loop, and its body.
    pub(super) assumption: Option<(ContextId, GraphId)>,
    pub(super) missing: Vec<Question>,
}

impl<'m> Asking<'m> {
    pub(super) fn new(facts: Facts<'m>, cx: ContextId) -> Self {
        let assumption = facts.memo.assumptions.borrow().get(&cx).copied();
        Asking {
            facts,
            cx,
            assumption,
            missing: Vec::new(),
        }
    }

    pub(super) fn ask(&mut self, at: At, about: About) -> Answer {
        let question = Question { at, about };
        match self.facts.memo.answers.borrow().get(&question) {
            Some(Some(answer)) => return answer.clone(),
            Some(None) => {} // it depends on itself
            None => self.missing.push(question),
        }
        unknown(question)
    }

    pub(super) fn shape_of(&mut self, at: At) -> Shape {
        match self.ask(at, About::Shape) {
            Answer::Shape(shape) => shape,
            _ => Shape::Like(at),
        }
    }

    pub(super) fn list_of(&mut self, at: At) -> Option<Shape> {
        match self.ask(at, About::List) {
            Answer::List(list) => list,
            _ => None,
        }
    }

    pub(super) fn number_of(&mut self, at: At) -> Known {
        match self.ask(at, About::Number) {
            Answer::Number(known) => known,
            _ => Known::Computed,
        }
    }

    /// A value in this context; one outside a Loop without what is assumed about that.
    pub(super) fn here(&self, value: ValueRef<'m>) -> At {
        match self.assumption {
            Some((base, body)) if !self.facts.view.is_within(value.graph, body) => (base, value.id),
            _ => (self.cx, value.id),
        }
    }

    /// The shape of an input of a node.
    pub(super) fn shape(&mut self, node: NodeRef<'m>, input: usize) -> Option<Shape> {
        let at = self.here(node.input(input)?);
        Some(self.shape_of(at))
    }

    /// The dimensions of an input of a node, if its rank is known.
    pub(super) fn dims(&mut self, node: NodeRef<'m>, input: usize) -> Option<Vec<Dim>> {
        self.shape(node, input)?.to_vec()
    }

    /// The integers of an attribute or else of an input.
    pub(super) fn list(
        &mut self,
        node: NodeRef<'m>,
        input: usize,
        attribute: &str,
    ) -> Option<Shape> {
        if let Some(ints) = self.given(node).ints(attribute) {
            return Some(Shape::sizes(ints));
        }
        let at = self.here(node.input(input)?);
        self.list_of(at)
    }

    /// As [`Asking::list`], if all of them are known.
    pub(super) fn integers(
        &mut self,
        node: NodeRef<'m>,
        input: usize,
        attribute: &str,
    ) -> Option<Vec<i64>> {
        self.list(node, input, attribute)?.all_sizes()
    }

    /// True if a node has these integers, known or not.
    pub(super) fn has(&self, node: NodeRef<'m>, input: usize, attribute: &str) -> bool {
        node.attribute(attribute).is_some() || node.input(input).is_some()
    }

    /// The context of the function that a node calls, and an output of that function there.
    pub(super) fn called(
        &mut self,
        node: NodeRef<'m>,
        function: usize,
        output: usize,
    ) -> Option<At> {
        let key = self.key(node);
        if !self.missing.is_empty() {
            return None;
        }
        let view = self.facts.view;
        let body = view.model.functions()[function].body;
        let result = view.graph_output(body, output)?;
        let mut contexts = self.facts.memo.contexts.borrow_mut();
        Some((contexts.enter(self.cx, node.id, function, key), result.id))
    }
}
