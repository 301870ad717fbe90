//! The engine's own noise: how far the outputs of one model lie apart if it is computed differently,
//! without optimisation and from inputs that are rounded differently. A result that lies no further away
//! from the original differs by rounding alone.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tract_onnx::prelude::{DatumType, Tensor, f16};

use super::Settings;
use crate::verify::engine::{Mode, Runnable, Shapes, Subject, Value, Values, elements};

/// How many variants of a run are made.
const VARIANTS: u64 = 3;

/// How far beyond the noise that was seen in it an element may lie: the variants are a small sample.
const MARGIN: f64 = 16.0;

/// How far beyond the noise of almost all elements any element may lie.
const COMMON: f64 = 4.0;

/// Variants of the runs of a model.
pub(super) struct Noise<'a> {
    subject: &'a Subject<'a>,
    settings: &'a Settings,
    mode: Mode,
    shapes: Shapes,
    /// The model without optimisation, once it was asked for; `None` in it if it cannot be run.
    loaded: Option<Option<Runnable>>,
    /// The distances allowed in the run that was looked at last, by output.
    last: Option<(usize, Vec<Vec<f64>>)>,
}

impl<'a> Noise<'a> {
    /// `mode` is how the model was run.
    pub(super) fn new(
        subject: &'a Subject<'a>,
        settings: &'a Settings,
        mode: Mode,
        shapes: Shapes,
    ) -> Self {
        Noise {
            subject,
            settings,
            mode: mode.plain(),
            shapes,
            loaded: None,
            last: None,
        }
    }

    /// How far each element of each output may lie from what a run computed from these inputs; `None` if
    /// there is no other way to compute it.
    pub(super) fn around(
        &mut self,
        inputs: &Values,
        run: usize,
        computed: &[Value],
    ) -> Option<&[Vec<f64>]> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != run) {
            self.last = Some((run, self.seen(inputs, run, computed)?));
        }
        self.last.as_ref().map(|(_, allowed)| allowed.as_slice())
    }

    fn seen(&mut self, inputs: &Values, run: usize, computed: &[Value]) -> Option<Vec<Vec<f64>>> {
        let Noise {
            subject,
            settings,
            mode,
            ..
        } = *self;
        let loaded = self.loaded.get_or_insert_with(|| {
            let host = &settings.host;
            host.load(subject, settings.meaning, mode, &self.shapes)
                .ok()
        });
        let runnable = loaded.as_ref()?;
        let computed: Vec<Vec<f64>> = computed.iter().map(Value::to_f64).collect();
        let quiet = |output: &Vec<f64>| vec![0.0; output.len()];
        let mut noise: Vec<Vec<f64>> = computed.iter().map(quiet).collect();
        for variant in 0..VARIANTS {
            let nudged = inputs.iter().map(|(name, value)| {
                let value = match variant {
                    0 => value.clone(),
                    _ => nudged(value, settings.seed ^ variant),
                };
                (name.clone(), value)
            });
            let outputs = runnable.run(&nudged.collect(), run as u64).ok()?;
            for ((noise, computed), other) in noise.iter_mut().zip(&computed).zip(&outputs) {
                for ((noise, one), two) in noise.iter_mut().zip(computed).zip(other.to_f64()) {
                    *noise = f64::max(*noise, (one - two).abs()); // NaN counts as none
                }
            }
        }
        Some(noise.into_iter().map(allowed).collect())
    }
}

/// The distances allowed for the noise that was seen. An element may be quiet by chance, so the noise of
/// the others counts, except for the loudest hundredth, which may lie near a pole.
fn allowed(noise: Vec<f64>) -> Vec<f64> {
    let mut sorted = noise.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let common = sorted.get(sorted.len() * 99 / 100).copied();
    let common = COMMON * common.unwrap_or_default();
    let noise = noise.into_iter();
    noise
        .map(|noise| f64::max(MARGIN * noise, common))
        .collect()
}

/// A value with each float one unit in the last place up or down.
fn nudged(value: &Value, seed: u64) -> Value {
    let mut generator = SmallRng::seed_from_u64(seed);
    macro_rules! nudge {
        ($float:ty, $from:expr) => {{
            let elements = elements::<$float>(&value.0).iter();
            let epsilon = f64::from(<$float>::EPSILON);
            let nudged = elements.map(|&x| {
                let up = if generator.random() {
                    epsilon
                } else {
                    -epsilon
                };
                $from(f64::from(x) * (1.0 + up))
            });
            Tensor::from_shape(value.shape(), &nudged.collect::<Vec<$float>>()).ok()
        }};
    }
    let nudged = match value.0.datum_type() {
        DatumType::F16 => nudge!(f16, f16::from_f64),
        DatumType::F32 => nudge!(f32, |x| x as f32),
        DatumType::F64 => nudge!(f64, |x| x),
        _ => None,
    };
    nudged.map_or_else(|| value.clone(), Value)
}
