//! `Loop` for tract, which has none: unrolled, as far as the number of its steps is known.
//!
//! When the model is made ready, sizes are known and tract computes what is constant: counters, limits and
//! conditions are numbers by then. The body is written out step by step until its condition is false. Once that
//! depends on data, or the model has grown too much, the steps that are left are taken in the run
//! ([`super::repeated`]).

use tract_onnx::model::{ParseResult, ParsingContext, optional_inputs};
use tract_onnx::pb::{GraphProto, NodeProto};
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_hir::internal::*;

use super::repeated::repeated;

/// The most nodes that a loop is written out as.
const MOST: usize = 6_000;

/// A node of the model, its inputs by position among those that are present.
#[derive(Clone, Debug)]
struct Loop {
    body: InferenceModel,
    /// The positions of the most steps, and of the condition.
    most: Option<usize>,
    goes_on: Option<usize>,
    /// The first state.
    first: usize,
    states: usize,
    /// Values of graphs around it that the body reads, after the states.
    outer: usize,
}

/// Reads a node.
pub(in crate::verify::engine) fn build(
    context: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let graph: &GraphProto = node.get_attr("body")?;
    let ParseResult {
        model: body,
        unresolved_inputs,
        ..
    } = context.parse_graph(graph)?;
    let mut optional = optional_inputs(node);
    let [most, goes_on] = [optional.next().flatten(), optional.next().flatten()];
    let outer = unresolved_inputs.len();
    let states = body.input_outlets()?.len().checked_sub(2 + outer);
    let states = states.context("the body of a Loop has no counter and condition")?;
    let looped = Loop {
        body,
        most,
        goes_on,
        first: usize::from(most.is_some()) + usize::from(goes_on.is_some()),
        states,
        outer,
    };
    Ok((expand(looped), unresolved_inputs))
}

impl Loop {
    /// The number of outputs that collect a value of each step.
    fn collected(&self) -> TractResult<usize> {
        let outputs = self.body.output_outlets()?.len();
        let collected = outputs.checked_sub(1 + self.states);
        collected.context("the body of a Loop has too few outputs")
    }

    /// The body with the facts of its inputs.
    fn analysed(&self, model: &TypedModel, inputs: &[OutletId]) -> TractResult<InferenceModel> {
        let mut body = self.body.clone();
        let sources = body.input_outlets()?.to_vec();
        for (source, &input) in sources.into_iter().zip(inputs) {
            let fact = InferenceFact::from(model.outlet_fact(input)?);
            body.set_outlet_fact(source, fact)?;
        }
        body.analyse(false)?;
        Ok(body)
    }

    /// Writes out one step: what is in the outputs of the body.
    fn step(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let mut body = self.analysed(model, inputs)?;
        let sources = body.input_outlets()?.iter().copied();
        let mut mapping: HashMap<_, _> = sources.zip(inputs.iter().copied()).collect();
        for id in body.eval_order()? {
            if mapping.contains_key(&OutletId::new(id, 0)) {
                continue;
            }
            let mut node = body.node(id).clone();
            node.name = format!("{prefix}/{}", node.name);
            let outputs = node.op.to_typed(&body, &node, model, &mapping)?;
            let mut is_news = false;
            for (slot, output) in outputs.into_iter().enumerate() {
                let outlet = OutletId::new(id, slot);
                mapping.insert(outlet, output);
                if !body.outlet_fact(outlet)?.shape.is_concrete() {
                    // the shapes of a loop inside are known once it is written out
                    let fact = InferenceFact::from(model.outlet_fact(output)?);
                    body.set_outlet_fact(outlet, fact)?;
                    is_news = true;
                }
            }
            if is_news {
                body.analyse(false)?;
            }
        }
        let outputs = body.output_outlets()?.iter();
        let outputs = outputs.map(|outlet| mapping.get(outlet).copied());
        let outputs: Option<TVec<OutletId>> = outputs.collect();
        outputs.context("a value of the body of a Loop is missing")
    }

    /// The values of all steps as one tensor: those of steps that are written out, and of the others.
    fn collect(
        name: &str,
        model: &mut TypedModel,
        values: &[OutletId],
        rest: Option<OutletId>,
    ) -> TractResult<OutletId> {
        let mut slices = tvec!();
        for (step, &value) in values.iter().enumerate() {
            let name = format!("{name}/{step}");
            slices.extend(model.wire_node(name, AxisOp::Add(0), &[value])?);
        }
        slices.extend(rest);
        Ok(model.wire_node(name, TypedConcat { axis: 0 }, &slices)?[0])
    }

    /// What no step collects: of the shape that a step would collect.
    fn nothing(
        &self,
        name: &str,
        model: &mut TypedModel,
        (output, inputs): (usize, &[OutletId]),
    ) -> TractResult<OutletId> {
        let body = self.analysed(model, inputs)?;
        let fact = body.output_fact(1 + self.states + output)?;
        let unknown = "what no step collects has an unknown shape";
        let shape = fact.shape.concretize().context(unknown)?;
        let shape = shape.iter().map(TDim::to_usize);
        let shape = shape.collect::<Result<TVec<usize>, _>>()?;
        let element = fact.datum_type.concretize().context(unknown)?;
        let none = Tensor::zero_dt(element, &[&[0], &shape[..]].concat())?;
        model.add_const(name, none)
    }
}

/// The constant that a value is, unless it is a size that only a run determines.
fn constant<T: Datum + Copy>(model: &TypedModel, outlet: OutletId) -> TractResult<Option<T>> {
    let known = model.outlet_fact(outlet)?.konst.as_ref();
    Ok(known.and_then(|known| known.cast_to_scalar::<T>().ok()))
}

impl Expansion for Loop {
    fn name(&self) -> StaticName {
        "Loop".into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.states + self.collected()?)
    }

    fn runs_out_of_plan(&self) -> bool {
        false
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, self.first + self.states + self.outer)?;
        check_output_arity(outputs, self.nboutputs()?)?;
        let states = inputs.iter().skip(self.first).take(self.states);
        for (state, output) in states.zip(outputs) {
            solver.equals(&state.datum_type, &output.datum_type)?;
        }
        Ok(())
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let most = match self.most {
            Some(at) => inputs[at],
            None => model.add_const(format!("{prefix}/most"), tensor0(i64::MAX))?,
        };
        let mut goes_on = match self.goes_on {
            Some(at) => inputs[at],
            None => model.add_const(format!("{prefix}/true"), tensor0(true))?,
        };
        let (states, outer) = inputs[self.first..].split_at(self.states);
        let mut states: TVec<OutletId> = states.into();
        let mut collected = vec![Vec::new(); self.collected()?];
        let mut rest = vec![None; collected.len()];
        let began = model.nodes().len();
        for step in 0i64.. {
            let limit = constant::<i64>(model, most)?;
            let condition = constant::<bool>(model, goes_on)?;
            if condition == Some(false) || limit.is_some_and(|limit| step >= limit) {
                break;
            }
            let counter = model.add_const(format!("{prefix}/counter-{step}"), tensor0(step))?;
            if condition.is_none() || limit.is_none() || model.nodes().len() - began > MOST {
                let inputs = [&[most, counter, goes_on], &states[..], outer].concat();
                let outputs = repeated(prefix, model, &inputs, self.states, |body, inputs| {
                    self.step(&format!("{prefix}/step"), body, inputs)
                })?;
                states = outputs[..self.states].into();
                for (rest, &values) in rest.iter_mut().zip(&outputs[self.states..]) {
                    *rest = Some(values);
                }
                break;
            }
            let inputs = [&[counter, goes_on], &states[..], outer].concat();
            let outputs = self.step(&format!("{prefix}/step-{step}"), model, &inputs)?;
            goes_on = outputs[0];
            states = outputs[1..=self.states].into();
            for (values, &value) in collected.iter_mut().zip(&outputs[1 + self.states..]) {
                values.push(value);
            }
        }
        for (output, values) in collected.iter().enumerate() {
            let name = format!("{prefix}/collected-{output}");
            let all = if values.is_empty() && rest[output].is_none() {
                let counter = model.add_const(format!("{name}/counter"), tensor0(0i64))?;
                let inputs = [&[counter, goes_on], &states[..self.states], outer].concat();
                self.nothing(&name, model, (output, &inputs))?
            } else {
                Loop::collect(&name, model, values, rest[output])?
            };
            states.push(all);
        }
        Ok(states)
    }
}
