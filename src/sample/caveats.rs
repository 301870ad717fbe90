//! What is refused before anything runs, and what a reader should know.

use super::{Options, Output};
use crate::dropout::{Form, Kind, MaskUse, Mode, RateOrigin, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{DataType, Model, Name};
use crate::semantics::view::View;
use crate::verify::inputs::InputSpec;
use crate::verify::run::Setup;

/// Why there is nothing to sample.
pub(super) fn none(view: View<'_>, sites: &[Site]) -> Error {
    let has = |form: Form| sites.iter().any(|site| site.form == form);
    let draw = view.nodes().find(|node| node.draws());
    let why = if has(Form::FrozenMask) {
        "its only dropout is a frozen mask, which drops the same elements on every run".to_string()
    } else if has(Form::Scale) {
        "its only dropout is a constant scale, so every run would have the same result".to_string()
    } else if sites.iter().any(|site| site.unreachable) {
        "its only dropout changes no output: its branch is never taken, its function never called, or its \
         result not read"
            .to_string()
    } else if !sites.is_empty() {
        "its only dropout is in its training graph, which is not run at inference".to_string()
    } else if let Some(draw) = draw {
        let place = view.model.place(draw.id);
        format!("it has no dropout; its random operators ({place}) are not part of one")
    } else {
        "it has no dropout, so every run would have the same result".to_string()
    };
    Error::new(ErrorKind::Usage, why)
}

/// Refuses dropout that is not valid in training.
pub(super) fn valid(model: &Model, sites: &[&Site], options: &Options) -> Result<()> {
    for site in sites {
        let rate = site.rate.filter(|rate| !(0.0..1.0).contains(rate));
        let why = match (&site.problem, rate) {
            (Some(problem), _) => problem.to_string(),
            (None, Some(rate)) if options.rates.is_empty() => {
                format!("its rate of {rate} is outside [0, 1); set rates with --rates")
            }
            _ => continue,
        };
        return Err(Error::new(ErrorKind::Usage, why).at(model.place(site.nodes[0])));
    }
    Ok(())
}

/// True if an input is fed data.
pub(super) fn is_given(options: &Options, name: &str) -> bool {
    options.inputs.iter().any(|spec| match spec {
        InputSpec::Array { input, .. } | InputSpec::Memory { input, .. } => input == name,
        InputSpec::Archive { .. } | InputSpec::Tensor { .. } | InputSpec::TestSet { .. } => true,
        InputSpec::Shape { .. } => false,
    })
}

/// Refuses rates that would be random numbers: no data is given at all.
pub(super) fn settled(model: &Model, sites: &[&Site], options: &Options) -> Result<()> {
    let fed = |spec: &InputSpec| !matches!(spec, InputSpec::Shape { .. });
    match sites.iter().find(|site| is_open(site)) {
        Some(site) if !options.inputs.iter().any(fed) => Err(not_given(model, site, "an input")),
        _ => Ok(()),
    }
}

/// Refuses rates that would be random numbers: an input that may be one is given no data.
pub(super) fn drawn_rate(
    view: View<'_>,
    sites: &[&Site],
    options: &Options,
    stand: &Setup,
) -> Result<()> {
    let Some(site) = sites.iter().find(|site| is_open(site)) else {
        return Ok(());
    };
    let drawn = stand.made.iter().find(|input| {
        let shape = stand.shapes.inputs.get(*input);
        let one = shape.is_some_and(|shape| shape.iter().product::<usize>() == 1);
        let value = view.lookup(view.model.main(), &Name::from(input.as_str()));
        let element = value.and_then(|value| value.element_type());
        let float = [DataType::FLOAT, DataType::FLOAT16, DataType::DOUBLE];
        one && element.is_some_and(|element| float.contains(&element))
    });
    match drawn {
        Some(input) if options.rates.is_empty() => {
            Err(not_given(view.model, site, &format!("the input {input}")))
        }
        _ => Ok(()),
    }
}

/// The reason why a model did not run; a random input may not be a valid rate.
pub(super) fn not_run(model: &Model, sites: &[&Site], options: &Options, why: Error) -> Error {
    match sites.iter().find(|site| is_open(site)) {
        Some(site) if options.rates.is_empty() && why.kind() == ErrorKind::Unsupported => {
            let place = model.place(site.nodes[0]);
            let why =
                format!("{why} (the rate of {place} is a model input; supply it with --input)");
            Error::new(ErrorKind::Unsupported, why)
        }
        _ => why,
    }
}

fn is_open(site: &Site) -> bool {
    site.rate.is_none() && site.rate_origin == RateOrigin::Input
}

fn not_given(model: &Model, site: &Site, input: &str) -> Error {
    let why = format!(
        "its rate is {input} of the model; supply it with --input, or set rates with --rates"
    );
    Error::new(ErrorKind::Usage, why).at(model.place(site.nodes[0]))
}

/// A note about an output that is not finite everywhere.
pub(super) fn not_finite(output: &Output) -> Option<String> {
    let (name, all) = (&output.name, output.mean.len());
    let in_runs = match output.not_finite {
        0 => None,
        some => Some(format!(
            "{some} of {all} elements were NaN or infinite in a run, so they have no mean and \
             standard deviation"
        )),
    };
    let odd = output.deterministic.iter().flatten();
    let at_inference = match odd.filter(|x| !x.is_finite()).count() {
        0 => None,
        some => Some(format!(
            "{some} of {all} elements are NaN or infinite at inference"
        )),
    };
    let said: Vec<String> = in_runs.into_iter().chain(at_inference).collect();
    (!said.is_empty()).then(|| format!("output {name}: {}", said.join("; ")))
}

/// Notes about sites, and about draws that are not dropout.
pub(super) fn notes(view: View<'_>, sites: &[Site], options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    for site in sites {
        let place = view.model.place(site.nodes[0]);
        if site.form == Form::FrozenMask {
            notes.push(format!(
                "{place}: a frozen mask, which drops the same elements on every run"
            ));
        }
        let idle = site.mode == Mode::Inert && site.rate == Some(0.0);
        if idle && options.rates.is_empty() {
            notes.push(format!("{place}: has a rate of 0, so it drops nothing"));
        }
        if site.form == Form::RandomMask && site.mask == MaskUse::Output {
            let why = "its mask is an output, of which the deterministic output has one draw";
            notes.push(format!("{place}: {why}"));
        }
        let noise = site.kind == Kind::GaussianNoise;
        if noise && !options.rates.is_empty() {
            notes.push(format!(
                "{place}: Gaussian noise has no rate and is not changed"
            ));
        }
    }
    let sources: Vec<_> = sites.iter().filter_map(Site::source).collect();
    let other = |id| !sources.contains(&id);
    let mut draws = view.nodes().filter(|node| node.draws() && other(node.id));
    if let Some(draw) = draws.next() {
        let others = match draws.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let place = view.model.place(draw.id);
        notes.push(format!(
            "{place}{others}: draws random numbers that are not dropout, which add to the spread; the deterministic output has one draw of them"
        ));
    }
    notes
}
