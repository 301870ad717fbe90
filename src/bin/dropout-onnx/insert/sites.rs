//! `--sites`: where dropout would go.

use std::collections::BTreeSet;
use std::path::Path;

use anstyle::Style;
use anyhow::Result;
use dropout_onnx::report::{alike, document};
use dropout_onnx::rewrite::insert::{Candidate, Options, candidates, plan_text};

use crate::Status;
use crate::io::{self, PlanFormat};
use crate::output;
use crate::style::{DIM, Table, paint, wrap};

pub fn run(input: &Path, options: &Options, format: PlanFormat, verbose: bool) -> Result<Status> {
    let model = io::read(input)?;
    let found = candidates(&model, options).map_err(|e| e.in_file(io::name(input)))?;
    let text = match format {
        PlanFormat::Toml => plan_text(&io::name(input).display().to_string(), &found, options)?,
        PlanFormat::Json => {
            document::text(&document::insert_sites(&input.to_string_lossy(), &found)?)?
        }
        PlanFormat::Text if found.is_empty() => {
            let none = "no usual position for dropout; --preset lists all of a kind (conv, ffn, ...), and \
                        --after, --name, --layer and --at select others";
            wrap(none, 0).join("\n") + "\n"
        }
        PlanFormat::Text => table(&found, options.choices.is_empty(), verbose),
    };
    output::print(&text)?;
    Ok(Status::Done)
}

/// The positions, those that differ only in numbers in one row unless `verbose`. `usual`: whether they are
/// the usual ones and not all of the presets.
fn table(found: &[Candidate], usual: bool, verbose: bool) -> String {
    let mut table = Table::default();
    table.head([
        "PRESET", "RATE", "", "OPERATOR", "AFTER", "TYPE", "SCOPE", "LAYER",
    ]);
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    let row = |site: &Candidate| {
        let shape = site
            .shape
            .as_ref()
            .map(|shape| format!("[{}]", shape.join(", ")));
        let kind = own(&site.element) + &shape.unwrap_or("[..]".into());
        let scope = Some(&*site.scope).filter(|scope| verbose || *scope != "graph");
        let preset = site.preset.unwrap_or("-").to_string();
        [
            preset,
            format!("p={}", site.rate),
            own(&site.operator),
            kind,
            scope.unwrap_or_default().to_string(),
            own(&site.left),
        ]
    };
    let plain = Style::new();
    let groups = alike(found.iter().enumerate(), |(index, site)| {
        let alone = verbose.then_some(*index);
        ((row(site), alone), [site.value.clone(), own(&site.layer)])
    });
    for group in groups {
        let [preset, rate, operator, kind, scope, left] = row(group.items[0].1);
        let [value, layer] = group.places();
        table.row([
            (plain, preset),
            (plain, rate),
            (plain, group.times()),
            (plain, operator),
            (plain, value),
            (DIM, kind),
            (DIM, scope),
            (DIM, layer),
        ]);
        table.remark(left);
    }
    table.compact().render("") + &hint(found, usual)
}

/// What inserts at the positions of presets.
fn hint(found: &[Candidate], usual: bool) -> String {
    let presets: BTreeSet<&str> = found.iter().filter_map(|site| site.preset).collect();
    if presets.is_empty() {
        return String::new();
    }
    let presets = presets.into_iter().collect::<Vec<_>>().join(",");
    let rate = "append =RATE for another rate";
    let hint = match usual {
        true => format!(
            "--preset {presets} inserts at these positions and all others of their kinds; {rate}; --format \
             toml writes this list as a plan"
        ),
        false => format!("--preset {presets} inserts them; {rate}"),
    };
    format!("{}\n", paint(DIM, wrap(&hint, 0).join("\n")))
}
