//! One model by itself: with what it runs.

use super::Settings;
use super::side::{first_side, inputs};
use crate::error::{Error, ErrorKind};
use crate::verify::engine::{Mode, Shapes, Stop, Subject, Unrunnable, Values};

/// With what a model runs: looked for as the first model of a comparison is.
#[derive(Debug)]
pub(crate) struct Footing {
    pub mode: Mode,
    pub shapes: Shapes,
    /// What it is fed.
    pub inputs: Values,
    /// The inputs that nobody gave, which are random numbers.
    pub made: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Finds inputs and a mode with which a model runs.
///
/// # Errors
/// The request does not fit the model or asks for several inputs, a file cannot be read, or the model
/// does not run.
pub(crate) fn footing(subject: &Subject, settings: &Settings) -> Result<Footing, Stop> {
    let settings = Settings {
        runs: 1,
        ..settings.clone()
    };
    // The reason from the first mode is kept: the later ones only work around it.
    let mut first: Option<Unrunnable> = None;
    for mode in Mode::ALL {
        let ran = match first_side(subject, &settings, mode, &mut |_, _| {}) {
            Ok(ran) => ran,
            Err(Stop::Unrunnable(unrunnable)) => {
                let last = unrunnable.is_final();
                first.get_or_insert(unrunnable);
                if last {
                    break;
                }
                continue;
            }
            Err(stop) => return Err(stop),
        };
        if ran.given.sets.len() > 1 {
            let why = "several folders of test data, but one input is run: name one of them";
            return Err(Error::new(ErrorKind::Usage, why).into());
        }
        let given = |name: &str| ran.given.value(name, 0).is_some();
        let made = ran.ports.iter().filter(|port| !given(&port.name));
        let mut notes = ran.notes;
        notes.extend(ran.range.note().map(String::from));
        if mode != Mode::Optimised {
            notes.push(format!("tract runs it {mode}"));
        }
        return Ok(Footing {
            mode,
            inputs: inputs(
                &ran.ports,
                &ran.given,
                &ran.shapes,
                settings.seed,
                0,
                ran.range,
            )?,
            made: made.map(|port| port.name.clone()).collect(),
            shapes: ran.shapes,
            notes,
        });
    }
    Err(first
        .unwrap_or_else(|| Unrunnable::new("there is no mode to try"))
        .into())
}
