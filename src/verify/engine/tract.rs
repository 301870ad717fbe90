//! A model on its way through tract, in this process.

#[cfg(test)]
mod needed;

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::model::OnnxOpRegister;
use tract_onnx::pb;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;
use tract_onnx::tract_hir::internal::TypedSimplePlan;

use super::backend::{About, Engine, Read, Ready, Values};
use super::copy::Copy;
use super::draws::{in_run, numbering};
use super::mend::Repair;
use super::operators::{branches, dropout, random, unrolled, watch};
use super::port::Declared;
use super::prepare::DimNames;
use super::weights::Weights;
use super::{Fill, Meaning, Mode, Shapes, Stop, Subject, TRACT, Unrunnable, Value};
use super::{decode, guard, prepare, shapes, support};
use crate::interrupt;
use crate::onnx::RANDOM_OPERATORS;

/// tract, and the repairs that it needs.
pub(super) struct Tract(pub(super) Vec<&'static Repair>);

/// A model that tract has parsed, its symbolic dimensions still open.
pub(super) struct Graph {
    model: InferenceModel,
    names: DimNames,
    inputs: Vec<Declared>,
    mode: Mode,
}

/// A model that tract has optimised.
struct Plan {
    plan: Arc<TypedSimplePlan>,
    inputs: Vec<String>,
}

impl Engine for Tract {
    /// Decodes a model, checks that tract has what it needs, and parses it.
    fn read(
        &self,
        subject: &Subject,
        meaning: Meaning,
        mode: Mode,
    ) -> Result<(About, Box<dyn Read>), Stop> {
        let mut onnx = tract_onnx::onnx()
            .with_ignore_value_info(mode != Mode::Optimised)
            .with_ignore_output_shapes(true);
        onnx.op_register.insert("Dropout", dropout::build);
        onnx.op_register.insert(watch::OPERATOR, watch::build);
        onnx.op_register.insert("Loop", unrolled::build);
        onnx.op_register.insert("If", branches::build);
        let draws = RANDOM_OPERATORS.iter();
        for name in draws.filter(|name| **name != "Multinomial") {
            onnx.op_register.insert(name, random::build);
        }
        let copy = Copy::of(subject.source, meaning, &self.0)?;
        let mut proto: pb::ModelProto = decode(&copy.source(None)?)?;
        proto.training_info.clear();
        let Some(graph) = &mut proto.graph else {
            return Err(Unrunnable::new("the model has no graph").into());
        };
        let mut about = About {
            engine: TRACT.to_string(),
            notes: copy.notes,
            random: copy.random,
            ..About::default()
        };
        let names = prepared(graph, &mut about, &onnx.op_register)?;
        let folder = folder(subject, graph)?;
        onnx.provider = Arc::new(Weights::take(graph));
        let parsed = guard(|| onnx.parse(&proto, Some(folder)));
        drop(proto);
        let parsed = finished("load", parsed)?;
        if let Some(name) = parsed.unresolved_inputs.first() {
            let why = format!("nothing defines the value {name}, which the model uses");
            return Err(Unrunnable::new(why).into());
        }
        let inputs = inputs(&parsed.model, &names)?;
        about.ports = inputs.iter().map(|input| input.port.clone()).collect();
        let graph = Graph {
            model: parsed.model,
            names,
            inputs,
            mode,
        };
        Ok((about, Box::new(graph)))
    }
}

/// Makes a graph such that tract reads it right, and checks that tract can run it.
fn prepared(
    graph: &mut pb::GraphProto,
    about: &mut About,
    register: &OnnxOpRegister,
) -> Result<DimNames, Stop> {
    let names = prepare::shapes(graph);
    prepare::tensors(graph);
    prepare::casts(graph);
    prepare::scans(graph);
    about.notes.extend(prepare::batch_norms(graph));
    support::check(graph, register)?;
    prepare::names(graph);
    let outputs = graph.output.iter();
    about.outputs = outputs.map(|output| output.name.clone()).collect();
    Ok(names)
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
        shapes::choose(&self.inputs, &self.names, dims, given, fill)
    }

    fn ready(mut self: Box<Self>, shapes: &Shapes) -> Result<Box<dyn Ready>, Stop> {
        let symbols = shapes::substitution(&self.inputs, &self.names, shapes);
        let mut facts = Vec::with_capacity(self.inputs.len());
        for Declared { port, datum, .. } in &self.inputs {
            let Some(shape) = shapes.inputs.get(&port.name) else {
                return Err(Unrunnable::new(format!("input {} has no shape", port.name)).into());
            };
            facts.push(InferenceFact::dt_shape(*datum, shape));
        }
        let inputs = self.inputs.iter().map(|input| input.port.name.clone());
        let inputs = inputs.collect();
        let mode = self.mode;
        let prepare = move || {
            self.model.set_symbols(&symbols)?;
            for (index, fact) in facts.into_iter().enumerate() {
                self.model.set_input_fact(index, fact)?;
            }
            let typed = self.model.into_typed()?;
            let typed = match mode {
                Mode::Optimised | Mode::IgnoringValueInfo => typed.into_optimized()?,
                Mode::Decluttered | Mode::OnnxRuntime => typed.into_decluttered()?,
            };
            TypedSimplePlan::new(typed)
        };
        let prepared = guard(|| numbering(prepare));
        let plan = finished("analyse", prepared)?;
        Ok(Box::new(Plan { plan, inputs }))
    }
}

/// The folder where tract looks for external data. It requires one in any case.
fn folder<'s>(subject: &Subject<'s>, graph: &pb::GraphProto) -> Result<&'s str, Unrunnable> {
    match subject.folder {
        None => match support::external(graph) {
            None => Ok("."),
            Some(tensor) => Err(Unrunnable::no_folder(&tensor)),
        },
        Some(folder) if folder.as_os_str().is_empty() => Ok("."),
        Some(folder) => {
            let name = folder.to_str();
            name.ok_or_else(|| Unrunnable::new("tract wants a folder's name to be Unicode"))
        }
    }
}

fn inputs(model: &InferenceModel, names: &DimNames) -> Result<Vec<Declared>, Unrunnable> {
    let outlets = model.inputs.iter();
    let port = outlets.map(|&outlet| {
        let fact = model
            .outlet_fact(outlet)
            .map_err(|error| Unrunnable::tract("load", Ok(error)))?;
        Declared::new(&model.node(outlet.node).name, fact, names)
    });
    port.collect()
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
