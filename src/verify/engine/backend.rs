//! The two steps of running a model, wherever it runs: it is read, then made ready for some shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fill, Port, Shapes, Stop, Value};
use crate::verify::engine::watch::Seen;

/// Values by name.
pub type Values = BTreeMap<String, Value>;

/// The properties of a model once an engine has read it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) ports: Vec<Port>,
    pub(super) outputs: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) random: BTreeMap<String, usize>,
}

/// A model that an engine has read, its symbolic dimensions still open.
pub(super) trait Read: Send + Sync {
    fn choose(
        &self,
        dims: &BTreeMap<String, usize>,
        given: &BTreeMap<String, Vec<usize>>,
        fill: Fill,
    ) -> Result<Shapes, Stop>;

    fn ready(self: Box<Self>, shapes: &Shapes) -> Result<Box<dyn Ready>, Stop>;
}

/// A model that is ready to run.
pub(super) trait Ready: Send + Sync {
    /// The outputs in the order of the graph, and what watching nodes saw.
    fn run(&self, inputs: &Values, run: u64) -> Result<(Vec<Value>, Vec<Seen>), Stop>;
}
