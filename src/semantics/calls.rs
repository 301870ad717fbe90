//! Which functions call which, and in which contexts.
//!
//! [`Calls`] is the call graph: for each function the nodes that call it, of those that can be reached from
//! a graph outside functions. Linear in the size of the model.
//!
//! [`Contexts`] distinguishes the ways of calling a function. Two calls are the same context if they pass
//! equal keys, whatever the caller takes for one: the facts about the arguments, or only the constants
//! among them. A function called 16 million times through eight others with the same key has one context
//! with that many calls:
//!
//! ```text
//! let mut contexts = Contexts::default();
//! contexts.enter_all(&calls, |contexts, caller, call| key_of(contexts, caller, call));
//! for cx in contexts.of(function) {
//!     contexts[cx].calls                    // how often
//!     contexts.argument(view, cx, formal)   // what one of these calls passes, and the context of that call
//!     contexts.attribute(view, cx, name)    // the attribute that it passes
//! }
//! ```

use std::hash::Hash;
use std::ops::Index;

use crate::hash::HashMap;
use crate::onnx::{Attribute, AttributeValue, Function, Model, Name, NodeId};

use super::view::View;

/// The call graph of a model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    /// By function: the nodes that call it, in file order.
    of: Vec<Vec<NodeId>>,
    /// By function: the calls in its body. The calls outside functions come last.
    inside: Vec<Vec<(NodeId, usize)>>,
    /// All functions, callers first.
    order: Vec<usize>,
}

impl Calls {
    pub fn new(model: &Model) -> Calls {
        let functions = model.functions().len();
        if functions == 0 {
            return Calls::default();
        }
        let of_body: HashMap<_, usize> =
            model.functions().iter().map(|f| f.body).zip(0..).collect();
        let mut inside = vec![Vec::new(); functions + 1];
        for (id, node) in model.nodes() {
            if let Some(callee) = model.callee(node) {
                let caller = of_body.get(&model.root(id.graph));
                inside[caller.copied().unwrap_or(functions)].push((id, callee));
            }
        }
        let (order, reached) = depth_first(&inside);
        let mut of = vec![Vec::new(); functions];
        for (caller, calls) in inside.iter().enumerate() {
            for &(call, callee) in calls.iter().filter(|_| reached[caller]) {
                of[callee].push(call);
            }
        }
        of.iter_mut()
            .for_each(|calls: &mut Vec<NodeId>| calls.sort_unstable());
        Calls { of, inside, order }
    }

    /// The nodes that call a function, in file order; none of those in functions that nothing reaches.
    pub fn of(&self, function: usize) -> &[NodeId] {
        self.of.get(function).map_or(&[], Vec::as_slice)
    }

    /// The only node that calls a function.
    pub fn only(&self, function: usize) -> Option<NodeId> {
        match *self.of(function) {
            [call] => Some(call),
            _ => None,
        }
    }

    /// The calls in the body of a function, or outside functions, each with the function it calls.
    pub fn inside(&self, caller: Option<usize>) -> &[(NodeId, usize)] {
        let caller = caller.unwrap_or(self.of.len());
        self.inside.get(caller).map_or(&[], Vec::as_slice)
    }

    /// True of a function that something outside functions calls, perhaps through others.
    pub fn is_reached(&self, function: usize) -> bool {
        !self.of(function).is_empty()
    }

    /// All functions, each after those that call it, as far as none calls itself.
    pub fn callers_first(&self) -> &[usize] {
        &self.order
    }
}

/// All functions, callers first, and which callers can be reached from outside functions. The last
/// caller is everything outside.
fn depth_first(inside: &[Vec<(NodeId, usize)>]) -> (Vec<usize>, Vec<bool>) {
    let outside = inside.len() - 1;
    let mut seen = vec![false; inside.len()];
    let mut reached = Vec::new();
    let mut order = Vec::new();
    for start in std::iter::once(outside).chain(0..outside) {
        let mut stack = vec![(start, 0)];
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        while let Some((caller, next)) = stack.last_mut() {
            let callee = inside[*caller].get(*next).map(|&(_, callee)| callee);
            *next += 1;
            match callee {
                Some(callee) if !seen[callee] => {
                    seen[callee] = true;
                    stack.push((callee, 0));
                }
                Some(_) => {}
                None => {
                    order.push(*caller);
                    stack.pop();
                }
            }
        }
        if start == outside {
            reached = seen.clone();
        }
    }
    order.retain(|&function| function != outside);
    order.reverse();
    (order, reached)
}

/// A context of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ContextId(u32);

impl ContextId {
    /// Everything outside functions.
    pub const OUTSIDE: ContextId = ContextId(0);
}

/// The calls of a function with equal keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// `None` outside functions.
    pub function: Option<usize>,
    /// One of the calls, and the context around it; `None` outside functions, and where the function has
    /// more contexts than [`MOST`] and this one represents all others.
    pub caller: Option<(ContextId, NodeId)>,
    /// The number of calls when the model runs once, if each loop took one step.
    pub calls: u64,
}

/// The most contexts of one function that are distinguished.
pub(crate) const MOST: usize = 64;

/// The contexts of the functions of a model.
#[derive(Clone, Debug)]
pub(crate) struct Contexts<K> {
    all: Vec<Context>,
    of_key: HashMap<(usize, K), ContextId>,
    of_function: HashMap<usize, Vec<ContextId>>,
    /// By function: the context that represents all beyond [`MOST`].
    others: HashMap<usize, ContextId>,
}

impl<K> Default for Contexts<K> {
    fn default() -> Self {
        let outside = Context {
            function: None,
            caller: None,
            calls: 1,
        };
        Contexts {
            all: vec![outside],
            of_key: HashMap::default(),
            of_function: HashMap::default(),
            others: HashMap::default(),
        }
    }
}

impl<K: Eq + Hash> Contexts<K> {
    /// The context of a call in a context with a key.
    pub fn enter(&mut self, caller: ContextId, call: NodeId, function: usize, key: K) -> ContextId {
        let of_key = (function, key);
        if let Some(&known) = self.of_key.get(&of_key) {
            return known;
        }
        let all = self.of_function.entry(function).or_default();
        let joined = all.len() >= MOST;
        if let Some(&others) = self.others.get(&function).filter(|_| joined) {
            return others;
        }
        let id = ContextId(self.all.len() as u32);
        self.all.push(Context {
            function: Some(function),
            caller: (!joined).then_some((caller, call)),
            calls: 0,
        });
        all.push(id);
        match joined {
            true => self.others.insert(function, id),
            false => self.of_key.insert(of_key, id),
        };
        id
    }

    /// Counts one call from a context to another, as often as the first is entered.
    pub fn count(&mut self, caller: ContextId, entered: ContextId) {
        let more = self[caller].calls;
        let counted = &mut self.all[entered.0 as usize].calls;
        *counted = counted.saturating_add(more);
    }

    /// A context for a function that nothing calls.
    pub fn enter_unknown(&mut self, function: usize) -> ContextId {
        let id = ContextId(self.all.len() as u32);
        self.all.push(Context {
            function: Some(function),
            caller: None,
            calls: 0,
        });
        self.of_function.entry(function).or_default().push(id);
        id
    }

    /// A copy of a context that no call enters, for what holds under an assumption.
    pub fn copy(&mut self, of: ContextId) -> ContextId {
        let id = ContextId(self.all.len() as u32);
        self.all.push(Context {
            calls: 0,
            ..self[of]
        });
        id
    }
}

impl<K> Contexts<K> {
    /// The contexts of a function that were entered.
    pub fn of(&self, function: usize) -> &[ContextId] {
        self.of_function.get(&function).map_or(&[], Vec::as_slice)
    }

    /// The contexts in which a graph is: of the function around it, or the one outside functions.
    pub fn around(&self, function: Option<usize>) -> &[ContextId] {
        match function {
            Some(function) => self.of(function),
            None => &[ContextId::OUTSIDE],
        }
    }

    /// Functions with more contexts than are distinguished.
    pub fn joined(&self) -> impl Iterator<Item = usize> {
        self.others.keys().copied()
    }

    /// The attribute that a reference to an attribute of the function is replaced with, through all
    /// callers: the call's own, or the function's default; none if the call leaves it out.
    ///
    /// # Errors
    /// The function, if the callers of this context are unknown.
    pub fn attribute<'m>(
        &self,
        view: View<'m>,
        mut cx: ContextId,
        name: &Name,
    ) -> Result<Option<&'m Attribute>, Option<usize>> {
        let mut name = name;
        loop {
            let (Some(function), Some((caller, call))) = (self[cx].function, self[cx].caller)
            else {
                return Err(self[cx].function);
            };
            let function = &view.model.functions()[function];
            match passed_attribute(view.model, call, function, name) {
                Some(passed) => match &passed.value {
                    AttributeValue::Reference(outer, _) => (cx, name) = (caller, outer),
                    _ => return Ok(Some(passed)),
                },
                None => return Ok(None),
            }
        }
    }
}

/// The attribute that a call passes to a function: its own, or the function's default.
pub(crate) fn passed_attribute<'m>(
    model: &'m Model,
    call: NodeId,
    function: &'m Function,
    name: &Name,
) -> Option<&'m Attribute> {
    let given = model.node(call).attributes.iter();
    given.chain(&function.defaults).find(|a| a.name == *name)
}

impl<K> Index<ContextId> for Contexts<K> {
    type Output = Context;

    fn index(&self, cx: ContextId) -> &Context {
        &self.all[cx.0 as usize]
    }
}

#[cfg(test)]
mod tests;
