//! One audit against one row of truth.

use dropout_onnx::audit::{ModelAudit, SiteRecord};
use dropout_onnx::dropout::{Form, Kind, Mode};
use dropout_onnx::onnx::Name;

use super::explained;
use super::truth::{Row, Source, Truth, millionths};

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub right: usize,
    pub of: usize,
}

impl Share {
    pub fn add(&mut self, right: bool) {
        self.of += 1;
        self.right += usize::from(right);
    }
}

/// What came of one file.
#[derive(Clone, Debug, Default)]
pub struct Scored {
    pub file: String,
    /// Does it act, and was it found to.
    pub acts: (bool, bool),
    pub sites: Share,
    pub kinds: Share,
    pub rates: Share,
    pub layers: Share,
    /// Sites whose layer the file does not tell.
    pub no_layer: usize,
    /// What the file no longer tells, and why.
    pub untold: Vec<String>,
    /// What is wrong.
    pub wrong: Vec<String>,
}

pub fn score(file: &str, row: &Row, audit: &ModelAudit) -> Scored {
    let mut scored = Scored {
        file: file.to_string(),
        ..Scored::default()
    };
    if let Some(error) = &audit.error {
        scored.wrong.push(format!("{file}: {error}"));
        return scored;
    }
    let truth = Truth::new(row);
    let (mut masks, mut acting) = (truth.masks, truth.acting_masks());
    if let Some(explained) = explained::of(file) {
        let pairs = explained.acting.iter();
        let known: Vec<(Kind, i64)> = pairs.map(|&(kind, p)| (kind, millionths(p))).collect();
        if (masks, &acting) == (explained.masks, &known) {
            let why = format!("{file}: as in truth, no longer an exception");
            scored.wrong.push(why);
        }
        (masks, acting) = (explained.masks, known);
        scored.untold.push(explained.why.to_string());
    } else if let Some(lost) = &truth.lost {
        scored.untold.push(lost.clone());
    }
    let mut wrong = Vec::new();
    verdict(&truth, !acting.is_empty(), audit, &mut scored, &mut wrong);
    count(&truth, masks, audit, &mut scored, &mut wrong);
    kinds_and_rates(&truth, &acting, audit, &mut scored, &mut wrong);
    layers(&truth, audit, &mut scored, &mut wrong);
    scored
        .wrong
        .extend(wrong.into_iter().map(|why| format!("{file}: {why}")));
    scored
}

fn of_form(audit: &ModelAudit, form: Form) -> impl Iterator<Item = &SiteRecord> {
    audit.sites.iter().filter(move |site| site.form == form)
}

fn may_act(site: &SiteRecord) -> bool {
    matches!(site.mode, Mode::Active | Mode::Runtime)
}

fn verdict(
    truth: &Truth,
    masks_act: bool,
    audit: &ModelAudit,
    scored: &mut Scored,
    wrong: &mut Vec<String>,
) {
    let found = audit.sites.iter().any(may_act);
    // what an input switches on may or may not have acted when the truth was told
    let runtime = audit.sites.iter().all(|s| s.mode != Mode::Active) && found;
    let acts = truth.operators.iter().any(|o| o.1) || masks_act || (runtime && truth.masks > 0);
    scored.acts = (acts, found);
    if acts != found {
        wrong.push(format!("acts: {acts}, found: {found}"));
    }
}

fn count(
    truth: &Truth,
    masks: usize,
    audit: &ModelAudit,
    scored: &mut Scored,
    wrong: &mut Vec<String>,
) {
    let scales = truth.sources.iter().filter(|s| s.downscales).count();
    for (form, wanted) in [
        (Form::Operator, truth.operators.len()),
        (Form::RandomMask, masks),
        (Form::FrozenMask, truth.frozen),
        (Form::Scale, scales),
    ] {
        let found = of_form(audit, form).count();
        scored.sites.of += wanted;
        scored.sites.right += found.min(wanted);
        if found != wanted {
            wrong.push(format!("{wanted} sites of form {form}, found {found}"));
        }
    }
}

fn kinds_and_rates(
    truth: &Truth,
    acting: &[(Kind, i64)],
    audit: &ModelAudit,
    scored: &mut Scored,
    wrong: &mut Vec<String>,
) {
    let rate = |site: &SiteRecord| site.rate.map_or(-1, millionths);
    let operators = of_form(audit, Form::Operator);
    let mut found: Vec<(i64, bool)> = operators.map(|s| (rate(s), may_act(s))).collect();
    found.sort_unstable();
    for (i, wanted) in truth.operators.iter().enumerate() {
        scored.kinds.add(found.get(i).is_some());
        scored.rates.add(found.get(i) == Some(wanted));
    }
    if found != truth.operators {
        wrong.push(format!("operators {:?}, found {found:?}", truth.operators));
    }
    for site in of_form(audit, Form::Operator).filter(|site| site.kind != Kind::Dropout) {
        wrong.push(format!("an operator is {}", site.kind));
    }
    let masks = || {
        audit
            .sites
            .iter()
            .filter(|site| site.form != Form::Operator)
    };
    for site in masks() {
        let of_kind = || truth.sources.iter().filter(|s| s.kind == site.kind);
        let kind = of_kind().next().is_some();
        // a mask without a scale tells its rate only as nearly as its zeros do
        let told = of_kind().any(|s| s.rate == rate(site));
        scored.kinds.add(kind);
        scored.rates.add(told);
        if !kind || !told {
            let (kind, rate) = (site.kind, site.rate);
            wrong.push(format!("no {kind} of {rate:?} in the source"));
        }
        let frozen = site.form == Form::FrozenMask;
        let inert = site.form == Form::Scale;
        if (frozen != (site.mode == Mode::Frozen)) || (inert != (site.mode == Mode::Inert)) {
            wrong.push(format!("a {} that is {}", site.form, site.mode));
        }
    }
    for source in truth.sources.iter().filter(|source| source.acts) {
        let mut sites = audit.sites.iter();
        if !sites.any(|s| s.kind == source.kind && rate(s) == source.rate) {
            let (kind, p) = (source.kind, source.rate as f64 / 1e6);
            scored
                .untold
                .push(format!("{kind} of {p} is lost, or its rate"));
        }
    }
    for &(kind, wanted) in acting {
        let found = masks().any(|s| may_act(s) && s.kind == kind && rate(s) == wanted);
        if !found {
            wrong.push(format!("{kind} of {} is missed", wanted as f64 / 1e6));
        }
    }
}

fn layers(truth: &Truth, audit: &ModelAudit, scored: &mut Scored, wrong: &mut Vec<String>) {
    for site in &audit.sites {
        // the ratio of some operators is lost or 0: then any source may be meant
        let same = |s: &&Source| s.kind == site.kind && Some(s.rate) == site.rate.map(millionths);
        let mut sources: Vec<&Source> = truth.sources.iter().filter(same).collect();
        if sources.is_empty() {
            sources = truth.sources.iter().collect();
        }
        let Some(layer) = &site.layer else {
            for source in &sources {
                if let Some(wanted) = source.layer.as_deref().filter(|l| is_told(site, l)) {
                    wrong.push(format!("the layer {wanted} is told but not read: {site:?}"));
                }
            }
            scored.no_layer += 1;
            let why = match sources.iter().all(|source| source.layer.is_none()) {
                true => "the model's own code, in no layer",
                false => "nothing names the layer",
            };
            let nodes: Vec<String> = site.nodes.iter().map(Name::to_string).collect();
            let nodes = nodes.join("`, `");
            scored.untold.push(format!("`{nodes}`: {why}"));
            continue;
        };
        let right = sources.iter().any(|s| {
            s.layer
                .as_deref()
                .is_some_and(|wanted| agrees(layer, wanted))
        });
        scored.layers.add(right);
        if !right {
            let wanted: Vec<_> = sources.iter().map(|s| &s.layer).collect();
            wrong.push(format!("layer {layer}, wanted one of {wanted:?}"));
        }
    }
    // no layer is named for another's dropout
    for source in truth.sources.iter().filter(|s| s.acts) {
        let of_rate = |s: &&SiteRecord| {
            s.form == Form::RandomMask
                && s.kind == source.kind
                && s.rate.map(millionths) == Some(source.rate)
        };
        let mut sites = audit.sites.iter().filter(of_rate).peekable();
        let wanted = source.layer.as_deref();
        let Some(wanted) = wanted.filter(|_| sites.peek().is_some()) else {
            continue;
        };
        if !sites.any(|site| {
            site.layer
                .as_deref()
                .is_none_or(|layer| agrees(layer, wanted))
        }) {
            wrong.push(format!("no site of the layer {wanted}"));
        }
    }
}

/// True if a path ends in the path the truth has. Its numbers may be parts of names:
/// `encoder.layers.encoder_layer_0` is `encoder.layers.0`.
pub fn agrees(layer: &str, wanted: &str) -> bool {
    let split = |path: &str| -> Vec<String> {
        let parts = path.split(['/', '.']);
        parts.rev().map(str::to_string).collect()
    };
    let (layer, wanted) = (split(layer), split(wanted));
    let same = |(layer, wanted): (&String, &String)| {
        let number = wanted.bytes().all(|b| b.is_ascii_digit());
        let before = layer.strip_suffix(wanted.as_str());
        layer == wanted
            || (number && before.is_some_and(|b| !b.ends_with(|c: char| c.is_ascii_digit())))
    };
    layer.len() >= wanted.len() && layer.iter().zip(&wanted).all(same)
}

/// True if a site's names or scope have the layer's last part as a part of a path.
fn is_told(site: &SiteRecord, layer: &str) -> bool {
    let last = layer.rsplit(['/', '.']).next().unwrap_or(layer);
    let names = site.nodes.iter().chain([&site.scope]);
    let mut names = names.map(Name::to_string);
    names.any(|name| name.contains('/') && name.split('/').any(|part| part == last))
}
