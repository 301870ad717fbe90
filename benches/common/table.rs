//! Rows of figures, and whether they keep within their limits.

use super::measure::{Run, Runs};

/// What a row must not exceed.
#[derive(Clone, Copy)]
pub enum Limit {
    /// Median seconds, as a multiple of those of `cp`.
    TimesCp(f64),
    /// Median CPU seconds, as a multiple of those of the first row.
    TimesCpu(f64),
    /// Peak memory, as a multiple of that of the first row.
    TimesPeak(f64),
    Seconds(f64),
    PeakMb(f64),
    /// Most bytes read by any run.
    ReadMb(f64),
}

/// The runs of one case, in figures.
#[derive(Clone, Copy)]
pub struct Figures {
    pub median: f64,
    pub min: f64,
    /// Median, in user mode and in the kernel.
    pub cpu: f64,
    pub peak_mb: f64,
    pub read_mb: f64,
}

impl Figures {
    /// Of at least one run.
    fn of(runs: &[Run]) -> Option<Figures> {
        let (median, min) = middle(runs.iter().map(|run| run.seconds))?;
        Some(Figures {
            median,
            min,
            cpu: middle(runs.iter().map(|run| run.cpu))?.0,
            peak_mb: runs.iter().map(|run| run.peak).max()? as f64 / 1e6,
            read_mb: runs.iter().map(|run| run.read).max()? as f64 / 1e6,
        })
    }
}

/// The median and the least; `None` of nothing.
fn middle(all: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    let median = if all.len() % 2 == 1 {
        *all.get(middle)?
    } else {
        (all.get(middle)? + all.get(middle.checked_sub(1)?)?) / 2.0
    };
    Some((median, *all.first()?))
}

pub fn heading() {
    println!(
        "{:<37} {:>4} {:>9} {:>9} {:>8} {:>6} {:>6} {:>9} {:>9} {:>8}  limit: result",
        "", "runs", "median s", "min s", "cpu s", "× cp", "(min)", "peak MB", "read MB", "ns/node"
    );
}

/// Prints one row, with its time relative to `cp` and per node if `nodes` is given.
pub fn row(
    what: &str,
    runs: &Runs,
    cp: Option<Figures>,
    nodes: Option<usize>,
    limits: &[Limit],
) -> Option<Figures> {
    let figures = match runs {
        Ok(runs) => Figures::of(runs),
        Err(why) => {
            println!("{what:<37} {why}");
            return None;
        }
    };
    let Some(figures) = figures else {
        println!("{what:<37} not run");
        return None;
    };
    let median_to_cp = cp.map(|cp| figures.median / cp.median);
    let min_to_cp = cp.map(|cp| figures.min / cp.min);
    let ns_per_node = nodes.map(|nodes| figures.median * 1e9 / nodes as f64);
    let results: Vec<String> = limits
        .iter()
        .map(|limit| limit.check(figures, cp))
        .collect();
    println!(
        "{what:<37} {:>4} {:>9.4} {:>9.4} {:>8.3} {:>6} {:>6} {:>9.1} {:>9.3} {:>8}  {}",
        runs.as_ref().map_or(0, Vec::len),
        figures.median,
        figures.min,
        figures.cpu,
        or_blank(median_to_cp, 2),
        or_blank(min_to_cp, 2),
        figures.peak_mb,
        figures.read_mb,
        or_blank(ns_per_node, 0),
        results.join(", ")
    );
    Some(figures)
}

fn or_blank(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or(String::new(), |figure| format!("{figure:.decimals$}"))
}

impl Limit {
    fn check(self, figures: Figures, cp: Option<Figures>) -> String {
        let (limit, figure) = match self {
            Limit::TimesCp(times) => {
                let Some(cp) = cp else {
                    return format!("≤ {times} × cp: cp failed");
                };
                (
                    format!("≤ {times} × cp"),
                    figures.median / cp.median / times,
                )
            }
            Limit::TimesCpu(times) | Limit::TimesPeak(times) => {
                let Some(first) = cp else {
                    return format!("≤ {times} × the first row: that failed");
                };
                match self {
                    Limit::TimesPeak(_) => (
                        format!("peak {:.2}, ≤ {times} ×", figures.peak_mb / first.peak_mb),
                        figures.peak_mb / first.peak_mb / times,
                    ),
                    _ => (
                        format!("cpu {:.2}, ≤ {times} ×", figures.cpu / first.cpu),
                        figures.cpu / first.cpu / times,
                    ),
                }
            }
            Limit::Seconds(seconds) => (format!("≤ {seconds} s"), figures.median / seconds),
            Limit::PeakMb(mb) => (format!("peak ≤ {mb:.0} MB"), figures.peak_mb / mb),
            Limit::ReadMb(mb) => (format!("read ≤ {mb:.1} MB"), figures.read_mb / mb),
        };
        let result = if figure <= 1.0 { "ok" } else { "over" };
        format!("{limit}: {result}")
    }
}
