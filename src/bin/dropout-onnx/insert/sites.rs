//! `--sites`: where dropout would go.

use std::collections::BTreeSet;
use std::path::Path;

use anstyle::Style;
use anyhow::Result;
use dropout_onnx::report::document;
use dropout_onnx::rewrite::insert::{Candidate, Options, candidates, plan_text};

use super::SitesFormat;
use crate::Status;
use crate::io;
use crate::style::{DIM, Table, WARN, paint};

pub fn run(input: &Path, options: &Options, format: SitesFormat) -> Result<Status> {
    let model = io::read(input)?;
    let found = candidates(&model, options).map_err(|e| e.in_file(io::name(input)))?;
    let text = match format {
        SitesFormat::Toml => plan_text(&io::name(input).display().to_string(), &found, options)?,
        SitesFormat::Json => {
            document::text(&document::insert_sites(&input.to_string_lossy(), &found))?
        }
        SitesFormat::Text if found.is_empty() => {
            "no usual position for dropout; --preset lists all of a kind (conv, ffn, ...), and --after, \
             --name, --layer and --at select others\n"
                .to_string()
        }
        SitesFormat::Text => table(&found, options.choices.is_empty()),
    };
    io::print(&text)?;
    Ok(Status::Done)
}

/// `usual`: whether it has the usual positions and not all of the presets.
fn table(found: &[Candidate], usual: bool) -> String {
    let mut table = Table::default();
    table.head([
        "PRESET", "RATE", "OPERATOR", "AFTER", "TYPE", "SCOPE", "LAYER", "",
    ]);
    let plain = Style::new();
    for site in found {
        let shape = site
            .shape
            .as_ref()
            .map(|shape| format!("[{}]", shape.join(", ")));
        let element = site.element.clone().unwrap_or_default();
        let own = |text: &Option<String>| text.clone().unwrap_or_default();
        table.row([
            (plain, site.preset.unwrap_or("-").to_string()),
            (plain, format!("p={}", site.rate)),
            (plain, own(&site.operator)),
            (plain, site.value.clone()),
            (DIM, format!("{element}{}", shape.unwrap_or("[..]".into()))),
            (DIM, site.scope.clone()),
            (DIM, own(&site.layer)),
            (WARN, own(&site.left)),
        ]);
    }
    let presets: BTreeSet<&str> = found.iter().filter_map(|site| site.preset).collect();
    let presets: Vec<&str> = presets.into_iter().collect();
    let hint = match presets.is_empty() {
        true => String::new(),
        false => {
            let presets = presets.join(",");
            let rate = "append =RATE for another rate";
            let hint = match usual {
                true => format!(
                    "--preset {presets} inserts at these positions and all others of their kinds; {rate}; --format \
                     toml writes this list as a plan"
                ),
                false => format!("--preset {presets} inserts them; {rate}"),
            };
            format!("{}\n", paint(DIM, hint))
        }
    };
    table.compact().render("") + &hint
}
