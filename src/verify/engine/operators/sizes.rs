//! `Shape` for tract. The sizes that its own gives are no integers, and many of its operators do not take them: here
//! they are integers, unless only a run determines them.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

/// The sizes of some axes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
    start: i64,
    end: i64,
}

pub(in crate::verify::engine) fn shape(
    _: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let start = node.get_attr_opt("start")?.unwrap_or(0);
    let end = node.get_attr_opt("end")?.unwrap_or(i64::MAX);
    Ok((expand(Shape { start, end }), vec![]))
}

impl Shape {
    fn of(&self, shape: &[TDim]) -> Tensor {
        let rank = shape.len() as i64;
        let place = |axis: i64| {
            let axis = if axis < 0 {
                axis.saturating_add(rank)
            } else {
                axis
            };
            axis.clamp(0, rank) as usize
        };
        let (start, end) = (place(self.start), place(self.end));
        let sizes = &shape[start..end.max(start)];
        let known: Result<Vec<i64>, _> = sizes.iter().map(TDim::to_i64).collect();
        match known {
            Ok(known) => tensor1(&known),
            Err(_) => tensor1(sizes),
        }
    }
}

impl Expansion for Shape {
    fn name(&self) -> StaticName {
        "Shape".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].rank, 1)?;
        solver.given(&inputs[0].shape, |solver, shape| {
            let sizes = self.of(&shape).into_arc_tensor();
            solver.equals(&outputs[0].datum_type, sizes.datum_type())?;
            solver.equals(&outputs[0].value, sizes)
        })
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let shape = model.outlet_fact(inputs[0])?.shape.to_tvec();
        Ok(tvec![model.add_const(prefix, self.of(&shape))?])
    }
}
