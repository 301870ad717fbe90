//! Tables of one output at several rates, and with each dropout alone.

use dropout_onnx::dropout::Kind;
use dropout_onnx::sample::{Output, Report, average};

use super::{INDENT, accuracy, figure, largest, plain, strength};
use crate::style::{DIM, LABEL, Table, paint};

/// One output, rate by rate.
pub(super) fn rates(report: &Report, index: usize, first: &Output) -> String {
    let at = report.samplings.iter().filter_map(|at| {
        let rate = at.rate.map_or_else(String::new, |rate| rate.to_string());
        Some((vec![rate], at.outputs.get(index)?))
    });
    let mut text = table(&["rate"], first, at);
    if let Some(right) = (first.classes.as_ref()).and_then(|of| of.deterministic_accuracy) {
        let right = format!("accuracy at inference: {}", figure(right));
        text.push_str(&format!("{INDENT}{}\n", paint(DIM, right)));
    }
    text
}

/// Every output with each dropout alone, the one that moves it most first.
pub(super) fn sites(report: &Report) -> String {
    let outputs = report.per_site.first().map_or(&[][..], |at| &at.outputs);
    let mut text = String::new();
    for (index, first) in outputs.iter().enumerate() {
        let mut order: Vec<_> = (report.per_site.iter())
            .filter_map(|at| Some((at, at.outputs.get(index)?)))
            .collect();
        order.sort_by(|(_, a), (_, b)| b.spread().total_cmp(&a.spread()));
        let rows = order.into_iter().map(|(at, output)| {
            let site = &report.sites[at.site];
            let rate = match report.samplings.first().and_then(|at| at.rate) {
                Some(rate) if site.kind != Kind::GaussianNoise => format!("p={rate}"),
                _ => strength(site),
            };
            (vec![at.dropout.clone(), rate], output)
        });
        let label = paint(LABEL, "alone   ");
        let name = &first.name;
        text.push_str(&format!(
            "{label}  {name}: each dropout without the others\n"
        ));
        text.push_str(&table(&["dropout", "rate"], first, rows));
    }
    text
}

/// A table with these columns before the figures of an output.
fn table<'r>(
    columns: &[&'static str],
    first: &Output,
    rows: impl Iterator<Item = (Vec<String>, &'r Output)>,
) -> String {
    let mut table = Table::default();
    let mut head = columns.to_vec();
    head.extend(["mean std", "largest std"]);
    if first.classes.is_some() {
        head.extend(["mean entropy", "mean agreement"]);
    }
    if accuracy(first).is_some() {
        head.push("accuracy");
    }
    table.row(head.into_iter().map(|cell| (DIM, cell.to_string())));
    for (mut row, output) in rows {
        row.extend([output.spread(), largest(&output.std)].map(figure));
        if let Some(classes) = &output.classes {
            row.extend([&classes.entropy, &classes.agreement].map(|all| figure(average(all))));
            row.extend(classes.accuracy.map(figure));
        }
        table.row(row.into_iter().map(plain));
    }
    table.render(INDENT)
}
