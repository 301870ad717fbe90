//! Differences that are small in each element and too large in all of them together: rounding averages out, a
//! factor that is wrong in one channel does not.

/// Elements that a channel needs, so that what rounding does to them averages out.
const FEWEST: usize = 16;

/// How much of a channel's difference is allowed by what rounding does to the whole.
const WHOLE: f64 = 0.25;

/// By how much less than a single element all together may lie beyond the noise.
const TOGETHER: f64 = 0.25;

/// True if the elements of the whole, or of one channel, differ on average by more than this share of the average
/// element, and more than `noise`, by which each may differ.
pub(super) fn drifts([before, after, noise]: [&[f64]; 3], shape: &[usize], share: f64) -> bool {
    let mut whole = Sums::default();
    let last = shape.len().saturating_sub(1);
    let axes = [1, last].into_iter().filter(|&axis| axis < shape.len());
    let mut axes: Vec<usize> = axes
        .filter(|&axis| before.len() / shape[axis].max(1) >= FEWEST)
        .collect();
    axes.dedup();
    let mut channels: Vec<_> = axes
        .iter()
        .map(|&axis| vec![Sums::default(); shape[axis]])
        .collect();
    let strides: Vec<usize> = axes
        .iter()
        .map(|&axis| shape[axis + 1..].iter().product())
        .collect();
    for (place, (before, after)) in before.iter().zip(after).enumerate() {
        let noise = noise.get(place).copied().unwrap_or_default();
        let sums = Sums::of(*before, *after, noise);
        whole.add(sums);
        for (channels, stride) in channels.iter_mut().zip(&strides) {
            let channel = place / stride % channels.len();
            channels[channel].add(sums);
        }
    }
    let size = whole.mean(whole.size) * WHOLE;
    let drifts = |sums: &Sums| {
        let together = if sums.count < FEWEST { 1.0 } else { TOGETHER };
        let allowed = share * (sums.mean(sums.size) + size) + together * sums.mean(sums.noise);
        sums.mean(sums.distance) > allowed
    };
    drifts(&whole) || channels.iter().flatten().any(drifts)
}

/// Sums of squares.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: usize,
    size: f64,
    distance: f64,
    noise: f64,
}

impl Sums {
    fn of(before: f64, after: f64, noise: f64) -> Sums {
        match before.is_finite() && after.is_finite() {
            true => Sums {
                count: 1,
                size: before * before,
                distance: (before - after).powi(2),
                noise: noise * noise,
            },
            false => Sums::default(),
        }
    }

    fn add(&mut self, other: Sums) {
        self.count += other.count;
        self.size += other.size;
        self.distance += other.distance;
        self.noise += other.noise;
    }

    /// The root of the mean of one of them.
    fn mean(&self, of: f64) -> f64 {
        (of / self.count.max(1) as f64).sqrt()
    }
}
