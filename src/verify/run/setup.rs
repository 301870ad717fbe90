//! The setup with which one model runs.

use super::Settings;
use super::modes::try_modes;
use super::side::{Feed, first_side, inputs};
use crate::error::{Error, ErrorKind};
use crate::verify::engine::{Mode, Shapes, Stop, Subject, Values};

/// Inputs and a mode with which a model runs, found as for the first model of a comparison.
#[derive(Debug)]
pub(crate) struct Setup {
    pub mode: Mode,
    /// The engine and its version.
    pub engine: String,
    pub shapes: Shapes,
    pub inputs: Values,
    /// The inputs without data, which are random numbers.
    pub made: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Finds inputs and a mode with which a model runs.
///
/// # Errors
/// The request does not fit the model or asks for several inputs, a file cannot be read, or the model
/// does not run.
pub(crate) fn setup(subject: &Subject, settings: &Settings) -> Result<Setup, Stop> {
    let settings = Settings {
        runs: 1,
        ..settings.clone()
    };
    let (mode, ran) = try_modes(&settings.host, |mode| {
        let (ran, _) = first_side(subject, &settings, mode, &mut |_, _| {})?;
        Ok((mode, ran))
    })?;
    if ran.given.sets.len() > 1 {
        let why = "several folders of test data, but one input is run: name one of them";
        return Err(Error::new(ErrorKind::Usage, why).into());
    }
    let first = Feed { run: 0, scale: 1.0 };
    let inputs = inputs(&ran, settings.seed, first)?;
    let given = |name: &str| ran.given.value(name, 0).is_some();
    let made = ran.ports.iter().filter(|port| !given(&port.name));
    let made = made.map(|port| port.name.clone()).collect();
    let mut notes = ran.notes;
    notes.extend(ran.range.note().map(String::from));
    if mode != Mode::Optimised {
        notes.push(format!("{} runs it {mode}", mode.engine()));
    }
    Ok(Setup {
        mode,
        engine: ran.engine,
        inputs,
        made,
        shapes: ran.shapes,
        notes,
    })
}
