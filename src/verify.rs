//! Verification: evidence that a rewritten model computes the same as the original.
//!
//! There are three kinds that share nothing: [`structure`] compares expressions, [`run`] compares outputs
//! of tract, and [`measure`] runs the original's own nodes of each mask that is removed. What could not be
//! verified is reported, and never counts as equal.
//!
//! ```
//! use dropout_onnx::onnx::Model;
//! use dropout_onnx::verify::{Demand, Options, Verdict, verify};
//!
//! # fn main() -> dropout_onnx::Result<()> {
//! let trained = Model::open("fixtures/keras_course_train_op8.onnx")?;
//! let inference = Model::open("fixtures/keras_course_infer_op15.onnx")?;
//! let found = verify(&trained, &inference, &Options::default())?;
//! assert!(matches!(found.verdict(Demand::Outputs), Verdict::Different { .. }));
//! # Ok(())
//! # }
//! ```

pub mod structure;

#[cfg(feature = "tract")]
#[doc(hidden)]
pub mod acting;
#[cfg(feature = "tract")]
pub mod compare;
#[cfg(feature = "tract")]
#[doc(hidden)]
pub mod engine;
#[cfg(feature = "tract")]
pub mod evidence;
#[cfg(feature = "tract")]
pub mod inputs;
#[cfg(feature = "tract")]
pub mod measure;
#[cfg(feature = "tract")]
#[doc(hidden)]
pub mod reach;
#[cfg(feature = "tract")]
pub mod run;

#[cfg(feature = "tract")]
mod change;
pub(crate) mod fold;
mod verdict;

#[cfg(feature = "tract")]
pub(crate) mod draw;
#[cfg(feature = "tract")]
mod question;
#[cfg(feature = "tract")]
mod reference;
#[cfg(feature = "tract")]
mod steady;

#[cfg(feature = "tract")]
use std::collections::BTreeSet;

#[cfg(feature = "tract")]
use crate::dropout::inherited;
use crate::dropout::{Convention, Examined, Side};
use crate::error::Result;
use crate::onnx::Model;
#[cfg(feature = "tract")]
use crate::onnx::Name;
#[cfg(feature = "tract")]
use crate::semantics::inline::inline;
#[cfg(feature = "tract")]
use crate::semantics::view::View;
use crate::words::words;
#[cfg(feature = "tract")]
pub use change::verify_change;

use structure::Allowed;
#[doc(hidden)]
pub use verdict::Assumed;
pub use verdict::{Demand, Verdict, Verification};

/// How to verify.
#[derive(Clone, Debug, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// Compare the structure of both models.
    pub structure: bool,
    /// What `Dropout` operators mean at inference, in both models.
    pub convention: Convention,
    /// Accept that a mask which a rewrite removed cannot be measured.
    pub allow_unmeasured: bool,
    /// Which outputs are compared.
    pub outputs: Pairing,
    /// Run both models, and how.
    #[cfg(feature = "tract")]
    pub run: Option<run::Settings>,
}

words! {
    /// Which output of one model is compared with which of another.
    Pairing {
        /// Outputs of the same name.
        ByName = "by-name",
        /// Outputs at the same position.
        ByPosition = "by-position",
    }
}

impl Default for Options {
    /// In every way there is.
    fn default() -> Self {
        Options {
            structure: true,
            convention: Convention::Inverted,
            allow_unmeasured: false,
            outputs: Pairing::ByName,
            #[cfg(feature = "tract")]
            run: Some(run::Settings::default()),
        }
    }
}

impl Options {
    /// Options: by structure or not, by running or not, and how.
    #[cfg(feature = "tract")]
    pub fn asked(structure: bool, run: Option<run::Settings>) -> Options {
        Options {
            structure,
            run,
            ..Options::default()
        }
    }
}

impl Options {
    /// True if both models are run on data from files, which may hold what comes out as well.
    fn has_data(&self) -> bool {
        #[cfg(feature = "tract")]
        return self.run.as_ref().is_some_and(|run| !run.inputs.is_empty());
        #[cfg(not(feature = "tract"))]
        false
    }
}

/// Compares two models.
///
/// # Errors
/// A model is not sound, a file cannot be read, or the settings do not fit the model.
pub fn verify(before: &Model, after: &Model, options: &Options) -> Result<Verification> {
    let (old, new) = (Examined::new(before), Examined::new(after));
    let old = old.side()?;
    match !options.has_data() && before.is_identical_to(after)? {
        true => verify_models(old, old, options),
        false => verify_models(old, new.side()?, options),
    }
}

/// As [`verify`].
pub(crate) fn verify_models(
    before: Side<'_>,
    after: Side<'_>,
    options: &Options,
) -> Result<Verification> {
    let allowed = Allowed {
        output_names: options.outputs == Pairing::ByPosition,
        ..Allowed::default()
    };
    let mut found = verify_sides(before, after, &allowed, options)?;
    if let Some(structure::Verdict::Different(structure::Mismatch {
        weights: Some(weights),
        ..
    })) = &mut found.structure
    {
        weights.measure(before.view, after.view)?;
    }
    #[cfg(feature = "tract")]
    let found = Verification {
        reached: reached(before, after, &allowed, &found, options)?,
        question: question::Question::other(options),
        ..found
    };
    Ok(found)
}

/// Whether the runs reach the differences of the structures; `None` if that does not matter.
#[cfg(feature = "tract")]
fn reached(
    before: Side<'_>,
    after: Side<'_>,
    allowed: &Allowed,
    found: &Verification,
    options: &Options,
) -> Result<Option<reach::Report>> {
    let (Some(structure::Verdict::Different(differs)), Some(ran), Some(settings)) =
        (&found.structure, &found.run, &options.run)
    else {
        return Ok(None);
    };
    if differs.kind.hidden_from_runs().is_none() || ran.outcome != run::Outcome::Equal {
        return Ok(None);
    }
    let flat = |before: Side<'_>, after: Side<'_>, flat| match flat {
        structure::Verdict::Same { .. } => Ok(Some(reach::Report::default())),
        structure::Verdict::Different(differs) => reach::check(before, after, &differs, settings),
    };
    match inlined((before, after), allowed, options.convention, flat)? {
        Some(report) => Ok(report),
        None => reach::check(before, after, differs, settings),
    }
}

/// As [`verify`], except for the changes that a rewrite reports.
pub(crate) fn verify_sides(
    before: Side<'_>,
    after: Side<'_>,
    allowed: &Allowed,
    options: &Options,
) -> Result<Verification> {
    let (old, new) = (before.view.model, after.view.model);
    if !options.has_data() && old.is_identical_to(new)? {
        return itself(before, options);
    }
    let convention = options.convention;
    let structure = match options.structure {
        true => {
            let compared = structure::compare_sides(before, after, allowed, convention)?;
            #[cfg(feature = "tract")]
            let compared = match compared {
                structure::Verdict::Different(_)
                    if allowed.names_nothing() && function_names(old) != function_names(new) =>
                {
                    let same = |_: Side<'_>, _: Side<'_>, flat| match flat {
                        same @ structure::Verdict::Same { .. } => Ok(Some(same)),
                        structure::Verdict::Different(_) => Ok(None),
                    };
                    let same = inlined((before, after), allowed, convention, same)?;
                    same.flatten().unwrap_or(compared)
                }
                same => same,
            };
            Some(compared)
        }
        false => None,
    };
    #[cfg(feature = "tract")]
    let run = match &options.run {
        Some(settings) => {
            let settings = run::Settings {
                outputs: options.outputs,
                removed_inputs: allowed.removed_inputs.iter().map(Name::to_string).collect(),
                ..settings.clone()
            };
            Some(run_sides(before, after, convention, &settings)?)
        }
        None => None,
    };
    Ok(Verification {
        structure,
        #[cfg(feature = "tract")]
        run,
        assumed: Assumed::of(before.sites, after.sites),
        ..Verification::default()
    })
}

#[cfg(feature = "tract")]
fn function_names(model: &Model) -> BTreeSet<(&Name, &Name)> {
    let functions = model.functions().iter();
    functions.map(|f| (&f.domain, &f.name)).collect()
}

/// What comes of two models with their functions inlined, and of their structures; `None` if neither has any
/// functions, or if a model cannot be inlined without a change: it has training graphs, or a function means
/// another version of an operator than its callers, or the result becomes too large.
#[cfg(feature = "tract")]
fn inlined<T>(
    (before, after): (Side<'_>, Side<'_>),
    allowed: &Allowed,
    convention: Convention,
    then: impl FnOnce(Side<'_>, Side<'_>, structure::Verdict) -> Result<T>,
) -> Result<Option<T>> {
    let sides = [before.view, after.view];
    let mut functions = sides.iter().flat_map(|view| view.model.functions());
    let is_changed = |view: &View<'_>| {
        let main = view.model.main();
        let inner = view.nodes().filter(|node| node.callee().is_none());
        let mut inner = inner.filter(|node| view.function_of(node.graph()).is_some());
        !view.model.training().is_empty()
            || inner.any(|node| node.version_in(node.graph()) != node.version_in(main))
    };
    if functions.next().is_none() || sides.iter().any(is_changed) {
        return Ok(None);
    }
    let (Ok(first), Ok(second)) = (inline(before.view), inline(after.view)) else {
        return Ok(None);
    };
    let (one, two) = (Examined::new(&first.model), Examined::new(&second.model));
    let (one, two) = (one.side()?, two.side()?);
    let sites = inherited(one.sites, &first, before.sites);
    let one = one.with(&sites);
    let compared = structure::compare_sides(one, two, allowed, convention)?;
    then(one, two, compared).map(Some)
}

/// The verification of a model and itself: that it is sound. No engine runs.
fn itself(side: Side<'_>, options: &Options) -> Result<Verification> {
    let allowed = Allowed::default();
    let structure = structure::compare_sides(side, side, &allowed, options.convention)?;
    Ok(Verification {
        identical: true,
        structure: options.structure.then_some(structure),
        ..Verification::default()
    })
}

/// Runs both models, with their masks such that they keep everything.
#[cfg(feature = "tract")]
fn run_sides(
    before: Side<'_>,
    after: Side<'_>,
    convention: Convention,
    settings: &run::Settings,
) -> Result<run::RunReport> {
    let mut settings = run::Settings {
        steady: steady::outputs(before)?,
        ..settings.clone()
    };
    let named = |e| before.view.model.source().name_in(e);
    let mut references = [None, None];
    let sides = [("before", before), ("after", after)];
    for ((label, side), reference) in sides.into_iter().zip(&mut references) {
        if settings.meaning != engine::Meaning::Inference {
            break;
        }
        match reference::of(side, convention) {
            Ok(found) => *reference = found,
            Err(engine::Stop::Error(error)) => return Err(named(error)),
            Err(engine::Stop::Unrunnable(why)) => {
                return Ok(run::RunReport::unrunnable(&settings, label, why));
            }
        }
    }
    for reference in references.iter().flatten() {
        settings.tolerance = settings.tolerance.or(reference.tolerance);
    }
    let old = subject("before", before, references[0].as_ref());
    let new = subject("after", after, references[1].as_ref());
    let mut report = run::compare(&old, &new, &settings).map_err(named)?;
    report.tolerance = settings.tolerance;
    report.reference = references
        .into_iter()
        .flatten()
        .flat_map(|r| r.notes)
        .collect();
    report.reference.dedup();
    Ok(report)
}

/// The model to run: the reference of a side, if it has one.
#[cfg(feature = "tract")]
fn subject<'a>(
    label: &'a str,
    side: Side<'a>,
    reference: Option<&'a reference::Reference>,
) -> engine::Subject<'a> {
    let model = side.view.model;
    let source = reference.map_or(model.source(), |reference| &reference.source);
    engine::Subject::of(model, label, source)
}
