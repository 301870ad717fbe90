//! Whether a mask leaves data in its shape.

use crate::onnx::{Producer, ValueId};

use super::{BUDGET, DEPTH, Dim, NoiseShapes, Shape};

/// How large what meets data is, compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dropout) enum Fit {
    /// It is broadcast to the data.
    Within,
    /// Unknown.
    Unknown,
    /// The data is broadcast to it.
    Larger,
}

impl NoiseShapes<'_> {
    /// How large a value is, compared with data that it is multiplied by, or the like.
    pub fn fit(&self, value: ValueId, data: ValueId) -> Fit {
        if let Some(branches) = self.branches(value) {
            let fits = branches.into_iter().map(|branch| self.fit(branch, data));
            return fits.max().unwrap_or(Fit::Unknown);
        }
        self.budget.set(BUDGET);
        let mask = self.tensor_shape(value, DEPTH);
        self.budget.set(BUDGET);
        let data = self.tensor_shape(data, DEPTH);
        match (mask, data) {
            (Shape::Of(mask), Shape::Of(data)) if mask == data => Fit::Within,
            (Shape::Dims(mask), Shape::Of(data)) => match is_part(&mask, data) {
                true => Fit::Within,
                false => Fit::Unknown,
            },
            (Shape::Dims(mask), Shape::Dims(data)) => fit(&mask, &data),
            _ => Fit::Unknown,
        }
    }

    /// What an If makes this of, if one does.
    fn branches(&self, value: ValueId) -> Option<Vec<ValueId>> {
        let Producer::Node { node, output } = self.values[value].producer else {
            return None;
        };
        let node = self.model.node(node);
        let graphs = node.attributes.iter().flat_map(|a| a.graphs());
        let branches = graphs.map(|&graph| {
            let name = &self.model.graph(graph).outputs.get(output as usize)?.name;
            self.values.lookup(self.model, graph, name)
        });
        node.is("If").then(|| branches.collect())?
    }
}

/// True of dimensions of a value, or 1, each in its place; of a number whatever it meets.
fn is_part(mask: &[Dim], data: ValueId) -> bool {
    let count = mask.len() as i64;
    let number = mask.iter().all(|dim| *dim == Dim::Size(1));
    let mut places = (0..).zip(mask);
    (number && count <= 1)
        || !number
            && places.all(|(axis, dim)| match dim {
                Dim::Size(1) => true,
                Dim::Of(value, at) => *value == data && (*at == axis || *at == axis - count),
                _ => false,
            })
}

fn fit(mask: &[Dim], data: &[Dim]) -> Fit {
    if mask == [Dim::Size(1)] {
        return Fit::Within; // a number
    }
    if mask.len() > data.len() {
        return Fit::Larger;
    }
    let pairs = mask.iter().rev().zip(data.iter().rev());
    let fits = pairs.map(|pair| match pair {
        (Dim::Size(1), _) => Fit::Within,
        (mask, data) if mask == data && *mask != Dim::Unknown => Fit::Within,
        (Dim::Size(_), Dim::Size(1)) => Fit::Larger,
        // sizes that do not match: the model runs nowhere
        (Dim::Size(_), Dim::Size(_)) => Fit::Larger,
        _ => Fit::Unknown,
    });
    fits.max().unwrap_or(Fit::Within)
}
