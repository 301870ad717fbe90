//! Whether zeros and ones were drawn, or follow an order.

/// How many standard deviations from chance make an order.
const FAR: f64 = 4.5;

/// With this number of elements, a rate of 0.01 drops some, and one of 0.9 keeps more than 5 %.
const MANY: usize = 1000;

/// Distances at which elements are compared.
const LAGS: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 24, 32, 64];

/// True if the elements look drawn, one by one: not alike along an axis, striped, banded, bordered,
/// one-hot or mirrored. `strict`: nor balanced or gathered in some rows.
pub(super) fn is_drawn(dims: &[usize], kept: &[bool], strict: bool) -> bool {
    let grid = Grid::new(dims, kept);
    let axes = 0..grid.axes.len();
    let along = |axis: usize| !grid.is_ordered_along(axis, strict) && !grid.is_mirrored(axis);
    grid.kept.len() == kept.len() && axes.into_iter().all(along) && !grid.is_ordered_across()
}

/// False if the first elements are kept or dropped too often for any rate, or neighbours among them
/// are alike too often or too seldom. Fewer than [`MANY`] show nothing.
pub(super) fn may_be_drawn(first: &[bool]) -> bool {
    if first.len() < MANY {
        return true;
    }
    let grid = Grid::new(&[first.len()], first);
    let kept = first.iter().filter(|&&kept| kept).count();
    let plausible = kept * 20 > first.len() && kept < first.len();
    plausible && !grid.is_far(grid.pairs([(0, 1)]))
}

/// True if groups of neighbours keep more alike than by chance: two of four, as pruned for sparse kernels.
pub(super) fn is_blocked(kept: &[bool]) -> bool {
    let share = kept.iter().filter(|&&kept| kept).count() as f64 / kept.len().max(1) as f64;
    [4, 8, 16].into_iter().any(|size| {
        let groups = kept.chunks_exact(size);
        let count = groups.len() as f64;
        let expected = size as f64 * share;
        let spread = groups.map(|group| {
            let kept = group.iter().filter(|&&kept| kept).count() as f64;
            (kept - expected).powi(2)
        });
        let spread = spread.sum::<f64>() / (expected * (1.0 - share));
        count >= 16.0 && spread < count - FAR * (2.0 * count).sqrt()
    })
}

/// Elements and the axes that have more than one.
struct Grid<'a> {
    kept: &'a [bool],
    /// Length and stride.
    axes: Vec<(usize, usize)>,
    /// How often two elements are alike by chance.
    alike: f64,
}

impl Grid<'_> {
    fn new<'a>(dims: &[usize], kept: &'a [bool]) -> Grid<'a> {
        let mut axes = Vec::new();
        let mut stride = 1;
        for &dim in dims.iter().rev() {
            if dim > 1 {
                axes.push((dim, stride));
            }
            stride *= dim.max(1);
        }
        axes.reverse();
        let share = kept.iter().filter(|&&k| k).count() as f64 / kept.len().max(1) as f64;
        Grid {
            kept,
            axes,
            alike: share * share + (1.0 - share) * (1.0 - share),
        }
    }

    fn place(&self, index: usize, axis: usize) -> usize {
        let (length, stride) = self.axes[axis];
        index / stride % length
    }

    /// True if of some pairs more or fewer are alike than by chance.
    fn is_far(&self, pairs: impl Iterator<Item = (usize, usize)>) -> bool {
        let (mut count, mut same) = (0.0, 0.0);
        for (a, b) in pairs {
            count += 1.0;
            same += f64::from(u8::from(self.kept[a] == self.kept[b]));
        }
        let deviation = (count * self.alike * (1.0 - self.alike)).sqrt();
        count >= 8.0 && (same - count * self.alike).abs() > FAR * deviation
    }

    /// Pairs of elements some steps apart along axes; steps of the first are forwards.
    fn pairs<const N: usize>(
        &self,
        steps: [(usize, isize); N],
    ) -> impl Iterator<Item = (usize, usize)> {
        (0..self.kept.len()).filter_map(move |index| {
            let mut other = index as isize;
            for (axis, step) in steps {
                let (length, stride) = self.axes[axis];
                let place = self.place(index, axis) as isize + step;
                if place < 0 || place >= length as isize {
                    return None;
                }
                other += step * stride as isize;
            }
            Some((index, other as usize))
        })
    }

    fn is_ordered_along(&self, axis: usize, strict: bool) -> bool {
        let (length, _) = self.axes[axis];
        let lags = LAGS.iter().copied().filter(|&lag| lag < length);
        let mut far = lags.map(|lag| self.is_far(self.pairs([(axis, lag as isize)])));
        let monotone = || {
            let mut steps = [false, false];
            for (a, b) in self.pairs([(axis, 1)]) {
                match (self.kept[a], self.kept[b]) {
                    (true, false) => steps[0] = true,
                    (false, true) => steps[1] = true,
                    _ => {}
                }
            }
            steps != [true, true]
        };
        far.any(|far| far) || (length >= 8 && monotone()) || self.is_even(axis, strict)
    }

    /// True of slices that keep equally many elements, one-hot ones first of all; or, if `strict`,
    /// that keep all or none too often.
    fn is_even(&self, axis: usize, strict: bool) -> bool {
        let (length, _) = self.axes[axis];
        let mut counts = vec![0usize; length];
        for (index, &kept) in self.kept.iter().enumerate() {
            counts[self.place(index, axis)] += usize::from(kept);
        }
        let size = self.kept.len() / length;
        let equal = length >= 4 && counts.iter().all(|&count| count == counts[0]);
        let hot = equal && size > 1 && (counts[0] == 1 || counts[0] + 1 == size);
        if !strict {
            return hot;
        }
        let share = counts.iter().sum::<usize>() as f64 / self.kept.len() as f64;
        let expected = size as f64 * share;
        let spread = counts
            .iter()
            .map(|&count| (count as f64 - expected).powi(2));
        let spread: f64 = spread.sum::<f64>() / (expected * (1.0 - share));
        let freedom = (length - 1) as f64;
        let far = FAR * (2.0 * freedom).sqrt();
        (equal && size > 1) || spread > freedom + far + 10.0 || spread < freedom - far
    }

    /// True if the elements are the same from the other end.
    fn is_mirrored(&self, axis: usize) -> bool {
        let (length, stride) = self.axes[axis];
        (0..self.kept.len()).all(|index| {
            let place = self.place(index, axis);
            let other = index - place * stride + (length - 1 - place) * stride;
            self.kept[index] == self.kept[other]
        })
    }

    /// True of an order along diagonals, or of rows that are also columns.
    fn is_ordered_across(&self) -> bool {
        (1..self.axes.len()).any(|axis| {
            let (rows, columns) = (axis - 1, axis);
            let (length, stride) = self.axes[rows];
            let (width, step) = self.axes[columns];
            let symmetric = length == width
                && (0..self.kept.len()).all(|index| {
                    let (row, column) = (self.place(index, rows), self.place(index, columns));
                    let corner = index - row * stride - column * step;
                    self.kept[index] == self.kept[corner + column * stride + row * step]
                });
            symmetric
                || self.is_far(self.pairs([(rows, 1), (columns, 1)]))
                || self.is_far(self.pairs([(rows, 1), (columns, -1)]))
        })
    }
}
