//! What an engine is: it reads a model, which is then made ready for some shapes, and run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Meaning, Mode, Port, Shapes, Stop, Subject, Value};
use crate::verify::engine::watch::Seen;

/// Values by name.
pub type Values = BTreeMap<String, Value>;

/// The properties of a model once an engine has read it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct About {
    /// The engine and its version.
    pub(super) engine: String,
    pub(super) ports: Vec<Port>,
    pub(super) outputs: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) random: BTreeMap<String, usize>,
}

/// What reads models: tract, ONNX Runtime, or a process that has them.
pub(super) trait Engine {
    fn read(
        &self,
        subject: &Subject,
        meaning: Meaning,
        mode: Mode,
    ) -> Result<(About, Box<dyn Read>), Stop>;
}

/// A model that an engine has read, its symbolic dimensions still open.
pub(super) trait Read: Send + Sync {
    fn ready(self: Box<Self>, shapes: &Shapes) -> Result<Box<dyn Ready>, Stop>;
}

/// A model that is ready to run.
pub(super) trait Ready: Send + Sync {
    /// The outputs in the order of the graph, and what watching nodes saw.
    fn run(&self, inputs: &Values, run: u64) -> Result<(Vec<Value>, Vec<Seen>), Stop>;
}
