//! What strip leaves that draws random numbers, or that no runtime loads.

use std::collections::BTreeMap;

use crate::dropout::batch_norm::{in_training, without_statistics};
use crate::dropout::{Form, Kind, Mode};
use crate::error::Result;
use crate::semantics::draws::unloadable;

use super::Stripped;

/// What a result has left that draws random numbers, or that no runtime loads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// Dropout that may act: its kinds, with the number of sites.
    pub acting: BTreeMap<Kind, usize>,
    /// Masks that are constants, and drop the same elements on every run.
    pub frozen: usize,
    /// Random operators that are not part of a dropout.
    pub random: usize,
    /// Batch normalizations that use the statistics of the batch.
    pub batch_norms: usize,
    /// Those of them that have no running statistics in the file: they are written out.
    pub written_out: usize,
    /// Operators that draw and that no runtime loads.
    pub unloadable: usize,
}

impl Stripped {
    /// What the result has left that draws random numbers, or that no runtime loads.
    ///
    /// # Errors
    /// The rate of a dropout cannot be read.
    pub fn left(&self) -> Result<Left> {
        let after = self.edited.examined();
        let mut left = Left {
            random: after.random()?.len(),
            batch_norms: in_training(after.facts()).count(),
            written_out: without_statistics(after.facts()).count(),
            unloadable: after.view().nodes().filter_map(unloadable).count(),
            ..Left::default()
        };
        for site in after.sites()?.iter() {
            match (site.form, site.mode) {
                (Form::FrozenMask, Mode::Frozen) => left.frozen += 1,
                (_, Mode::Active | Mode::Runtime) => {
                    *left.acting.entry(site.kind).or_default() += 1
                }
                _ => {}
            }
        }
        Ok(left)
    }
}
