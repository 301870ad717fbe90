//! The values that depend on a draw, through functions, out of branches and into loops.

mod calls;
mod loops;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{DataType, GraphId, GraphKind, NodeId, Use, ValueId};
use crate::semantics::operator::{self, Control, Operator, Role};
use crate::semantics::view::NodeRef;

use super::Finder;
use super::conditions::Conditions;
use super::form::{Application, Form};
use super::law::{CELLS, Law};
use super::maps::Maps;
use super::switches::Open;

/// Everything that depends on a draw.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Values that are linear in data.
    pub forms: HashMap<ValueId, Rc<Form>>,
    /// These in the order in which they were made, each with the node.
    pub made: Vec<(NodeId, ValueId)>,
    /// Values that depend on the draw in an unknown way, not only through dropped data.
    pub tainted: HashSet<ValueId>,
    /// Values where dropped data is combined with its own data again and is still dropped.
    pub joined: HashSet<ValueId>,
    /// Values made of the draw that it does not decide on.
    pub settled: HashMap<ValueId, Form>,
    /// Dropped data cancels out against its own data: nothing is dropped.
    pub cancelled: bool,
    /// Where the draw leaves a branch of an If.
    pub branched: Vec<Branched>,
    /// A use of the draw that ends in something else than dropout of data.
    pub escapes: Option<Use>,
    /// The mask, as an output of the model: it stays.
    pub shown: Option<Use>,
    /// Inputs of the model that the numbers combined with the draw depend on, each with the value to assume.
    pub open: Vec<Open>,
    pub maps: Maps,
    /// Something is rounded to steps on the way.
    pub quantized: bool,
    /// Where it starts.
    pub seeds: Vec<ValueId>,
    /// What is data again where it is read: dropout already, by the same draw.
    pub starts: BTreeSet<ValueId>,
}

impl Trace {
    /// The form of a value as an input of a node.
    pub fn read(&self, value: ValueId) -> Option<&Rc<Form>> {
        let form = self.forms.get(&value);
        form.filter(|_| !self.starts.contains(&value))
    }
}

/// An output of an If that is made of the draw in one branch, and a number in the other.
#[derive(Debug)]
pub(super) struct Branched {
    pub node: NodeId,
    /// The output.
    pub after: ValueId,
    pub number: f64,
    /// The condition for which it is the number.
    pub on: bool,
}

/// A walk in progress.
pub(super) struct Walk<'a> {
    pub conditions: &'a Conditions,
    next: BTreeSet<(usize, NodeId)>,
    pub trace: Trace,
}

impl Finder<'_> {
    /// Finds what depends on values with these laws.
    pub(super) fn walk(&self, seeds: &[(ValueId, Law)], conditions: &Conditions) -> Result<Trace> {
        let mut walk = Walk {
            conditions,
            next: BTreeSet::new(),
            trace: Trace {
                starts: conditions.starts.clone(),
                ..Trace::default()
            },
        };
        for (value, law) in seeds {
            let element = self.view.value(*value).element_type();
            walk.trace.seeds.push(*value);
            self.reach(*value, Form::number(law.clone(), element), &mut walk)?;
        }
        while let Some((_, id)) = walk.next.pop_first() {
            if !walk.trace.cancelled {
                self.step(self.view.node(id), &mut walk)?;
            }
        }
        Ok(walk.trace)
    }

    /// The results of a node, from the forms of its inputs.
    fn step(&self, node: NodeRef<'_>, walk: &mut Walk<'_>) -> Result<()> {
        if let Some((output, form)) = self.dropout_of_mask(node, walk) {
            return self.made(node.id, output, form, walk);
        }
        if let Some(function) = node.callee() {
            return self.call(node, function, walk);
        }
        let Some(operator) = Operator::simplest(self.view.model, node.id) else {
            return self.opaque(node, walk);
        };
        if is_quantization(node) {
            return self.quantize(node, walk);
        }
        match operator.role {
            Role::Control(Control::Loop | Control::Scan) => return self.enter_loop(node, walk),
            Role::Dropout => {
                // its data passes; its mask is ones
                let data = node.input(0).and_then(|data| walk.trace.read(data.id));
                if let Some((form, output)) = data.cloned().zip(node.output(0)) {
                    return self.made(node.id, output.id, (*form).clone(), walk);
                }
                return Ok(());
            }
            _ if !operator.reads_values(0) => return Ok(()),
            _ => {}
        }
        let first_only = operator.copies() || operator.selects();
        let first = node.input(0).map(|value| value.id);
        if first_only && !first.is_some_and(|first| walk.trace.forms.contains_key(&first)) {
            return self.opaque(node, walk);
        }
        let mut inputs = Vec::new();
        for input in node.inputs().take(if first_only { 1 } else { usize::MAX }) {
            inputs.push(match input {
                Some(value) => Some(self.input(value.id, walk)?),
                None => None,
            });
        }
        if !self.is_clear(node, walk) {
            return self.opaque(node, walk);
        }
        self.apply(node, operator, inputs, walk)
    }

    /// An operator, applied to inputs of which some are made of the draw.
    fn apply(
        &self,
        node: NodeRef<'_>,
        operator: &'static Operator,
        mut inputs: Vec<Option<Rc<Form>>>,
        walk: &mut Walk<'_>,
    ) -> Result<()> {
        let mut made = self.applied(node, operator, &inputs, walk)?;
        if made.is_none() && inputs.iter().flatten().any(|form| form.plus) {
            // a sum with other data is data again, where it meets the draw again
            for (form, value) in inputs.iter_mut().zip(node.inputs()) {
                if let (Some(known), Some(value)) = (&form, value)
                    && known.plus
                {
                    *form = Some(Rc::new(Form::data(value.id, known.element)));
                }
            }
            made = self.applied(node, operator, &inputs, walk)?;
        }
        match made {
            // dropped data times zero is a constant like any other
            Some(form)
                if form.is_numeric()
                    && !form.varies()
                    && inputs.iter().flatten().any(|input| input.is_dropped()) =>
            {
                Ok(())
            }
            Some(form) => {
                for output in node
                    .outputs()
                    .enumerate()
                    .filter_map(|(i, v)| Some((i, v?)))
                {
                    let form = behind(operator, &form, (node.id, output.0), &mut walk.trace.maps);
                    self.made(node.id, output.1.id, form, walk)?;
                }
                Ok(())
            }
            None => self.opaque(node, walk),
        }
    }

    /// The result of a node that quantizes, or takes that back.
    fn quantize(&self, node: NodeRef<'_>, walk: &mut Walk<'_>) -> Result<()> {
        let data = node.input(0).map(|data| data.id);
        let form = data.and_then(|data| walk.trace.read(data).cloned());
        let made = match form.filter(|_| self.is_clear(node, walk)) {
            Some(form) => self.in_steps(node, &form, walk)?,
            None => None,
        };
        match (made, node.output(0)) {
            (Some(form), Some(output)) => {
                walk.trace.quantized = true;
                self.made(node.id, output.id, form, walk)
            }
            _ => self.opaque(node, walk),
        }
    }

    /// The form of what a node makes of forms, and whether it is still linear: see [`Finder::settle`].
    fn applied(
        &self,
        node: NodeRef<'_>,
        operator: &'static Operator,
        inputs: &[Option<Rc<Form>>],
        walk: &mut Walk<'_>,
    ) -> Result<Option<Form>> {
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
            maps: &walk.trace.maps,
        };
        let Ok(made) = application.form() else {
            self.too_many_cells(node.id);
            return Ok(None);
        };
        match made {
            Some(form) if known.iter().any(Form::is_dropped) => {
                self.settle(node, &known, form, walk)
            }
            made => Ok(made),
        }
    }

    pub(super) fn too_many_cells(&self, node: NodeId) {
        const { assert!(CELLS == 64) };
        self.limits
            .reached(node, "a mask changes at no more than 64 draws");
    }

    /// True of a node that reads nothing that depends on the draw in an unknown way.
    fn is_clear(&self, node: NodeRef<'_>, walk: &Walk<'_>) -> bool {
        let mut inputs = node.inputs().flatten();
        !inputs.any(|input| walk.trace.tainted.contains(&input.id))
    }

    /// Records the form of a value, and passes it on.
    fn made(&self, node: NodeId, output: ValueId, form: Form, walk: &mut Walk<'_>) -> Result<()> {
        if form.varies() && !form.is_known() {
            self.taint(output, walk);
            return Ok(());
        }
        // what the draw does not decide on is data like any other
        if !form.varies() && !form.is_numeric() {
            walk.trace.settled.insert(output, form);
            return Ok(());
        }
        if !walk.trace.forms.contains_key(&output) {
            walk.trace.made.push((node, output));
        }
        self.reach(output, form, walk)
    }

    /// A node that makes something else of the draw.
    fn opaque(&self, node: NodeRef<'_>, walk: &mut Walk<'_>) -> Result<()> {
        let mask = |value: ValueId| {
            let form = walk.trace.read(value);
            walk.trace.tainted.contains(&value) || form.is_some_and(|form| form.is_mask())
        };
        let mut inputs = node.inputs().enumerate();
        let reads = inputs.any(|(input, value)| {
            value.is_some_and(|value| mask(value.id)) && self.reads_values(node.id, input)
        });
        if reads {
            node.outputs()
                .flatten()
                .for_each(|output| self.taint(output.id, walk));
        }
        Ok(())
    }

    /// Records that a value depends on the draw in an unknown way.
    fn taint(&self, value: ValueId, walk: &mut Walk<'_>) {
        if walk.trace.forms.contains_key(&value) || !walk.trace.tainted.insert(value) {
            return;
        }
        for at in self.uses(value) {
            match at {
                Use::Input { node, input } if self.reads_values(node, input as usize) => {
                    self.visit(node, walk);
                }
                Use::Output { .. } | Use::Attribute(_) => walk.trace.escapes = Some(at),
                _ => {}
            }
        }
    }

    fn visit(&self, node: NodeId, walk: &mut Walk<'_>) {
        let rank = self.rank.get(&node).copied().unwrap_or(usize::MAX);
        walk.next.insert((rank, node));
    }

    /// The output of a node that drops a value made of the draw, by an earlier draw: at
    /// inference it is that value.
    fn dropout_of_mask(&self, node: NodeRef<'_>, walk: &Walk<'_>) -> Option<(ValueId, Form)> {
        let output = node.output(0)?.id;
        let (data, scale) = *self.found.get(&output)?;
        let mask = walk.trace.read(data).filter(|form| form.is_mask())?;
        let rest = super::scalar::apply("Mul", &[&mask.rest, &Law::constant(scale)], None, None)?;
        Some((output, Form::number(rest.ok()?, mask.element)))
    }

    /// Records the form of a value, and its users: through the ends of functions, their callers;
    /// through the ends of branches, what comes after the If.
    fn reach(&self, value: ValueId, form: Form, walk: &mut Walk<'_>) -> Result<()> {
        let form = Rc::new(form);
        let mut reached = vec![value];
        while let Some(value) = reached.pop() {
            walk.trace.forms.insert(value, Rc::clone(&form));
            for at in self.uses(value) {
                match at {
                    Use::Input { node, .. } => self.visit(node, walk),
                    Use::Output { graph, output } => {
                        self.leave(
                            at,
                            (graph, output as usize),
                            value,
                            &form,
                            walk,
                            &mut reached,
                        )?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What an output of a graph becomes outside.
    fn leave(
        &self,
        at: Use,
        (graph, output): (GraphId, usize),
        value: ValueId,
        form: &Form,
        walk: &mut Walk<'_>,
        reached: &mut Vec<ValueId>,
    ) -> Result<()> {
        match self.view.model.graph(graph).kind {
            GraphKind::Function(function) => {
                let calls = self.calls(function, walk.conditions).into_iter();
                let outputs = calls.filter_map(|call| self.view.node(call).output(output));
                let outputs = outputs.map(|output| output.id);
                reached.extend(outputs.filter(|v| !walk.trace.forms.contains_key(v)));
            }
            _ if !form.is_mask() => {}
            GraphKind::Attribute { node, .. } => {
                match self.after_branch(node, output, graph, walk)? {
                    Some(branched) => {
                        reached.push(branched.after);
                        walk.trace.branched.push(branched);
                    }
                    None if self.is_invariant(graph, output, value) => {}
                    None => walk.trace.escapes = Some(at),
                }
            }
            GraphKind::Main => walk.trace.shown = Some(at),
            _ => walk.trace.escapes = Some(at),
        }
        Ok(())
    }

    /// The output of an If that a branch's output becomes, where the other branch has a constant.
    fn after_branch(
        &self,
        id: NodeId,
        output: usize,
        branch: GraphId,
        walk: &Walk<'_>,
    ) -> Result<Option<Branched>> {
        let node = self.view.node(id);
        let (then, other) = (node.body("then_branch"), node.body("else_branch"));
        let on = then != Some(branch);
        let Some(other) = (if on { then } else { other }).filter(|_| node.op() == "If") else {
            return Ok(None);
        };
        let value = self.view.graph_outputs(other).nth(output).flatten();
        let (Some(value), Some(after)) = (value, node.output(output)) else {
            return Ok(None);
        };
        let number = self.number(value.id, walk.conditions)?;
        Ok(number.map(|number| Branched {
            node: id,
            after: after.id,
            number,
            on,
        }))
    }

    /// The form of a value that a node reads.
    fn input(&self, value: ValueId, walk: &mut Walk<'_>) -> Result<Rc<Form>> {
        if let Some(form) = walk.trace.read(value) {
            // other data, where the draw meets it again
            return Ok(Rc::clone(form));
        }
        let known = self.constant(value, walk.conditions)?;
        let open = match known {
            // a switch that is a constant
            Some(known) if !known.default => self.is_flag(value).then_some(Open {
                input: value,
                assumed: value,
            }),
            _ => self
                .open(value, walk.conditions)?
                .filter(|open| known.is_none() || self.is_flag(open.assumed)),
        };
        walk.trace
            .open
            .extend(open.filter(|open| !walk.trace.open.contains(open)));
        Ok(Rc::new(self.plain(value, walk.conditions)?))
    }

    /// The form of a value that does not depend on the draw.
    fn plain(&self, value: ValueId, conditions: &Conditions) -> Result<Form> {
        let element = self.view.value(value).element_type();
        Ok(match self.number(value, conditions)? {
            Some(number) => {
                let known = self
                    .constant(value, conditions)?
                    .and_then(|known| known.element);
                Form::number(Law::constant(number), known.or(element))
            }
            None => Form::data(value, element),
        })
    }

    /// True of booleans: many exporters list every constant as an input, but flags are switches.
    pub(super) fn is_flag(&self, input: ValueId) -> bool {
        self.view.value(input).element_type() == Some(DataType::BOOL)
    }
}

/// True of the nodes of a quantized model that round, and take that back.
pub(super) fn is_quantization(node: NodeRef<'_>) -> bool {
    node.operator()
        .is_some_and(|operator| operator::is_quantization(operator.name))
}

/// The form of an output of a node, if its operator moves elements about.
fn behind(operator: &Operator, form: &Form, by: (NodeId, usize), maps: &mut Maps) -> Form {
    match operator.moves() && operator.name != "Concat" {
        true => form.moved(by, operator.name == "Split", maps),
        false => form.clone(),
    }
}
