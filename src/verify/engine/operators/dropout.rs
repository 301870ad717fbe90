//! A complete `Dropout` for tract, in place of its own: every version, the mask, and training.
//!
//! | since opset | trains when | ratio | mask |
//! |---|---|---|---|
//! | 1, 6 | `is_test` is 0, the default | attribute, 0.5 | element type of the data |
//! | 7 | never | | element type of the data |
//! | 10 | never | | bool |
//! | 12, 13, 22 | input `training_mode` is true | input, 0.5 | bool |
//!
//! In inference the output is the input and the mask is all true. That is wired as nothing at all:
//! a model with dropout and the same model without it become the same graph. In training an
//! element is dropped with probability `ratio`, and is 0 then, even where it was infinite or NaN;
//! the others are multiplied by `1 / (1 - ratio)`. Source: the ONNX operator changelog.

use tract_onnx::model::{ParsingContext, optional_inputs};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::array::MultiBroadcastTo;
use tract_onnx::tract_hir::internal::*;

use super::random::{early, stream};
use crate::verify::engine::copy::{ALWAYS, NEVER, RATE, TRAINING, VERSION};
use crate::verify::engine::draws::{Stream, kept};

/// One node, its inputs and outputs by position among those that are present.
#[derive(Clone, Debug, PartialEq)]
struct Dropout {
    /// Whether the output and the mask are wanted.
    wanted: [bool; 2],
    boolean_mask: bool,
    ratio: Setting<f64>,
    training: Setting<bool>,
    inputs: usize,
    stream: Stream,
}

/// A value known when the model is read, or the position of the input that holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Setting<T> {
    Known(T),
    Input(usize),
}

// A ratio that is NaN is refused by `build`.
impl Eq for Dropout {}

/// Reads a node which carries the marks of `engine::copy`.
pub(in crate::verify) fn build(
    _: &ParsingContext,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let version = node.get_attr::<i64>(VERSION)?;
    let trains = node.get_attr::<i64>(TRAINING)?;
    let mut optional = optional_inputs(node);
    ensure!(
        optional.next().flatten() == Some(0),
        "Dropout has no data input"
    );
    let [ratio_input, training_input] = [optional.next().flatten(), optional.next().flatten()];
    let (ratio, training) = if version >= 12 {
        (
            ratio_input.map_or(Setting::Known(0.5), Setting::Input),
            training_input.map_or(Setting::Known(false), Setting::Input),
        )
    } else {
        let ratio = node.get_attr_opt::<f32>("ratio")?.unwrap_or(0.5);
        let is_test = node.get_attr_opt::<i64>("is_test")?.unwrap_or(0);
        (
            Setting::Known(f64::from(ratio)),
            Setting::Known(version < 7 && is_test == 0),
        )
    };
    let ratio = match node.get_attr_opt::<i64>(RATE)? {
        Some(bits) => Setting::Known(f64::from_bits(bits.cast_unsigned())),
        None => ratio,
    };
    let wants = |index: usize| node.output.get(index).is_some_and(|name| !name.is_empty());
    let dropout = Dropout {
        wanted: [wants(0), wants(1)],
        boolean_mask: version >= 10,
        ratio,
        training: match trains {
            NEVER => Setting::Known(false),
            ALWAYS => Setting::Known(true),
            _ => training,
        },
        inputs: node.input.iter().filter(|name| !name.is_empty()).count(),
        stream: stream(node)?,
    };
    if trains != NEVER
        && let Setting::Known(ratio) = dropout.ratio
    {
        check_ratio(ratio)?;
    }
    Ok((expand(dropout), vec![]))
}

fn check_ratio(ratio: f64) -> TractResult<f64> {
    ensure!(
        (0.0..1.0).contains(&ratio),
        "Dropout has ratio {ratio}, which is not in [0, 1)"
    );
    Ok(ratio)
}

impl Dropout {
    fn mask_type(&self, data: DatumType) -> DatumType {
        if self.boolean_mask {
            DatumType::Bool
        } else {
            data
        }
    }

    /// The outputs of a site that drops nothing.
    fn pass(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        data: OutletId,
    ) -> TractResult<TVec<OutletId>> {
        let mut outputs = tvec!();
        if self.wanted[0] {
            outputs.push(data);
        }
        if self.wanted[1] {
            let fact = model.outlet_fact(data)?.clone();
            let one = tensor0(true)
                .cast_to_dt(self.mask_type(fact.datum_type))?
                .into_owned();
            let one = model.add_const(format!("{prefix}.keep"), one)?;
            let all = MultiBroadcastTo::new(fact.shape);
            outputs.push(model.wire_node(format!("{prefix}.mask"), all, &[one])?[0]);
        }
        Ok(outputs)
    }

    /// Whether the inputs known by now determine that nothing is ever dropped.
    fn is_inert(&self, model: &TypedModel, inputs: &[OutletId]) -> TractResult<bool> {
        let known = |input: usize| -> TractResult<Option<Arc<Tensor>>> {
            let outlet = inputs.get(input).context("an input is missing")?;
            Ok(model.outlet_fact(*outlet)?.konst.clone())
        };
        let training = match self.training {
            Setting::Known(training) => Some(training),
            Setting::Input(input) => known(input)?.map(|t| t.cast_to_scalar()).transpose()?,
        };
        let ratio = match self.ratio {
            Setting::Known(ratio) => Some(ratio),
            Setting::Input(input) => known(input)?.map(|t| t.cast_to_scalar()).transpose()?,
        };
        Ok(training == Some(false) || ratio == Some(0.0))
    }
}

impl Expansion for Dropout {
    fn name(&self) -> StaticName {
        "Dropout".into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.wanted.iter().filter(|wanted| **wanted).count())
    }

    fn runs_out_of_plan(&self) -> bool {
        self.training == Setting::Known(false)
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, self.inputs)?;
        check_output_arity(outputs, self.nboutputs()?)?;
        for output in outputs {
            solver.equals(&inputs[0].shape, &output.shape)?;
        }
        let mut outputs = outputs.iter();
        if let (true, Some(output)) = (self.wanted[0], outputs.next()) {
            solver.equals(&inputs[0].datum_type, &output.datum_type)?;
        }
        match outputs.next_back() {
            Some(mask) if self.wanted[1] && self.boolean_mask => {
                solver.equals(&mask.datum_type, DatumType::Bool)
            }
            Some(mask) if self.wanted[1] => solver.equals(&inputs[0].datum_type, &mask.datum_type),
            _ => Ok(()),
        }
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let data = *inputs.first().context("Dropout has no data input")?;
        if self.is_inert(model, inputs)? {
            self.pass(prefix, model, data)
        } else {
            let stream = self.stream.next();
            model.wire_node(
                prefix,
                Dropout {
                    stream,
                    ..self.clone()
                },
                inputs,
            )
        }
    }
}

impl Op for Dropout {
    fn name(&self) -> StaticName {
        "Dropout".into()
    }

    fn validation(&self) -> Validation {
        Validation::Random
    }

    op_as_typed_op!();
}

impl EvalOp for Dropout {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = |index: usize| inputs.get(index).context("an input is missing");
        let data = input(0)?;
        let training = match self.training {
            Setting::Known(training) => training,
            Setting::Input(index) => input(index)?.cast_to_scalar::<bool>()?,
        };
        let ratio = match self.ratio {
            Setting::Known(ratio) => ratio,
            Setting::Input(index) => input(index)?.cast_to_scalar::<f64>()?,
        };
        let ratio = if training { check_ratio(ratio)? } else { 0.0 };
        let keep = early(kept(self.stream, ratio, data.len()))?;
        let mut outputs = tvec!();
        if self.wanted[0] {
            let scale = 1.0 / (1.0 - ratio);
            outputs.push(
                match data.datum_type() {
                    DatumType::F16 => {
                        // As ONNX Runtime: computed with 32 bits, rounded once.
                        let wide = data.cast_to::<f32>()?.into_owned();
                        masked::<f32>(&wide, &keep, scale as f32)?
                            .cast_to::<f16>()?
                            .into_owned()
                    }
                    DatumType::F32 => masked::<f32>(data, &keep, scale as f32)?,
                    DatumType::F64 => masked::<f64>(data, &keep, scale)?,
                    other => bail!("Dropout of {other:?} elements"),
                }
                .into_tvalue(),
            );
        }
        if self.wanted[1] {
            let mask = Tensor::from_shape(data.shape(), &keep)?;
            outputs.push(
                mask.cast_to_dt(self.mask_type(data.datum_type()))?
                    .into_owned()
                    .into_tvalue(),
            );
        }
        Ok(outputs)
    }
}

fn masked<T>(data: &Tensor, keep: &[bool], scale: T) -> TractResult<Tensor>
where
    T: Datum + Copy + Default + std::ops::Mul<Output = T>,
{
    let view = data.try_as_plain_ram()?;
    let elements = view.as_slice::<T>()?.iter().zip(keep);
    let elements: Vec<T> = elements
        .map(|(&x, &kept)| if kept { x * scale } else { T::default() })
        .collect();
    Tensor::from_shape(data.shape(), &elements)
}

impl TypedOp for Dropout {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let data = inputs.first().context("Dropout has no data input")?;
        let types = [data.datum_type, self.mask_type(data.datum_type)];
        let wanted = types
            .into_iter()
            .zip(self.wanted)
            .filter(|(_, wanted)| *wanted);
        Ok(wanted
            .map(|(element, _)| element.fact(data.shape.clone()))
            .collect())
    }

    /// What optimising the rest made known may show that this site drops nothing.
    fn declutter(
        &self,
        model: &TypedModel,
        node: &TypedNode,
    ) -> TractResult<Option<TypedModelPatch>> {
        if !self.is_inert(model, &node.inputs)? {
            return Ok(None);
        }
        let mut patch = TypedModelPatch::default();
        let data = patch.tap_model(model, node.inputs[0])?;
        let outputs = self.pass(&node.name, &mut patch.model, data)?;
        for (slot, output) in outputs.into_iter().enumerate() {
            patch.shunt_outside(model, OutletId::new(node.id, slot), output)?;
        }
        Ok(Some(patch))
    }
}
