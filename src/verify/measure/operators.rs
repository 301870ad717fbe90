//! The rates of `Dropout` operators that leave a factor of their rate, under the classic convention: each
//! operator is run in training, with what the model gives it as its ratio.

use std::collections::BTreeMap;

use crate::dropout::{Side, Site};
use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{DataType, NodeId};
use crate::semantics::view::View;
use crate::verify::engine::{Host, Meaning, Stop, Value, Values};

use super::expected::resolution;
use super::probe::{Ends, Sized, Writer};
use super::region::{Dependents, Ground, Input, Region};
use super::trials::load;
use super::{Outcome, SiteReport, element, inlined, unmeasured};

/// The data of each operator: ones in this shape.
const SHAPE: [usize; 2] = [64, 64];

/// Runs the operators among some sites, and compares their rates with those in the sites.
///
/// # Errors
/// The model cannot be read.
pub(in crate::verify) fn operators(
    side: Side<'_>,
    sites: &[&Site],
    host: &Host,
) -> Result<Vec<SiteReport>> {
    let drops = |site: &&Site| site.rate.is_some_and(|rate| rate > 0.0);
    let sites = sites.iter().copied().filter(drops);
    let sites: Vec<&Site> = sites.filter(|site| site.is_classic()).collect();
    if sites.is_empty() {
        return Ok(Vec::new());
    }
    let mut reports = unmeasured(side, &sites, "no call of its function was found");
    let ran = inlined(side, |ground, places| {
        let nodes = sites.iter().enumerate().flat_map(|(at, site)| {
            let node = site.nodes[0];
            let nodes = match places {
                None => vec![node],
                Some(places) => places.nodes(site, node).collect(),
            };
            nodes.into_iter().map(move |node| (at, node))
        });
        let nodes: Vec<(usize, NodeId)> = nodes.collect();
        run(ground, &nodes, &sites, host, &mut reports)
    });
    if let Err(why) = ran? {
        reports = unmeasured(side, &sites, &why);
    }
    Ok(reports)
}

/// The region of an operator: the operator, and what its ratio is computed from.
fn region(ground: &Ground<'_>, node: NodeId) -> Result<Region, String> {
    let view = ground.view();
    let node = view.node(node);
    let (Some(data), Some(output)) = (node.input(0), node.output(0)) else {
        return Err("it has no output".into());
    };
    let mut cuts = HashMap::default();
    cuts.insert(data.id, Input::Data);
    if let Some(switch) = node.input(2) {
        cuts.insert(switch.id, Input::Switch(0.0));
    }
    let none = Dependents::none();
    let region = ground.region(output.id, &cuts, &none, &[], &HashMap::default())?;
    match region.inputs.iter().any(|(_, input)| *input == Input::Free) {
        true => Err("its ratio is not constant".into()),
        false => Ok(region),
    }
}

/// Runs operators, each in one call of its function. `nodes`: with the place of its site.
fn run(
    ground: &Ground<'_>,
    nodes: &[(usize, NodeId)],
    sites: &[&Site],
    host: &Host,
    reports: &mut [SiteReport],
) -> Result<()> {
    let view = ground.view();
    let mut regions = Vec::new();
    for &(site, node) in nodes {
        match region(ground, node) {
            Ok(region) => regions.push((site, region)),
            Err(why) => reports[site].outcome = Outcome::Unmeasured { why },
        }
    }
    let sized = regions.iter().map(|(_, region)| sized(view, region));
    let sized: Vec<Sized<'_>> = sized.collect();
    if sized.is_empty() {
        return Ok(());
    }
    let (source, ends) = Writer::new(view).model(&sized.iter().collect::<Vec<_>>())?;
    let outputs = match outputs(view, &source, (&sized, &ends), host) {
        Ok(outputs) => outputs,
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Unrunnable(why)) => {
            for &(site, _) in &regions {
                let why = why.reason.clone();
                reports[site].outcome = Outcome::Unmeasured { why };
            }
            return Ok(());
        }
    };
    for ((&(site, _), sized), ends) in regions.iter().zip(&sized).zip(&ends) {
        if matches!(reports[site].outcome, Outcome::Unlike { .. }) {
            continue;
        }
        let element = sized
            .inputs
            .first()
            .map_or(DataType::FLOAT, |input| input.0);
        let output = outputs.get(&ends.output.to_string());
        reports[site].outcome = match sites[site].noise_shape {
            Some(_) => Outcome::Unlike {
                why: "draws for each element, where shared draws were assumed".into(),
            },
            None => judged(sites[site].rate.unwrap_or_default(), element, output),
        };
    }
    Ok(())
}

fn sized<'r>(view: View<'_>, region: &'r Region) -> Sized<'r> {
    let inputs = region.inputs.iter().map(|&(value, input)| {
        let shape = match input {
            Input::Data => SHAPE.to_vec(),
            _ => Vec::new(),
        };
        (element(view, value, input), shape)
    });
    let data = region
        .inputs
        .iter()
        .find(|(_, input)| *input == Input::Data);
    Sized {
        region,
        inputs: inputs.collect(),
        data: data.map_or(region.output, |(value, _)| *value),
    }
}

/// The outputs of one run of all operators, by name.
fn outputs(
    view: View<'_>,
    source: &crate::source::Source,
    (sized, ends): (&[Sized<'_>], &[Ends]),
    host: &Host,
) -> Result<BTreeMap<String, Value>, Stop> {
    let meaning = Meaning::Training {
        seed: 0,
        rate: None,
    };
    let runnable = load(view, ("the operator", source), meaning, host)?;
    let mut inputs = Values::new();
    for (sized, ends) in sized.iter().zip(ends) {
        for (feed, (element, shape)) in ends.feeds.iter().zip(&sized.inputs) {
            let ones = vec![1.0; shape.iter().product()];
            let value = element.name();
            let value = value.and_then(|name| Value::from_numbers(name, shape, &ones));
            inputs.extend(value.map(|value| (feed.name.to_string(), value)));
        }
    }
    let found = runnable.run(&inputs, 0)?;
    let names = runnable.outputs().iter().cloned();
    Ok(names.zip(found).collect())
}

/// What ones show of the rate: kept elements are multiplied by 1/(1-p), and about as many are dropped.
fn judged(claimed: f64, element: DataType, output: Option<&Value>) -> Outcome {
    let numbers = output.map(Value::to_f64).unwrap_or_default();
    let kept = numbers.iter().copied().find(|&number| number != 0.0);
    let Some(kept) = kept else {
        let why = "it keeps nothing".to_string();
        return Outcome::Unmeasured { why };
    };
    let rate = 1.0 - 1.0 / kept;
    let dropped = numbers.iter().filter(|&&number| number == 0.0).count();
    let share = dropped as f64 / numbers.len() as f64;
    let deviation = (claimed * (1.0 - claimed) / numbers.len() as f64).sqrt();
    let near = (rate - claimed).abs() <= 4.0 * resolution(element);
    let why = if numbers
        .iter()
        .any(|&number| number != 0.0 && number != kept)
    {
        "keeps elements in different ways".to_string()
    } else if !near || (share - claimed).abs() > 6.0 * deviation {
        let rate = (rate * 1e6).round() / 1e6;
        format!("drops {rate}, where {claimed} was assumed")
    } else {
        return Outcome::AsAssumed {
            rate,
            within: 0.0,
            kept,
            shared: false,
            constant: false,
        };
    };
    Outcome::Unlike { why }
}
