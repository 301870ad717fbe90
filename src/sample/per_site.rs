//! Each dropout alone: which one moves an output most.

use super::{Output, SiteSampling};
use crate::dropout::{Kind, Site};
use crate::error::{Error, Result};
use crate::onnx::Model;
use crate::rewrite::{Edited, Filter, strip};

/// A copy of the model without its other dropout.
///
/// # Errors
/// Another dropout cannot be removed.
pub(super) fn alone(model: &Model, sites: &[Site], site: &Site) -> Result<Edited> {
    let others = sites.iter().filter(|other| other.nodes != site.nodes);
    let filters: Vec<Filter> = others
        .map(|other| Filter {
            id: Some(other.id),
            ..Filter::default()
        })
        .collect();
    if filters.is_empty() {
        return Edited::new(model);
    }
    let options = strip::Options {
        kinds: Kind::ALL.to_vec(),
        filters,
        strict: true,
        ..strip::Options::default()
    };
    let stripped = strip::strip(model, &options).map_err(|e| {
        let why =
            format!("--per-site runs each dropout alone, and this one cannot be removed: {e}");
        Error::new(e.kind(), why)
    })?;
    Ok(stripped.edited)
}

/// What came of a dropout.
pub(super) fn sampling(model: &Model, site: &Site, outputs: Vec<Output>) -> SiteSampling {
    let place = || model.place(site.nodes[0]);
    SiteSampling {
        site: site.id,
        dropout: site.layer.clone().unwrap_or_else(place),
        outputs,
    }
}
