//! Shapes of images that are resized, or whose blocks become channels.

use crate::semantics::view::NodeRef;

use super::super::Asking;
use super::super::dim::{Dim, Shape};

impl<'m> Asking<'m> {
    /// By sizes, or by scales.
    pub(super) fn resize(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let dims = self.dims(node, 0)?;
        let given = self.given(node);
        let named = given.value("axes").is_some()
            || given.value("keep_aspect_ratio_policy").is_some() && self.has(node, 3, "");
        if named {
            return Some(Shape::of_rank(dims.len()));
        }
        if self.has(node, 3, "") {
            let sizes = self.list(node, 3, "");
            return Some(sizes.unwrap_or_else(|| Shape::of_rank(dims.len())));
        }
        // Resize has had a region of interest before its scales since opset 11
        let input = if node.get().inputs.len() > 2 { 2 } else { 1 };
        let scales = self.list(node, input, "scales");
        let scale = |axis: usize| scales.as_ref().and_then(|scales| scales.at(axis as i64));
        let scaled = dims.iter().enumerate();
        Some(Shape::of(scaled.map(|(axis, &dim)| {
            dim.times(scale(axis).unwrap_or(Dim::Unknown))
        })))
    }

    /// `[N, C / b², H · b, W · b]` of DepthToSpace, or the reverse.
    pub(super) fn blocks(&mut self, node: NodeRef<'m>) -> Option<Shape> {
        let [batch, channels, height, width] = self.dims(node, 0)?[..] else {
            return None;
        };
        let side = Dim::Size(self.given(node).int("blocksize", 1));
        let all = side.times(side);
        Some(Shape::of(match node.op() {
            "DepthToSpace" => [
                batch,
                channels.over(all),
                height.times(side),
                width.times(side),
            ],
            _ => [
                batch,
                channels.times(all),
                height.over(side),
                width.over(side),
            ],
        }))
    }
}
