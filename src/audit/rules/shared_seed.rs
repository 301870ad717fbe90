//! `shared-seed`.

use std::collections::BTreeMap;

use crate::dropout::Site;

use super::{Context, Found, acts, rule};

rule! {
    /// Several dropouts that act, with the same seed
    ///
    /// ## What it finds
    ///
    /// Dropouts that act and whose random draws have the same seed written in the file; one finding for
    /// all of a seed, at the first of them.
    ///
    /// ## Why it matters
    ///
    /// Draws with the same seed repeat each other: layers of the same size drop the same elements, which
    /// is less random than dropout is meant to be. tf2onnx writes a seed where the source set none.
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
    /// Nothing for inference: `dropout-onnx strip` removes them. For sampling or training give each a
    /// seed of its own, or none.
    "shared-seed", Note, check
}

/// How many of the others are named.
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
            context.at_site(sites[0], format!("its seed {seed} is also that of {names}"))
        })
        .collect()
}
