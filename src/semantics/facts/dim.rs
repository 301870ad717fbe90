//! Dimensions and shapes with symbols, and arithmetic on them.

use std::rc::Rc;

use crate::onnx::ValueId;
use crate::semantics::calls::ContextId;

/// A size along an axis, or an integer that shape arithmetic computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dim {
    Size(i64),
    /// `factor · symbol + offset`.
    Affine {
        symbol: Symbol,
        factor: i64,
        offset: i64,
    },
    Unknown,
}

/// A size that only a run decides: the same symbol is the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Symbol {
    /// A name that the file gives it, by index, see [`super::Facts::dim_text`].
    Named(u32),
    /// The size of a value along an axis, counted from the end if negative.
    Axis(At, i32),
}

/// A value in a context.
pub(crate) type At = (ContextId, ValueId);

/// A list of dimensions: a shape, or the elements of an integer tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    Dims(Rc<[Dim]>),
    /// The shape of a value of which not even the rank is known.
    Like(At),
}

impl Dim {
    pub fn axis(at: At, axis: usize) -> Dim {
        Symbol::Axis(at, axis as i32).dim()
    }

    pub fn size(self) -> Option<i64> {
        match self {
            Dim::Size(size) => Some(size),
            _ => None,
        }
    }

    pub fn symbol(self) -> Option<Symbol> {
        match self {
            Dim::Affine { symbol, .. } => Some(symbol),
            _ => None,
        }
    }

    /// The factor and offset of its symbol; of a size, with the factor 0.
    fn parts(self) -> Option<(Option<Symbol>, i64, i64)> {
        match self {
            Dim::Size(size) => Some((None, 0, size)),
            Dim::Affine {
                symbol,
                factor,
                offset,
            } => Some((Some(symbol), factor, offset)),
            Dim::Unknown => None,
        }
    }

    fn of_parts(symbol: Option<Symbol>, factor: Option<i64>, offset: Option<i64>) -> Dim {
        match (symbol, factor, offset) {
            (_, Some(0), Some(size)) | (None, _, Some(size)) => Dim::Size(size),
            (Some(symbol), Some(factor), Some(offset)) => Dim::Affine {
                symbol,
                factor,
                offset,
            },
            _ => Dim::Unknown,
        }
    }

    pub fn plus(self, other: Dim) -> Dim {
        let (Some((one, a, b)), Some((two, c, d))) = (self.parts(), other.parts()) else {
            return Dim::Unknown;
        };
        match one.is_none() || two.is_none() || one == two {
            true => Dim::of_parts(one.or(two), a.checked_add(c), b.checked_add(d)),
            false => Dim::Unknown,
        }
    }

    pub fn minus(self, other: Dim) -> Dim {
        self.plus(other.times(Dim::Size(-1)))
    }

    pub fn times(self, other: Dim) -> Dim {
        let (of, by) = match (self, other) {
            (Dim::Size(0), _) | (_, Dim::Size(0)) => return Dim::Size(0),
            (of, Dim::Size(by)) | (Dim::Size(by), of) => (of, by),
            _ => return Dim::Unknown,
        };
        match of.parts() {
            Some((symbol, a, b)) => Dim::of_parts(symbol, a.checked_mul(by), b.checked_mul(by)),
            None => Dim::Unknown,
        }
    }

    /// The quotient, if there is no remainder.
    pub fn over(self, other: Dim) -> Dim {
        let exact = |a: i64, by: i64| (a.checked_rem(by) == Some(0)).then(|| a / by);
        match (self.parts(), other) {
            (_, other) if self == other && self.symbol().is_some() => Dim::Size(1),
            (Some((symbol, a, b)), Dim::Size(by)) => {
                Dim::of_parts(symbol, exact(a, by), exact(b, by))
            }
            _ => Dim::Unknown,
        }
    }

    /// What both are; `Unknown` if they differ.
    pub fn join(self, other: Dim) -> Dim {
        match self == other {
            true => self,
            false => Dim::Unknown,
        }
    }

    /// True of sizes, and of symbols, which are sizes, without a negative part.
    pub fn is_not_negative(self) -> bool {
        match self {
            Dim::Size(size) => size >= 0,
            Dim::Affine { factor, offset, .. } => factor >= 0 && offset >= 0,
            Dim::Unknown => false,
        }
    }

    /// The size of an axis of two tensors that are broadcast to each other.
    fn broadcast(self, other: Dim) -> Dim {
        match (self, other) {
            (one, two) if one == two => one,
            (Dim::Size(1), dim) | (dim, Dim::Size(1)) => dim,
            (Dim::Size(size), _) | (_, Dim::Size(size)) => Dim::Size(size),
            _ => Dim::Unknown,
        }
    }
}

impl Symbol {
    pub fn dim(self) -> Dim {
        Dim::Affine {
            symbol: self,
            factor: 1,
            offset: 0,
        }
    }
}

impl Shape {
    pub fn of(dims: impl IntoIterator<Item = Dim>) -> Shape {
        Shape::Dims(dims.into_iter().collect())
    }

    pub fn sizes(sizes: &[i64]) -> Shape {
        Shape::of(sizes.iter().map(|&size| Dim::Size(size)))
    }

    pub fn scalar() -> Shape {
        Shape::of([])
    }

    pub fn dims(&self) -> Option<&[Dim]> {
        match self {
            Shape::Dims(dims) => Some(dims),
            Shape::Like(_) => None,
        }
    }

    pub fn to_vec(&self) -> Option<Vec<Dim>> {
        self.dims().map(<[Dim]>::to_vec)
    }

    pub fn rank(&self) -> Option<usize> {
        self.dims().map(<[Dim]>::len)
    }

    /// The sizes, if all are known.
    pub fn all_sizes(&self) -> Option<Vec<i64>> {
        self.dims()?.iter().map(|dim| dim.size()).collect()
    }

    /// A dimension, counted from the end if negative.
    pub fn at(&self, axis: i64) -> Option<Dim> {
        match self {
            Shape::Dims(dims) => dims.get(axis_of(axis, dims.len())?).copied(),
            Shape::Like(at) => Some(Symbol::Axis(*at, i32::try_from(axis).ok()?).dim()),
        }
    }

    /// The product of all dimensions.
    pub fn elements(&self) -> Dim {
        let product = |dims: &[Dim]| dims.iter().fold(Dim::Size(1), |all, &dim| all.times(dim));
        self.dims().map_or(Dim::Unknown, product)
    }

    /// A shape of this many axes of which no size is known.
    pub fn of_rank(rank: usize) -> Shape {
        Shape::of((0..rank).map(|_| Dim::Unknown))
    }

    /// The shape that two tensors are broadcast to; `None` if not even its rank is known.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let (one, two) = match (self, other) {
            (one, two) if one == two => return Some(one.clone()),
            // a number takes every shape
            (Shape::Like(at), Shape::Dims(dims)) | (Shape::Dims(dims), Shape::Like(at)) => {
                let number = dims.len() <= 1 && dims.iter().all(|&dim| dim == Dim::Size(1));
                return number.then_some(Shape::Like(*at));
            }
            (Shape::Dims(one), Shape::Dims(two)) => (one, two),
            _ => return None,
        };
        let (long, short) = if one.len() < two.len() {
            (two, one)
        } else {
            (one, two)
        };
        let skip = long.len() - short.len();
        let dims = long
            .iter()
            .enumerate()
            .map(|(axis, &dim)| match axis.checked_sub(skip) {
                Some(axis) => dim.broadcast(short[axis]),
                None => dim,
            });
        Some(Shape::of(dims))
    }

    /// What both are, axis by axis; `None` if they differ in their ranks.
    pub fn join(&self, other: &Shape) -> Option<Shape> {
        match (self, other) {
            (one, two) if one == two => Some(one.clone()),
            (Shape::Dims(one), Shape::Dims(two)) if one.len() == two.len() => {
                let pairs = one.iter().zip(two.iter());
                Some(Shape::of(pairs.map(|(&one, &two)| one.join(two))))
            }
            _ => None,
        }
    }

    /// The shape in which every dimension without a name becomes an axis of this value.
    pub fn named(self, at: At) -> Shape {
        match self {
            Shape::Dims(dims) if dims.contains(&Dim::Unknown) => {
                let dims = dims.iter().enumerate();
                Shape::of(dims.map(|(axis, &dim)| match dim {
                    Dim::Unknown => Dim::axis(at, axis),
                    dim => dim,
                }))
            }
            shape => shape,
        }
    }

    /// The shape without symbols of values for which `inner` holds, which only exist inside.
    pub fn seen_from(self, outside: At, inner: impl Fn(At) -> bool) -> Shape {
        match self {
            Shape::Like(at) if inner(at) => Shape::Like(outside),
            Shape::Dims(dims) => {
                let hidden = |dim: Dim| {
                    let symbol = dim.symbol();
                    symbol.is_some_and(|s| matches!(s, Symbol::Axis(at, _) if inner(at)))
                };
                let shown = |&dim: &Dim| if hidden(dim) { Dim::Unknown } else { dim };
                Shape::of(dims.iter().map(shown)).named(outside)
            }
            like => like,
        }
    }
}

/// An axis counted from the first one, of one that may be counted from the last one.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}
