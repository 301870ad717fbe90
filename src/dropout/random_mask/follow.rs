//! Following a draw forwards, through functions and into loops.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::onnx::{AttributeValue, DataType, GraphKind, Node, NodeId, Use, ValueId};

use super::Finder;
use super::form::{Applied, Form, apply, is_layout};

/// How many nodes a draw is followed through.
const REACH: usize = 400;

impl Finder<'_> {
    /// Follows a draw forwards and shows every value that depends on data. False if the draw
    /// chooses between different data.
    pub(super) fn follow(
        &self,
        source: NodeId,
        samples: &[f64],
        mut show: impl FnMut(ValueId, NodeId, &Form),
    ) -> Result<bool> {
        let mut forms: BTreeMap<ValueId, Form> = BTreeMap::new();
        let mut next: BTreeSet<(usize, NodeId)> = BTreeSet::new();
        let Some(drawn) = self.values.output(self.model, source, 0) else {
            return Ok(true);
        };
        self.reach(drawn, Form::draw(samples), &mut forms, &mut next);
        for _ in 0..REACH {
            let Some((_, id)) = next.pop_first() else {
                break;
            };
            let node = self.model.node(id);
            if self.enter(id, node, &mut forms, &mut next) {
                continue;
            }
            let op_type = node.op_type.as_str().unwrap_or_default();
            let first_only = is_layout(op_type);
            let mut inputs = Vec::new();
            for input in 0..if first_only { 1 } else { node.inputs.len() } {
                inputs.push(self.input(id, input, samples.len(), &forms)?);
            }
            let reads_draw =
                !first_only || (self.values.input(id, 0)).is_some_and(|v| forms.contains_key(&v));
            if !node.in_default_domain() || !reads_draw {
                continue;
            }
            let to = match node.attribute("to").map(|a| &a.value) {
                Some(AttributeValue::Int(to)) => DataType(*to as i32),
                _ => DataType::FLOAT,
            };
            let to_integer = !to.is_float() && to != DataType::BOOL;
            let form = match apply(op_type, to_integer, &inputs) {
                Applied::Form(form) => form,
                Applied::Mixed => return Ok(false),
                Applied::Opaque => continue,
            };
            if let Some(output) = self.values.output(self.model, id, 0) {
                if form.data.is_some() {
                    show(output, id, &form);
                }
                self.reach(output, form, &mut forms, &mut next);
            }
        }
        Ok(true)
    }

    /// Takes down what a value is, and who uses it: through the ends of functions, their callers.
    fn reach(
        &self,
        value: ValueId,
        form: Form,
        forms: &mut BTreeMap<ValueId, Form>,
        next: &mut BTreeSet<(usize, NodeId)>,
    ) {
        let mut reached = vec![value];
        while let Some(value) = reached.pop() {
            forms.insert(value, form.clone());
            for at in self.values.uses(value) {
                match at {
                    Use::Input { node, .. } => {
                        let rank = self.rank.get(&node).copied().unwrap_or(usize::MAX);
                        next.insert((rank, node));
                    }
                    Use::Output { graph, output } => {
                        if let GraphKind::Function(function) = self.model.graph(graph).kind {
                            let calls = self.resolver.calls(function).iter();
                            let output = output as usize;
                            let outputs = calls
                                .filter_map(|&call| self.values.output(self.model, call, output));
                            reached.extend(outputs.filter(|v| !forms.contains_key(v)));
                        }
                    }
                    Use::Annotation(_) | Use::Binding(_) => {}
                }
            }
        }
    }

    /// A node that hands its inputs to a graph, one by one: a call, a Loop (whose iteration number and
    /// condition stand where the trip count and condition do), a Scan. What it passes is followed
    /// there. False if it is none.
    fn enter(
        &self,
        id: NodeId,
        node: &Node,
        forms: &mut BTreeMap<ValueId, Form>,
        next: &mut BTreeSet<(usize, NodeId)>,
    ) -> bool {
        let body = match self.model.callee(node) {
            Some(function) => self.model.functions()[function].body,
            None if node.is("Loop") || node.is("Scan") => {
                let graphs = node.attribute("body").map(|a| a.graphs());
                match graphs {
                    Some(&[body]) => body,
                    _ => return false,
                }
            }
            None => return false,
        };
        let formals = &self.model.graph(body).inputs;
        for input in 0..node.inputs.len() {
            let Some(value) = self.values.input(id, input) else {
                continue;
            };
            let (Some(form), Some(formal)) = (forms.get(&value).cloned(), formals.get(input))
            else {
                continue;
            };
            let inner = self.values.lookup(self.model, body, &formal.name);
            if let Some(inner) = inner.filter(|inner| !forms.contains_key(inner)) {
                self.reach(inner, form, forms, next);
            }
        }
        true
    }

    fn input(
        &self,
        id: NodeId,
        input: usize,
        samples: usize,
        forms: &BTreeMap<ValueId, Form>,
    ) -> Result<Option<Form>> {
        let Some(value) = self.values.input(id, input) else {
            return Ok(None);
        };
        if let Some(form) = forms.get(&value) {
            return Ok(Some(form.clone()));
        }
        Ok(Some(match self.number(value)? {
            Some(number) => Form::constant(number, samples),
            None => Form::data(value, samples),
        }))
    }
}
