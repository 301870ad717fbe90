//! What has to be equal: outputs, bodies of functions, bindings of training.

use crate::error::Result;
use crate::onnx::{GraphId, GraphKind};

use super::expression::{Expression, Tag, Words};
use super::numbering::Builder;

impl Builder<'_, '_> {
    fn outputs(&self, id: GraphId) -> Vec<Expression> {
        let number = |value| self.numbering.value(value);
        let outputs = self.view.graph_outputs(id);
        outputs
            .map(|value| value.map_or(Expression::ABSENT, |value| number(value.id)))
            .collect()
    }

    /// What a graph computes from its inputs (and from what it captures).
    pub(super) fn body(&mut self, id: GraphId) -> Expression {
        let mut outputs = self.outputs(id);
        let mut inputs = self.view.model.graph(id).inputs.len();
        if let Some(states) = self.reachable.states(id) {
            inputs = states.inputs(inputs).len();
            let kept = states.body_outputs(outputs.len()).into_iter();
            outputs = kept.map(|output| outputs[output]).collect();
        }
        let mut words = vec![inputs as u32];
        words.extend(outputs.into_iter().map(|output| output.0));
        let body = self.shared.expressions.number(Tag::Body, &words);
        self.numbering.bodies.insert(id, body);
        body
    }

    /// Records what a main graph, training graph or function computes.
    pub(super) fn root(&mut self, id: GraphId) -> Result<()> {
        let model = self.view.model;
        let graph = model.graph(id);
        let scope = model.scope(id);
        if let GraphKind::Function(index) = graph.kind {
            let mut words = Words::from_slice(&[self.body(id).0]);
            let defaults = model.functions()[index].defaults.iter();
            self.attributes(&mut words, defaults.collect())?;
            let function = self.shared.expressions.number(Tag::Function, &words);
            self.functions[index] = Some((function, self.impure[id.0 as usize]));
            self.numbering.functions.insert(scope.clone());
            self.numbering.results.insert(scope, function);
            return Ok(());
        }
        let outputs = graph.outputs.iter().zip(self.outputs(id));
        for (index, (info, number)) in outputs.enumerate() {
            let place = match graph.kind {
                GraphKind::Main => {
                    let name = self.exceptions.output(index).unwrap_or(&info.name);
                    format!("output `{name}`")
                }
                _ => format!("{scope}: output `{}`", info.name),
            };
            self.numbering.results.insert(place, number);
        }
        Ok(())
    }

    /// Records which outputs training assigns to which initializers, by name: they are compared as
    /// outputs and initializers.
    pub(super) fn bindings(&mut self) {
        for (index, training) in self.view.model.training().iter().enumerate() {
            for (pair, names) in training.bound.chunks(2).enumerate() {
                let expressions = &mut self.shared.expressions;
                let names = names.iter();
                let words: Vec<u32> = names
                    .map(|name| expressions.string(name.as_bytes()))
                    .collect();
                let number = expressions.number(Tag::Binding, &words);
                let place = format!("training_info[{index}]: binding {pair}");
                self.numbering.results.insert(place, number);
            }
        }
    }
}
