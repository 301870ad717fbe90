//! Sites under a convention.

use std::borrow::Cow;

use super::{Convention, Scaling, Site};

/// What sites mean at inference under a convention: under [`Convention::Identity`] a mask that does not scale
/// what it keeps leaves the data as it is.
pub(crate) fn under(sites: &[Site], convention: Convention) -> Cow<'_, [Site]> {
    if convention != Convention::Identity || !sites.iter().any(Site::is_unscaled) {
        return Cow::Borrowed(sites);
    }
    let mut sites = sites.to_vec();
    for site in sites.iter_mut().filter(|site| site.is_unscaled()) {
        (site.scaling, site.inference_scale) = (Scaling::Other, 1.0);
        let unscaled = site.exits.iter_mut().filter(|exit| exit.is_unscaled());
        unscaled.for_each(|exit| exit.scale = 1.0);
    }
    Cow::Owned(sites)
}
