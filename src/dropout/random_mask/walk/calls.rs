//! Draws that go through calls of functions.

use std::rc::Rc;

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{NodeId, ValueId};
use crate::semantics::operator::Role;
use crate::semantics::view::NodeRef;

use super::super::Finder;
use super::super::conditions::Conditions;
use super::super::contexts::CONTEXTS;
use super::super::form::{Application, Form};
use super::super::law::Law;
use super::super::maps::Maps;
use super::{Walk, behind};

/// The evaluation of a call.
struct Evaluation<'a> {
    maps: &'a mut Maps,
    /// Calls that may still be evaluated.
    left: usize,
}

type Forms = HashMap<ValueId, Rc<Form>>;

impl Finder<'_> {
    /// A call of a function, as if the function were inlined.
    pub(super) fn call(
        &self,
        node: NodeRef<'_>,
        function: usize,
        walk: &mut Walk<'_>,
    ) -> Result<()> {
        if !self.is_clear(node, walk) {
            return self.opaque(node, walk);
        }
        let mut passed = Vec::new();
        for input in node.inputs() {
            passed.push(match input {
                Some(value) => Some(match walk.trace.read(value.id) {
                    Some(form) => Rc::clone(form),
                    None => Rc::new(self.plain(value.id, walk.conditions)?),
                }),
                None => None,
            });
        }
        let mut evaluation = Evaluation {
            maps: &mut walk.trace.maps,
            left: CONTEXTS,
        };
        let made = self.evaluate(node, function, &passed, walk.conditions, &mut evaluation)?;
        if evaluation.left == 0 {
            self.too_many_contexts(node.id);
        }
        let mut lost = false;
        let mut linear = false;
        for (output, form) in made.into_iter().enumerate() {
            let Some(value) = node.output(output) else {
                continue;
            };
            let Some(form) = form else {
                lost = true;
                continue;
            };
            linear = true;
            // another call moves elements by another attribute
            let known = |var| {
                passed
                    .iter()
                    .flatten()
                    .any(|form| form.vars().any(|of| of == var))
            };
            let same = form.vars().all(known);
            let form = match same {
                true => form,
                false => form.elsewhere((node.id, output), false, &mut walk.trace.maps),
            };
            self.made(node.id, value.id, form, walk)?;
        }
        if linear {
            return Ok(());
        }
        if lost && self.all_calls(function) == 1 {
            return self.enter(node, function, walk);
        }
        self.opaque(node, walk)
    }

    /// Follows masks into a function that nothing else calls.
    fn enter(&self, node: NodeRef<'_>, function: usize, walk: &mut Walk<'_>) -> Result<()> {
        let body = self.view.model.functions()[function].body;
        for (input, formal) in node.inputs().zip(self.view.graph_inputs(body)) {
            let form = input.and_then(|value| walk.trace.read(value.id).cloned());
            let (Some(form), Some(formal)) = (form, formal) else {
                continue;
            };
            if form.is_mask() && !walk.trace.forms.contains_key(&formal.id) {
                self.reach(formal.id, (*form).clone(), walk)?;
            }
        }
        Ok(())
    }

    /// The outputs of a call, as forms of the data it passes.
    fn evaluate(
        &self,
        call: NodeRef<'_>,
        function: usize,
        passed: &[Option<Rc<Form>>],
        conditions: &Conditions,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<Vec<Option<Form>>> {
        let body = self.view.model.functions()[function].body;
        let outputs: Vec<_> = self.view.graph_outputs(body).collect();
        if evaluation.left == 0 || passed.iter().flatten().all(|form| !form.varies()) {
            return Ok(vec![None; outputs.len()]);
        }
        evaluation.left -= 1;
        let conditions = conditions.with_calls(&[(function, call.id)]);
        let formals = self.view.graph_inputs(body).zip(passed);
        let mut inner: Forms = formals
            .filter_map(|(formal, form)| Some((formal?.id, Rc::clone(form.as_ref()?))))
            .collect();
        let mut nodes: Vec<NodeId> = self.view.nodes_of(body).map(|node| node.id).collect();
        nodes.sort_by_key(|id| self.rank.get(id));
        for id in nodes {
            let node = self.view.node(id);
            let known = |value: ValueId| inner.get(&value).is_some_and(|form| form.varies());
            if !node.inputs().flatten().any(|value| known(value.id)) {
                continue;
            }
            let made = self.evaluated(node, &inner, &conditions, evaluation)?;
            for (output, form) in node.outputs().zip(made) {
                if let (Some(output), Some(form)) = (output, form) {
                    inner.insert(output.id, Rc::new(form));
                }
            }
        }
        let form = |value: ValueId| inner.get(&value).map(|form| (**form).clone());
        Ok(outputs.into_iter().map(|output| form(output?.id)).collect())
    }

    /// The outputs of a node in a function.
    fn evaluated(
        &self,
        node: NodeRef<'_>,
        inner: &Forms,
        conditions: &Conditions,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<Vec<Option<Form>>> {
        let mut inputs: Vec<Option<Rc<Form>>> = Vec::new();
        for input in node.inputs() {
            inputs.push(match input {
                Some(value) => match inner.get(&value.id) {
                    Some(form) => Some(Rc::clone(form)),
                    // data of the function itself has no name outside
                    None => self.number(value.id, conditions)?.map(|number| {
                        let known = self.constant(value.id, conditions).ok().flatten();
                        let element = known.and_then(|known| known.element);
                        Rc::new(Form::number(Law::constant(number), element))
                    }),
                },
                None => None,
            });
        }
        if let Some(function) = node.callee() {
            return self.evaluate(node, function, &inputs, conditions, evaluation);
        }
        let Some(operator) = node.operator() else {
            return Ok(Vec::new());
        };
        let first = || inputs.first().and_then(Clone::clone);
        if operator.role == Role::Dropout {
            return Ok(vec![first().map(|form| (*form).clone())]);
        }
        let first_only = operator.copies() || operator.selects();
        if !operator.reads_values(0) || (first_only && !first().is_some_and(|form| form.varies())) {
            return Ok(Vec::new());
        }
        if first_only {
            inputs.truncate(1);
        }
        let known: Vec<Form> = inputs
            .iter()
            .flatten()
            .map(|form| (**form).clone())
            .collect();
        let application = Application {
            operator,
            node: node.id,
            inputs: inputs.iter().map(Option::as_deref).collect(),
            element: self.element_of(node, &known),
            maps: &*evaluation.maps,
        };
        let form = application.form().ok().flatten().filter(Form::is_known);
        // in a function nothing is compared with what it is a part of
        let form = form.filter(|form| form.terms.len() <= 1);
        let Some(form) = form else {
            return Ok(Vec::new());
        };
        let outputs = 0..node.get().outputs.len();
        let behind = |output| Some(behind(operator, &form, (node.id, output), evaluation.maps));
        Ok(outputs.map(behind).collect())
    }
}
