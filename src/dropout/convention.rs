//! Sites under a convention.

use std::borrow::Cow;

#[cfg(feature = "tract")]
use crate::hash::HashMap;
#[cfg(feature = "tract")]
use crate::onnx::NodeId;
#[cfg(feature = "tract")]
use crate::semantics::inline::Inlined;

use super::{Convention, Scaling, Site};

/// Sites with what each means at inference: where it has no convention of its own, this one. Under
/// [`Convention::Identity`] a mask that does not scale what it keeps leaves the data as it is.
pub(crate) fn under(sites: &[Site], convention: Convention) -> Cow<'_, [Site]> {
    let is_default = |site: &Site| site.convention.unwrap_or(convention) == Convention::default();
    if sites.iter().all(is_default) {
        return Cow::Borrowed(sites);
    }
    let mut sites = sites.to_vec();
    for site in &mut sites {
        let own = *site.convention.get_or_insert(convention);
        if own == Convention::Identity && site.is_unscaled() {
            (site.scaling, site.inference_scale) = (Scaling::Other, 1.0);
            let unscaled = site
                .junctions
                .iter_mut()
                .filter(|junction| junction.is_unscaled());
            unscaled.for_each(|junction| junction.scale = 1.0);
        }
    }
    Cow::Owned(sites)
}

/// The sites of an inlined model that come from these, with their conventions.
#[cfg(feature = "tract")]
pub(crate) fn inherited(sites: &[Site], inlined: &Inlined, from: &[Site]) -> Vec<Site> {
    let nodes = |site: &Site| {
        let junctions: Vec<NodeId> = site
            .junctions
            .iter()
            .map(|junction| junction.node)
            .collect();
        junctions.into_iter().chain(site.nodes.clone())
    };
    let from: HashMap<NodeId, &Site> = from
        .iter()
        .rev()
        .flat_map(|site| nodes(site).map(move |node| (node, site)))
        .collect();
    let own = sites.iter().filter_map(|site| {
        let mut origins = nodes(site).filter_map(|node| inlined.origin(node));
        let origin = origins.find_map(|origin| from.get(&origin.node))?;
        Some(Site {
            convention: origin.convention,
            ..site.clone()
        })
    });
    own.collect()
}
