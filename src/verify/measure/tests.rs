//! Claims that are right are measured to be; claims with one fact off by a step are refuted.

use std::path::{Path, PathBuf};

use super::*;
use crate::dropout::{Examined, Form, Kind};
use crate::onnx::{Model, Producer};
use crate::verify::engine::Host;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "onnx"))
        .collect();
    files.sort();
    files
}

/// Calls a function with every mask of every fixture.
fn each_mask(mut then: impl FnMut(&str, Side<'_>, &Site)) {
    for path in fixtures() {
        let model = Model::open(&path).unwrap();
        let examined = Examined::new(&model);
        let side = examined.side().unwrap();
        let name = path.file_stem().unwrap().to_string_lossy();
        let masks = side.sites.iter().filter(|site| !site.junctions.is_empty());
        for site in masks.filter(|site| site.entangled.is_none()) {
            then(&name, side, site);
        }
    }
}

fn outcome_of(side: Side<'_>, site: &Site) -> Outcome {
    let report = measured(side, &[site], &Host::default()).unwrap().unwrap();
    report.sites[0].outcome.clone()
}

#[test]
fn every_mask_in_the_fixtures_is_measured() {
    let mut forms = Vec::new();
    each_mask(|name, side, site| {
        let outcome = outcome_of(side, site);
        assert!(
            matches!(outcome, Outcome::AsAssumed { .. }),
            "{name}: {outcome}"
        );
        forms.push((site.form, site.kind));
    });
    for kind in Kind::ALL {
        assert!(forms.iter().any(|(_, other)| other == kind), "{kind}");
    }
    assert!(forms.iter().any(|(form, _)| *form == Form::FrozenMask));
}

#[test]
fn a_claim_with_one_fact_off_by_a_step_is_refuted() {
    let mut refuted = std::collections::BTreeMap::new();
    let mut missed = Vec::new();
    each_mask(|name, side, site| {
        for (what, mutant) in mutants(side.view, site) {
            match outcome_of(side, &mutant) {
                Outcome::Unlike { .. } => *refuted.entry(what).or_insert(0) += 1,
                other => missed.push(format!("{name}, {what}: {other}")),
            }
        }
    });
    assert!(missed.is_empty(), "{missed:#?}");
    for what in FACTS {
        assert!(refuted.contains_key(what), "nothing varies {what}");
    }
}

const FACTS: [&str; 10] = [
    "another kind",
    "another output",
    "data from before",
    "kept elements",
    "shared axes",
    "the factor before",
    "the rate",
    "the scale",
    "uses, one missing",
    "uses, one too many",
];

/// A site with one fact changed, for each fact that matters to it.
fn mutants(view: View<'_>, site: &Site) -> Vec<(&'static str, Site)> {
    let noise = matches!(site.kind, Kind::GaussianDropout | Kind::GaussianNoise);
    let drops = site.kind == Kind::Dropout;
    let drawn = site.form == Form::RandomMask;
    let mut found = Vec::new();
    let mut add = |what, change: &dyn Fn(&mut Site) -> Option<()>| {
        let mut mutant = site.clone();
        if change(&mut mutant).is_some() {
            found.push((what, mutant));
        }
    };
    add("the rate", &|site| {
        site.rate = Some(site.rate? + 0.05);
        Some(())
    });
    add("the scale", &|site| {
        let junction = site.junctions.iter_mut().find(|_| drops)?;
        junction.scale *= 1.25;
        Some(())
    });
    add("kept elements", &|site| {
        let junction = site.junctions.iter_mut().find(|_| drawn && !noise)?;
        junction.kept.0 *= 1.25;
        Some(())
    });
    add("another kind", &|site| {
        site.kind = match site.kind {
            Kind::Dropout if drawn => Kind::AlphaDropout,
            Kind::Dropout => return None,
            Kind::AlphaDropout => Kind::GaussianDropout,
            Kind::GaussianDropout => Kind::GaussianNoise,
            Kind::GaussianNoise => Kind::Dropout,
        };
        Some(())
    });
    add("data from before", &|site| {
        let junction = site.junctions.first_mut()?;
        let before = view.value(junction.data).node()?.input(0)?;
        let shape = view.value(junction.data).node()?.op() == "Identity";
        junction.data = Some(before.id).filter(|_| !shape)?;
        junction.prescale = None;
        Some(())
    });
    add("another output", &|site| {
        let junction = site.junctions.first_mut()?;
        let (reader, _) = view.value(junction.output).readers().next()?;
        junction.output = reader.output(0).filter(|_| reader.op() != "Identity")?.id;
        Some(())
    });
    add("the factor before", &|site| {
        let junction = site
            .junctions
            .iter_mut()
            .find(|junction| junction.prescale.is_some())?;
        junction.prescale.as_mut()?.from = junction.data;
        Some(())
    });
    add("shared axes", &|site| {
        let shape = || Some(vec!["1".to_string()]);
        site.noise_shape = match site.noise_shape {
            _ if !drawn => return None,
            Some(_) => None,
            None => shape(),
        };
        Some(())
    });
    add("uses, one missing", &|site| {
        (drawn && site.junctions.len() > 1).then(|| site.junctions.remove(0))?;
        Some(())
    });
    add("uses, one too many", &|site| {
        let mut more = site.junctions.first().filter(|_| drawn)?.clone();
        let Producer::Node { node, .. } = view.value(more.data).get().producer else {
            return None;
        };
        let before = view.node(node).input(0)?;
        (more.node, more.output, more.data) = (node, more.data, before.id);
        (more.path, more.prescale) = (Vec::new(), None);
        site.junctions.push(more);
        Some(())
    });
    found
}
