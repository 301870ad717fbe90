//! The steps of a `Loop` that are taken in a run: how many depends on data, or is too large to write them out.

use tract_onnx::tract_hir::internal::*;

use crate::interrupt;

/// Inputs are the number of the step at which the loop ends, that of the first one, whether there is one, the states,
/// and what the body reads besides.
#[derive(Clone, Debug)]
struct Repeated {
    body: Arc<TypedSimplePlan>,
    states: usize,
    /// Of the states, and of the values of each step that are collected.
    outputs: TVec<TypedFact>,
}

impl PartialEq for Repeated {
    fn eq(&self, other: &Repeated) -> bool {
        Arc::ptr_eq(&self.body, &other.body)
    }
}

impl Eq for Repeated {}

/// Writes it into a model. `step` writes the body of a loop with a number of states.
///
/// # Errors
/// The shape of a state differs from step to step.
pub(super) fn repeated(
    prefix: &str,
    model: &mut TypedModel,
    inputs: &[OutletId],
    states: usize,
    step: impl FnOnce(&mut TypedModel, &[OutletId]) -> TractResult<TVec<OutletId>>,
) -> TractResult<TVec<OutletId>> {
    let mut body = TypedModel {
        symbols: model.symbols.clone(),
        ..TypedModel::default()
    };
    let mut formals = tvec!();
    for (at, &input) in inputs[1..].iter().enumerate() {
        let (name, fact) = (format!("{prefix}/input-{at}"), model.outlet_fact(input)?);
        formals.push(match &fact.konst {
            Some(known) if at >= 2 + states => body.add_const(name, known.clone())?,
            _ => body.add_source(name, fact.without_value())?,
        });
    }
    let outputs = step(&mut body, &formals)?;
    body.select_output_outlets(&outputs)?;
    let steps: TDim = model.symbols.new_with_prefix("steps").into();
    let mut facts = tvec!();
    for (at, &output) in outputs[1..].iter().enumerate() {
        let fact = body.outlet_fact(output)?.without_value();
        facts.push(if at < states {
            let before = model.outlet_fact(inputs[3 + at])?;
            let same = fact.datum_type == before.datum_type && fact.shape == before.shape;
            ensure!(
                same,
                "the shape of a state of a loop changes in a step, and how often depends on data"
            );
            fact
        } else {
            let shape = [steps.clone()].into_iter().chain(fact.shape.to_tvec());
            fact.datum_type.fact(shape.collect::<TVec<TDim>>())
        });
    }
    let is_formal = |input: &&OutletId| {
        model
            .outlet_fact(**input)
            .is_ok_and(|fact| fact.konst.is_none())
    };
    let (fixed, outer) = inputs.split_at(3 + states);
    let outer = outer.iter().filter(is_formal).copied();
    let inputs: TVec<OutletId> = fixed.iter().copied().chain(outer).collect();
    let op = Repeated {
        body: TypedSimplePlan::new(body.into_decluttered()?)?,
        states,
        outputs: facts,
    };
    model.wire_node(prefix, op, &inputs)
}

impl Op for Repeated {
    fn name(&self) -> StaticName {
        "Loop".into()
    }

    fn validation(&self) -> Validation {
        Validation::Random
    }

    op_as_typed_op!();
}

impl EvalOp for Repeated {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let [first, most] = [1, 0].map(|at| inputs[at].cast_to_scalar::<i64>());
        let (mut step, most) = (first?, most?);
        let mut goes_on = inputs[2].cast_to_scalar::<bool>()?;
        let (states, outer) = inputs[3..].split_at(self.states);
        let mut states: TVec<TValue> = states.into();
        let mut collected = vec![Vec::new(); self.outputs.len() - self.states];
        while goes_on && step < most {
            interrupt::check()?;
            let step_and_condition = [tensor0(step).into_tvalue(), tensor0(goes_on).into_tvalue()];
            let fed = step_and_condition
                .into_iter()
                .chain(states)
                .chain(outer.iter().cloned());
            let mut outputs = self.body.run(fed.collect())?;
            goes_on = outputs[0].cast_to_scalar::<bool>()?;
            for (values, value) in collected.iter_mut().zip(outputs.drain(1 + self.states..)) {
                let mut value = value.into_tensor();
                value.insert_axis(0)?;
                values.push(value);
            }
            states = outputs.drain(1..).collect();
            step += 1;
        }
        for (values, fact) in collected.iter().zip(&self.outputs[self.states..]) {
            let all = match values.is_empty() {
                true => {
                    let shape: TVec<usize> = fact
                        .shape
                        .iter()
                        .map(|dim| dim.to_usize().unwrap_or(0))
                        .collect();
                    Tensor::zero_dt(fact.datum_type, &shape)?
                }
                false => Tensor::stack_tensors(0, values)?,
            };
            states.push(all.into_tvalue());
        }
        Ok(states)
    }
}

impl TypedOp for Repeated {
    as_op!();

    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(self.outputs.clone())
    }
}
