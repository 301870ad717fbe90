//! The rate, the mode and the faults of a `Dropout` in a context.

use crate::dropout::parameter::Parameter;
use crate::dropout::problem::Problem;
use crate::dropout::version::{OperatorVersion, attributes, inputs, version};
use crate::dropout::{Mode, RateOrigin, Search};
use crate::error::Result;
use crate::onnx::DataType;
use crate::semantics::calls::ContextId;
use crate::semantics::facts::{Known, Origin, Runs};
use crate::semantics::foreign::{ForeignDropout, Place, Switch};
use crate::semantics::scalar::shortest;
use crate::semantics::view::NodeRef;

/// The ratio of a `Dropout` that names none.
const DEFAULT_RATIO: f64 = 0.5;

/// The rate, the mode and the faults of a `Dropout`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    pub rate: Option<f64>,
    pub rate_origin: RateOrigin,
    pub mode: Mode,
    /// True if a run decides what its `training_mode` is.
    pub is_switched: bool,
    pub problem: Option<Problem>,
}

/// A rate, its origin, and its fault.
type Rate = (Option<f64>, RateOrigin, Option<String>);

/// What decides about a dropout in a context.
struct Given {
    ratio: Parameter,
    /// The input that it is, if it is one.
    ratio_input: Option<usize>,
    mode: Mode,
    is_switched: bool,
    problem: Option<Problem>,
}

impl Setting {
    /// What a `Dropout` is set to in a context.
    ///
    /// # Errors
    /// A constant cannot be read.
    pub fn of(
        search: &Search<'_>,
        cx: ContextId,
        node: NodeRef<'_>,
        opset: i64,
    ) -> Result<Setting> {
        let facts = search.facts;
        let law = version(opset);
        let input = |place| Parameter::input(facts, cx, node, place);
        let attribute = |name| Parameter::attribute(facts, cx, node, name);
        let (ratio, ratio_input) = match (input(1)?, attribute("ratio")) {
            (input, attribute) if input.is_absent() => (attribute, None),
            (_, attribute) if law != OperatorVersion::Inputs && !attribute.is_absent() => {
                (attribute, None)
            }
            (input, _) => (input, Some(1)),
        };
        let switch = input(2)?;
        let (mode, unclear) = match law {
            OperatorVersion::IsTest => is_test(&attribute("is_test")),
            _ if switch.is_absent() => (stated(&attribute("training_mode")), None),
            _ => training_mode(&switch, || is_open(search, cx, node, 2)),
        };
        let misfit = || misfit(search, cx, node, opset).map(Problem::Version);
        let given = Given {
            ratio,
            ratio_input,
            mode,
            is_switched: switch.is_open(),
            problem: unclear.map(Problem::Meaning).or_else(misfit),
        };
        Ok(Setting::settled(search, cx, node, given))
    }

    /// What an operator of another domain is set to in a context.
    ///
    /// # Errors
    /// A constant cannot be read.
    pub fn of_foreign(
        search: &Search<'_>,
        cx: ContextId,
        node: NodeRef<'_>,
        foreign: &ForeignDropout,
    ) -> Result<Setting> {
        let read = |place: Place| -> Result<_> {
            let input = Parameter::input(search.facts, cx, node, place.input)?;
            let attribute = || Parameter::attribute(search.facts, cx, node, place.attribute);
            Ok(match input.is_absent() {
                true => (attribute(), None),
                false => (input, Some(place.input)),
            })
        };
        let (ratio, ratio_input) = read(foreign.ratio)?;
        let (switch, absent) = match foreign.switch {
            Switch::Always => (None, Mode::Active),
            Switch::On(place) => (Some(read(place)?), Mode::Inert),
            Switch::Off(place) => (Some(read(place)?), Mode::Active),
        };
        let (mode, unclear) = match &switch {
            Some((switch, Some(input))) => {
                training_mode(switch, || is_open(search, cx, node, *input))
            }
            Some((switch, None)) if !switch.is_absent() => (stated(switch), None),
            _ => (absent, None),
        };
        let given = Given {
            ratio,
            ratio_input,
            mode,
            is_switched: switch.is_some_and(|(switch, _)| switch.is_open()),
            problem: unclear.map(Problem::Meaning),
        };
        Ok(Setting::settled(search, cx, node, given))
    }

    fn settled(search: &Search<'_>, cx: ContextId, node: NodeRef<'_>, given: Given) -> Setting {
        let Given { ratio, .. } = &given;
        let constant = match given.ratio_input {
            Some(_) => RateOrigin::Constant,
            None => RateOrigin::Attribute,
        };
        let (rate, rate_origin, invalid) = rate(ratio, constant);
        let depends = |input| is_open(search, cx, node, input);
        let is_replaced = ratio.is_open() && given.ratio_input.is_some_and(depends);
        let mode = match search.facts.runs_in(cx, node.graph()) {
            _ if rate == Some(0.0) && !is_replaced => Mode::Inert,
            Runs::Never => Mode::Inert,
            Runs::Sometimes => given.mode.min(Mode::Runtime),
            Runs::Drawn | Runs::Always if is_replaced => given.mode.min(Mode::Runtime),
            Runs::Drawn | Runs::Always => given.mode,
        };
        // an inert Dropout ignores its ratio, whatever number that is
        let ignored = mode == Mode::Inert && rate.is_some();
        let invalid = invalid.filter(|_| !ignored).map(Problem::Rate);
        Setting {
            rate,
            rate_origin,
            mode,
            is_switched: given.is_switched,
            problem: match given.problem {
                Some(unclear @ Problem::Meaning(_)) => Some(unclear),
                other => invalid.or(other),
            },
        }
    }

    /// What is true of several settings: the worst mode, and the rate if all have the same.
    pub fn joined(settings: Vec<Setting>) -> Setting {
        let worst = [
            RateOrigin::Unknown,
            RateOrigin::Input,
            RateOrigin::Constant,
            RateOrigin::Attribute,
        ];
        let origin = |wanted: &RateOrigin| settings.iter().any(|one| one.rate_origin == *wanted);
        let rate = settings.first().and_then(|one| one.rate);
        Setting {
            rate: rate.filter(|_| settings.iter().all(|one| one.rate == rate)),
            rate_origin: worst
                .into_iter()
                .find(origin)
                .unwrap_or(RateOrigin::Default),
            mode: settings
                .iter()
                .map(|one| one.mode)
                .max()
                .unwrap_or(Mode::Inert),
            is_switched: settings.iter().any(|one| one.is_switched),
            problem: settings.into_iter().find_map(|one| one.problem),
        }
    }
}

/// True if what a run is given may decide what an input is.
fn is_open(search: &Search<'_>, cx: ContextId, node: NodeRef<'_>, input: usize) -> bool {
    let value = node.input(input);
    let is_open = value.is_some_and(|value| search.origins.is_open(value.id));
    is_open && !search.facts.is_drawn(cx, value)
}

fn rate(ratio: &Parameter, constant: RateOrigin) -> Rate {
    let number = match ratio {
        Parameter::Known(Known::Absent) => {
            return (Some(DEFAULT_RATIO), RateOrigin::Default, None);
        }
        Parameter::Known(Known::Computed) => return (None, RateOrigin::Unknown, None),
        Parameter::Known(Known::Input) => return (None, RateOrigin::Input, None),
        Parameter::Known(Known::Number(number)) if number.element.is_float() => number,
        other => {
            let what = other.text();
            let what = what.map(|what| format!("ratio is {what}, not a float scalar"));
            return (None, constant, what);
        }
    };
    let origin = match number.origin {
        Origin::Constant => constant,
        Origin::Default => RateOrigin::Input,
        Origin::Computed => RateOrigin::Unknown,
    };
    let rate = shortest(number.value, number.element);
    let outside = !(0.0..1.0).contains(&rate);
    let problem = outside.then(|| format!("ratio {rate} is outside [0, 1)"));
    (Some(rate), origin, problem)
}

/// Whether it acts, or why that is unknown. `depends` is true of a flag that depends on what a run is
/// given.
fn training_mode(switch: &Parameter, depends: impl FnOnce() -> bool) -> (Mode, Option<String>) {
    let mode = match switch {
        Parameter::Known(Known::Number(number)) if number.element == DataType::BOOL => {
            match switch.is_open() {
                true => Mode::Runtime,
                false if number.value != 0.0 => Mode::Active,
                false => Mode::Inert,
            }
        }
        // constant, although it is not known which
        Parameter::Known(Known::Computed) if !depends() => Mode::Active,
        _ if switch.is_open() => Mode::Runtime,
        other => {
            let what = other.text();
            let what = what.map(|what| format!("training_mode is {what}, not a boolean scalar"));
            return (Mode::Inert, what);
        }
    };
    (mode, None)
}

/// Whether it acts by an attribute that no version has.
fn stated(training_mode: &Parameter) -> Mode {
    match training_mode {
        Parameter::Known(Known::Number(number)) if number.value != 0.0 => Mode::Active,
        _ => Mode::Inert,
    }
}

/// As [`training_mode`].
fn is_test(switch: &Parameter) -> (Mode, Option<String>) {
    let mode = match switch {
        Parameter::Known(Known::Absent) => Mode::Active,
        Parameter::Known(Known::Number(number)) if number.element == DataType::INT64 => {
            match number.value == 0.0 {
                true => Mode::Active,
                false => Mode::Inert,
            }
        }
        _ if switch.is_open() => Mode::Runtime,
        other => {
            let what = other.text();
            let what = what.map(|what| format!("is_test is {what}, not an integer"));
            return (Mode::Inert, what);
        }
    };
    (mode, None)
}

/// The attribute, the input or the shape that `Dropout` does not have at an opset.
fn misfit(search: &Search<'_>, cx: ContextId, node: NodeRef<'_>, opset: i64) -> Option<String> {
    if opset == i64::MAX {
        return None; // unknown
    }
    let lacks = |what: &str| {
        format!(
            "has {what}, which Dropout of opset {opset} does not have; runtimes refuse the model"
        )
    };
    let known = attributes(opset);
    let mut names = node
        .get()
        .attributes
        .iter()
        .map(|attribute| &attribute.name);
    if let Some(name) = names.find(|name| !known.iter().any(|known| *name == known)) {
        return Some(lacks(&format!("the attribute `{name}`")));
    }
    let mut given = node.given();
    if let Some((place, value)) = given.find(|&(place, _)| place >= inputs(opset).len()) {
        let name = inputs(i64::MAX).get(place).copied().unwrap_or("fourth");
        return Some(lacks(&format!("the {name} input `{}`", value.get().name)));
    }
    let names = inputs(opset).iter().enumerate().skip(1);
    names.into_iter().find_map(|(place, name)| {
        let sizes = search
            .facts
            .shape_in(cx, node.input(place)?.id)
            .all_sizes()?;
        let listed = !sizes.is_empty() && sizes.iter().all(|&size| size == 1);
        listed.then(|| {
            format!("{name} has shape {sizes:?}, but must be a scalar; runtimes refuse the model")
        })
    })
}
