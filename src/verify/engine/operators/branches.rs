//! `If` for tract. Its own gives all of them one name, and takes no second one.

use tract_onnx::model::ParsingContext;
use tract_onnx::ops::logic;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

/// tract's own.
#[derive(Clone, Debug)]
struct Branches(Box<dyn InferenceOp>);

// As tract's own: no two are taken for one.
impl PartialEq for Branches {
    fn eq(&self, _: &Branches) -> bool {
        false
    }
}

impl Eq for Branches {}

pub(in crate::verify::engine) fn build(
    context: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let (own, outer) = logic::_if(context, node)?;
    Ok((Box::new(Branches(own)), outer))
}

impl Op for Branches {
    fn name(&self) -> StaticName {
        self.0.name()
    }

    not_a_typed_op!();
}

impl EvalOp for Branches {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.0.eval(context, inputs)
    }
}

impl InferenceOp for Branches {
    fn infer_facts(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<(
        TVec<InferenceFact>,
        TVec<InferenceFact>,
        TVec<InferenceFact>,
    )> {
        self.0.infer_facts(inputs, outputs, observed)
    }

    fn nboutputs(&self) -> TractResult<usize> {
        self.0.nboutputs()
    }

    fn to_typed(
        &self,
        source: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        let outputs = self.0.to_typed(source, node, target, mapping)?;
        let made = outputs.first().context("an If without outputs")?.node;
        target.node_mut(made).name.clone_from(&node.name);
        Ok(outputs)
    }

    as_op!();
}
