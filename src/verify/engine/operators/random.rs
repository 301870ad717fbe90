//! `RandomUniform`, `RandomNormal`, `…Like` and `Bernoulli` for tract, with numbers that can be drawn again.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::tract_data::TooEarly;
use tract_onnx::tract_hir::internal::*;

use crate::verify::engine::copy::{REPEATS, STREAM};
use crate::verify::engine::draws::{Law, Stream};

/// The reason not to draw now.
pub(super) fn early<T>(drawn: Option<T>) -> TractResult<T> {
    let why = "random numbers are drawn in a run only";
    drawn.ok_or_else(|| TooEarly::Other(why.to_string()).into())
}

/// The stream of a node.
pub(super) fn stream(node: &NodeProto) -> TractResult<Stream> {
    let stream = Stream::new(node.get_attr::<i64>(STREAM)?.cast_unsigned());
    let repeats = node.get_attr_opt::<i64>(REPEATS)? == Some(1);
    Ok(if repeats { stream.repeating() } else { stream })
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
enum Drawn {
    Law(Law),
    /// The input holds the probabilities.
    Bernoulli,
}

/// One drawing node: its output has the shape given, or else that of its input.
#[derive(Clone, Debug, PartialEq)]
struct Draw {
    drawn: Drawn,
    element: Option<DatumType>,
    shape: Option<TVec<usize>>,
    stream: Stream,
}

// The floats are attributes of one node, never NaN after `build`.
impl Eq for Draw {}

/// Builds any of [`crate::onnx::RANDOM_OPERATORS`] but Multinomial.
pub(in crate::verify) fn build(
    _: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let number = |name: &str, default: f32| -> TractResult<f64> {
        let value = f64::from(node.get_attr_opt::<f32>(name)?.unwrap_or(default));
        ensure!(value.is_finite(), "{name} is {value}");
        Ok(value)
    };
    let drawn = match node.op_type.as_str() {
        "Bernoulli" => Drawn::Bernoulli,
        name if name.starts_with("RandomNormal") => Drawn::Law(Law::Normal {
            mean: number("mean", 0.0)?,
            scale: number("scale", 1.0)?,
        }),
        _ => Drawn::Law(Law::Uniform {
            low: number("low", 0.0)?,
            high: number("high", 1.0)?,
        }),
    };
    let like = drawn == Drawn::Bernoulli || node.op_type.ends_with("Like");
    let shape = if like {
        None
    } else {
        Some(node.get_attr_slice::<i64>("shape")?)
    };
    let shape = shape.map(|dims| dims.iter().map(|&d| usize::try_from(d)).collect());
    let element = node.get_attr_opt::<i32>("dtype")?.filter(|&e| e != 0);
    let element = element
        .map(|e| DataType::try_from(e)?.try_into())
        .transpose()?;
    let draw = Draw {
        drawn,
        element: if like {
            element
        } else {
            element.or(Some(DatumType::F32))
        },
        shape: shape.transpose()?,
        stream: stream(node)?,
    };
    Ok((expand(draw), vec![]))
}

impl Expansion for Draw {
    fn name(&self) -> StaticName {
        "Draw".into()
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
        check_input_arity(inputs, usize::from(self.shape.is_none()))?;
        check_output_arity(outputs, 1)?;
        match &self.shape {
            Some(shape) => {
                let shape: TVec<TDim> = shape.iter().map(|&dim| dim.to_dim()).collect();
                solver.equals(&outputs[0].shape, shape)?;
            }
            None => solver.equals(&outputs[0].shape, &inputs[0].shape)?,
        }
        match self.element {
            Some(element) => solver.equals(&outputs[0].datum_type, element),
            None => solver.equals(&outputs[0].datum_type, &inputs[0].datum_type),
        }
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let stream = self.stream.next();
        model.wire_node(
            prefix,
            Draw {
                stream,
                ..self.clone()
            },
            inputs,
        )
    }
}

impl Op for Draw {
    fn name(&self) -> StaticName {
        "Draw".into()
    }

    fn validation(&self) -> Validation {
        Validation::Random
    }

    op_as_typed_op!();
}

impl EvalOp for Draw {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = inputs.first();
        let shape: TVec<usize> = match (&self.shape, input) {
            (Some(shape), _) => shape.clone(),
            (None, Some(input)) => input.shape().into(),
            (None, None) => bail!("an input is missing"),
        };
        let count = shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))
            .context("too large")?;
        let drawn = match self.drawn {
            Drawn::Law(law) => early(law.draw(self.stream, count))?,
            Drawn::Bernoulli => {
                let input = input.context("an input is missing")?;
                let chances = input.cast_to::<f64>()?.into_owned();
                let chances = chances.try_as_plain_ram()?;
                let (low, high) = (0.0, 1.0);
                let drawn = early(Law::Uniform { low, high }.draw(self.stream, count))?;
                let pairs = drawn.into_iter().zip(chances.as_slice::<f64>()?);
                pairs
                    .map(|(drawn, &chance)| f64::from(u8::from(drawn < chance)))
                    .collect()
            }
        };
        let element = self
            .element
            .or(input.map(|input| input.datum_type()))
            .context("no element type")?;
        let drawn = Tensor::from_shape(&shape, &drawn)?;
        Ok(tvec!(drawn.cast_to_dt(element)?.into_owned().into_tvalue()))
    }
}

impl TypedOp for Draw {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let input = inputs.first();
        let element = self
            .element
            .or(input.map(|input| input.datum_type))
            .context("no element type")?;
        Ok(tvec!(match (&self.shape, input) {
            (Some(shape), _) => element.fact(shape),
            (None, Some(input)) => element.fact(input.shape.clone()),
            (None, None) => bail!("an input is missing"),
        }))
    }
}
