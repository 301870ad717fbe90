//! Sizes for the inputs of a region.

use crate::hash::{HashMap, HashSet};
use crate::onnx::ValueId;
use crate::semantics::facts::{Dim, Facts, Shape, Symbol};

/// The maximum number of elements of an input.
const ELEMENTS: usize = 1 << 22;

/// Inputs of more elements than this are tried in a smaller size first.
const SMALL: usize = 1 << 11;

/// How sizes are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Different symbols have different sizes, and large axes are small.
    Shrunk,
    /// Different symbols have different sizes.
    Distinct,
    /// The draw and the data have the same sizes, wherever one of them is not known.
    Alike,
    /// All symbols have this size.
    Same(usize),
}

impl Choice {
    /// All ways, in the order in which they are tried.
    pub const ALL: [Choice; 5] = [
        Choice::Shrunk,
        Choice::Distinct,
        Choice::Alike,
        Choice::Same(2),
        Choice::Same(4),
    ];
}

/// The shapes of values, or why they cannot be chosen; `None` if this choice does not apply.
pub(super) fn shapes(
    facts: Facts<'_>,
    values: &[ValueId],
    (draw, data): (Option<ValueId>, ValueId),
    choice: Choice,
) -> Result<Option<Vec<Vec<usize>>>, String> {
    let alike = choice == Choice::Alike;
    let known = |value: ValueId| facts.shape(value).to_vec();
    let drawn = draw.and_then(|draw| known(draw).or_else(|| known(data)));
    let mut declared = Vec::new();
    for &value in values {
        match (facts.shape(value), &drawn) {
            (Shape::Dims(dims), Some(drawn)) if alike => declared.push(as_drawn(&dims, drawn)),
            (Shape::Dims(dims), _) => declared.push(dims.to_vec()),
            // of unknown rank, unlike the draw or the data; which of its axes the draw shares is not known
            (Shape::Like(_), Some(drawn)) => match choice {
                Choice::Alike if !drawn.contains(&Dim::Size(1)) => declared.push(drawn.clone()),
                Choice::Same(_) => declared.push(vec![Dim::Unknown; drawn.len()]),
                _ => return Ok(None),
            },
            // the draw has the shape of a value of unknown rank
            (Shape::Like(at), None) => {
                let axes = [-2, -1].map(|axis| Symbol::Axis(at, axis).dim());
                declared.push(axes.to_vec());
            }
        }
    }
    let mut sizes = Sizes::new(&declared, choice);
    if let (Some(drawn), true) = (&drawn, alike) {
        for dims in &declared {
            sizes.bind(drawn, dims);
        }
    }
    let mut shapes = Vec::new();
    for (dims, &value) in declared.iter().zip(values) {
        let shape = dims.iter().map(|&dim| sizes.of(dim)).collect();
        let shape: Option<Vec<usize>> = shape;
        let shape = shape.ok_or_else(|| {
            let name = &facts.view().value(value).get().name;
            format!("the shape of `{name}` is not known")
        })?;
        shapes.push(shape);
    }
    let largest = shapes.iter().map(|shape| count(shape)).max().unwrap_or(0);
    if choice == Choice::Shrunk {
        let real = declared.iter().map(|dims| {
            let sizes = dims
                .iter()
                .map(|dim| dim.size().unwrap_or(2).unsigned_abs());
            sizes.fold(1, u64::saturating_mul)
        });
        let large = real.max().is_some_and(|real| real > SMALL as u64);
        return Ok(large.then_some(shapes));
    }
    match largest <= ELEMENTS {
        true => Ok(Some(shapes)),
        false => Err(format!("its data has more than {ELEMENTS} elements")),
    }
}

/// A shape with the size of the draw on the axes that have none.
fn as_drawn(dims: &[Dim], drawn: &[Dim]) -> Vec<Dim> {
    let missing = dims.len().saturating_sub(drawn.len());
    let drawn = (0..missing).map(|_| None).chain(drawn.iter().map(Some));
    let dims = dims.iter().zip(drawn);
    dims.map(|(dim, drawn)| match (dim.size(), drawn) {
        (None, Some(drawn)) => *drawn,
        _ => *dim,
    })
    .collect()
}

fn count(shape: &[usize]) -> usize {
    shape.iter().copied().fold(1, usize::saturating_mul)
}

struct Sizes {
    choice: Choice,
    symbols: HashMap<Symbol, usize>,
    shrunk: HashMap<i64, usize>,
    taken: HashSet<usize>,
}

/// The size of an axis of which nothing is known.
const UNKNOWN: usize = 6;

/// Sizes up to this stay as they are.
const KEPT: i64 = 4;

impl Sizes {
    fn new(declared: &[Vec<Dim>], choice: Choice) -> Sizes {
        let known = declared.iter().flatten().filter_map(|dim| dim.size());
        let known = known.filter(|&size| choice != Choice::Shrunk || size <= KEPT);
        Sizes {
            choice,
            symbols: HashMap::default(),
            shrunk: HashMap::default(),
            taken: known
                .filter_map(|size| usize::try_from(size).ok())
                .collect(),
        }
    }

    /// Gives the symbols of one shape the sizes of another, from the last axis on.
    fn bind(&mut self, one: &[Dim], other: &[Dim]) {
        for (one, other) in one.iter().rev().zip(other.iter().rev()) {
            if let (Some(symbol), Some(size)) = (one.symbol(), other.size())
                && *one == symbol.dim()
                && let Ok(size) = usize::try_from(size)
            {
                self.symbols.entry(symbol).or_insert(size);
            }
        }
    }

    fn fresh(&mut self) -> usize {
        let fresh = (2..).find(|size| !self.taken.contains(size)).unwrap_or(2);
        self.taken.insert(fresh);
        fresh
    }

    fn of(&mut self, dim: Dim) -> Option<usize> {
        match dim {
            Dim::Size(size) if self.choice == Choice::Shrunk && size > KEPT => {
                Some(match self.shrunk.get(&size) {
                    Some(&small) => small,
                    None => {
                        let small = self.fresh();
                        self.shrunk.insert(size, small);
                        small
                    }
                })
            }
            Dim::Size(size) => usize::try_from(size).ok(),
            Dim::Affine {
                symbol,
                factor,
                offset,
            } => {
                let size = match (self.symbols.get(&symbol), self.choice) {
                    (Some(&size), _) => size,
                    (None, Choice::Same(size)) => size,
                    (None, _) => self.fresh(),
                };
                self.symbols.insert(symbol, size);
                let size = factor.checked_mul(size as i64)?.checked_add(offset)?;
                usize::try_from(size).ok()
            }
            Dim::Unknown => match self.choice {
                Choice::Same(size) => Some(size),
                _ => Some(UNKNOWN),
            },
        }
    }
}
