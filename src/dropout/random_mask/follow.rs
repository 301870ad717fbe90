//! Following a draw forwards, through functions, out of branches and into loops.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{AttributeValue, DataType, GraphId, GraphKind, Node, NodeId, Use, ValueId};

use super::Finder;
use super::form::{Applied, Form, apply, is_layout, is_selection};

/// How many nodes a draw is followed through.
const REACH: usize = 400;

/// How deep calls are followed into functions.
const CALLS: usize = 8;

/// Operators that look at the shape of their inputs only.
pub(super) const SHAPE_ONLY: &[&str] = &[
    "Shape",
    "Size",
    "RandomUniformLike",
    "RandomNormalLike",
    "EyeLike",
];

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
    /// Where the draw leaves a branch of an If.
    pub branched: Vec<Branched>,
    /// An operator takes a part of the draw.
    pub selected: bool,
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
    /// Follows a draw forwards, at some samples of it.
    pub(super) fn follow(&self, source: NodeId, samples: &[f64]) -> Result<Trace> {
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
        self.reach(drawn, Form::draw(samples), &mut walk);
        for _ in 0..REACH {
            let Some((_, id)) = walk.next.pop_first() else {
                break;
            };
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
        self.taint(opaque, &mut trace);
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
        if SHAPE_ONLY.contains(&op_type) {
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
        walk.trace.selected |= is_selection(op_type);
        let first_only = is_layout(op_type) || is_selection(op_type);
        let first = self.values.input(id, 0);
        if first_only && !first.is_some_and(|v| walk.trace.forms.contains_key(&v)) {
            return Ok(Step::Opaque(self.reads_draw(id, walk)));
        }
        let mut inputs = Vec::new();
        for input in 0..if first_only { 1 } else { node.inputs.len() } {
            inputs.push(self.input(id, input, walk)?);
        }
        Ok(match apply(op_type, to_integer(node), &inputs) {
            Applied::Form(form) => {
                let form = match first_only && op_type != "Identity" {
                    true => form.moved(id),
                    false => form,
                };
                let outputs = 0..node.outputs.len();
                let outputs = outputs.filter_map(|o| self.values.output(self.model, id, o));
                let outputs: Vec<ValueId> = outputs.collect();
                for &output in &outputs {
                    self.reach(output, form.clone(), walk);
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
                    Use::Annotation(_) | Use::Binding(_) => {}
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

    /// True if a state of a Loop or Scan leaves its body as it came in.
    fn is_invariant(&self, body: GraphId, output: usize, value: ValueId) -> bool {
        let GraphKind::Attribute { node, .. } = self.model.graph(body).kind else {
            return false;
        };
        let formal = match self.model.node(node).is("Loop") {
            true if output > 0 => output + 1,
            true => return false,
            false => output,
        };
        let formal = self.model.graph(body).inputs.get(formal);
        let formal = formal.and_then(|f| self.values.lookup(self.model, body, &f.name));
        formal.is_some() && formal == Some(self.behind_identities(value))
    }

    /// A Loop or a Scan: what it passes unchanged from step to step, and slices of what it scans, is
    /// followed inside.
    fn carry(&self, id: NodeId, node: &Node, walk: &mut Walk<'_>) -> Step {
        // Scan-8 has batches and another order of inputs
        let opset = self.model.opset(id.graph, "").unwrap_or(i64::MAX);
        let body = match node.attribute("body").map(|a| a.graphs()) {
            Some(&[body]) if node.is("Loop") || opset >= 9 => body,
            _ => return Step::Opaque(self.reads_draw(id, walk)),
        };
        let graph = self.model.graph(body);
        let scanned = match node.attribute("num_scan_inputs").map(|a| &a.value) {
            Some(AttributeValue::Int(n)) => usize::try_from(*n).unwrap_or(0),
            _ => 0,
        };
        let states = node.inputs.len().saturating_sub(scanned);
        let mut lost = false;
        for input in 0..node.inputs.len() {
            let form = self.values.input(id, input);
            let form = form.and_then(|value| walk.trace.forms.get(&value).cloned());
            let (Some(form), Some(formal)) = (form, graph.inputs.get(input)) else {
                continue;
            };
            if form.data.is_some() {
                continue; // dropped data goes in
            }
            let Some(inner) = self.values.lookup(self.model, body, &formal.name) else {
                continue;
            };
            let output = match node.is("Loop") {
                true if input >= 2 => Some(input - 1),
                true => None,
                false => (input < states).then_some(input),
            };
            let kept = output.and_then(|output| {
                let name = &graph.outputs.get(output)?.name;
                let value = self.values.lookup(self.model, body, name)?;
                Some(self.behind_identities(value) == inner)
            });
            let scans = !node.is("Loop") && input >= states;
            walk.trace.selected |= scans;
            if scans {
                // taking it out would change over what the Scan goes
                let input = input as u32;
                walk.trace.escapes = Some(Use::Input { node: id, input });
            }
            if scans || kept == Some(true) {
                // what goes unchanged from step to step also comes out so
                let condition = usize::from(node.is("Loop"));
                let after = output.and_then(|output| output.checked_sub(condition));
                let after = after.and_then(|after| self.values.output(self.model, id, after));
                for value in [Some(inner), after].into_iter().flatten() {
                    if !walk.trace.forms.contains_key(&value) {
                        self.reach(value, form.clone(), walk);
                    }
                }
            } else {
                lost = true;
            }
        }
        Step::Opaque(lost)
    }

    fn behind_identities(&self, mut value: ValueId) -> ValueId {
        while let Some(id) = self.made_by(value)
            && self.model.node(id).is("Identity")
            && let Some(input) = self.values.input(id, 0)
        {
            value = input;
        }
        value
    }

    /// A call of a function, as if the function stood in its place.
    fn call(&self, id: NodeId, function: usize, walk: &mut Walk<'_>) -> Result<Step> {
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
                None => match self.number(value)? {
                    Some(number) => Form::constant(number, samples),
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
                        None => self
                            .number(value)?
                            .map(|number| Form::constant(number, samples)),
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
                    match apply(op_type, to_integer(node), &inputs) {
                        Applied::Form(form) if is_layout(op_type) && op_type != "Identity" => {
                            Some(vec![Some(form.moved(id))])
                        }
                        Applied::Form(form) => Some(vec![Some(form); node.outputs.len()]),
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
        if let Some(number) = self.number(value)? {
            return Ok(Some(Form::constant(number, walk.samples)));
        }
        Ok(Some(Form::data(value, walk.samples)))
    }

    /// True of booleans: many exporters list every constant as an input, but flags are switches.
    pub(super) fn is_flag(&self, input: ValueId) -> bool {
        self.model.element_type(self.values, input) == Some(DataType::BOOL)
    }

    /// Marks what opaque nodes make of the draw itself, and what is made of that.
    fn taint(&self, mut nodes: Vec<NodeId>, trace: &mut Trace) {
        let mut left = REACH;
        while let Some(id) = nodes.pop() {
            if left == 0 {
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
                        Use::Input { node, .. } => {
                            let op = self.model.node(node).op_type.as_str().unwrap_or_default();
                            if !SHAPE_ONLY.contains(&op) {
                                nodes.push(node);
                            }
                        }
                        Use::Output { .. } => trace.escapes = Some(at),
                        Use::Annotation(_) | Use::Binding(_) => {}
                    }
                }
            }
        }
    }
}

/// True of a Cast to integers.
fn to_integer(node: &Node) -> bool {
    let to = match node.attribute("to").map(|a| &a.value) {
        Some(AttributeValue::Int(to)) => DataType(*to as i32),
        _ => DataType::FLOAT,
    };
    !to.is_float() && to != DataType::BOOL
}
