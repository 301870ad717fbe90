//! The protocol of the two processes, in MessagePack: requests on the child's standard input,
//! one reply to each on its standard output.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::source::Part;
use crate::verify::engine::backend::{About, Values};
use crate::verify::engine::watch::Seen;
use crate::verify::engine::{Meaning, Mode, Shapes, Stop, Value};

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
    Ready,
    Ran(Vec<Value>, Vec<Seen>),
    Stopped(Stop),
}
