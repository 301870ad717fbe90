//! The uses of values: a list for each value, all in one table.

use super::{NONE, Use, ValueId, Values};

/// The list of the uses of one value: links of [`Values`]. Some may be stale: a node's input that is
/// now another value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uses {
    first: u32,
    last: u32,
    /// The number of uses that are not stale.
    live: u32,
}

/// A use, and where the next one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    at: Use,
    next: u32,
}

impl Default for Uses {
    fn default() -> Self {
        Uses {
            first: NONE,
            last: NONE,
            live: 0,
        }
    }
}

impl Uses {
    pub fn is_used(self) -> bool {
        self.live > 0
    }
}

impl Values {
    pub(super) fn add_use(&mut self, value: ValueId, at: Use) {
        let link = self.links.len() as u32;
        self.links.push(Link { at, next: NONE });
        let uses = &mut self.values[value.index()].uses;
        match self.links.get_mut(uses.last as usize) {
            Some(last) => last.next = link,
            None => uses.first = link,
        }
        uses.last = link;
        uses.live += 1;
    }

    /// The uses of a value, stale ones among them.
    fn all_uses(&self, value: ValueId) -> impl Iterator<Item = Use> + use<'_> {
        let mut next = self[value].uses.first;
        std::iter::from_fn(move || {
            let link = self.links.get(next as usize)?;
            next = link.next;
            Some(link.at)
        })
    }

    /// The current uses of a value.
    pub fn uses(&self, value: ValueId) -> impl Iterator<Item = Use> + '_ {
        self.all_uses(value).filter(move |&at| match at {
            Use::Input { node, input } => self.input(node, input as usize) == Some(value),
            _ => true,
        })
    }

    /// One use of a value, if it is one, is stale from now on.
    pub(super) fn forget_use(&mut self, value: u32) {
        if let Some(value) = self.values.get_mut(value as usize) {
            value.uses.live = value.uses.live.saturating_sub(1);
        }
    }

    /// Keeps some of the current uses of a value.
    pub(super) fn retain_uses(&mut self, value: ValueId, keep: impl Fn(Use) -> bool) {
        let kept: Vec<Use> = self.uses(value).filter(|&at| keep(at)).collect();
        self.drop_uses(value);
        self.put_uses(value, kept);
    }

    /// Forgets the uses of a value, and returns the current ones.
    pub(in crate::onnx) fn drop_uses(&mut self, value: ValueId) -> Vec<Use> {
        let uses = self.uses(value).collect();
        self.values[value.index()].uses = Uses::default();
        uses
    }

    pub(in crate::onnx) fn put_uses(
        &mut self,
        value: ValueId,
        uses: impl IntoIterator<Item = Use>,
    ) {
        for at in uses {
            self.add_use(value, at);
        }
    }
}
