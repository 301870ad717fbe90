//! Operators on sequences for tract, which has no sequences: each is known by its elements while the model is made
//! ready, and removed afterwards.

use tract_onnx::model::{ParsingContext, optional_inputs};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::array::{Slice, TypedConcat};
use tract_onnx::tract_hir::internal::*;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Construct,
    Insert,
    Erase,
    At,
    Length,
    Split { axis: i64, keeps: bool },
    Concat { axis: i64, is_new: bool },
}

/// A node of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sequence {
    kind: Kind,
    /// The inputs that are present.
    inputs: usize,
}

/// The operators.
pub(in crate::verify::engine) const ALL: [&str; 8] = [
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceInsert",
    "SequenceErase",
    "SequenceAt",
    "SequenceLength",
    "SplitToSequence",
    "ConcatFromSequence",
];

/// Reads a node.
pub(in crate::verify::engine) fn build(
    _: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let int = |name: &str, default: i64| -> TractResult<i64> {
        Ok(node.get_attr_opt(name)?.unwrap_or(default))
    };
    let axis = int("axis", 0)?;
    let kind = match node.op_type.as_str() {
        "SequenceInsert" => Kind::Insert,
        "SequenceErase" => Kind::Erase,
        "SequenceAt" => Kind::At,
        "SequenceLength" => Kind::Length,
        // with sizes, the axis is always kept
        "SplitToSequence" => Kind::Split {
            axis,
            keeps: int("keepdims", 1)? != 0 || optional_inputs(node).nth(1).flatten().is_some(),
        },
        "ConcatFromSequence" => Kind::Concat {
            axis,
            is_new: int("new_axis", 0)? != 0,
        },
        _ => Kind::Construct,
    };
    let inputs = node.input.iter().filter(|name| !name.is_empty()).count();
    Ok((expand(Sequence { kind, inputs }), vec![]))
}

/// A sequence of its inputs. Nothing reads its value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Elements;

impl Op for Elements {
    fn name(&self) -> StaticName {
        "Sequence".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Elements {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, _: TVec<TValue>) -> TractResult<TVec<TValue>> {
        bail!("a sequence is no tensor")
    }
}

impl TypedOp for Elements {
    as_op!();

    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![bool::fact::<&[usize]>(&[])])
    }
}

/// The elements of a sequence.
fn elements(model: &TypedModel, sequence: OutletId) -> TractResult<TVec<OutletId>> {
    let node = model.node(sequence.node);
    ensure!(
        node.op_is::<Elements>(),
        "the length of a sequence depends on data"
    );
    Ok(node.inputs.iter().copied().collect())
}

/// The integers of an input that is known by now.
fn known(model: &TypedModel, input: OutletId) -> TractResult<Vec<i64>> {
    let known = model.outlet_fact(input)?.konst.clone();
    let known = known.context("the length of a sequence depends on data")?;
    let numbers = known.cast_to::<i64>()?;
    Ok(numbers.try_as_plain_ram()?.as_slice::<i64>()?.to_vec())
}

/// An index that may count from the end.
fn place(model: &TypedModel, input: OutletId, count: usize) -> TractResult<usize> {
    let index = *known(model, input)?.first().context("an empty index")?;
    let index = if index < 0 {
        index + count as i64
    } else {
        index
    };
    usize::try_from(index).context("an index before the first element of a sequence")
}

/// An axis that may count from the end.
fn axis_of(axis: i64, rank: usize) -> TractResult<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).context("an axis before the first")
}

/// The parts of a tensor along an axis: of a size, of sizes, or one element each.
fn parts(
    prefix: &str,
    model: &mut TypedModel,
    inputs: &[OutletId],
    (axis, keeps): (i64, bool),
) -> TractResult<TVec<OutletId>> {
    let shape = model.outlet_fact(inputs[0])?.shape.clone();
    let axis = axis_of(axis, shape.rank())?;
    let size = shape
        .get(axis)
        .context("an axis after the last")?
        .to_i64()?;
    let sizes = match inputs.get(1) {
        None => vec![1; usize::try_from(size)?],
        Some(&sizes) if model.outlet_fact(sizes)?.rank() == 1 => known(model, sizes)?,
        Some(&each) => {
            let each = *known(model, each)?.first().context("a size")?;
            ensure!(each > 0, "parts of no elements");
            let starts = (0..size).step_by(usize::try_from(each)?);
            starts.map(|start| each.min(size - start)).collect()
        }
    };
    let (mut parts, mut start) = (tvec!(), 0);
    for size in sizes {
        let name = format!("{prefix}/from-{start}");
        let part = Slice::new(axis, start, start + size);
        let mut part = model.wire_node(&name, part, &inputs[..1])?[0];
        if !keeps {
            part = model.wire_node(format!("{name}/element"), AxisOp::Rm(axis), &[part])?[0];
        }
        parts.push(part);
        start += size;
    }
    Ok(parts)
}

impl Expansion for Sequence {
    fn name(&self) -> StaticName {
        "Sequence".into()
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
        check_input_arity(inputs, self.inputs)?;
        check_output_arity(outputs, 1)?;
        match self.kind {
            Kind::At | Kind::Concat { .. } => Ok(()),
            kind => {
                let datum = match kind {
                    Kind::Length => i64::datum_type(),
                    _ => bool::datum_type(),
                };
                solver.equals(&outputs[0].datum_type, datum)?;
                solver.equals(&outputs[0].rank, 0)
            }
        }
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let first = |model: &TypedModel| elements(model, inputs[0]);
        let sequence = match self.kind {
            Kind::Construct => inputs.into(),
            Kind::Insert => {
                let mut all = first(model)?;
                let at = match inputs.get(2) {
                    Some(&at) => place(model, at, all.len())?,
                    None => all.len(),
                };
                ensure!(at <= all.len(), "an index after the end of a sequence");
                all.insert(at, inputs[1]);
                all
            }
            Kind::Erase => {
                let mut all = first(model)?;
                let at = match inputs.get(1) {
                    Some(&at) => place(model, at, all.len())?,
                    None => all.len().wrapping_sub(1),
                };
                ensure!(at < all.len(), "an index after the end of a sequence");
                all.remove(at);
                all
            }
            Kind::Split { axis, keeps } => parts(prefix, model, inputs, (axis, keeps))?,
            Kind::At => {
                let all = first(model)?;
                let at = place(model, inputs[1], all.len())?;
                let element = all
                    .get(at)
                    .context("an index after the end of a sequence")?;
                return Ok(tvec![*element]);
            }
            Kind::Length => {
                let length = tensor0(first(model)?.len() as i64);
                return Ok(tvec![model.add_const(prefix, length)?]);
            }
            Kind::Concat { axis, is_new } => {
                let mut all = first(model)?;
                let one = *all.first().context("nothing to concatenate")?;
                let rank = model.outlet_fact(one)?.rank() + usize::from(is_new);
                let axis = axis_of(axis, rank)?;
                for (at, element) in all.iter_mut().enumerate().filter(|_| is_new) {
                    let name = format!("{prefix}/element-{at}");
                    *element = model.wire_node(name, AxisOp::Add(axis), &[*element])?[0];
                }
                return model.wire_node(prefix, TypedConcat { axis }, &all);
            }
        };
        model.wire_node(prefix, Elements, &sequence)
    }
}
