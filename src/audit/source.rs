//! The dropout of the model that a file was exported from, and what became of it.

use std::fmt;

use serde::Serialize;

use crate::dropout::Mode;

/// What became of a dropout of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// The file does not have it, as after an export for inference.
    Missing,
    /// Not found, but the file has dropout without the name of a layer of the source.
    Unknown,
    /// It is there, in this mode.
    #[serde(untagged)]
    Is(Mode),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Is(mode) => mode.word(),
            State::Missing => "missing",
            State::Unknown => "unknown",
        })
    }
}

/// A dropout of the source, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SourceDropout {
    /// Its layer.
    pub layer: String,
    /// The class of the layer.
    pub layer_class: String,
    /// The argument that drops.
    pub argument: String,
    /// The rate in the source; of Gaussian noise the standard deviation.
    pub rate: f64,
    /// What became of it.
    pub state: State,
    /// The rate in the file, if it is there and known.
    pub exported_rate: Option<f64>,
    /// The ids of its sites in the file.
    pub sites: Vec<usize>,
}

#[cfg(feature = "keras")]
mod keras {
    use super::{SourceDropout, State};
    use crate::audit::{ModelAudit, SiteRecord};
    use crate::keras::{Archive, Drops, Layer};

    /// Tolerance of a rate, which models have in single precision.
    const SAME: f64 = 1e-6;

    impl ModelAudit {
        /// Compares the dropout of a saved model with that of this file.
        pub fn compare(&mut self, source: &Archive) {
            let of = |site: &SiteRecord| source.layer_of(site.layer.as_deref()?);
            let layers: Vec<Option<usize>> = self.sites.iter().map(of).collect();
            let mut found = Vec::new();
            for (index, layer) in source.layers.iter().enumerate() {
                let here = self.sites.iter().zip(&layers);
                let here = here.filter(|(_, of)| **of == Some(index));
                let here: Vec<&SiteRecord> = here.map(|(site, _)| site).collect();
                let unnamed = layers.contains(&None);
                let each = layer.drops.iter();
                found.extend(each.map(|drops| became(layer, drops, &here, unnamed)));
            }
            self.source = Some(found);
        }
    }

    /// What became of a dropout whose layer has these sites.
    fn became(layer: &Layer, drops: &Drops, here: &[&SiteRecord], unnamed: bool) -> SourceDropout {
        let same = |site: &&&SiteRecord| {
            site.rate
                .is_some_and(|rate| (rate - drops.rate).abs() < SAME)
        };
        let mut mine: Vec<&SiteRecord> = here.iter().filter(same).copied().collect();
        // of several arguments, the rate decides
        if mine.is_empty() && layer.drops.len() == 1 {
            mine = here.to_vec();
        }
        let worst = mine.iter().map(|site| site.mode).max();
        let none = if unnamed {
            State::Unknown
        } else {
            State::Missing
        };
        SourceDropout {
            layer: layer.path.clone(),
            layer_class: layer.class.clone(),
            argument: drops.argument.clone(),
            rate: drops.rate,
            state: worst.map_or(none, State::Is),
            exported_rate: mine.iter().find_map(|site| site.rate),
            sites: mine.iter().map(|site| site.id).collect(),
        }
    }
}
