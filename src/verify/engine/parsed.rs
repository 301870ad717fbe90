//! A model on its way through tract.

use std::collections::BTreeMap;
use std::sync::Arc;

use tract_onnx::model::ParseResult;
use tract_onnx::pb;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;
use tract_onnx::tract_hir::internal::TypedSimplePlan;

use super::prepare::DimNames;
use super::weights::Weights;
use super::{Fill, Meaning, Mode, Port, Shapes, Stop, Subject, Unrunnable, Value};
use super::{decode, guard, inline, lacks, prepare, shapes};
use crate::error::{Error, ErrorKind};
use crate::interrupt;
use crate::onnx::RANDOM_OPERATORS;
use crate::verify::{operator, random, watch};

/// A model that tract has parsed, its symbolic dimensions still open.
pub struct Parsed {
    model: InferenceModel,
    names: DimNames,
    ports: Vec<Port>,
    outputs: Vec<String>,
    notes: Vec<String>,
    random: BTreeMap<String, usize>,
    mode: Mode,
}

/// A model ready to run.
pub struct Runnable {
    plan: Arc<TypedSimplePlan>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// Values by name.
pub type Values = BTreeMap<String, Value>;

impl Parsed {
    /// Decodes a model, checks that tract has what it needs, and parses it. Of the file no more
    /// than 1 MiB is in memory beside the decoded model, and of the decoded model nothing is left
    /// at the end: the weights are held once.
    ///
    /// # Errors
    /// The source cannot be read; or tract cannot read the model, lacks an operator or an element
    /// type it uses, or misses a value.
    pub fn read(subject: &Subject, meaning: Meaning, mode: Mode) -> Result<Parsed, Stop> {
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
        let ports = ports(&model, &names)?;
        Ok(Parsed {
            model,
            names,
            ports,
            outputs,
            notes,
            random,
            mode,
        })
    }

    /// The inputs to feed, in the order of the graph. An input with an initializer keeps it.
    pub fn inputs(&self) -> &[Port] {
        &self.ports
    }

    /// Names of the outputs, in the order of the graph.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// What a reader of the result should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Operators that draw random numbers, other than Dropout, and how often they occur.
    pub fn random_operators(&self) -> &BTreeMap<String, usize> {
        &self.random
    }

    /// The same in words: `Bernoulli ×1, RandomNormal ×2`; `None` if there are none.
    pub fn draws(&self) -> Option<String> {
        let counts = self.random.iter();
        let counts: Vec<String> = counts.map(|(name, n)| format!("{name} ×{n}")).collect();
        (!counts.is_empty()).then(|| counts.join(", "))
    }

    /// Sizes for all inputs: `given` by input, then `dims` by the name of the dimension, the rest
    /// from `fill`.
    ///
    /// # Errors
    /// A name that is not the model's, or a shape that contradicts it or another; an input too
    /// large, or declared without a shape and not given one.
    pub fn choose(
        &self,
        dims: &BTreeMap<String, usize>,
        given: &BTreeMap<String, Vec<usize>>,
        fill: Fill,
    ) -> Result<Shapes, Stop> {
        shapes::choose(&self.ports, &self.names, dims, given, fill)
    }

    /// Analyses and optimises the model for these shapes.
    ///
    /// # Errors
    /// A shape is missing, or tract cannot.
    pub fn runnable(mut self, shapes: &Shapes) -> Result<Runnable, Unrunnable> {
        let symbols = shapes::substitution(&self.ports, &self.names, shapes);
        let inputs: Vec<String> = self.ports.iter().map(|port| port.name.clone()).collect();
        let mut facts = Vec::with_capacity(self.ports.len());
        for port in &self.ports {
            let Some(shape) = shapes.inputs.get(&port.name) else {
                return Err(Unrunnable::new(format!("input {} has no shape", port.name)));
            };
            facts.push(InferenceFact::dt_shape(port.datum, shape));
        }
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
            Ok(Ok(plan)) => Ok(Runnable {
                plan,
                inputs,
                outputs: self.outputs,
            }),
            Ok(Err(error)) => Err(Unrunnable::tract("analyse", Ok(error))),
            Err(panic) => Err(Unrunnable::tract("analyse", Err(panic))),
        }
    }
}

/// Where tract looks for external data. It wants a folder even where there is none.
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

fn ports(model: &InferenceModel, names: &DimNames) -> Result<Vec<Port>, Unrunnable> {
    let outlets = model.inputs.iter();
    let port = outlets.map(|&outlet| {
        let fact = model
            .outlet_fact(outlet)
            .map_err(|error| Unrunnable::tract("load", Ok(error)))?;
        Port::new(&model.node(outlet.node).name, fact, names)
    });
    port.collect()
}

impl Runnable {
    /// Node by node, unless somebody asks to stop.
    fn compute(&self, fed: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut state = self.plan.spawn()?;
        state.run_plan_with_eval(fed, |context, state, node, input| -> TractResult<_> {
            interrupt::check()?;
            eval(context, state, node, input)
        })
    }

    /// Names of the inputs.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Names of the outputs, in the order of the graph.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// Computes the outputs, in the order of the graph. `run` numbers the draws: the same number
    /// draws the same masks and random numbers, another number others.
    ///
    /// # Errors
    /// An input is missing (a usage error), or tract cannot.
    pub fn run(&self, inputs: &Values, run: u64) -> Result<Vec<Value>, Stop> {
        Ok(self.run_watched(inputs, run)?.0)
    }

    /// As [`Runnable::run`]; and what watching nodes saw.
    pub(in crate::verify) fn run_watched(
        &self,
        inputs: &Values,
        run: u64,
    ) -> Result<(Vec<Value>, Vec<watch::Seen>), Stop> {
        let mut fed = TVec::new();
        for name in &self.inputs {
            let Some(value) = inputs.get(name) else {
                let why = format!("there is no value for input {name}");
                return Err(Error::new(ErrorKind::Usage, why).into());
            };
            fed.push(value.0.clone().into_tvalue());
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
