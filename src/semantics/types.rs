//! Element types of values: from the operators that produce them, or else from declarations.
//!
//! The first query computes the types of all values of the model, in linear time. In a function a type
//! may be that of an argument: the result of a call then has the type that the call passes, and a value
//! of the function has a type only if all calls agree.

mod declared;
mod formals;
mod leads;

use crate::onnx::{DataType, ElementType, Model, ValueId, Values};

use declared::Declared;
use leads::{Change, Leads};

/// The type of a value, in terms of the function that contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    element: Element,
    /// The number of sequences and optionals around the tensor; relative to the argument, if any.
    depth: i8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Is(DataType),
    /// The type of an argument of the function, by position.
    Argument(u32),
}

impl Known {
    fn tensor(element: DataType) -> Self {
        Known {
            element: Element::Is(element),
            depth: 0,
        }
    }

    /// The type, unless it depends on an argument.
    fn settled(self) -> Option<ElementType> {
        match self.element {
            Element::Is(element) => Some((element, u8::try_from(self.depth).unwrap_or(0))),
            Element::Argument(_) => None,
        }
    }

    /// The type of a function's value in a call that passes `argument`.
    fn passed(self, argument: Known) -> Known {
        Known {
            element: argument.element,
            depth: argument.depth.saturating_add(self.depth),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    /// Being computed. A value that depends on an open one is in a cycle.
    Open,
    Done(Option<Known>),
}

/// A value whose type is being computed.
struct Frame {
    value: ValueId,
    leads: Leads,
}

enum Step {
    Needs(ValueId),
    Done(Option<Known>),
}

struct Types<'m> {
    model: &'m Model,
    values: &'m Values,
    declared: Declared<'m>,
    /// The results of an earlier query, for the first values.
    settled: &'m [Option<ElementType>],
    /// The states of all other values.
    states: Vec<State>,
}

impl Model {
    /// The element type of a tensor: from the operator that produces it, its initializer, or its
    /// declared type. An argument of a function has the type that all calls pass.
    pub fn element_type(&self, values: &Values, value: ValueId) -> Option<DataType> {
        let settled = values.element_types.get_or_init(|| {
            let mut types = Types::new(self, values, &[]);
            types.all()
        });
        let known = match settled.get(value.index()) {
            Some(known) => *known,
            // an edit added the value
            None => Types::new(self, values, settled)
                .of(value)
                .and_then(Known::settled),
        };
        known.and_then(|(element, depth)| (depth == 0).then_some(element))
    }
}

impl<'m> Types<'m> {
    fn new(model: &'m Model, values: &'m Values, settled: &'m [Option<ElementType>]) -> Types<'m> {
        let added = values.len() - settled.len();
        Types {
            model,
            values,
            declared: match settled {
                [] => Declared::new(model, values),
                _ => Declared::default(),
            },
            settled,
            states: vec![State::New; added],
        }
    }

    fn all(&mut self) -> Box<[Option<ElementType>]> {
        let ids = self.values.ids();
        let known: Vec<Option<Known>> = ids.map(|value| self.of(value)).collect();
        let settle = self.settle();
        let ids = self.values.ids().zip(known);
        ids.map(|(value, known)| settle(value, known)).collect()
    }

    /// The type of a value, computed with an explicit stack.
    fn of(&mut self, value: ValueId) -> Option<Known> {
        let mut stack = Vec::new();
        self.open(value, &mut stack);
        while let Some(frame) = stack.last_mut() {
            match self.step(&mut frame.leads) {
                Step::Needs(next) => self.open(next, &mut stack),
                Step::Done(known) => {
                    let known = known.or_else(|| self.declared.of(frame.value));
                    self.set(frame.value, State::Done(known));
                    stack.pop();
                }
            }
        }
        match self.state(value) {
            State::Done(known) => known,
            State::New | State::Open => None,
        }
    }

    fn open(&mut self, value: ValueId, stack: &mut Vec<Frame>) {
        if matches!(self.state(value), State::New) {
            self.set(value, State::Open);
            let leads = self.leads(value);
            stack.push(Frame { value, leads });
        }
    }

    fn state(&self, value: ValueId) -> State {
        match self.settled.get(value.index()) {
            Some(settled) => State::Done(settled.map(|(element, depth)| Known {
                element: Element::Is(element),
                depth: depth as i8,
            })),
            None => self.states[value.index() - self.settled.len()],
        }
    }

    fn set(&mut self, value: ValueId, state: State) {
        self.states[value.index() - self.settled.len()] = state;
    }

    /// Follows the leads to the first value with a type, or to one that must be computed first.
    fn step(&self, leads: &mut Leads) -> Step {
        if let Leads::Known(known) = leads {
            return Step::Done(*known);
        }
        if let Leads::Call { node, result } = *leads {
            let known = match self.state(result) {
                State::New => return Step::Needs(result),
                State::Open => None,
                State::Done(known) => known,
            };
            let Some(Element::Argument(place)) = known.map(|known| known.element) else {
                return Step::Done(known);
            };
            let Some(argument) = self.values.input(node, place as usize) else {
                return Step::Done(None);
            };
            return match self.state(argument) {
                State::New => Step::Needs(argument),
                State::Open => Step::Done(None),
                State::Done(argument) => Step::Done(known.zip(argument).map(|(k, a)| k.passed(a))),
            };
        }
        while let Some(value) = leads.peek(self.values) {
            match self.state(value) {
                State::New => return Step::Needs(value),
                State::Done(Some(known)) => return Step::Done(Some(leads.change().of(known))),
                State::Open | State::Done(None) => leads.advance(),
            }
        }
        Step::Done(None)
    }
}

impl Change {
    fn of(self, known: Known) -> Known {
        let depth = match self {
            Change::Same => known.depth,
            Change::Around => known.depth.saturating_add(1),
            Change::Inside => match known.element {
                // a tensor may stand for an optional that is there
                Element::Is(_) => (known.depth - 1).max(0),
                Element::Argument(_) => known.depth.saturating_sub(1),
            },
        };
        Known { depth, ..known }
    }
}
