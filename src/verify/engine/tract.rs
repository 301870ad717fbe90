//! A model on its way through tract, in this process.

#[cfg(test)]
mod needed;
mod proto;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;
use tract_onnx::tract_hir::internal::TypedSimplePlan;

use super::backend::{About, Engine, Read, Ready, Values};
use super::copy::Copy;
use super::draws::{in_run, numbering};
use super::mend::Repair;
use super::operators::{branches, dropout, random, sequences, sizes, unrolled, watch};
use super::port::{Declared, Inputs};
use super::{Fill, Meaning, Mode, Shapes, Stop, Subject, TRACT, Unrunnable, Value};
use super::{guard, shapes};
use crate::interrupt;
use crate::onnx::{Model, RANDOM_OPERATORS};

/// tract, and the repairs that it needs.
pub(super) struct Tract(pub(super) Vec<&'static Repair>);

/// A model that tract has parsed, its symbolic dimensions still open.
struct Graph {
    model: InferenceModel,
    inputs: Inputs,
    mode: Mode,
}

/// A model that tract has optimised.
struct Plan {
    plan: Arc<TypedSimplePlan>,
    inputs: Vec<String>,
}

impl Engine for Tract {
    /// Reads a model, checks that tract has what it needs, and translates it.
    fn read(
        &self,
        subject: &Subject,
        meaning: Meaning,
        mode: Mode,
    ) -> Result<(About, Box<dyn Read>), Stop> {
        let mut onnx = tract_onnx::onnx();
        onnx.op_register.insert("Dropout", dropout::build);
        onnx.op_register.insert(watch::OPERATOR, watch::build);
        onnx.op_register.insert("Loop", unrolled::build);
        onnx.op_register.insert("If", branches::build);
        onnx.op_register.insert("Shape", sizes::shape);
        let draws = RANDOM_OPERATORS.iter();
        for name in draws.filter(|name| **name != "Multinomial") {
            onnx.op_register.insert(name, random::build);
        }
        for name in sequences::ALL {
            onnx.op_register.insert(name, sequences::build);
        }
        let copy = Copy::of(subject.source, meaning, &self.0)?;
        let folder = subject.folder.map(Path::to_path_buf);
        let edited = Model::read_in(copy.source(None)?, folder)?;
        support::check(&edited, &onnx.op_register)?;
        let inputs = Inputs::of(&edited)?;
        let (proto, weights) = proto::translated(&edited, copy.opset)?;
        onnx.provider = Arc::new(weights);
        let parsed = guard(|| onnx.parse(&proto, Some(proto::FOLDER)));
        drop(proto);
        let parsed = finished("load", parsed)?;
        if let Some(name) = parsed.unresolved_inputs.first() {
            let why = format!("nothing defines the value {name}, which the model uses");
            return Err(Unrunnable::new(why).into());
        }
        let outputs = edited.graph(edited.main()).outputs.iter();
        let about = About {
            engine: TRACT.to_string(),
            ports: inputs.ports(),
            outputs: outputs.map(|output| output.name.to_string()).collect(),
            notes: copy.notes,
            random: copy.random,
        };
        let model = parsed.model;
        let graph = Graph {
            model,
            inputs,
            mode,
        };
        Ok((about, Box::new(graph)))
    }
}

/// The result of a step of tract.
fn finished<T>(doing: &str, result: Result<TractResult<T>, String>) -> Result<T, Unrunnable> {
    match result {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Unrunnable::tract(doing, Ok(error))),
        Err(panic) => Err(Unrunnable::tract(doing, Err(panic))),
    }
}

impl Read for Graph {
    fn choose(
        &self,
        dims: &BTreeMap<String, usize>,
        given: &BTreeMap<String, Vec<usize>>,
        fill: Fill,
    ) -> Result<Shapes, Stop> {
        shapes::choose(&self.inputs.all, dims, given, fill)
    }

    fn ready(mut self: Box<Self>, shapes: &Shapes) -> Result<Box<dyn Ready>, Stop> {
        let mut facts = Vec::with_capacity(self.inputs.all.len());
        for Declared { port, datum, .. } in &self.inputs.all {
            let Some(shape) = shapes.inputs.get(&port.name) else {
                return Err(Unrunnable::new(format!("input {} has no shape", port.name)).into());
            };
            facts.push(InferenceFact::dt_shape(*datum, shape));
        }
        let inputs = self.inputs.all.iter().map(|input| input.port.name.clone());
        let inputs = inputs.collect();
        let mode = self.mode;
        let prepare = move || {
            for (index, fact) in facts.into_iter().enumerate() {
                self.model.set_input_fact(index, fact)?;
            }
            let typed = self.model.into_typed()?;
            let typed = match mode {
                Mode::Optimised => typed.into_optimized()?,
                Mode::Decluttered | Mode::OnnxRuntime => typed.into_decluttered()?,
            };
            TypedSimplePlan::new(typed)
        };
        let prepared = guard(|| numbering(prepare));
        let plan = finished("analyse", prepared)?;
        Ok(Box::new(Plan { plan, inputs }))
    }
}

impl Plan {
    /// Node by node, unless interrupted.
    fn compute(&self, fed: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut state = self.plan.spawn()?;
        state.run_plan_with_eval(fed, |context, state, node, input| -> TractResult<_> {
            interrupt::check()?;
            eval(context, state, node, input)
        })
    }
}

impl Ready for Plan {
    fn run(&self, inputs: &Values, run: u64) -> Result<(Vec<Value>, Vec<watch::Seen>), Stop> {
        let mut fed = TVec::new();
        for name in &self.inputs {
            let value = inputs.get(name);
            fed.extend(value.map(|value| value.0.clone().into_tvalue()));
        }
        let work = || in_run(run, || watch::seeing(|| self.compute(fed)));
        let (outputs, seen) = match guard(work) {
            Ok((outputs, seen)) => (Ok(outputs), seen),
            Err(panic) => (Err(panic), Vec::new()),
        };
        interrupt::check()?;
        let outputs = finished("run", outputs)?;
        let plain = outputs.into_iter().map(|output| {
            let tensor = output.into_tensor();
            let tensor = match tensor.datum_type() {
                // tract's own type for sizes.
                DatumType::TDim => tensor.cast_to::<i64>().map(|sizes| sizes.into_owned()),
                _ => Ok(tensor),
            };
            tensor.and_then(|tensor| tensor.into_plain_ram()).map(Value)
        });
        Ok((finished("run", Ok(plain.collect()))?, seen))
    }
}
