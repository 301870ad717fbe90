//! Dropouts as rows of a table. Rows that differ only in the numbers of their layers are one row with a
//! count, unless every dropout is asked for.

use anstyle::Style;
use dropout_onnx::audit::SiteRecord;
use dropout_onnx::dropout::{Form, MaskUse, Mode, RateOrigin};
use dropout_onnx::onnx::Name;
use dropout_onnx::report::{alike_sites, kind, rate};

use crate::style::{BAD, DIM, GOOD, Table, WARN};

/// Dropouts, each with a remark of the report.
pub type Sites<'a> = [(&'a SiteRecord, String)];

/// The table of dropouts: alike ones in one row, or all of them with their details if `verbose`.
pub fn table(sites: &Sites<'_>, verbose: bool) -> Table {
    let mut table = Table::default();
    if verbose {
        table.head([
            "STATE",
            "RATE",
            "KIND",
            "RATE FROM",
            "MASK",
            "SCOPE",
            "LAYER",
            "NODE",
            "SEED",
            "ID",
        ]);
        for (record, remark) in sites {
            table.row(details(record));
            table.remark(remark.clone());
        }
        return table.compact();
    }
    table.head(["STATE", "RATE", "", "KIND", "LAYER"]);
    let sites = sites
        .iter()
        .map(|(record, remark)| (*record, remark.clone()));
    for group in alike_sites(sites) {
        let (record, remark) = &group.items[0];
        let [place] = group.places();
        table.row([
            (style(record.mode), record.mode.to_string()),
            (Style::new(), rate(record)),
            (Style::new(), group.times()),
            (DIM, kind(record)),
            (Style::new(), place),
        ]);
        table.remark(remark.clone());
    }
    table.compact()
}

fn details(record: &SiteRecord) -> Vec<(Style, String)> {
    let origin = match record.rate_origin {
        RateOrigin::Default => "default".to_string(),
        other => other.to_string(),
    };
    let seed = record.seed.map_or(String::new(), |seed| seed.to_string());
    let print = record.fingerprint.as_ref();
    let print = print.map_or(String::new(), |print| format!("#{print}"));
    let mask = match record.form {
        Form::Operator if record.mask != MaskUse::None => record.mask.to_string(),
        _ => String::new(),
    };
    // the model's own graph is named only where others are
    let scope = match record.scope == "graph" {
        true => String::new(),
        false => record.scope.to_string(),
    };
    vec![
        (style(record.mode), record.mode.to_string()),
        (Style::new(), rate(record)),
        (DIM, kind(record)),
        (DIM, origin),
        (DIM, mask),
        (DIM, scope),
        (Style::new(), record.layer.clone().unwrap_or_default()),
        (
            DIM,
            record.nodes.first().map_or(String::new(), Name::to_string),
        ),
        (DIM, seed),
        (DIM, print),
    ]
}

fn style(mode: Mode) -> Style {
    match mode {
        Mode::Active => BAD,
        Mode::Inert => GOOD,
        _ => WARN,
    }
}
