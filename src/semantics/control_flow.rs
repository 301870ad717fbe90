//! What If, Loop and Scan pass into the graphs in their attributes and out of them.
//!
//! A [`Loop`] is a Loop or Scan: its states, its scanned inputs and outputs, and what decides how many
//! steps it takes, as tuples of the values involved, whatever the order in which an opset lists them. A
//! node whose body does not have the inputs and outputs that its operator defines is no [`Loop`].

use smallvec::SmallVec;

use crate::onnx::{GraphId, StatePlaces};

use super::operator::{Control, Role};
use super::view::{NodeRef, ValueRef, View};

/// The branches of an If: taken if its first input is true, and if it is false.
pub(crate) fn branches(node: NodeRef<'_>) -> Option<[GraphId; 2]> {
    let control = control(node)? == Control::If;
    control.then_some([node.body("then_branch")?, node.body("else_branch")?])
}

/// The values that an output of an If can be, in the order of [`branches`].
pub(crate) fn branch_outputs<'m>(
    node: NodeRef<'m>,
    output: usize,
) -> Option<[Option<ValueRef<'m>>; 2]> {
    let branches = branches(node)?;
    Some(branches.map(|branch| node.view().graph_output(branch, output)))
}

/// The results of graphs that an output of a node may depend on, each with its place in its graph: of the
/// branches of an If and of a function, those in the place of the output; of other graphs, all.
pub(crate) fn results<'m>(
    node: NodeRef<'m>,
    output: usize,
) -> impl Iterator<Item = (GraphId, usize, Option<ValueRef<'m>>)> {
    let view = node.view();
    let body = (node.callee()).map(|function| view.model.functions()[function].body);
    let in_place = body.is_some() || node.op() == "If";
    let graphs: SmallVec<[GraphId; 2]> = node.bodies().chain(body).collect();
    let all = graphs.into_iter().flat_map(move |graph| {
        let results = view.graph_outputs(graph).enumerate();
        results.map(move |(place, value)| (graph, place, value))
    });
    all.filter(move |&(_, place, _)| !in_place || place == output)
}

fn control(node: NodeRef<'_>) -> Option<Control> {
    node.bodies().next()?; // few nodes have graphs
    match node.operator()?.role {
        Role::Control(control) => Some(control),
        _ => None,
    }
}

/// A Loop or Scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop<'m> {
    pub node: NodeRef<'m>,
    pub body: GraphId,
    /// The number of its states.
    states: usize,
    /// The number of inputs that it scans.
    scanned: usize,
    /// Inputs of the node before the states.
    inputs: usize,
    /// Inputs of the body before the states.
    formals: usize,
    /// Outputs of the body before the states.
    nexts: usize,
    /// True of Scan-8, whose states and scanned inputs have a batch axis outside the body.
    pub is_batched: bool,
}

/// A value that a Loop or Scan hands from step to step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State<'m> {
    /// Its indices among the inputs and outputs of the node and its body.
    pub places: StatePlaces,
    /// What it is before the first step.
    pub input: Option<ValueRef<'m>>,
    /// What it is in a step.
    pub formal: Option<ValueRef<'m>>,
    /// What it is after that step.
    pub next: Option<ValueRef<'m>>,
    /// What it is after the last step; `None` if that has no name.
    pub output: Option<ValueRef<'m>>,
}

/// What an input of the body of a Loop or Scan is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Formal<'m> {
    /// The number of the step.
    Iteration,
    /// Whether the step is taken.
    Condition,
    State(State<'m>),
    /// A slice of this input of the node.
    Slice(Option<ValueRef<'m>>),
}

/// What an output of a Loop or Scan is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'m> {
    State(State<'m>),
    /// What this output of the body is in each step, put together.
    Stack(Option<ValueRef<'m>>),
}

impl<'m> Loop<'m> {
    /// The Loop or Scan that a node is.
    pub fn of(node: NodeRef<'m>) -> Option<Loop<'m>> {
        let control = control(node)?;
        let scanned = usize::try_from(node.int("num_scan_inputs", 0)).ok()?;
        let old = node
            .view()
            .model
            .opset(node.graph(), "")
            .is_some_and(|opset| opset < 9);
        let (inputs, formals, nexts, scanned) = match control {
            Control::Loop => (2, 2, 1, 0),
            // Scan-8 has the lengths of sequences as first input
            Control::Scan => (usize::from(old), 0, 0, scanned),
            Control::If | Control::SequenceMap => return None,
        };
        let body = node.body("body")?;
        let graph = node.view().model.graph(body);
        let states = match node.get().inputs.len().checked_sub(inputs) {
            Some(others) => others.checked_sub(scanned)?,
            None => 0,
        };
        let defined = graph.inputs.len() == formals + states + scanned
            && graph.outputs.len() >= nexts + states;
        defined.then_some(Loop {
            node,
            body,
            states,
            scanned,
            inputs,
            formals,
            nexts,
            is_batched: scanned > 0 && inputs == 1,
        })
    }

    /// The Loop or Scan that a graph is the body of.
    pub fn around(view: View<'m>, body: GraphId) -> Option<Loop<'m>> {
        Loop::of(view.owner(body)?)
    }

    /// Its states, in order.
    pub fn states(self) -> impl Iterator<Item = State<'m>> {
        (0..self.states).map(move |state| self.state(state))
    }

    fn state(self, state: usize) -> State<'m> {
        let view = self.node.view();
        let places = StatePlaces {
            input: self.inputs + state,
            formal: self.formals + state,
            next: self.nexts + state,
            output: state,
        };
        State {
            places,
            input: self.node.input(places.input),
            formal: view.graph_input(self.body, places.formal),
            next: view.graph_output(self.body, places.next),
            output: self.node.output(places.output),
        }
    }

    /// The state that an input of the node begins.
    pub fn state_of_input(self, input: usize) -> Option<State<'m>> {
        let state = input.checked_sub(self.inputs)?;
        (state < self.states).then(|| self.state(state))
    }

    /// What an input of the body is.
    pub fn formal(self, formal: usize) -> Formal<'m> {
        match (formal.checked_sub(self.formals), formal) {
            (Some(state), _) if state < self.states => Formal::State(self.state(state)),
            (Some(other), _) => Formal::Slice(self.node.input(self.inputs + other)),
            (None, 0) => Formal::Iteration,
            (None, _) => Formal::Condition,
        }
    }

    /// What an output of the node is.
    pub fn outcome(self, output: usize) -> Outcome<'m> {
        if output < self.states {
            return Outcome::State(self.state(output));
        }
        let view = self.node.view();
        Outcome::Stack(view.graph_output(self.body, self.nexts + output))
    }

    /// The input of the body that an input of the node becomes: a state or a slice.
    pub fn formal_of(self, input: usize) -> Option<ValueRef<'m>> {
        let place = input.checked_sub(self.inputs)?;
        self.node
            .view()
            .graph_input(self.body, self.formals + place)
    }

    /// What decides how many steps it takes.
    pub fn deciding(self) -> [Option<ValueRef<'m>>; 3] {
        let again = (self.nexts > 0)
            .then(|| self.node.view().graph_output(self.body, 0))
            .flatten();
        match self.inputs {
            2 => [self.node.input(0), self.node.input(1), again],
            _ => [None, None, again],
        }
    }

    /// What an output of the body becomes: a state in the next step, and an output of the node.
    pub fn after(self, next: usize) -> impl Iterator<Item = ValueRef<'m>> {
        let place = next.checked_sub(self.nexts);
        let state = place.filter(|&place| place < self.states);
        let formal = state.and_then(|state| self.state(state).formal);
        formal
            .into_iter()
            .chain(place.and_then(|place| self.node.output(place)))
    }

    /// The inputs that it scans: outside, and one slice in the body.
    pub fn scanned(self) -> impl Iterator<Item = (Option<ValueRef<'m>>, Option<ValueRef<'m>>)> {
        let view = self.node.view();
        let formals = view
            .graph_inputs(self.body)
            .skip(self.formals + self.states);
        let inputs = (self.inputs + self.states..).take(self.scanned);
        inputs.map(move |input| self.node.input(input)).zip(formals)
    }
}

impl State<'_> {
    /// True of a state that leaves each step as it came.
    pub fn is_kept(self) -> bool {
        let formal = self.formal.map(|formal| formal.id);
        self.next
            .is_some_and(|next| Some(behind_identities(next).id) == formal)
    }
}

/// What Identity nodes make a value of.
pub(crate) fn behind_identities(mut value: ValueRef<'_>) -> ValueRef<'_> {
    let mut steps = value.view().values.len();
    while let Some((node, 0)) = value.producer()
        && node.is("Identity")
        && let Some(before) = node.input(0)
        && steps > 0
    {
        value = before;
        steps -= 1; // a cycle ends
    }
    value
}
