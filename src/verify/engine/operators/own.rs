//! The operators of this crate for tract: `Drop`, `Draw` and `Watch` (see [`super`]).

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::tract_data::TooEarly;
use tract_onnx::tract_hir::internal::*;

use super::watch::{self, SITE, Seen, saw};
use crate::verify::engine::Value;
use crate::verify::engine::draws::{
    DRAW, DROP, EARLY, Law, NORMAL, REPEATS, STREAM, Stream, kept, ratio,
};

/// One node.
#[derive(Clone, Debug, PartialEq)]
enum Own {
    Drop(Stream),
    Draw(Stream, Law),
    /// With the index of what it observes.
    Watch(usize),
}

// The numbers of a law are finite.
impl Eq for Own {}

/// Reads a node.
pub(in crate::verify::engine) fn build(
    _: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let stream = || -> TractResult<Stream> {
        let stream = Stream::new(node.get_attr::<i64>(STREAM)?.cast_unsigned());
        let repeats = node.get_attr_opt::<i64>(REPEATS)? == Some(1);
        Ok(if repeats { stream.repeating() } else { stream })
    };
    let own = match node.op_type.as_str() {
        DROP => Own::Drop(stream()?),
        DRAW => {
            let number = |name: &str| node.get_attr_opt::<f32>(name).ok()?;
            let law = Law::of(node.get_attr::<i64>(NORMAL)? != 0, number);
            Own::Draw(stream()?, law.context("a draw without numbers")?)
        }
        _ => Own::Watch(usize::try_from(node.get_attr::<i64>(SITE)?)?),
    };
    Ok((expand(own), vec![]))
}

impl Own {
    /// The input whose shape the outputs have.
    fn shape(&self) -> usize {
        usize::from(matches!(self, Own::Watch(_)))
    }

    /// The ratio of a `Drop`, if it is known by now.
    fn ratio(&self, model: &TypedModel, inputs: &[OutletId]) -> TractResult<Option<f64>> {
        let ratio = match (self, inputs) {
            (Own::Drop(_), [_, ratio]) => model.outlet_fact(*ratio)?.konst.as_ref(),
            _ => None,
        };
        ratio.map(|ratio| ratio.cast_to_scalar()).transpose()
    }

    /// The element types of the outputs, `None` for that of the input of their shape.
    fn elements(&self) -> TVec<Option<DatumType>> {
        match self {
            Own::Drop(_) => tvec![None, Some(DatumType::Bool)],
            Own::Draw(..) => tvec![Some(DatumType::F64)],
            Own::Watch(_) => tvec![None],
        }
    }
}

impl Expansion for Own {
    fn name(&self) -> StaticName {
        Op::name(self)
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.elements().len())
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
        let inputs_wanted = if matches!(self, Own::Draw(..)) { 1 } else { 2 };
        check_input_arity(inputs, inputs_wanted)?;
        check_output_arity(outputs, self.nboutputs()?)?;
        let data = &inputs[self.shape()];
        for (output, element) in outputs.iter().zip(self.elements()) {
            solver.equals(&output.shape, &data.shape)?;
            match element {
                Some(element) => solver.equals(&output.datum_type, element)?,
                None => solver.equals(&output.datum_type, &data.datum_type)?,
            }
        }
        Ok(())
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let own = match self {
            Own::Drop(stream) => Own::Drop(stream.next()),
            Own::Draw(stream, law) => Own::Draw(stream.next(), *law),
            watch => watch.clone(),
        };
        if let Some(ratio) = self.ratio(model, inputs)? {
            self::ratio(ratio).map_err(TractError::msg)?;
        }
        model.wire_node(prefix, own, inputs)
    }
}

impl Op for Own {
    fn name(&self) -> StaticName {
        match self {
            Own::Drop(_) => DROP.into(),
            Own::Draw(..) => DRAW.into(),
            Own::Watch(_) => watch::OPERATOR.into(),
        }
    }

    fn validation(&self) -> Validation {
        Validation::Random
    }

    op_as_typed_op!();
}

/// The result of a draw, or the reason not to draw now.
fn drawn<T>(drawn: Option<T>) -> TractResult<T> {
    drawn.ok_or_else(|| TooEarly::Other(EARLY.to_string()).into())
}

impl EvalOp for Own {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let data = inputs.get(self.shape()).context("an input is missing")?;
        match self {
            Own::Drop(stream) => {
                let ratio = ratio(inputs[1].cast_to_scalar()?).map_err(TractError::msg)?;
                let keep = drawn(kept(*stream, ratio, data.len()))?;
                let kept = dropped(data, &keep, 1.0 / (1.0 - ratio))?;
                let mask = Tensor::from_shape(data.shape(), &keep)?;
                Ok(tvec![kept.into_tvalue(), mask.into_tvalue()])
            }
            Own::Draw(stream, law) => {
                let numbers = drawn(law.draw(*stream, data.len()))?;
                Ok(tvec![
                    Tensor::from_shape(data.shape(), &numbers)?.into_tvalue()
                ])
            }
            Own::Watch(site) => {
                let value = |value: &TValue| {
                    let plain = value.clone().into_tensor().into_plain_ram();
                    plain.map(Value)
                };
                let seen = Seen {
                    site: *site,
                    data: value(&inputs[0])?,
                    output: value(data)?,
                };
                drawn(saw(seen))?;
                Ok(tvec![data.clone()])
            }
        }
    }
}

/// The elements that are kept, scaled; halves in single precision, and rounded once.
fn dropped(data: &Tensor, keep: &[bool], scale: f64) -> TractResult<Tensor> {
    let element = data.datum_type();
    let wide = match element {
        DatumType::F16 => DatumType::F32,
        wide => wide,
    };
    let mut result = data.cast_to_dt(wide)?.into_owned();
    let mut view = result.try_as_plain_ram_mut()?;
    match wide {
        DatumType::F32 => masked(view.as_slice_mut::<f32>()?, keep, scale as f32),
        DatumType::F64 => masked(view.as_slice_mut::<f64>()?, keep, scale),
        other => bail!("Dropout of {other:?} elements"),
    }
    Ok(result.cast_to_dt(element)?.into_owned())
}

fn masked<T: Copy + Default + std::ops::Mul<Output = T>>(data: &mut [T], keep: &[bool], scale: T) {
    for (x, &kept) in data.iter_mut().zip(keep) {
        *x = if kept { *x * scale } else { T::default() };
    }
}

impl TypedOp for Own {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let data = inputs.get(self.shape()).context("an input is missing")?;
        let elements = self.elements().into_iter();
        let facts =
            elements.map(|element| element.unwrap_or(data.datum_type).fact(data.shape.clone()));
        Ok(facts.collect())
    }

    /// What optimising the rest made known may show that nothing is dropped.
    fn declutter(
        &self,
        model: &TypedModel,
        node: &TypedNode,
    ) -> TractResult<Option<TypedModelPatch>> {
        let is_inert = self.ratio(model, &node.inputs)? == Some(0.0);
        let outputs = model.output_outlets()?;
        let mask = OutletId::new(node.id, 1);
        if !is_inert || !node.outputs[1].successors.is_empty() || outputs.contains(&mask) {
            return Ok(None);
        }
        let mut patch = TypedModelPatch::default();
        let data = patch.tap_model(model, node.inputs[0])?;
        patch.shunt_outside(model, OutletId::new(node.id, 0), data)?;
        Ok(Some(patch))
    }
}
