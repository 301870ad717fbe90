//! The elements of observed data that share a draw.

use super::expected::Watch;

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

/// How elements share draws; `None` if they do not.
pub(super) fn groups(watch: &Watch, shape: &[usize]) -> Option<Groups> {
    let axes = watch.shared.as_ref()?;
    let is_shared = |axis: usize| {
        let back = axis as i64 - shape.len() as i64;
        axes.iter().any(|&a| a == axis as i64 || a == back)
    };
    let mut stride = 1;
    let mut sizes: Vec<(usize, usize)> = Vec::new();
    for (axis, &size) in shape.iter().enumerate().rev() {
        let shared = is_shared(axis);
        sizes.push((size.max(1), if shared { 0 } else { stride }));
        if !shared {
            stride *= size.max(1);
        }
    }
    sizes.reverse();
    Some(Groups { axes: sizes })
}
