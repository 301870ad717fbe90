//! Shapes of what slides a window over its data: convolutions and pools.

use crate::onnx::AttributeValue;

use super::dim::{Dim, Shape};
use super::given::Given;

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

fn windows(given: Given<'_>, kernel: &[i64]) -> Option<Vec<Window>> {
    let auto = match given.value("auto_pad") {
        None => Auto::NotSet,
        Some(AttributeValue::String(text)) => match &text[..] {
            b"NOTSET" => Auto::NotSet,
            b"VALID" => Auto::Valid,
            b"SAME_UPPER" | b"SAME_LOWER" => Auto::Same,
            _ => return None,
        },
        Some(_) => return None,
    };
    let [strides, dilations, pads] =
        ["strides", "dilations", "pads"].map(|name| given.ints(name).unwrap_or_default());
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
            stride: of(strides, 1)?,
            dilation: of(dilations, 1)?,
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

    /// How often it fits; unknown where runtimes may differ.
    fn count(&self, size: Dim, ceil: bool) -> Dim {
        let more = self.pads.checked_sub(self.extent() - 1);
        match (size, more) {
            (Dim::Size(size), _) => self.steps(size, ceil).map_or(Dim::Unknown, Dim::Size),
            (size, _) if self.stride == 1 && self.auto == Auto::Same => size,
            (size, Some(more)) if self.stride == 1 => size.plus(Dim::Size(more)),
            _ => Dim::Unknown,
        }
    }

    fn steps(&self, size: i64, ceil: bool) -> Option<i64> {
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
pub(super) fn convolved(
    given: Given<'_>,
    data: Option<Vec<Dim>>,
    weights: &[Dim],
) -> Option<Shape> {
    let count = |window: &Window, _, size| window.count(size, false);
    spatial(given, data, weights, *weights.first()?, count)
}

/// `[N, M, ..]` of a ConvTranspose with weights `[C, M/group, k..]`.
pub(super) fn transposed(
    given: Given<'_>,
    data: Option<Vec<Dim>>,
    weights: &[Dim],
) -> Option<Shape> {
    let out = weights.get(1)?.times(Dim::Size(given.int("group", 1)));
    let more = given.ints("output_padding").unwrap_or_default();
    let told = given.value("output_shape").is_some();
    spatial(given, data, weights, out, |window, axis, size| {
        let more = more.get(axis).copied().unwrap_or(0);
        let spread = size.size().filter(|_| !told);
        let spread = spread.and_then(|size| window.spread(size, more));
        spread.map_or(Dim::Unknown, Dim::Size)
    })
}

fn spatial(
    given: Given<'_>,
    data: Option<Vec<Dim>>,
    weights: &[Dim],
    channels: Dim,
    size: impl Fn(&Window, usize, Dim) -> Dim,
) -> Option<Shape> {
    let mut shape = vec![Dim::Unknown; weights.len()];
    *shape.get_mut(1)? = channels;
    let kernel: Option<Vec<i64>> = weights.get(2..)?.iter().map(|dim| dim.size()).collect();
    let windows = kernel.and_then(|kernel| windows(given, &kernel));
    if let Some(data) = data.filter(|data| data.len() == weights.len()) {
        shape[0] = data[0];
        for (axis, window) in windows.iter().flatten().enumerate() {
            shape[axis + 2] = size(window, axis, data[axis + 2]);
        }
    }
    Some(Shape::of(shape))
}

pub(super) fn pooled(given: Given<'_>, mut shape: Vec<Dim>) -> Option<Shape> {
    let ceil = given.int("ceil_mode", 0) != 0;
    let windows = windows(given, given.ints("kernel_shape").unwrap_or_default());
    for (axis, dim) in shape.iter_mut().skip(2).enumerate() {
        let window = windows.as_ref().and_then(|all| all.get(axis));
        *dim = window.map_or(Dim::Unknown, |window| window.count(*dim, ceil));
    }
    Some(Shape::of(shape))
}
