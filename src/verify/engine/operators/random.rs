//! Random numbers that can be drawn again: the generator of Dropout in training, and our own
//! `RandomUniform`, `RandomNormal`, `…Like` and `Bernoulli` for tract.
//!
//! Every drawing node has a stream, derived from its name and the engine's seed. What it draws
//! depends on the stream, the number of the run and how often the node was evaluated in the run (a
//! Scan body evaluates it once a step), and on nothing else: not on which other nodes there are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::f64::consts::TAU;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::tract_hir::internal::*;
use xxhash_rust::xxh3::xxh3_64;

use super::with_slot;

/// The attribute that holds a node's stream.
pub(in crate::verify) const STREAM: &str = "dropout_onnx.stream";

struct Draws {
    run: u64,
    evaluations: HashMap<u64, u64>,
}

thread_local! {
    /// The run this thread is in. An operator of tract is given no place for it that reaches into
    /// the bodies of If and Scan; tract evaluates on the thread that called it.
    static DRAWS: RefCell<Option<Draws>> = const { RefCell::new(None) };
}

/// Evaluates a model with the draws of run number `run`.
pub(in crate::verify) fn in_run<T>(run: u64, work: impl FnOnce() -> T) -> T {
    let draws = Draws {
        run,
        evaluations: HashMap::new(),
    };
    with_slot(&DRAWS, draws, work).0
}

/// The generator for the next evaluation of the node with this stream.
///
/// # Errors
/// There is no run: tract tries to evaluate the node while it analyses the model, and must not.
pub(in crate::verify) fn generator(stream: u64) -> TractResult<SmallRng> {
    DRAWS.with_borrow_mut(|draws| {
        let Some(draws) = draws else {
            let why = "random numbers are drawn in a run only".to_string();
            return Err(tract_onnx::prelude::tract_data::TooEarly::Other(why).into());
        };
        let evaluation = draws.evaluations.entry(stream).or_default();
        *evaluation += 1;
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&stream.to_le_bytes());
        bytes[8..16].copy_from_slice(&draws.run.to_le_bytes());
        bytes[16..].copy_from_slice(&evaluation.to_le_bytes());
        Ok(SmallRng::seed_from_u64(xxh3_64(&bytes)))
    })
}

/// A number from N(0, 1), by Box and Muller's transform.
pub(in crate::verify) fn normal(generator: &mut SmallRng) -> f64 {
    let u: f64 = 1.0 - generator.random::<f64>(); // in (0, 1]: its logarithm is finite
    let v: f64 = generator.random();
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}

#[derive(Clone, Debug, PartialEq)]
enum Law {
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        scale: f64,
    },
    /// The input holds the probabilities.
    Bernoulli,
}

/// One drawing node: its output has the shape given, or else that of its input.
#[derive(Clone, Debug, PartialEq)]
struct Draw {
    law: Law,
    element: Option<DatumType>,
    shape: Option<TVec<usize>>,
    stream: u64,
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
    let law = match node.op_type.as_str() {
        "Bernoulli" => Law::Bernoulli,
        name if name.starts_with("RandomNormal") => Law::Normal {
            mean: number("mean", 0.0)?,
            scale: number("scale", 1.0)?,
        },
        _ => Law::Uniform {
            low: number("low", 0.0)?,
            high: number("high", 1.0)?,
        },
    };
    let like = law == Law::Bernoulli || node.op_type.ends_with("Like");
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
        law,
        element: if like {
            element
        } else {
            element.or(Some(DatumType::F32))
        },
        shape: shape.transpose()?,
        stream: node.get_attr::<i64>(STREAM)?.cast_unsigned(),
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
        model.wire_node(prefix, self.clone(), inputs)
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
        let mut generator = generator(self.stream)?;
        let drawn: Vec<f64> = match &self.law {
            Law::Uniform { low, high } => {
                let width = high - low;
                (0..count)
                    .map(|_| low + width * generator.random::<f64>())
                    .collect()
            }
            Law::Normal { mean, scale } => (0..count)
                .map(|_| mean + scale * normal(&mut generator))
                .collect(),
            Law::Bernoulli => {
                let chances = input
                    .context("an input is missing")?
                    .cast_to::<f64>()?
                    .into_owned();
                let chances = chances.try_as_plain_ram()?;
                let below = |&chance: &f64| f64::from(u8::from(generator.random::<f64>() < chance));
                chances.as_slice::<f64>()?.iter().map(below).collect()
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
