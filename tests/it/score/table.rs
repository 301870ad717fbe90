//! The score as a table, by exporter.

use std::collections::BTreeMap;

use super::scorer::{Scored, Share};

pub fn print(scores: &BTreeMap<String, Vec<Scored>>) {
    println!(
        "{:<56} {:>5}  {:>15}  {:>9} {:>9} {:>9} {:>9} {:>8}",
        "exporter", "files", "acts TP FN FP TN", "sites", "kinds", "rates", "layers", "no layer"
    );
    let mut all: Vec<&Scored> = Vec::new();
    for (exporter, scored) in scores {
        let scored: Vec<&Scored> = scored.iter().collect();
        line(exporter, &scored);
        all.extend(scored);
    }
    line("all", &all);
    println!("\nwhat files no longer tell:");
    for scored in all.iter().filter(|scored| !scored.untold.is_empty()) {
        println!("  {}: {}", scored.file, scored.untold.join("; "));
    }
}

fn line(name: &str, scored: &[&Scored]) {
    let acts = |wanted| scored.iter().filter(|s| s.acts == wanted).count();
    let sum = |of: fn(&Scored) -> Share| {
        let (right, all) = scored.iter().fold((0, 0), |(right, all), s| {
            (right + of(s).right, all + of(s).of)
        });
        format!("{right}/{all}")
    };
    let no_layer: usize = scored.iter().map(|s| s.no_layer).sum();
    println!(
        "{name:<56} {:>5}  {:>7} {:>2} {:>2} {:>2}  {:>9} {:>9} {:>9} {:>9} {:>8}",
        scored.len(),
        acts((true, true)),
        acts((true, false)),
        acts((false, true)),
        acts((false, false)),
        sum(|s| s.sites),
        sum(|s| s.kinds),
        sum(|s| s.rates),
        sum(|s| s.layers),
        no_layer,
    );
}
