//! Weights that a dropout was folded into: DropConnect or weight drop, evaluated while the exporter folded
//! constants. A part of their elements are exact zeros, for ever.
//!
//! A pruned weight has zeros as well. Pruning by size leaves no element next to zero, pruning by
//! structure leaves an order; a draw leaves neither. Weights that were pruned at random, or trained to be
//! sparse, look the same.

use crate::onnx::{NodeId, Tensor, numbers};
use crate::semantics::operator::{Operator, Role, Shape};
use crate::semantics::view::{NodeRef, ValueRef, View};

use super::order;

/// Fewer elements show nothing.
const FEWEST: usize = 128;

/// Fewer zeros, or fewer other elements, show nothing.
const FEWEST_ZEROS: usize = 12;

/// How much is read of a weight, in bytes.
const READ: u64 = 1 << 20;

/// A weight with zeros at random places.
#[derive(Clone, Debug)]
pub(crate) struct ZeroedWeight {
    /// The first node that uses it.
    pub user: NodeId,
    pub name: String,
    /// The share of its elements that are zero.
    pub zeros: f64,
}

/// The weights with zeros that a draw may have left. Reads up to a MiB of each.
pub(crate) fn zeroed_weights(view: View<'_>) -> Vec<ZeroedWeight> {
    let found = weights(view).filter_map(|(weight, tensor, user)| {
        let bytes = view.model.first_elements(tensor, READ).ok()?;
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => view.model.small_elements(tensor, READ).ok()??,
        };
        let zeros = zeros(&tensor.dims, &numbers(tensor.data_type, &bytes)?)?;
        Some(ZeroedWeight {
            user,
            name: weight.get().name.to_string(),
            zeros,
        })
    });
    found.collect()
}

/// Weights that have the name of what PyTorch's exporter made of a dropout, and not that of a parameter.
pub(crate) fn folded_weights(view: View<'_>) -> Vec<(NodeId, String)> {
    let found = weights(view).filter_map(|(weight, _, user)| {
        let name = weight.get().name.as_str()?;
        let number = name.strip_prefix("getitem")?;
        let number = number.strip_prefix('_').unwrap_or(number);
        let numbered = number.bytes().all(|b| b.is_ascii_digit());
        numbered.then(|| (user, name.to_string()))
    });
    found.collect()
}

/// Initializers of floats that layers use as weights, each with its first user.
fn weights(view: View<'_>) -> impl Iterator<Item = (ValueRef<'_>, &Tensor, NodeId)> {
    view.all_values().filter_map(|value| {
        let tensor = value.initializer().filter(|_| value.is_weight())?;
        let long = tensor.dims.iter().filter(|&&dim| dim > 1).count();
        let (user, _) = value.readers().next()?;
        let weighs = tensor.data_type.is_float() && long > 1 && is_used_by_layer(value);
        weighs.then_some((value, tensor, user.id))
    })
}

/// True of a value that a layer uses, perhaps moved or scaled.
fn is_used_by_layer(value: ValueRef<'_>) -> bool {
    let is_layer = |operator: &Operator| {
        matches!(operator.role, Role::Layer(_)) || operator.shape == Shape::Gather
    };
    let passes = |node: NodeRef<'_>| node.operator().is_some_and(Operator::passes);
    let mut readers = value.readers().take(16);
    readers.any(|(node, _)| {
        let mut at = node;
        for _ in 0..4 {
            if at.operator().is_some_and(is_layer) {
                return true;
            }
            let next = at.output(0).filter(|_| passes(at));
            match next.and_then(|output| output.readers().next()) {
                Some((next, _)) => at = next,
                None => return false,
            }
        }
        false
    })
}

/// The share of zeros, if they are at random places and the other elements reach down to them.
fn zeros(dims: &[i64], elements: &[f64]) -> Option<f64> {
    let kept: Vec<bool> = elements.iter().map(|&element| element != 0.0).collect();
    let zeros = kept.iter().filter(|&&kept| !kept).count();
    let others = kept.len() - zeros;
    let share = zeros as f64 / kept.len() as f64;
    let enough = kept.len() >= FEWEST && zeros.min(others) >= FEWEST_ZEROS;
    if !enough || !(0.02..=0.98).contains(&share) || has_gap(elements, zeros) {
        return None;
    }
    // the beginning of a large weight: whole slices of its first axis
    let dims: Option<Vec<usize>> = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let mut dims = dims?;
    let slice: usize = dims[1..].iter().product();
    dims[0] = kept.len().checked_div(slice)?;
    let (dims, kept) = match dims[0] {
        0 => (vec![kept.len()], &kept[..]),
        slices => (dims, &kept[..slices * slice]),
    };
    let drawn = order::is_drawn(&dims, kept, true) && !order::is_blocked(kept);
    drawn.then_some(share)
}

/// True if no element is next to zero, as after pruning by size. The smallest of some elements around
/// zero is a small part of the largest of them; if as many around zero are missing, it is half of it.
fn has_gap(elements: &[f64], zeros: usize) -> bool {
    let mut sizes: Vec<f64> = elements.iter().map(|element| element.abs()).collect();
    sizes.retain(|&size| size > 0.0);
    sizes.sort_by(f64::total_cmp);
    let around = zeros.min(sizes.len() / 4).clamp(1, 64);
    sizes[0] > 0.25 * sizes[around - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in (-1, 1), the same for a seed.
    fn numbers(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            2.0 * ((z ^ (z >> 31)) as f64 / 2f64.powi(64)) - 1.0
        }
    }

    const DIMS: &[i64] = &[24, 16];

    /// A weight, uniform or with the shape of a bell.
    fn weight(bell: bool, seed: u64) -> Vec<f64> {
        let mut next = numbers(seed);
        (0..24 * 16)
            .map(|_| match bell {
                true => (0..6).map(|_| next()).sum(),
                false => next(),
            })
            .collect()
    }

    fn dropped(mut weight: Vec<f64>, p: f64, seed: u64) -> Vec<f64> {
        let mut next = numbers(seed);
        for element in &mut weight {
            let keep = next().mul_add(0.5, 0.5) >= p;
            *element = if keep { *element / (1.0 - p) } else { 0.0 };
        }
        weight
    }

    fn pruned(mut weight: Vec<f64>, share: f64) -> Vec<f64> {
        let mut sizes: Vec<f64> = weight.iter().map(|element| element.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let least = sizes[(sizes.len() as f64 * share) as usize];
        weight
            .iter_mut()
            .filter(|element| element.abs() < least)
            .for_each(|element| *element = 0.0);
        weight
    }

    #[test]
    fn what_a_draw_has_zeroed_and_what_was_pruned_by_size() {
        let (mut missed, mut all) = (0, 0);
        for seed in 0..40 {
            for bell in [false, true] {
                for p in [0.1, 0.3, 0.5, 0.8] {
                    let weight = weight(bell, seed);
                    assert_eq!(zeros(DIMS, &weight), None, "nothing is zero");
                    assert_eq!(zeros(DIMS, &pruned(weight.clone(), p)), None, "{seed} {p}");
                    let found = zeros(DIMS, &dropped(weight, p, seed + 1000));
                    assert!(found.is_none_or(|share| (share - p).abs() < 0.15));
                    missed += usize::from(found.is_none());
                    all += 1;
                }
            }
        }
        assert!(missed * 20 <= all, "{missed} of {all} missed");
    }

    #[test]
    fn structures() {
        let keep = |keep: fn(usize, usize) -> bool| {
            let weight = weight(true, 7).into_iter().enumerate();
            let kept = weight.map(|(i, element)| if keep(i / 16, i % 16) { element } else { 0.0 });
            zeros(DIMS, &kept.collect::<Vec<f64>>())
        };
        assert_eq!(keep(|row, _| row % 2 == 0), None, "rows");
        assert_eq!(keep(|_, column| column < 8), None, "columns");
        assert_eq!(keep(|row, column| column <= row), None, "triangle");
        assert_eq!(keep(|row, column| (row + column) % 2 == 0), None, "checks");
        assert_eq!(keep(|row, column| row / 4 == column / 4), None, "blocks");
    }

    #[test]
    fn two_of_four() {
        for seed in 0..20 {
            let mut weight = weight(true, seed);
            for group in weight.chunks_mut(4) {
                let mut order: Vec<usize> = (0..4).collect();
                order.sort_by(|&a, &b| group[a].abs().total_cmp(&group[b].abs()));
                order[..2].iter().for_each(|&least| group[least] = 0.0);
            }
            assert_eq!(zeros(DIMS, &weight), None);
        }
    }

    #[test]
    fn steps_of_a_quantized_weight() {
        let steps: Vec<f64> = weight(true, 3)
            .iter()
            .map(|w| (w * 4.0).round() / 4.0)
            .collect();
        assert!(steps.iter().filter(|&&step| step == 0.0).count() > 12);
        assert_eq!(zeros(DIMS, &steps), None);
    }
}
