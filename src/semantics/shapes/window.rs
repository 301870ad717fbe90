//! Shapes of what slides a window over its data: convolutions and pools.

use crate::onnx::{AttributeValue, Node};

use super::{Shape, int, ints};

/// A window of one spatial axis.
struct Window {
    kernel: i64,
    stride: i64,
    dilation: i64,
    /// Both sides together.
    pads: i64,
    auto: Auto,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Auto {
    NotSet,
    Same,
    Valid,
}

fn windows(node: &Node, kernel: &[i64]) -> Option<Vec<Window>> {
    let auto = match node.attribute("auto_pad").map(|a| &a.value) {
        None => Auto::NotSet,
        Some(AttributeValue::String(text)) => match &text[..] {
            b"NOTSET" => Auto::NotSet,
            b"VALID" => Auto::Valid,
            b"SAME_UPPER" | b"SAME_LOWER" => Auto::Same,
            _ => return None,
        },
        Some(_) => return None,
    };
    let [strides, dilations, pads] = ["strides", "dilations", "pads"].map(|name| ints(node, name));
    let axes = kernel.len();
    let window = |axis: usize| -> Option<Window> {
        let of = |all: &[i64], default: i64| match all.len() {
            0 => Some(default),
            _ => all.get(axis).copied(),
        };
        let (begin, end) = match pads.len() {
            0 => (0, 0),
            _ => (*pads.get(axis)?, *pads.get(axis + axes)?),
        };
        let window = Window {
            kernel: kernel[axis],
            stride: of(&strides, 1)?,
            dilation: of(&dilations, 1)?,
            pads: if auto == Auto::NotSet {
                begin.checked_add(end)?
            } else {
                0
            },
            auto,
        };
        let small = |n: i64| (1..1 << 20).contains(&n);
        (small(window.kernel) && small(window.stride) && small(window.dilation)).then_some(window)
    };
    (0..axes).map(window).collect()
}

impl Window {
    fn extent(&self) -> i64 {
        (self.kernel - 1) * self.dilation + 1
    }

    /// How often it fits; `None` where runtimes may differ.
    fn count(&self, size: i64, ceil: bool) -> Option<i64> {
        if self.auto == Auto::Same {
            return Some(size.checked_add(self.stride - 1)? / self.stride);
        }
        let room = size.checked_add(self.pads)?.checked_sub(self.extent())?;
        // runtimes differ in whether a last window that is all padding counts
        let whole = !ceil || room % self.stride == 0;
        (room >= 0 && whole).then_some(room / self.stride + 1)
    }

    /// What a transposed one makes of a size.
    fn spread(&self, size: i64, more: i64) -> Option<i64> {
        if self.auto == Auto::Same {
            return size.checked_mul(self.stride);
        }
        let steps = size.checked_sub(1)?.checked_mul(self.stride)?;
        let whole = steps.checked_add(self.extent())?.checked_add(more)?;
        whole.checked_sub(self.pads)
    }
}

/// `[N, M, ..]` of a Conv with weights `[M, C/group, k..]`.
pub(super) fn convolved(node: &Node, data: Option<Shape>, weights: &Shape) -> Option<Shape> {
    let out = *weights.first()?;
    spatial(node, data, weights, out, |window, _, size| {
        window.count(size, false)
    })
}

/// `[N, M, ..]` of a ConvTranspose with weights `[C, M/group, k..]`.
pub(super) fn transposed(node: &Node, data: Option<Shape>, weights: &Shape) -> Option<Shape> {
    let of_group = *weights.get(1)?;
    let out = of_group.and_then(|m| m.checked_mul(int(node, "group", 1)));
    let more = ints(node, "output_padding");
    let given = node.attribute("output_shape").is_some();
    spatial(node, data, weights, out, |window, axis, size| {
        let more = more.get(axis).copied().unwrap_or(0);
        (!given).then(|| window.spread(size, more)).flatten()
    })
}

fn spatial(
    node: &Node,
    data: Option<Shape>,
    weights: &Shape,
    channels: Option<i64>,
    size: impl Fn(&Window, usize, i64) -> Option<i64>,
) -> Option<Shape> {
    let mut shape = vec![None; weights.len()];
    *shape.get_mut(1)? = channels;
    let kernel: Option<Vec<i64>> = weights.get(2..)?.iter().copied().collect();
    let windows = kernel.and_then(|kernel| windows(node, &kernel));
    if let Some(data) = data.filter(|data| data.len() == weights.len()) {
        shape[0] = data[0];
        for (axis, window) in windows.iter().flatten().enumerate() {
            shape[axis + 2] = data[axis + 2].and_then(|old| size(window, axis, old));
        }
    }
    Some(shape)
}

pub(super) fn pooled(node: &Node, mut shape: Shape) -> Option<Shape> {
    let ceil = int(node, "ceil_mode", 0) != 0;
    let windows = windows(node, &ints(node, "kernel_shape"));
    for (axis, dim) in shape.iter_mut().skip(2).enumerate() {
        let window = windows.as_ref().and_then(|all| all.get(axis));
        *dim = dim.and_then(|size| window?.count(size, ceil));
    }
    Some(shape)
}
