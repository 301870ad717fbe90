//! What was dropped, counted.

use std::collections::BTreeMap;

use super::axes::groups;
use super::expected::Watch;
use super::report::Outcome;
use crate::verify::engine::Value;

/// How many standard deviations a count may lie from its mean: one in two million does by chance.
const DEVIATIONS: f64 = 5.0;

/// Draws seen at one site, over all runs.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub draws: usize,
    pub dropped: usize,
}

/// The result of counting one run.
pub(super) enum Found {
    Counted,
    Unlike(String),
}

impl Count {
    /// Counts what a site made of its data.
    pub fn add(&mut self, watch: &Watch, data: &Value, output: &Value) -> Found {
        if data.shape() != output.shape() {
            return Found::Unlike("changes the shape of its data".into());
        }
        let groups = groups(watch, output.shape());
        let (near, largest) = match output.element_type() {
            "float16" => (4e-3, 65504.0),
            "double" => (1e-5, f64::MAX),
            _ => (1e-5, f64::from(f32::MAX)),
        };
        let x = data.to_f64();
        let pairs = x.iter().copied().zip(output.to_f64());
        let pairs = pairs.filter(|(x, _)| x.is_finite());
        let scale = 1.0 / (1.0 - watch.rate);
        let mut of_groups: BTreeMap<usize, bool> = BTreeMap::new();
        for (index, (x, y)) in pairs.enumerate() {
            let wanted = scale * x;
            let room = near * wanted.abs();
            if wanted == 0.0 {
                continue; // kept or dropped, it is the same
            }
            let dropped = y == 0.0;
            let overflows = wanted.abs() * (1.0 + near) > largest;
            let kept = (y - wanted).abs() <= room; // false of NaN
            if !dropped && !overflows && !kept {
                return Found::Unlike(format!(
                    "turns {x} into {y}, but {wanted} or 0 was expected"
                ));
            }
            let group = groups.as_ref().map_or(index, |groups| groups.of(index));
            if *of_groups.entry(group).or_insert(dropped) != dropped {
                return Found::Unlike("drops some of the elements that share one draw".into());
            }
        }
        self.draws += of_groups.len();
        self.dropped += of_groups.values().filter(|&&dropped| dropped).count();
        Found::Counted
    }

    /// Whether the count is one that the rate explains.
    pub fn outcome(&self, watch: &Watch) -> Outcome {
        let rate = watch.rate;
        if self.draws == 0 {
            return Outcome::Unseen("all of its data is 0".into());
        }
        let (draws, dropped) = (self.draws as f64, self.dropped as f64);
        let room = DEVIATIONS * (draws * rate * (1.0 - rate)).sqrt();
        let room = if rate > 0.0 { room + 1.0 } else { 0.0 };
        if (dropped - draws * rate).abs() <= room {
            return Outcome::AsSaid;
        }
        let but = match rate {
            0.0 => "it should be inert".to_string(),
            _ => format!("its rate is {rate}"),
        };
        let share = dropped / draws;
        Outcome::Unlike(format!("drops {share:.4} of {}, but {but}", self.draws))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(rate: f64, shared: Option<Vec<i64>>) -> Watch {
        Watch {
            graph: crate::onnx::GraphId(0),
            data: "x".into(),
            output: "y".into(),
            rate,
            switched: false,
            shared,
            unseen: None,
        }
    }

    fn seen(watch: &Watch, shape: &[usize], x: &[f32], y: &[f32]) -> (Count, Found) {
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
        assert!(matches!(seen, Found::Counted));
        assert_eq!((count.draws, count.dropped), (3, 1));
    }

    #[test]
    fn a_wrong_scale_is_seen() {
        let (_, seen) = seen(&watch(0.5, None), &[2], &[1.0, 1.0], &[1.0, 0.0]);
        assert!(matches!(seen, Found::Unlike(_)));
    }

    #[test]
    fn channels_drop_whole_or_not_at_all() {
        let shared = || Some(vec![-1]);
        let x = [1.0; 6];
        let (count, whole) = seen(
            &watch(0.5, shared()),
            &[2, 3],
            &x,
            &[2.0, 2.0, 2.0, 0.0, 0.0, 0.0],
        );
        assert!(matches!(whole, Found::Counted));
        assert_eq!((count.draws, count.dropped), (2, 1));
        let (_, torn) = seen(
            &watch(0.5, shared()),
            &[2, 3],
            &x,
            &[2.0, 2.0, 0.0, 0.0, 0.0, 0.0],
        );
        assert!(matches!(torn, Found::Unlike(_)));
    }

    #[test]
    fn counts_far_from_the_rate_are_seen() {
        let count = |dropped| Count {
            draws: 10_000,
            dropped,
        };
        let outcome = |count: Count, rate| count.outcome(&watch(rate, None));
        assert_eq!(outcome(count(3000), 0.3), Outcome::AsSaid);
        assert_eq!(outcome(count(3200), 0.3), Outcome::AsSaid);
        assert!(matches!(outcome(count(3300), 0.3), Outcome::Unlike(_)));
        assert!(matches!(outcome(count(2700), 0.3), Outcome::Unlike(_)));
        assert!(matches!(outcome(count(1), 0.0), Outcome::Unlike(_)));
        assert!(matches!(outcome(Count::default(), 0.3), Outcome::Unseen(_)));
    }
}
