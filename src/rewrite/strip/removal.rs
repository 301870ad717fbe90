//! A model while dropout is removed from it.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{DataType, Editor, Name, NodeId, Producer, ValueId};
use crate::rewrite::bypass::pass_through;
use crate::rewrite::prune::Pruned;

use super::Outcome;

/// A scalar: its type and its bytes.
pub(super) type Factor = (DataType, Vec<u8>);

/// A model while dropout is removed from it.
pub(super) struct Strip<'m> {
    pub editor: Editor<'m>,
    pub outcome: Outcome,
    /// What went with it.
    pub pruned: Pruned,
    /// Values that were removed, each with its replacement.
    pub moved: HashMap<ValueId, ValueId>,
    /// Values that dropout used and that perhaps nothing uses any more.
    pub idle: Vec<ValueId>,
    /// Functions that were called before.
    pub called: BTreeSet<usize>,
}

impl Strip<'_> {
    /// The value that replaces another, if that one was removed.
    pub fn now(&self, mut value: ValueId) -> ValueId {
        while self.editor.values()[value].producer == Producer::Gone
            && let Some(&next) = self.moved.get(&value)
        {
            value = next;
        }
        value
    }

    /// Lets everything that used `output` use `data`, with an `Identity` called `label` in the place of
    /// a removed node where one must stay.
    pub fn replace(
        &mut self,
        removed: NodeId,
        label: &Name,
        output: ValueId,
        data: ValueId,
    ) -> Result<()> {
        self.moved.insert(output, data);
        match pass_through(&mut self.editor, removed, label, output, data)? {
            Some(identity) => self.outcome.identities.push(identity),
            None => self.editor.inherit(output, data),
        }
        Ok(())
    }
}
