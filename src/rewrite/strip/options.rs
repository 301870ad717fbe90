//! What to strip.

use crate::dropout::{Convention, Kind, Mode};
use crate::error::Result;
use crate::rewrite::Filter;

/// What to strip.
#[derive(Clone, Debug, derive_setters::Setters)]
#[non_exhaustive]
pub struct Options {
    /// The modes whose sites are removed.
    pub only: Vec<Mode>,
    /// The kinds that are removed. Noise is not dropout to everybody, and stays if not asked for.
    pub kinds: Vec<Kind>,
    /// Masks that were drawn once and are constants now are removed as well.
    pub frozen_masks: bool,
    /// What dropout means at inference where the file does not declare it. Classic dropout leaves a `Mul` by
    /// `1-p`.
    pub convention: Convention,
    /// What dropouts that match mean instead; the first filter that matches decides.
    pub conventions: Vec<(Filter, Convention)>,
    /// Batch normalization in training mode becomes its inference form.
    pub batchnorm: bool,
    /// Inputs of the model that only dropout used are removed.
    pub prune_inputs: bool,
    /// Masks that verification cannot measure are accepted: structure and runs decide.
    pub allow_unmeasured: bool,
    /// Which dropouts are removed; all, if there are no filters.
    pub filters: Vec<Filter>,
    /// Remove nothing if one of them cannot be removed.
    pub strict: bool,
}

impl Default for Options {
    /// All dropout is removed, also active dropout; Gaussian noise and frozen masks stay.
    fn default() -> Self {
        Options {
            only: Mode::ALL.to_vec(),
            kinds: vec![Kind::Dropout, Kind::AlphaDropout, Kind::GaussianDropout],
            frozen_masks: false,
            convention: Convention::Inverted,
            conventions: Vec::new(),
            batchnorm: false,
            prune_inputs: false,
            allow_unmeasured: false,
            filters: Vec::new(),
            strict: false,
        }
    }
}

impl Options {
    /// What `kinds` calls masks that are constants.
    pub const FROZEN_MASK: &str = "frozen_mask";
    /// What `kinds` calls all there are.
    pub const ALL: &str = "all";

    /// Options by their words: sites of the modes `only` (all modes if it is empty), of these kinds.
    ///
    /// # Errors
    /// A word is unknown.
    pub fn of_words(
        only: &[impl AsRef<str>],
        kinds: &[impl AsRef<str>],
        convention: Convention,
    ) -> Result<Options> {
        let mut options = Options {
            kinds: Vec::new(),
            convention,
            ..Options::default()
        };
        if !only.is_empty() {
            let only = only.iter().map(|word| word.as_ref().parse());
            options.only = only.collect::<Result<_>>()?;
        }
        for word in kinds.iter().map(AsRef::as_ref) {
            match word {
                Self::ALL => options.kinds.extend(Kind::ALL),
                Self::FROZEN_MASK => {}
                kind => options.kinds.push(kind.parse()?),
            }
            options.frozen_masks |= [Self::ALL, Self::FROZEN_MASK].contains(&word);
        }
        Ok(options)
    }
}
