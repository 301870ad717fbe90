//! Following a draw forwards, through functions, out of branches and into loops.

mod call;
mod carry;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{DataType, GraphId, GraphKind, NodeId, Use, ValueId};
use crate::semantics::operator::Operator;

use super::Finder;
use super::apply::{Applied, apply, is_applied, is_cast, is_layout, is_selection};
use super::form::{Curve, Form};

/// How many nodes a draw is followed through.
const REACH: usize = 400;

/// Everything that depends on a draw, as far as it is of the form `a(u)·x + b(u)`.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub forms: BTreeMap<ValueId, Form>,
    /// Values of the forms in the order in which they were made, each with the node.
    pub made: Vec<(NodeId, ValueId)>,
    /// Values that depend on the draw in another way, without data in between.
    pub tainted: HashSet<ValueId>,
    /// The draw chooses between different data: no dropout.
    pub mixed: bool,
    /// The draw was not followed everywhere.
    pub cut: bool,
    /// Where the draw leaves a branch of an If.
    pub branched: Vec<Branched>,
    /// A use of the draw that ends in something else than dropout of data.
    pub escapes: Option<Use>,
    /// Numbers that only a run decides on, met on the way: inputs of the model.
    pub open: Vec<ValueId>,
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

/// What came of a node.
enum Step {
    Made(Vec<ValueId>),
    Mixed,
    /// Something else; true if it depends on the draw itself, not only on dropped data.
    Opaque(bool),
}

struct Walk<'a> {
    samples: usize,
    steps: HashMap<NodeId, Step>,
    order: Vec<NodeId>,
    next: BTreeSet<(usize, NodeId)>,
    trace: &'a mut Trace,
}

impl Finder<'_> {
    /// True unless only the shape or the type of an input matters.
    pub(super) fn reads_values(&self, id: NodeId, input: usize) -> bool {
        Operator::of(self.model, id).is_none_or(|operator| operator.reads_values(input))
    }

    /// Follows a draw forwards, at some samples of it.
    pub(super) fn follow(&self, source: NodeId, samples: &[f64]) -> Result<Trace> {
        let curve = match self.model.node(source).is("Bernoulli") {
            true => Curve::Steps,
            false => Curve::Lines,
        };
        let mut trace = Trace::default();
        let Some(drawn) = self.values.output(self.model, source, 0) else {
            return Ok(trace);
        };
        let mut walk = Walk {
            samples: samples.len(),
            steps: HashMap::default(),
            order: Vec::new(),
            next: BTreeSet::new(),
            trace: &mut trace,
        };
        self.reach(drawn, Form::draw(samples, curve), &mut walk);
        while let Some((_, id)) = walk.next.pop_first() {
            if walk.steps.len() >= REACH {
                walk.trace.cut = true;
                let what = "a draw is followed through at most 400 nodes";
                self.limits.reached(source, what);
                break;
            }
            let step = self.step(id, &mut walk)?;
            if walk.steps.insert(id, step).is_none() {
                walk.order.push(id);
            }
        }
        let Walk { steps, order, .. } = walk;
        let mut opaque = Vec::new();
        for id in order {
            match &steps[&id] {
                Step::Made(outputs) => trace.made.extend(outputs.iter().map(|&v| (id, v))),
                Step::Mixed => trace.mixed = true,
                Step::Opaque(true) => opaque.push(id),
                Step::Opaque(false) => {}
            }
        }
        self.taint(source, opaque, &mut trace);
        Ok(trace)
    }

    /// What a node makes of what is known of its inputs.
    fn step(&self, id: NodeId, walk: &mut Walk<'_>) -> Result<Step> {
        let node = self.model.node(id);
        if let Some((output, form)) = self.dropout_of_mask(id, walk) {
            self.reach(output, form, walk);
            return Ok(Step::Made(vec![output]));
        }
        if let Some(function) = self.model.callee(node) {
            return self.call(id, function, walk);
        }
        let op_type = node.op_type.as_str().unwrap_or_default();
        if !node.in_default_domain() {
            return Ok(Step::Opaque(self.reads_draw(id, walk)));
        }
        if matches!(op_type, "Loop" | "Scan") {
            return Ok(self.carry(id, node, walk));
        }
        if !self.reads_values(id, 0) {
            return Ok(Step::Opaque(false));
        }
        if op_type == "Dropout" {
            // its data passes; its mask is ones
            let data = self.values.input(id, 0);
            let form = data.and_then(|data| walk.trace.forms.get(&data).cloned());
            let output = self.values.output(self.model, id, 0);
            return Ok(match form.zip(output) {
                Some((form, output)) => {
                    self.reach(output, form, walk);
                    Step::Made(vec![output])
                }
                None => Step::Opaque(false),
            });
        }
        if !is_applied(op_type, node.inputs.len()) {
            return Ok(Step::Opaque(self.reads_draw(id, walk)));
        }
        let first_only = is_layout(op_type) || is_selection(op_type);
        let first = self.values.input(id, 0);
        if first_only && !first.is_some_and(|v| walk.trace.forms.contains_key(&v)) {
            return Ok(Step::Opaque(self.reads_draw(id, walk)));
        }
        let mut inputs = Vec::new();
        for input in 0..if first_only { 1 } else { node.inputs.len() } {
            inputs.push(self.input(id, input, walk)?);
        }
        let to = is_cast(op_type).then(|| self.cast_to(id)).flatten();
        Ok(match apply(op_type, to, &inputs) {
            Applied::Form(form) => {
                let mut outputs = Vec::new();
                for output in 0..node.outputs.len() {
                    if let Some(value) = self.values.output(self.model, id, output) {
                        let form = behind(op_type, form.clone(), id, output);
                        self.reach(value, form, walk);
                        outputs.push(value);
                    }
                }
                Step::Made(outputs)
            }
            Applied::Mixed => Step::Mixed,
            Applied::Opaque => Step::Opaque(self.reads_draw(id, walk)),
        })
    }

    /// The output of a node that is dropout of what is made of the draw, by an earlier draw: at
    /// inference it is what is made of this one.
    fn dropout_of_mask(&self, id: NodeId, walk: &Walk<'_>) -> Option<(ValueId, Form)> {
        let output = self.values.output(self.model, id, 0)?;
        let (data, scale) = *self.found.borrow().get(&output)?;
        let mask = walk.trace.forms.get(&data)?;
        let form = mask.scaled(scale).filter(|form| form.data.is_none())?;
        Some((output, form))
    }

    /// True if a node reads what depends on the draw and on no data.
    fn reads_draw(&self, id: NodeId, walk: &Walk<'_>) -> bool {
        let mut inputs = (0..self.model.node(id).inputs.len())
            .filter_map(|input| self.values.input(id, input))
            .filter_map(|value| walk.trace.forms.get(&value));
        inputs.any(|form| form.data.is_none())
    }

    /// Takes down what a value is, and who uses it: through the ends of functions, their callers;
    /// through the ends of branches, what comes after the If.
    fn reach(&self, value: ValueId, form: Form, walk: &mut Walk<'_>) {
        let mut reached = vec![value];
        while let Some(value) = reached.pop() {
            walk.trace.forms.insert(value, form.clone());
            for at in self.uses(value) {
                match at {
                    Use::Input { node, .. } => {
                        let rank = self.rank.get(&node).copied().unwrap_or(usize::MAX);
                        walk.next.insert((rank, node));
                    }
                    Use::Output { graph, output } => match self.model.graph(graph).kind {
                        GraphKind::Function(function) => {
                            let calls = self.resolver.calls(function);
                            let output = output as usize;
                            let outputs = calls
                                .iter()
                                .filter_map(|&call| self.values.output(self.model, call, output));
                            reached.extend(outputs.filter(|v| !walk.trace.forms.contains_key(v)));
                        }
                        GraphKind::Attribute { node, .. } if form.data.is_none() => {
                            match self.after_branch(node, output as usize, graph) {
                                Some(branched) => {
                                    reached.push(branched.after);
                                    walk.trace.branched.push(branched);
                                }
                                None if self.is_invariant(graph, output as usize, value) => {}
                                None => walk.trace.escapes = Some(at),
                            }
                        }
                        GraphKind::Attribute { .. } => {}
                        _ if form.data.is_none() => walk.trace.escapes = Some(at),
                        _ => {}
                    },
                    Use::Annotation(_) | Use::Binding(_) | Use::Attribute(_) => {}
                }
            }
        }
    }

    /// The output of an If that a branch's output becomes, where the other branch has a constant.
    fn after_branch(&self, id: NodeId, output: usize, branch: GraphId) -> Option<Branched> {
        let node = self.model.node(id);
        if !node.is("If") {
            return None;
        }
        let mut attributes = node.attributes.iter();
        let (other, on) = attributes.find_map(|attribute| match attribute.graphs() {
            &[graph] if graph != branch => Some((graph, attribute.name == "then_branch")),
            _ => None,
        })?;
        let name = &self.model.graph(other).outputs.get(output)?.name;
        let value = self.values.lookup(self.model, other, name)?;
        Some(Branched {
            node: id,
            after: self.values.output(self.model, id, output)?,
            number: self.number(value).ok().flatten()?,
            on,
        })
    }

    fn input(&self, id: NodeId, input: usize, walk: &mut Walk<'_>) -> Result<Option<Form>> {
        let Some(value) = self.values.input(id, input) else {
            return Ok(None);
        };
        if let Some(form) = walk.trace.forms.get(&value) {
            return Ok(Some(form.clone()));
        }
        let known = self.constant(value)?;
        if known.is_none_or(|known| known.default)
            && let Some(open) = self.open(value)
            && (known.is_none() || self.is_flag(open))
            && !walk.trace.open.contains(&open)
        {
            walk.trace.open.push(open);
        }
        if let Some(form) = self.constant_form(value, walk.samples)? {
            return Ok(Some(form));
        }
        Ok(Some(Form::data(value, walk.samples)))
    }

    /// The form of a constant of one number.
    fn constant_form(&self, value: ValueId, samples: usize) -> Result<Option<Form>> {
        let element = self.constant(value)?.and_then(|known| known.element);
        let number = self.number(value)?;
        Ok(number.map(|number| Form::constant(number, element, samples)))
    }

    /// True of booleans: many exporters list every constant as an input, but flags are switches.
    pub(super) fn is_flag(&self, input: ValueId) -> bool {
        self.model.element_type(self.values, input) == Some(DataType::BOOL)
    }

    /// Marks what opaque nodes make of the draw itself, and what is made of that.
    fn taint(&self, source: NodeId, mut nodes: Vec<NodeId>, trace: &mut Trace) {
        let mut left = REACH;
        while let Some(id) = nodes.pop() {
            if left == 0 {
                trace.cut = true;
                let what = "a draw is followed through at most 400 nodes";
                self.limits.reached(source, what);
                break;
            }
            left -= 1;
            for output in 0..self.model.node(id).outputs.len() {
                let Some(value) = self.values.output(self.model, id, output) else {
                    continue;
                };
                if trace.forms.contains_key(&value) || !trace.tainted.insert(value) {
                    continue;
                }
                for at in self.uses(value) {
                    match at {
                        Use::Input { node, input } => {
                            if self.reads_values(node, input as usize) {
                                nodes.push(node);
                            }
                        }
                        Use::Output { .. } | Use::Attribute(_) => trace.escapes = Some(at),
                        Use::Annotation(_) | Use::Binding(_) => {}
                    }
                }
            }
        }
    }
}

/// The form of an output of a node, if its operator moves elements about or casts them.
fn behind(op_type: &str, form: Form, id: NodeId, output: usize) -> Form {
    match op_type {
        "Identity" => form,
        op if is_cast(op) => form.cast(id),
        op if is_layout(op) || is_selection(op) => form.moved(id, output),
        _ => form,
    }
}
