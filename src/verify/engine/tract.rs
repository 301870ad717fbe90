//! A model on its way through tract, in this process.

#[cfg(test)]
mod needed;
mod proto;
mod support;

use std::path::Path;
use std::sync::Arc;

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;
use tract_onnx::tract_hir::internal::{InferenceOp, TypedSimplePlan};

use super::backend::{About, Engine, Read, Ready, Values};
use super::copy::Copy;
use super::draws::{DRAW, DROP, in_run, numbering};
use super::guard;
use super::mend::{self, Repair};
use super::operators::{branches, own, sequences, sizes, unrolled, watch};
use super::port::ports;
use super::{Meaning, Mode, Port, Shapes, Stop, Subject, TRACT, Unrunnable, Value};
use crate::interrupt;
use crate::onnx::Model;

/// Reads a node of an operator.
type Build = fn(&ParsingContext, &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// tract, and what it needs.
pub(super) struct Tract {
    repairs: Vec<&'static Repair>,
    /// Operators that it lacks, or that take the place of its own.
    given: Vec<(&'static str, Build)>,
}

impl Tract {
    pub(super) fn new() -> Tract {
        let sequences = sequences::ALL.map(|name| (name, sequences::build as Build));
        let mut given = Vec::from(sequences);
        given.extend([
            ("If", branches::build as Build),
            ("Loop", unrolled::build),
            ("Shape", sizes::shape),
        ]);
        Tract {
            repairs: mend::TRACT.iter().copied().flatten().collect(),
            given,
        }
    }
}

/// A model that tract has parsed, its symbolic dimensions still open.
struct Graph {
    model: InferenceModel,
    ports: Vec<Port>,
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
        for name in [DROP, DRAW, watch::OPERATOR] {
            onnx.op_register.insert(name, own::build);
        }
        for &(name, build) in &self.given {
            onnx.op_register.insert(name, build);
        }
        let copy = Copy::of(subject.source, meaning, &self.repairs)?;
        let folder = subject.folder.map(Path::to_path_buf);
        let edited = Model::read_in(copy.source()?, folder)?;
        support::check(&edited, &onnx.op_register)?;
        let ports = ports(&edited)?;
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
            ports: ports.clone(),
            outputs: outputs.map(|output| output.name.to_string()).collect(),
            notes: copy.notes,
            random: copy.random,
        };
        let model = parsed.model;
        let graph = Graph { model, ports, mode };
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
    fn ready(mut self: Box<Self>, shapes: &Shapes) -> Result<Box<dyn Ready>, Stop> {
        let mut facts = Vec::with_capacity(self.ports.len());
        for port in &self.ports {
            let shape = shapes.inputs.get(&port.name).zip(port.datum());
            let (shape, datum) = shape
                .ok_or_else(|| Unrunnable::new(format!("input {} has no shape", port.name)))?;
            facts.push(InferenceFact::dt_shape(datum, shape));
        }
        let inputs = self.ports.iter().map(|port| port.name.clone()).collect();
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
