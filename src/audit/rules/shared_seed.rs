//! `shared-seed`.

use std::collections::BTreeMap;

use crate::dropout::Site;

use super::{Context, Found, acts, rule};

rule! {
    /// Several active dropouts with the same seed
    ///
    /// ## What it finds
    ///
    /// Active dropouts whose random draws have the same explicit seed. There is one finding per
    /// seed, at the first of them.
    ///
    /// ## Why it matters
    ///
    /// Draws with the same seed repeat each other: layers of the same size drop the same elements,
    /// so they are not independent. tf2onnx writes a seed where the source set none.
    ///
    /// ## Example
    ///
    /// ```text
    /// a = RandomUniformLike(x){seed=0.0}
    /// b = RandomUniformLike(y){seed=0.0}
    /// ```
    ///
    /// ## What to do
    ///
    /// For inference, nothing: `dropout-onnx strip` removes them. For sampling or training, give
    /// each a different seed, or none.
    "shared-seed", Note, check
}

/// The number of other dropouts named.
const NAMED: usize = 3;

fn check(context: &Context<'_>) -> Vec<Found> {
    let mut sites: BTreeMap<i64, Vec<&Site>> = BTreeMap::new();
    for site in context.sound().filter(|site| acts(site)) {
        if let Some(seed) = site.seed {
            sites.entry(seed).or_default().push(site);
        }
    }
    let shared = sites.into_iter().filter(|(_, sites)| sites.len() > 1);
    shared
        .map(|(seed, sites)| {
            let others = sites[1..].iter().take(NAMED);
            let names = others.map(|site| format!("`{}`", context.model.label(site.nodes[0])));
            let mut names: Vec<_> = names.collect();
            if sites.len() - 1 > NAMED {
                names.push(format!("{} more", sites.len() - 1 - NAMED));
            }
            let names = names.join(", ");
            context.at_site(sites[0], format!("has the same seed {seed} as {names}"))
        })
        .collect()
}
