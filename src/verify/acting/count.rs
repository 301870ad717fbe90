//! What was dropped, counted.

use std::collections::BTreeMap;

use super::{Outcome, Watch};
use crate::verify::engine::Value;

/// How many standard deviations a count may lie from its mean: one in two million does by chance.
const DEVIATIONS: f64 = 5.0;

/// Draws seen at one site, over all runs.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub draws: usize,
    pub dropped: usize,
}

/// What one run showed.
pub(super) enum Told {
    Counted,
    Unlike(String),
    Nothing(String),
}

impl Count {
    /// Counts what a site made of its data.
    pub fn add(&mut self, watch: &Watch, data: &Value, output: &Value) -> Told {
        if data.shape() != output.shape() {
            return Told::Unlike("comes out in another shape than it went in".into());
        }
        let Some(groups) = groups(watch, data.shape()) else {
            return Told::Nothing("its mask is drawn in another number of axes".into());
        };
        let (near, largest) = match data.element_type() {
            "float16" => (4e-3, 65504.0),
            "double" => (1e-5, f64::MAX),
            _ => (1e-5, f64::from(f32::MAX)),
        };
        let scale = 1.0 / (1.0 - watch.rate);
        let pairs = data.to_f64().into_iter().zip(output.to_f64());
        let mut of_groups: BTreeMap<usize, bool> = BTreeMap::new();
        for (index, (x, y)) in pairs.enumerate() {
            if x == 0.0 || !x.is_finite() {
                continue;
            }
            let dropped = y == 0.0;
            let wanted = x * scale;
            let overflows = wanted.abs() * (1.0 + near) > largest;
            if !dropped && !overflows && (y - wanted).abs() > near * wanted.abs() {
                return Told::Unlike(format!(
                    "makes {y} of {x}, where {wanted} or 0 was expected"
                ));
            }
            let group = groups.as_ref().map_or(index, |groups| groups.of(index));
            if *of_groups.entry(group).or_insert(dropped) != dropped {
                return Told::Unlike("drops a part of what shares one draw".into());
            }
        }
        self.draws += of_groups.len();
        self.dropped += of_groups.values().filter(|&&dropped| dropped).count();
        Told::Counted
    }

    /// Whether the count is one that the rate explains.
    pub fn outcome(&self, rate: f64) -> Outcome {
        if self.draws == 0 {
            return Outcome::Unseen("all that went in is 0".into());
        }
        let (draws, dropped) = (self.draws as f64, self.dropped as f64);
        let room = DEVIATIONS * (draws * rate * (1.0 - rate)).sqrt();
        let room = if rate > 0.0 { room + 1.0 } else { 0.0 };
        if (dropped - draws * rate).abs() <= room {
            return Outcome::AsSaid;
        }
        Outcome::Unlike(format!(
            "drops {:.4} of {}, and its rate is {rate}",
            dropped / draws,
            self.draws
        ))
    }
}

/// Elements that share a draw.
struct Groups {
    /// Sizes of the axes, and how far apart groups are along each: 0 where they share.
    axes: Vec<(usize, usize)>,
}

impl Groups {
    fn of(&self, mut index: usize) -> usize {
        let mut group = 0;
        for &(size, stride) in self.axes.iter().rev() {
            group += (index % size) * stride;
            index /= size;
        }
        group
    }
}

/// How elements share draws: `Some(None)` if they do not.
fn groups(watch: &Watch, shape: &[usize]) -> Option<Option<Groups>> {
    let Some(shared) = &watch.shared else {
        return Some(None);
    };
    let shared = shared.of(shape.len())?;
    let mut stride = 1;
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for (&size, shared) in shape.iter().zip(shared).rev() {
        axes.push((size.max(1), if shared { 0 } else { stride }));
        if !shared {
            stride *= size.max(1);
        }
    }
    axes.reverse();
    Some(Some(Groups { axes }))
}

#[cfg(test)]
mod tests {
    use super::super::expected::Shared;
    use super::*;

    fn watch(rate: f64, shared: Option<Shared>) -> Watch {
        Watch {
            graph: crate::onnx::GraphId(0),
            data: "x".into(),
            output: "y".into(),
            rate,
            shared,
            unseen: None,
        }
    }

    fn seen(watch: &Watch, shape: &[usize], x: &[f32], y: &[f32]) -> (Count, Told) {
        let value = |elements| Value::from_f32(shape, elements).unwrap();
        let mut count = Count::default();
        let seen = count.add(watch, &value(x), &value(y));
        (count, seen)
    }

    #[test]
    fn zeros_that_went_in_do_not_count() {
        let (count, seen) = seen(
            &watch(0.5, None),
            &[4],
            &[0.0, 1.0, 2.0, 3.0],
            &[0.0, 2.0, 0.0, 6.0],
        );
        assert!(matches!(seen, Told::Counted));
        assert_eq!((count.draws, count.dropped), (3, 1));
    }

    #[test]
    fn a_wrong_scale_is_seen() {
        let (_, seen) = seen(&watch(0.5, None), &[2], &[1.0, 1.0], &[1.0, 0.0]);
        assert!(matches!(seen, Told::Unlike(_)));
    }

    #[test]
    fn channels_drop_whole_or_not_at_all() {
        let shared = || Some(Shared::Along(vec![-1]));
        let x = [1.0; 6];
        let (count, whole) = seen(
            &watch(0.5, shared()),
            &[2, 3],
            &x,
            &[2.0, 2.0, 2.0, 0.0, 0.0, 0.0],
        );
        assert!(matches!(whole, Told::Counted));
        assert_eq!((count.draws, count.dropped), (2, 1));
        let (_, torn) = seen(
            &watch(0.5, shared()),
            &[2, 3],
            &x,
            &[2.0, 2.0, 0.0, 0.0, 0.0, 0.0],
        );
        assert!(matches!(torn, Told::Unlike(_)));
    }

    #[test]
    fn counts_far_from_the_rate_are_seen() {
        let count = |dropped| Count {
            draws: 10_000,
            dropped,
        };
        assert_eq!(count(3000).outcome(0.3), Outcome::AsSaid);
        assert_eq!(count(3200).outcome(0.3), Outcome::AsSaid);
        assert!(matches!(count(3300).outcome(0.3), Outcome::Unlike(_)));
        assert!(matches!(count(2700).outcome(0.3), Outcome::Unlike(_)));
        assert!(matches!(count(1).outcome(0.0), Outcome::Unlike(_)));
        assert!(matches!(Count::default().outcome(0.3), Outcome::Unseen(_)));
    }
}
