//! What holds for every model that is stripped.

use dropout_onnx::dropout::Site;
use dropout_onnx::onnx::{self, Values};
use dropout_onnx::rewrite::strip::{self, Options, Outcome};
use dropout_onnx::verify::{self, Demand, Verdict, run, structure};
use prost::Message;

use crate::common::proto::{Graph, Model, Node, ValueInfo};

/// A model that was stripped, and how.
pub struct Stripped {
    pub before: onnx::Model,
    pub after: Model,
    pub outcome: Outcome,
    pub sites: Vec<Site>,
    edited: onnx::Model,
}

/// Strips a model that tract runs.
#[track_caller]
pub fn strips(model: &Model) -> Stripped {
    strips_as(model, &Options::default())
}

/// As [`strips`], with other options.
#[track_caller]
pub fn strips_as(model: &Model, options: &Options) -> Stripped {
    let (stripped, outcome) = shown(model, options);
    assert_eq!(outcome, run::Outcome::Equal);
    stripped
}

/// Strips a model that tract cannot run because of this operator.
#[track_caller]
pub fn strips_unrun(model: &Model, stopped_by: &str) -> Stripped {
    let (stripped, outcome) = shown(model, &Options::default());
    match &outcome {
        run::Outcome::Unrunnable { operator, .. } => {
            assert_eq!(operator.as_deref(), Some(stopped_by), "{outcome}");
        }
        // the copy that is run has other nodes for it
        run::Outcome::Equal if MENDED.contains(&stopped_by) => {}
        // identical bytes are not run
        run::Outcome::Equal if stripped.outcome.is_unchanged() => {}
        _ => panic!("{outcome}, though tract was thought not to run it"),
    }
    stripped
}

/// Strips a model that tract cannot run for this reason.
#[track_caller]
pub fn strips_unrun_because(model: &Model, why: &str) -> Stripped {
    let (stripped, outcome) = shown(model, &Options::default());
    match &outcome {
        run::Outcome::Unrunnable { reason, .. } => assert!(reason.contains(why), "{reason}"),
        _ => panic!("{outcome}, though tract was thought not to run it"),
    }
    stripped
}

/// Operators that tract lacks, and that are mended where they can be.
const MENDED: [&str; 5] = [
    "Loop",
    "com.microsoft::BiasDropout",
    "com.microsoft::BitmaskDropout",
    "com.microsoft::BitmaskBiasDropout",
    "com.microsoft::TrainableDropout",
];

/// Why a model is refused.
pub fn refusal(model: &Model) -> String {
    let error = strip::strip(&model.read(), &Options::default());
    error.expect_err("strip should refuse this").to_string()
}

#[track_caller]
fn shown(model: &Model, options: &Options) -> (Stripped, run::Outcome) {
    let before = model.read();
    let stripped = strip::strip(&before, options).expect("strip");
    let bytes = bytes(&stripped.edited.rope);
    let after = Model::decode(&bytes[..]).expect("a decodable result");
    assert_eq!(after.dropouts(), 0, "{:#?}", after.lines());
    // graphs and functions may go as a whole, states one by one
    let (old, new) = (interfaces(model), interfaces(&after));
    if stripped.outcome.states.is_empty()
        && (old.0.len(), old.1.len()) == (new.0.len(), new.1.len())
    {
        assert_eq!(old, new, "an interface changed");
    }
    let (old, new) = (model.main(), after.main());
    assert_eq!((&old.input, &old.output), (&new.input, &new.output));
    let edited = stripped.edited.model();
    edited.check(&Values::new(edited)).expect("a sound result");
    let verification = verify::verify(
        &before,
        stripped.edited.model(),
        &verify::Options::default(),
    )
    .expect("verify");
    let structure = verification.structure.as_ref().expect("asked for");
    assert!(
        matches!(structure, structure::Verdict::Same { outputs } if *outputs > 0),
        "{structure:?}\n{:#?}",
        after.lines()
    );
    assert_eq!(verification.verdict(Demand::Rewrite), Verdict::Equal);
    let again = strip::strip(stripped.edited.model(), options).expect("strip again");
    assert!(again.outcome.is_unchanged(), "{:?}", again.outcome);
    assert!(
        self::bytes(&again.edited.rope) == bytes,
        "a second run changed bytes"
    );
    let outcome = match verification.run {
        Some(run) => run.outcome,
        None => {
            assert!(verification.identical && stripped.outcome.is_unchanged());
            run::Outcome::Equal
        }
    };
    let stripped = Stripped {
        before,
        after,
        outcome: stripped.outcome,
        sites: stripped.sites.to_vec(),
        edited: stripped.edited.model().clone(),
    };
    (stripped, outcome)
}

fn bytes(rope: &dropout_onnx::source::Rope) -> Vec<u8> {
    let mut bytes = Vec::new();
    rope.write_to(&mut bytes).expect("writing to memory");
    bytes
}

type Interface<'m> = (&'m [ValueInfo], &'m [ValueInfo]);

/// Names of the inputs and outputs of a function.
type Signature<'m> = (&'m [String], &'m [String]);

/// Inputs and outputs of every graph, and of every function.
fn interfaces(model: &Model) -> (Vec<Interface<'_>>, Vec<Signature<'_>>) {
    fn of_nodes<'m>(nodes: &'m [Node], out: &mut Vec<Interface<'m>>) {
        for graph in nodes.iter().flat_map(|node| &node.attribute) {
            graph.g.iter().for_each(|graph| of_graph(graph, out));
        }
    }
    fn of_graph<'m>(graph: &'m Graph, out: &mut Vec<Interface<'m>>) {
        out.push((&graph.input, &graph.output));
        of_nodes(&graph.node, out);
    }
    let mut graphs = Vec::new();
    of_graph(model.main(), &mut graphs);
    for training in &model.training_info {
        let both = training.initialization.iter().chain(&training.algorithm);
        both.for_each(|graph| of_graph(graph, &mut graphs));
    }
    for function in &model.functions {
        of_nodes(&function.node, &mut graphs);
    }
    let functions = model.functions.iter();
    let functions = functions.map(|f| (&f.input[..], &f.output[..]));
    (graphs, functions.collect())
}

impl Stripped {
    /// The nodes that are left are these, in every scope and in this order.
    #[track_caller]
    pub fn leaves(self, lines: &[&str]) -> Stripped {
        assert_eq!(self.after.lines(), lines);
        self
    }

    /// No draw is left.
    #[track_caller]
    pub fn draws_nothing(self) -> Stripped {
        let draws = |line: &&String| line.contains("Random") || line.contains("Bernoulli(");
        let lines = self.after.lines();
        assert_eq!(lines.iter().find(draws), None, "{lines:#?}");
        self
    }

    /// One `Mul` with this number stays for each of these.
    #[track_caller]
    pub fn scales(self, wanted: &[(&str, f64)]) -> Stripped {
        let scales = self.outcome.scales.iter();
        let scales: Vec<_> = scales
            .map(|(name, scale)| (name.to_string(), (scale * 1e6).round() / 1e6))
            .collect();
        let wanted: Vec<_> = wanted.iter().map(|&(n, s)| (n.to_string(), s)).collect();
        assert_eq!(scales, wanted);
        self
    }

    /// An `Identity` stays for these names alone.
    #[track_caller]
    pub fn keeps_identity_for(self, names: &[&str]) -> Stripped {
        let identities = self.outcome.identities.iter();
        let kept: Vec<String> = identities.map(|it| it.value.to_string()).collect();
        assert_eq!(kept, names);
        self
    }

    /// These initializers are left in the main graph.
    #[track_caller]
    pub fn keeps_initializers(self, names: &[&str]) -> Stripped {
        let left = self.after.main().initializer.iter();
        let left: Vec<&str> = left.map(|tensor| tensor.name()).collect();
        assert_eq!(left, names);
        self
    }

    /// These inputs stay, and are reported to do nothing any more.
    #[track_caller]
    pub fn reports_idle(self, names: &[&str]) -> Stripped {
        assert_eq!(self.outcome.idle_inputs, names);
        self
    }

    /// The texts of both models, for a snapshot.
    pub fn texts(&self) -> String {
        let text = |model| dropout_onnx::show::text(model).expect("text");
        format!(
            "before\n------\n{}\nafter\n-----\n{}",
            text(&self.before),
            text(&self.edited)
        )
    }
}
