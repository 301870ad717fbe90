//! Axes of observed data: their order, and the elements along them that share a draw.

use super::expected::Watch;

/// All orders of this number of axes.
pub(super) fn orders(axes: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..axes {
        let longer = all.iter().flat_map(|order: &Vec<usize>| {
            let rest = (0..axes).filter(|axis| !order.contains(axis));
            rest.map(|axis| [&order[..], &[axis]].concat())
        });
        all = longer.collect();
    }
    all
}

/// Elements with their axes in this order.
pub(super) fn transposed(
    shape: &[usize],
    elements: &[f64],
    order: &[usize],
) -> (Vec<usize>, Vec<f64>) {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let moved: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let places = (0..elements.len()).map(|mut index| {
        let mut place = 0;
        for &axis in order.iter().rev() {
            place += (index % shape[axis]) * strides[axis];
            index /= shape[axis];
        }
        elements[place]
    });
    let elements = places.collect();
    (moved, elements)
}

/// Elements that share a draw.
pub(super) struct Groups {
    /// Sizes of the axes, and how far apart groups are along each: 0 where they share.
    axes: Vec<(usize, usize)>,
}

impl Groups {
    pub fn of(&self, mut index: usize) -> usize {
        let mut group = 0;
        for &(size, stride) in self.axes.iter().rev() {
            group += (index % size) * stride;
            index /= size;
        }
        group
    }
}

/// How elements share draws: `Some(None)` if they do not.
pub(super) fn groups(watch: &Watch, shape: &[usize]) -> Option<Option<Groups>> {
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
