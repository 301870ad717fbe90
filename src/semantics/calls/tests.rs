use crate::onnx::{self, DataType, ValueId, Values};
use dropout_onnx::common::build::{
    f32_scalar, float, function, graph, model, op, reference, tensor,
};
use dropout_onnx::common::proto::{Function, Model, Node};

use super::*;

impl<K: Eq + Hash> Contexts<K> {
    /// Enters every call of a model, callers first, and counts the calls.
    fn enter_all(&mut self, calls: &Calls, mut key: impl FnMut(&mut Self, ContextId, NodeId) -> K) {
        let functions = calls.order.iter().copied().map(Some);
        for caller in std::iter::once(None).chain(functions) {
            for cx in self.around(caller).to_vec() {
                for &(call, callee) in calls.inside(caller) {
                    let key = key(self, cx, call);
                    let entered = self.enter(cx, call, callee, key);
                    self.count(cx, entered);
                }
            }
        }
    }
}

impl<K> Contexts<K> {
    /// The value that a context passes for a formal input of its function, and the context of that value.
    fn argument(
        &self,
        view: View<'_>,
        cx: ContextId,
        formal: usize,
    ) -> Option<(ContextId, ValueId)> {
        let (caller, call) = self[cx].caller?;
        Some((caller, view.values.input(call, formal)?))
    }
}

fn call(text: &str) -> Node {
    op(&text.replace(" = ", " = local::"))
}

fn nested(functions: Vec<Function>, main: Vec<Node>) -> Model {
    let graph =
        graph(main)
            .input_of("x", DataType::FLOAT, &[2])
            .output_of("y", DataType::FLOAT, &[2]);
    Model {
        functions,
        ..model(17, graph)
    }
}

fn index(model: &onnx::Model, name: &str) -> usize {
    let functions = model.functions().iter();
    functions
        .map(|f| f.name.to_string())
        .position(|n| n == name)
        .unwrap()
}

/// Functions `f0` to `f7`: each calls the next several times, one after the other.
fn tower(times: usize, levels: usize) -> Model {
    let body = |callee: String| {
        let node = move |i: usize| {
            let from = if i == 0 { "a".into() } else { format!("v{i}") };
            let to = if i + 1 == times {
                "b".into()
            } else {
                format!("v{}", i + 1)
            };
            call(&format!("{to} = {callee}({from})"))
        };
        (0..times).map(node).collect::<Vec<Node>>()
    };
    let mut functions: Vec<Function> = (0..levels - 1)
        .map(|i| function(&format!("f{i}"), "a", "b", 17, body(format!("f{}", i + 1))))
        .collect();
    let last = format!("f{}", levels - 1);
    functions.push(function(&last, "a", "b", 17, [op("b = Relu(a)")]));
    nested(functions, vec![call("y = f0(x)")])
}

#[test]
fn calls_in_functions_that_nothing_reaches_do_not_count() {
    let functions = vec![
        function("inner", "a", "b", 17, [op("b = Relu(a)")]),
        function("outer", "a", "b", 17, [call("b = inner(a)")]),
        function("unused", "a", "b", 17, [call("b = inner(a)")]),
    ];
    let model = nested(functions, vec![call("y = outer(x)")]).read();
    let [inner, outer, unused] = ["inner", "outer", "unused"].map(|name| index(&model, name));
    let calls = Calls::new(&model);
    assert_eq!(calls.of(inner).len(), 1);
    assert!(calls.only(outer).is_some() && calls.only(unused).is_none());
    assert!(calls.is_reached(inner) && !calls.is_reached(unused));
    let place = |f| calls.callers_first().iter().position(|&g| g == f).unwrap();
    assert!(place(outer) < place(inner) && place(unused) < place(inner));
}

#[test]
fn nested_calls_with_one_key_are_one_context_each() {
    let model = tower(8, 9).read();
    let calls = Calls::new(&model);
    let mut contexts = Contexts::default();
    let mut asked = 0;
    contexts.enter_all(&calls, |_, _, _| asked += 1);
    let last = index(&model, "f8");
    let [cx] = contexts.of(last) else {
        panic!("one context expected");
    };
    assert_eq!(contexts[*cx].calls, 8u64.pow(8));
    assert_eq!(asked, 1 + 8 * 8);
    assert_eq!(contexts.joined().count(), 0);
}

#[test]
fn contexts_beyond_the_limit_are_joined() {
    let model = tower(MOST + 1, 2).read();
    let calls = Calls::new(&model);
    let mut contexts = Contexts::default();
    let last = index(&model, "f1");
    contexts.enter_all(&calls, |_, _, call| call);
    let all = contexts.of(last);
    assert_eq!(all.len(), MOST + 1);
    assert!(contexts[all[0]].caller.is_some() && contexts[all[MOST]].caller.is_none());
    assert_eq!(contexts.joined().collect::<Vec<_>>(), [last]);
    let counted: u64 = all.iter().map(|&cx| contexts[cx].calls).sum();
    assert_eq!(counted, MOST as u64 + 1);
}

#[test]
fn attributes_and_arguments_are_those_of_the_callers() {
    let drop = |text: &str| call(text).with(reference("p", "q", 1));
    let functions = vec![
        function(
            "inner",
            "a",
            "b",
            17,
            [op("b = Relu(a)").with(reference("alpha", "p", 1))],
        ),
        function("outer", "a", "b", 17, [drop("b = inner(a)")]),
    ];
    let main = vec![
        op("c = Constant()").with(tensor("value", f32_scalar(1.0))),
        call("h = outer(x)").with(float("q", 0.25)),
        call("i = outer(c)").with(float("q", 0.5)),
        call("y = inner(i)"),
    ];
    let model = nested(functions, main).read();
    let values = Values::new(&model);
    let view = View::new(&model, &values);
    let calls = Calls::new(&model);
    let mut contexts = Contexts::default();
    contexts.enter_all(&calls, |_, cx, call| (cx, call));
    let inner = index(&model, "inner");
    let attribute = |cx: &ContextId| {
        let attribute = contexts.attribute(view, *cx, &"p".into());
        attribute.unwrap().map(|a| match a.value {
            AttributeValue::Float(f) => f,
            _ => panic!("a float expected"),
        })
    };
    let mut found: Vec<Option<f32>> = contexts.of(inner).iter().map(attribute).collect();
    found.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(found, [None, Some(0.25), Some(0.5)]);
    let outermost = |&cx: &ContextId| {
        let (cx, value) = contexts.argument(view, cx, 0)?;
        match contexts[cx].function {
            Some(_) => contexts.argument(view, cx, 0),
            None => Some((cx, value)),
        }
    };
    let passed = contexts.of(inner).iter().filter_map(outermost);
    let mut names: Vec<String> = passed
        .map(|(_, v)| view.value(v).name.to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["c", "i", "x"]);
}
