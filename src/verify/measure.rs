//! Evidence from the original's own nodes that a mask is what a rewrite takes it for.
//!
//! The region of a mask is what the model computes between data and output. It is cut out by dependency
//! alone and run with numbers of this module in place of data and draws, so that nothing is left to
//! chance: bisection finds the exact draws at which elements flip, and with them the rate; a code, bit
//! by bit, finds the element of the draw that decides each element of the output. What is assumed comes
//! as data. No recogniser is called, and no shape, scale or rate of one is used but to be compared.

mod claim;
mod expected;
mod experiment;
mod law;
mod layers;
mod operators;
mod probe;
mod region;
mod report;
mod sizes;
mod trials;

use crate::dropout::{Examine, Examined, Side, Site};
use crate::error::Result;
use crate::hash::{HashMap, HashSet};
use crate::onnx::{DataType, ValueId};
use crate::semantics::analysis::Analysis;
use crate::semantics::draws::drawn;
use crate::semantics::inline::{Failure, inline};
use crate::semantics::view::View;

use super::engine::Host;
use claim::{Claim, Places};
use expected::{Draw, Expected};
use experiment::{Fault, Measured};
pub(in crate::verify) use operators::operators;
pub(in crate::verify) use region::Ground;
use region::{Input, Region, Removed};
#[doc(hidden)]
pub use report::SiteReport;
pub use report::{Outcome, Report};

/// A region to measure, for a site.
struct Task {
    site: usize,
    region: Region,
    data: ValueId,
    expected: Expected,
}

/// Measures the masks among some sites of a model, and compares them with the facts in the sites; `None` if
/// there are no masks. The sites may come from anywhere: none of their facts is trusted.
///
/// # Errors
/// The model cannot be read, or is not sound.
#[doc(hidden)]
pub fn measure(model: &impl Examine, sites: &[Site], host: &Host) -> Result<Option<Report>> {
    let sites: Vec<&Site> = sites.iter().collect();
    model.examined(|examined| measured(examined.unjudged()?, &sites, host))
}

/// As [`measure`], of one side of a comparison.
///
/// # Errors
/// As [`measure`].
pub(crate) fn measured(side: Side<'_>, sites: &[&Site], host: &Host) -> Result<Option<Report>> {
    let masks = sites.iter().copied().filter(|site| site.is_mask());
    let (layers, masks): (Vec<&Site>, Vec<&Site>) = masks.partition(|site| site.runs_if.is_some());
    let mut report = match masks.is_empty() {
        true => Report::default(),
        false => masks_of(side, &masks, host)?,
    };
    if !layers.is_empty() {
        report.sites.extend(layers_of(side, &layers, host)?);
    }
    Ok(Some(report).filter(|report| !report.sites.is_empty()))
}

/// Layers that a draw skips.
fn layers_of(side: Side<'_>, layers: &[&Site], host: &Host) -> Result<Vec<SiteReport>> {
    let (copy, products) = layers::as_masks(side.view, layers)?;
    let copy = Examined::new(&copy);
    let copy = copy.unjudged()?;
    let views = (side.view, copy.view);
    let masks = products.iter();
    let masks = masks.filter_map(|(site, product)| layers::mask(views, site, product));
    let masks: Vec<Site> = masks.collect();
    let is_mask = |site: &&Site| masks.iter().any(|mask| mask.nodes == site.nodes);
    let (_, others): (Vec<&Site>, Vec<&Site>) = layers.iter().partition(|site| is_mask(site));
    let mut sites = masks_of(copy, &masks.iter().collect::<Vec<_>>(), host)?.sites;
    let why =
        "a draw decides whether its layer runs, and its data has no type that a mask can have";
    sites.extend(unmeasured(side, &others, why));
    Ok(sites)
}

/// Sites that are not measured, for one reason.
fn unmeasured(side: Side<'_>, sites: &[&Site], why: &str) -> Vec<SiteReport> {
    let outcome = Outcome::Unmeasured { why: why.into() };
    let sites = sites.iter().map(|site| SiteReport {
        place: side.view.model.place(site.nodes[0]),
        outcome: outcome.clone(),
    });
    sites.collect()
}

fn masks_of(side: Side<'_>, masks: &[&Site], host: &Host) -> Result<Report> {
    let place = |site: &Site| side.view.model.place(site.nodes[0]);
    let results = inlined(side, |ground, places| {
        let claims = masks.iter().map(|site| match places {
            None => Ok(vec![claim::plain(site)]),
            Some(places) => places.claims(site),
        });
        of_claims(ground, claims.collect(), host)
    });
    Ok(match results? {
        Ok(results) => report(masks, results, place),
        Err(why) => Report {
            sites: unmeasured(side, masks, &why),
        },
    })
}

/// What comes of a model without functions, and of where the nodes of the original are in it if it had some; the
/// reason in place of it if it cannot be inlined.
fn inlined<T>(
    side: Side<'_>,
    measured: impl FnOnce(&Ground<'_>, Option<&Places<'_>>) -> Result<T>,
) -> Result<Result<T, String>> {
    let view = side.view;
    if view.model.functions().is_empty() {
        return measured(&Ground::new(side.facts)?, None).map(Ok);
    }
    let inlined = match inline(view) {
        Ok(inlined) => inlined,
        Err(Failure::Refused(why)) => return Ok(Err(why)),
        Err(Failure::Error(error)) => return Err(error),
    };
    let flat = Analysis::of(&inlined.model);
    let places = Places::new(view, &inlined, flat.view());
    measured(&Ground::new(flat.facts())?, Some(&places)).map(Ok)
}

fn report(
    masks: &[&Site],
    results: Vec<Vec<Result<Measured, Fault>>>,
    place: impl Fn(&Site) -> String,
) -> Report {
    let sites = masks.iter().zip(results).filter_map(|(site, results)| {
        Some(SiteReport {
            place: place(site),
            outcome: outcome(results)?,
        })
    });
    Report {
        sites: sites.collect(),
    }
}

/// What all regions of a site show together; `None` of a site in a function that nothing calls.
fn outcome(results: Vec<Result<Measured, Fault>>) -> Option<Outcome> {
    let mut found = None;
    for result in results {
        match result {
            Err(Fault::Unlike(why)) => return Some(Outcome::Unlike { why }),
            Err(Fault::Unknown(why)) => found = Some(Outcome::Unmeasured { why }),
            Ok(measured) => {
                found.get_or_insert(Outcome::AsAssumed {
                    rate: measured.rate,
                    within: measured.within,
                    kept: measured.kept,
                    shared: measured.shared.contains(&true),
                    constant: measured.constant,
                });
            }
        }
    }
    found
}

/// The results of each site: of all its regions in all calls.
fn of_claims(
    ground: &Ground<'_>,
    claims: Vec<Result<Vec<Claim<'_>>, String>>,
    host: &Host,
) -> Result<Vec<Vec<Result<Measured, Fault>>>> {
    let mut results: Vec<Vec<Result<Measured, Fault>>> = Vec::new();
    let mut tasks = Vec::new();
    // all outputs of the masks of a draw: two rates of one draw are two sites
    let mut outputs: HashMap<_, HashSet<ValueId>> = HashMap::default();
    for claim in claims.iter().flatten().flatten() {
        let of_draw = outputs.entry(claim.draw).or_default();
        of_draw.extend(claim.junctions.iter().map(|junction| junction.output));
    }
    let junctions = claims
        .iter()
        .flatten()
        .flatten()
        .flat_map(|claim| &claim.junctions);
    let plain =
        junctions.filter(|junction| junction.prescale.is_none() && junction.path.is_empty());
    let removed = plain.map(|junction| (junction.output, (junction.data, junction.scale)));
    let removed = removed.collect();
    for (site, claims) in claims.into_iter().enumerate() {
        let mut found = Vec::new();
        match claims {
            Err(why) => found.push(Err(Fault::Unknown(why))),
            Ok(claims) => {
                for claim in &claims {
                    match regions(ground, claim, &outputs[&claim.draw], &removed, site) {
                        Ok(regions) => tasks.extend(regions),
                        Err(fault) => found.push(Err(fault)),
                    }
                }
            }
        }
        results.push(found);
    }
    for (site, result) in trials::run(ground, &tasks, host)? {
        results[site].push(result);
    }
    Ok(results)
}

/// The regions of a mask, one for each place where it is applied.
fn regions(
    ground: &Ground<'_>,
    claim: &Claim<'_>,
    outputs: &HashSet<ValueId>,
    removed: &Removed,
    site: usize,
) -> Result<Vec<Task>, Fault> {
    let view = ground.view();
    let drawn = claim.draw.and_then(|draw| drawn(view.node(draw)));
    let dependents = ground.dependents(drawn.map(|value| value.id), outputs, None);
    if let Some(output) = ground.mixed_output(&dependents) {
        let name = &view.value(output).get().name;
        let why = format!("also changes `{name}`, which it was not assumed to");
        return Err(Fault::Unlike(why));
    }
    let draw = match claim.draw {
        Some(draw) => Some(Draw::of(ground.facts, draw).map_err(Fault::Unknown)?),
        None => None,
    };
    let mut tasks = Vec::new();
    for junction in &claim.junctions {
        if dependents.values.contains(&junction.data) {
            let name = &view.value(junction.data).get().name;
            let why = format!("is applied to `{name}`, which depends on the same draw");
            return Err(Fault::Unlike(why));
        }
        // the factor before a mask is measured with it
        let (data, chain) = match junction.prescale {
            Some(prescale) => (prescale.from, junction.chain(view)),
            None => (junction.data, Vec::new()),
        };
        let mut cuts = numbers(claim);
        cuts.extend(drawn.map(|value| (value.id, Input::Draw)));
        cuts.insert(data, Input::Data);
        let path = [&chain[..], &junction.path].concat();
        let region = ground.region(junction.output, &cuts, &dependents, &path, removed);
        let region = region.map_err(Fault::Unknown)?;
        if drawn.is_some() && region.draws.is_empty() {
            let name = &view.value(junction.output).get().name;
            let why = format!("does not decide about `{name}`");
            return Err(Fault::Unlike(why));
        }
        let mut expected = Expected::of(view, claim.site, junction, draw).without(region.left_out);
        if ground.is_zero(data) {
            // a multiple of 0 is any other
            (expected.kept, expected.scale) = (None, None);
        }
        tasks.push(Task {
            site,
            region,
            data,
            expected,
        });
    }
    Ok(tasks)
}

/// Inputs that are the same number everywhere.
fn numbers(claim: &Claim<'_>) -> HashMap<ValueId, Input> {
    let given = claim
        .given
        .map(|(value, number)| (value, Input::Given(number)));
    let switch = claim.switch.map(|(value, off)| (value, Input::Switch(off)));
    given.into_iter().chain(switch).collect()
}

/// The element type of a value that a region reads.
fn element(view: View<'_>, value: ValueId, input: Input) -> DataType {
    let at = view.value(value);
    let drawn = at.node().filter(|_| input == Input::Draw);
    let drawn = drawn.and_then(|node| super::draw::drawn_element(node));
    let other = match input {
        Input::Switch(_) => DataType::BOOL,
        _ => DataType::FLOAT,
    };
    drawn.or(at.element_type()).unwrap_or(other)
}

#[cfg(test)]
mod tests;
