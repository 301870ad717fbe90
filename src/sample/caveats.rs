//! What is refused before anything runs, and what a reader should know.

use super::Options;
use crate::dropout::{Form, Kind, Mode, RateOrigin, Site};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::Model;
use crate::verify::inputs::InputSpec;

/// Why there is nothing to sample.
pub(super) fn none(model: &Model, sites: &[Site]) -> Error {
    let has = |form: Form| sites.iter().any(|site| site.form == form);
    let draw = model.nodes().find(|(_, node)| node.draws());
    let why = if has(Form::FrozenMask) {
        "its only dropout is a frozen mask, which drops the same in every run".to_string()
    } else if has(Form::Scale) {
        "all that is left of its dropout is a scale: every run would give the same".to_string()
    } else if !sites.is_empty() {
        "its only dropout is in its training graph, which inference does not run".to_string()
    } else if let Some((id, _)) = draw {
        let place = model.place(id);
        format!("there is no dropout in it: what draws random numbers ({place}) is none")
    } else {
        "there is no dropout in it: every run would give the same".to_string()
    };
    Error::new(ErrorKind::Usage, why)
}

/// True if an input is fed data.
pub(super) fn is_given(options: &Options, name: &str) -> bool {
    options.inputs.iter().any(|spec| match spec {
        InputSpec::Array { input, .. } | InputSpec::Memory { input, .. } => input == name,
        InputSpec::Archive { .. } | InputSpec::TestSet { .. } => true,
        InputSpec::Shape { .. } => false,
    })
}

/// Refuses rates that would be random numbers.
pub(super) fn settled(model: &Model, sites: &[&Site], options: &Options) -> Result<()> {
    let fed = |spec: &InputSpec| !matches!(spec, InputSpec::Shape { .. });
    if options.inputs.iter().any(fed) {
        return Ok(());
    }
    let open = |site: &&&Site| site.rate.is_none() && site.rate_origin == RateOrigin::Input;
    match sites.iter().find(open) {
        None => Ok(()),
        Some(site) => {
            let why = "its rate is an input of the model: give that one data (--input), or set rates (--rates)";
            Err(Error::new(ErrorKind::Usage, why).at(model.place(site.nodes[0])))
        }
    }
}

/// Notes on sites, and on draws that are none.
pub(super) fn notes(model: &Model, sites: &[Site], options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    for site in sites {
        let place = model.place(site.nodes[0]);
        if site.form == Form::FrozenMask {
            notes.push(format!(
                "{place}: a frozen mask, which drops the same in every run"
            ));
        }
        let idle = site.mode == Mode::Inert && site.rate == Some(0.0);
        if idle && options.rates.is_empty() {
            notes.push(format!("{place}: has rate 0, and drops nothing"));
        }
        let noise = site.kind == Kind::GaussianNoise;
        if noise && !options.rates.is_empty() {
            notes.push(format!(
                "{place}: Gaussian noise has no rate, and stays as it is"
            ));
        }
    }
    let sources: Vec<_> = sites.iter().filter_map(Site::source).collect();
    let other = |id| !sources.contains(&id);
    let mut draws = model
        .nodes()
        .filter(|(id, node)| node.draws() && other(*id));
    if let Some((id, _)) = draws.next() {
        let others = match draws.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let place = model.place(id);
        notes.push(format!(
            "{place}{others}: draws random numbers that are no dropout; they are part of the spread, and one draw of the deterministic output"
        ));
    }
    notes
}
