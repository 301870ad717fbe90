//! The protocol of the two processes, in MessagePack: requests on the child's standard input,
//! one reply to each on its standard output.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::source::Part;
use crate::verify::engine::backend::{About, Values};
use crate::verify::engine::watch::Seen;
use crate::verify::engine::{Fill, Meaning, Mode, Shapes, Stop, Unrunnable, Value};

/// In this order: one of the first, any number of the others.
#[derive(Serialize, Deserialize)]
pub(super) enum Request<'a> {
    Read {
        /// The version of the program that asks: both must be the same.
        version: String,
        /// Limit of the process's data in bytes.
        memory: u64,
        label: String,
        model: Vec<Part>,
        folder: Option<PathBuf>,
        meaning: Meaning,
        mode: Mode,
        library: Option<PathBuf>,
    },
    Choose {
        dims: BTreeMap<String, usize>,
        given: BTreeMap<String, Vec<usize>>,
        fill: Fill,
    },
    Ready {
        shapes: Shapes,
    },
    Run {
        inputs: Cow<'a, Values>,
        run: u64,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    Read(About),
    Chosen(Shapes),
    Ready,
    Ran(Vec<Value>, Vec<Seen>),
    Stopped(Stopped),
}

/// A [`Stop`] between processes.
#[derive(Serialize, Deserialize)]
pub(super) enum Stopped {
    Unrunnable(Unrunnable),
    Error {
        kind: ErrorKind,
        file: Option<PathBuf>,
        place: Option<String>,
        offset: Option<u64>,
        why: String,
    },
}

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Stopped {
        match stop {
            Stop::Unrunnable(unrunnable) => Stopped::Unrunnable(unrunnable),
            Stop::Error(error) => Stopped::Error {
                kind: error.kind(),
                file: error.file().map(PathBuf::from),
                place: error.place().map(String::from),
                offset: error.offset(),
                why: error.why().to_string(),
            },
        }
    }
}

impl From<Stopped> for Stop {
    fn from(stopped: Stopped) -> Stop {
        match stopped {
            Stopped::Unrunnable(unrunnable) => Stop::Unrunnable(unrunnable),
            Stopped::Error {
                kind,
                file,
                place,
                offset,
                why,
            } => {
                let mut error = Error::new(kind, why);
                if let Some(file) = file {
                    error = error.in_file(file);
                }
                if let Some(place) = place {
                    error = error.at(place);
                }
                if let Some(offset) = offset {
                    error = error.at_offset(offset);
                }
                Stop::Error(error)
            }
        }
    }
}
