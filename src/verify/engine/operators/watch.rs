//! A node that observes a dropout: its data and its output, in whatever graph it is.
//!
//! An output of the model would show the same, but not in the branch of an If, in the body of a Scan
//! or in a function that is called more than once. The node passes its second input through; what it
//! observed belongs to the run of this thread, for the reason given in [`crate::verify::engine::draws`].

use std::cell::RefCell;

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use super::random::early;
use crate::verify::engine::Value;
use crate::verify::engine::slot::with_slot;

/// The operator. Its inputs are the data and the output of a dropout; it passes the output through.
pub(in crate::verify) const OPERATOR: &str = "DropoutOnnxWatch";
/// The attribute with the index of the site.
pub(in crate::verify) const SITE: &str = "site";

/// An observation: one evaluation of a dropout.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Seen {
    /// Which site.
    pub site: usize,
    /// Its data.
    pub data: Value,
    /// Its output.
    pub output: Value,
}

thread_local! {
    static SEEN: RefCell<Option<Vec<Seen>>> = const { RefCell::new(None) };
}

/// Does some work. Returns what was observed meanwhile, in the order of evaluation.
pub(in crate::verify) fn seeing<T>(work: impl FnOnce() -> T) -> (T, Vec<Seen>) {
    let (done, seen) = with_slot(&SEEN, Vec::new(), work);
    (done, seen.unwrap_or_default())
}

/// Keeps an observation; `None` outside of a run.
pub(in crate::verify) fn saw(seen: Seen) -> Option<()> {
    SEEN.with_borrow_mut(|all| {
        all.as_mut()?.push(seen);
        Some(())
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Watch {
    site: usize,
}

pub(in crate::verify) fn build(
    _: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let site = node.get_attr::<i64>(SITE)?;
    let site = usize::try_from(site)?;
    Ok((expand(Watch { site }), vec![]))
}

impl Expansion for Watch {
    fn name(&self) -> StaticName {
        OPERATOR.into()
    }

    fn validation(&self) -> Validation {
        Validation::Random
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
        check_input_arity(inputs, 2)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[1].shape, &outputs[0].shape)?;
        solver.equals(&inputs[1].datum_type, &outputs[0].datum_type)
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

impl Op for Watch {
    fn name(&self) -> StaticName {
        OPERATOR.into()
    }

    fn validation(&self) -> Validation {
        Validation::Random
    }

    op_as_typed_op!();
}

impl EvalOp for Watch {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, mut inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let [data, output] = &inputs[..] else {
            bail!("an input is missing");
        };
        let value = |value: &TValue| {
            let plain = value.clone().into_tensor().into_plain_ram();
            plain.map(Value)
        };
        let seen = Seen {
            site: self.site,
            data: value(data)?,
            output: value(output)?,
        };
        early(saw(seen))?;
        Ok(tvec!(inputs.remove(1)))
    }
}

impl TypedOp for Watch {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let output = inputs.get(1).context("an input is missing")?;
        Ok(tvec!(output.datum_type.fact(output.shape.clone())))
    }
}
