//! Following a draw through calls of functions.

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{NodeId, ValueId};

use super::super::Finder;
use super::super::apply::{Applied, apply, is_applied, is_cast};
use super::super::form::Form;
use super::{REACH, Step, Walk, behind};

/// How deep calls are followed into functions.
const CALLS: usize = 8;

impl Finder<'_> {
    /// A call of a function, as if the function stood in its place.
    pub(super) fn call(&self, id: NodeId, function: usize, walk: &mut Walk<'_>) -> Result<Step> {
        let forms = &walk.trace.forms;
        let known = |value: ValueId| forms.get(&value).cloned();
        let made = self.evaluate_call(id, function, walk.samples, CALLS, &known)?;
        let Some(made) = made else {
            return Ok(Step::Mixed);
        };
        let mut outputs = Vec::new();
        let mut lost = false;
        for (output, form) in made.into_iter().enumerate() {
            let Some(value) = self.values.output(self.model, id, output) else {
                continue;
            };
            match form {
                Some(form) => {
                    // another call moves elements by another attribute
                    let inside = |(node, _): &(NodeId, usize)| node.graph != id.graph;
                    let form = match form.moves.iter().flatten().any(inside) {
                        true => form.elsewhere(id, output),
                        false => form,
                    };
                    self.reach(value, form, walk);
                    outputs.push(value);
                }
                None => lost = true,
            }
        }
        if !outputs.is_empty() {
            return Ok(Step::Made(outputs));
        }
        let only = self.resolver.all_calls(function) == 1;
        if only && lost {
            self.enter(id, function, walk);
            return Ok(Step::Opaque(false));
        }
        Ok(Step::Opaque(lost && self.reads_draw(id, walk)))
    }

    /// Follows what is made of the draw into a function that nothing else calls.
    fn enter(&self, id: NodeId, function: usize, walk: &mut Walk<'_>) {
        let body = self.model.functions()[function].body;
        for (input, formal) in self.model.graph(body).inputs.iter().enumerate() {
            let form = self.values.input(id, input);
            let form = form.and_then(|value| walk.trace.forms.get(&value).cloned());
            let formal = self.values.lookup(self.model, body, &formal.name);
            let (Some(form), Some(formal)) = (form, formal) else {
                continue;
            };
            if form.data.is_none() && !walk.trace.forms.contains_key(&formal) {
                self.reach(formal, form, walk);
            }
        }
    }

    /// The outputs of a call, as forms of the data the call passes; `None` in place of all if the
    /// draw chooses between different data.
    fn evaluate_call(
        &self,
        id: NodeId,
        function: usize,
        samples: usize,
        depth: usize,
        known: &dyn Fn(ValueId) -> Option<Form>,
    ) -> Result<Option<Vec<Option<Form>>>> {
        let body = self.model.functions()[function].body;
        let graph = self.model.graph(body);
        let none = vec![None; graph.outputs.len()];
        if depth == 0 || graph.node_slots() > REACH {
            let what = "a draw is followed into calls at most 8 deep, of at most 400 nodes each";
            self.limits.reached(id, what);
            return Ok(Some(none));
        }
        let mut inner: HashMap<ValueId, Form> = HashMap::default();
        for (input, formal) in graph.inputs.iter().enumerate() {
            let formal = self.values.lookup(self.model, body, &formal.name);
            let (Some(formal), Some(value)) = (formal, self.values.input(id, input)) else {
                continue;
            };
            let form = match known(value) {
                Some(form) => form,
                None => match self.constant_form(value, samples)? {
                    Some(form) => form,
                    None => Form::data(value, samples),
                },
            };
            inner.insert(formal, form);
        }
        let _focus = self.focus(function, id);
        let mut nodes: Vec<NodeId> = (graph.nodes())
            .map(|(index, _)| NodeId { graph: body, index })
            .collect();
        nodes.sort_by_key(|id| self.rank.get(id));
        for id in nodes {
            let node = self.model.node(id);
            let mut inputs = Vec::new();
            for input in 0..node.inputs.len() {
                let form = match self.values.input(id, input) {
                    Some(value) => match inner.get(&value) {
                        Some(form) => Some(form.clone()),
                        None => self.constant_form(value, samples)?,
                    },
                    None => None,
                };
                inputs.push(form);
            }
            let made = match self.model.callee(node) {
                Some(function) => {
                    let known = |value: ValueId| inner.get(&value).cloned();
                    self.evaluate_call(id, function, samples, depth - 1, &known)?
                }
                None if node.is("Dropout") => match inputs.into_iter().next() {
                    Some(data) => Some(vec![data]),
                    None => continue,
                },
                None if node.in_default_domain() => {
                    let op_type = node.op_type.as_str().unwrap_or_default();
                    if !is_applied(op_type, node.inputs.len()) {
                        continue;
                    }
                    let to = is_cast(op_type).then(|| self.cast_to(id)).flatten();
                    match apply(op_type, to, &inputs) {
                        Applied::Form(form) => {
                            let outputs = 0..node.outputs.len();
                            let form = |o| Some(behind(op_type, form.clone(), id, o));
                            Some(outputs.map(form).collect())
                        }
                        Applied::Mixed => None,
                        Applied::Opaque => continue,
                    }
                }
                None => continue,
            };
            let Some(made) = made else {
                return Ok(None);
            };
            for (output, form) in made.into_iter().enumerate() {
                let value = self.values.output(self.model, id, output);
                if let (Some(value), Some(form)) = (value, form) {
                    inner.insert(value, form);
                }
            }
        }
        let outputs = graph.outputs.iter().map(|output| {
            let value = self.values.lookup(self.model, body, &output.name)?;
            inner.get(&value).cloned()
        });
        Ok(Some(outputs.collect()))
    }
}
