//! What was dropped, counted.

use std::collections::BTreeMap;

use super::axes::{groups, orders, transposed};
use super::expected::Watch;
use super::report::Outcome;
use crate::dropout::Kind;
use crate::verify::engine::Value;

/// How many standard deviations a count may lie from its mean: one in two million does by chance.
const DEVIATIONS: f64 = 5.0;

/// Most axes that are put into another order: 120 orders.
const AXES: usize = 5;

/// −λα of SELU, the value of dropped elements in alpha dropout (Klambauer et al. 2017).
const ALPHA: f64 = -1.758_099_340_847_376_6;

/// Draws seen at one site, over all runs.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub draws: usize,
    pub dropped: usize,
    /// Of the factors of Gaussian dropout: the sum, and that of the squares of what they differ by from 1.
    factors: (f64, f64),
}

/// The result of counting one run.
pub(super) enum Found {
    Counted,
    Unlike(String),
    Nothing(String),
}

/// What becomes of an element: `a·x + b` if it is kept, else `dropped`.
struct Law {
    a: f64,
    b: f64,
    dropped: f64,
}

impl Law {
    fn of(watch: &Watch) -> Law {
        let p = watch.rate;
        if watch.kind != Kind::AlphaDropout {
            return Law {
                a: 1.0 / (1.0 - p),
                b: 0.0,
                dropped: 0.0,
            };
        }
        let a = ((1.0 - p) * (1.0 + p * ALPHA * ALPHA)).powf(-0.5);
        let b = -a * ALPHA * p;
        Law {
            a,
            b,
            dropped: a * ALPHA + b,
        }
    }
}

impl Count {
    /// Counts what a site made of its data.
    pub fn add(&mut self, watch: &Watch, data: &Value, output: &Value) -> Found {
        let x = data.to_f64();
        let same = data.shape() == output.shape();
        let found = match same {
            true => self.add_elements(watch, output, &x),
            false => Found::Unlike("changes the shape of its data".into()),
        };
        if !matches!(found, Found::Unlike(_)) || !watch.moves || data.shape().len() > AXES {
            return found;
        }
        // a mask may stand behind a Transpose
        let moved = orders(data.shape().len()).into_iter().find_map(|order| {
            let (shape, x) = transposed(data.shape(), &x, &order);
            let fits = shape == output.shape();
            let found = fits.then(|| self.add_elements(watch, output, &x));
            found.filter(|found| !matches!(found, Found::Unlike(_)))
        });
        moved.unwrap_or(found)
    }

    fn add_elements(&mut self, watch: &Watch, output: &Value, x: &[f64]) -> Found {
        let Some(groups) = groups(watch, output.shape()) else {
            return Found::Nothing("its mask has a different rank".into());
        };
        let (near, largest) = match output.element_type() {
            "float16" => (4e-3, 65504.0),
            "double" => (1e-5, f64::MAX),
            _ => (1e-5, f64::from(f32::MAX)),
        };
        let pairs = x.iter().copied().zip(output.to_f64());
        let pairs = pairs.filter(|(x, _)| x.is_finite());
        if watch.kind == Kind::GaussianDropout {
            for (x, y) in pairs.filter(|&(x, _)| x != 0.0) {
                self.draws += 1;
                self.factors.0 += y / x;
                self.factors.1 += (y / x - 1.0).powi(2);
            }
            return Found::Counted;
        }
        let law = Law::of(watch);
        let mut of_groups: BTreeMap<usize, bool> = BTreeMap::new();
        for (index, (x, y)) in pairs.enumerate() {
            let wanted = law.a * x + law.b;
            let room = near * (wanted.abs() + law.dropped.abs());
            if (wanted - law.dropped).abs() <= 2.0 * room {
                continue; // kept or dropped, it is the same
            }
            let dropped = (y - law.dropped).abs() <= near * law.dropped.abs();
            let overflows = wanted.abs() * (1.0 + near) > largest;
            let kept = (y - wanted).abs() <= room; // false of NaN
            if !dropped && !overflows && !kept {
                let none = law.dropped;
                return Found::Unlike(format!(
                    "turns {x} into {y}, but {wanted} or {none} was expected"
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
        if watch.kind == Kind::GaussianDropout {
            return self.spread(rate);
        }
        let room = DEVIATIONS * (draws * rate * (1.0 - rate)).sqrt();
        let room = if rate > 0.0 { room + 1.0 } else { 0.0 };
        if (dropped - draws * rate).abs() <= room {
            return Outcome::AsSaid;
        }
        Outcome::Unlike(format!(
            "drops {:.4} of {}, but its rate is {rate}",
            dropped / draws,
            self.draws
        ))
    }

    /// Gaussian dropout multiplies by N(1, p/(1-p)): the mean and the variance of this number of draws.
    fn spread(&self, rate: f64) -> Outcome {
        let draws = self.draws as f64;
        let variance = rate / (1.0 - rate);
        let (mean, spread) = (self.factors.0 / draws, self.factors.1 / draws);
        let mean_is_near = (mean - 1.0).abs() <= DEVIATIONS * (variance / draws).sqrt();
        let room = DEVIATIONS * variance * (2.0 / draws).sqrt();
        match mean_is_near && (spread - variance).abs() <= room + 1e-6 {
            true => Outcome::AsSaid,
            false => Outcome::Unlike(format!(
                "multiplies by numbers of mean {mean:.4} and variance {spread:.4}, where 1 and \
                 {variance:.4} were expected"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::expected::Shared;
    use super::*;

    fn watch(rate: f64, shared: Option<Shared>) -> Watch {
        Watch {
            kind: Kind::Dropout,
            moves: false,
            graph: crate::onnx::GraphId(0),
            data: "x".into(),
            output: "y".into(),
            rate,
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
        let shared = || Some(Shared::Along(vec![-1]));
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
            ..Count::default()
        };
        let outcome = |count: Count, rate| count.outcome(&watch(rate, None));
        assert_eq!(outcome(count(3000), 0.3), Outcome::AsSaid);
        assert_eq!(outcome(count(3200), 0.3), Outcome::AsSaid);
        assert!(matches!(outcome(count(3300), 0.3), Outcome::Unlike(_)));
        assert!(matches!(outcome(count(2700), 0.3), Outcome::Unlike(_)));
        assert!(matches!(outcome(count(1), 0.0), Outcome::Unlike(_)));
        assert!(matches!(outcome(Count::default(), 0.3), Outcome::Unseen(_)));
    }

    #[test]
    fn axes_in_another_order_are_seen_where_a_mask_may_move_them() {
        let x: Vec<f32> = (1..=6).map(|n| n as f32).collect();
        let y = [2.0, 8.0, 0.0, 10.0, 6.0, 0.0];
        let value = |shape: &[usize], elements| Value::from_f32(shape, elements).unwrap();
        for (moves, wanted) in [(true, Some((6, 2))), (false, None)] {
            let watch = Watch {
                moves,
                ..watch(0.5, None)
            };
            let mut count = Count::default();
            let found = count.add(&watch, &value(&[2, 3], &x), &value(&[3, 2], &y));
            let counted = matches!(found, Found::Counted).then_some((count.draws, count.dropped));
            assert_eq!(counted, wanted);
        }
    }

    #[test]
    fn alpha_dropout_lets_out_its_own_number() {
        let watch = Watch {
            kind: Kind::AlphaDropout,
            ..watch(0.2, None)
        };
        let Law { a, b, dropped } = Law::of(&watch);
        let (a, b, dropped) = (a as f32, b as f32, dropped as f32);
        let (count, found) = seen(&watch, &[3], &[1.0, 2.0, 0.0], &[a + b, dropped, b]);
        assert!(matches!(found, Found::Counted));
        assert_eq!((count.draws, count.dropped), (3, 1));
        let (_, found) = seen(&watch, &[1], &[1.0], &[0.0]);
        assert!(matches!(found, Found::Unlike(_)));
    }

    #[test]
    fn the_variance_of_gaussian_dropout_is_found_from_another() {
        let watch = |rate| Watch {
            kind: Kind::GaussianDropout,
            ..watch(rate, None)
        };
        // factors 0 and 2: mean 1, variance 1, as at rate 0.5
        let x = vec![1.0; 4000];
        let y: Vec<f32> = (0..4000).map(|n| (n % 2 * 2) as f32).collect();
        let (count, _) = seen(&watch(0.5), &[4000], &x, &y);
        assert_eq!(count.outcome(&watch(0.5)), Outcome::AsSaid);
        assert!(matches!(count.outcome(&watch(0.4)), Outcome::Unlike(_)));
    }
}
