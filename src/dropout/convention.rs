//! Sites under a convention.

use std::borrow::Cow;

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
            let unscaled = site.exits.iter_mut().filter(|exit| exit.is_unscaled());
            unscaled.for_each(|exit| exit.scale = 1.0);
        }
    }
    Cow::Owned(sites)
}

/// The sites of an inlined model, with the conventions of the sites that they come from.
#[cfg(feature = "tract")]
pub(crate) fn inherited<'s>(
    sites: &'s [Site],
    inlined: &Inlined,
    from: &[Site],
) -> Cow<'s, [Site]> {
    let own = from.iter().filter(|site| site.convention.is_some());
    let own: Vec<&Site> = own.collect();
    if own.is_empty() {
        return Cow::Borrowed(sites);
    }
    let mut sites = sites.to_vec();
    for site in &mut sites {
        let origin = inlined.origin(site.nodes[0]).map(|origin| origin.node);
        let same = own.iter().find(|own| Some(own.nodes[0]) == origin);
        site.convention = same.and_then(|own| own.convention);
    }
    Cow::Owned(sites)
}
