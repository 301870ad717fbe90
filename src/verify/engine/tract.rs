//! A model on its way through tract, in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::model::ParseResult;
use tract_onnx::pb;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;
use tract_onnx::tract_hir::internal::TypedSimplePlan;

use super::backend::{About, Read, Ready, Values};
use super::prepare::DimNames;
use super::shapes::Declared;
use super::weights::Weights;
use super::{Fill, Meaning, Mode, Shapes, Stop, Subject, Unrunnable, Value};
use super::{decode, guard, inline, lacks, prepare, shapes};
use crate::interrupt;
use crate::onnx::RANDOM_OPERATORS;
use crate::verify::{operator, random, watch};

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

impl Graph {
    /// Decodes a model, checks that tract has what it needs, and parses it.
    pub(super) fn read(
        subject: &Subject,
        meaning: Meaning,
        mode: Mode,
    ) -> Result<(About, Graph), Stop> {
        let decode::Decoded {
            mut proto,
            functions,
        } = decode::model(subject.source)?;
        proto.training_info.clear();
        let mut notes = prepare::versions(&mut proto);
        inline::inline(&mut proto, &functions)?;
        let Some(graph) = &mut proto.graph else {
            return Err(Unrunnable::new("the model has no graph").into());
        };
        let mut onnx = tract_onnx::onnx()
            .with_ignore_value_info(mode != Mode::Optimised)
            .with_ignore_output_shapes(true);
        onnx.op_register.insert("Dropout", operator::build);
        onnx.op_register.insert(watch::OPERATOR, watch::build);
        for name in RANDOM_OPERATORS
            .iter()
            .filter(|name| **name != "Multinomial")
        {
            onnx.op_register.insert(name, random::build);
        }
        let names = prepare::shapes(graph);
        prepare::tensors(graph);
        prepare::casts(graph);
        notes.extend(prepare::batch_norms(graph));
        lacks::check(graph, &onnx.op_register)?;
        prepare::streams(graph, meaning);
        prepare::names(graph);
        let random = lacks::random_operators(graph);
        let outputs: Vec<String> = graph
            .output
            .iter()
            .map(|output| output.name.clone())
            .collect();

        let folder = folder(subject, graph)?;
        onnx.provider = Arc::new(Weights::take(graph));
        let parsed = guard(|| onnx.parse(&proto, Some(folder)));
        let ParseResult {
            model,
            unresolved_inputs,
            ..
        } = match parsed {
            Ok(Ok(parsed)) => parsed,
            Ok(Err(error)) => return Err(Unrunnable::tract("load", Ok(error)).into()),
            Err(panic) => return Err(Unrunnable::tract("load", Err(panic)).into()),
        };
        drop(proto);
        if let Some(name) = unresolved_inputs.first() {
            return Err(Unrunnable::new(format!(
                "nothing defines the value {name}, which the model uses"
            ))
            .into());
        }
        let inputs = inputs(&model, &names)?;
        let about = About {
            ports: inputs.iter().map(|input| input.port.clone()).collect(),
            outputs,
            notes,
            random,
        };
        let graph = Graph {
            model,
            names,
            inputs,
            mode,
        };
        Ok((about, graph))
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
        let prepared = guard(move || {
            self.model.set_symbols(&symbols)?;
            for (index, fact) in facts.into_iter().enumerate() {
                self.model.set_input_fact(index, fact)?;
            }
            let typed = self.model.into_typed()?;
            let typed = match mode {
                Mode::Optimised | Mode::IgnoringValueInfo => typed.into_optimized()?,
                Mode::Decluttered => typed.into_decluttered()?,
            };
            TypedSimplePlan::new(typed)
        });
        match prepared {
            Ok(Ok(plan)) => Ok(Box::new(Plan { plan, inputs })),
            Ok(Err(error)) => Err(Unrunnable::tract("analyse", Ok(error)).into()),
            Err(panic) => Err(Unrunnable::tract("analyse", Err(panic)).into()),
        }
    }
}

/// The folder where tract looks for external data. It requires one in any case.
fn folder<'s>(subject: &Subject<'s>, graph: &pb::GraphProto) -> Result<&'s str, Unrunnable> {
    match subject.folder {
        None => match lacks::external(graph) {
            None => Ok("."),
            Some(tensor) => {
                let why =
                    format!("{tensor} lies in another file, and there is no folder to look in");
                Err(Unrunnable::new(why))
            }
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
        let work = || random::in_run(run, || watch::seeing(|| self.compute(fed)));
        let (outputs, seen) = match guard(work) {
            Ok((outputs, seen)) => (Ok(outputs), seen),
            Err(panic) => (Err(panic), Vec::new()),
        };
        interrupt::check()?;
        let outputs = match outputs {
            Ok(Ok(outputs)) => outputs,
            Ok(Err(error)) => return Err(Unrunnable::tract("run", Ok(error)).into()),
            Err(panic) => return Err(Unrunnable::tract("run", Err(panic)).into()),
        };
        let plain = outputs.into_iter().map(|output| {
            let tensor = output.into_tensor();
            let tensor = match tensor.datum_type() {
                // tract's own type for sizes.
                DatumType::TDim => tensor.cast_to::<i64>().map(|sizes| sizes.into_owned()),
                _ => Ok(tensor),
            };
            tensor.and_then(|tensor| tensor.into_plain_ram()).map(Value)
        });
        let plain: TractResult<Vec<Value>> = plain.collect();
        match plain {
            Ok(plain) => Ok((plain, seen)),
            Err(error) => Err(Unrunnable::tract("run", Ok(error)).into()),
        }
    }
}
