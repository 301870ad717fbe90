//! Laws: a number as a function of the elements of a draw, exactly.
//!
//! A law splits the range of its variables into cells. On each cell it is a constant, affine or monotone
//! in one variable, or unknown.

use super::piece::{Cell, Piece, Var, point};

/// The maximum number of cells of a law. A law of more is unknown, which the search reports.
pub(super) const CELLS: usize = 64;

/// A number that depends on a draw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Law {
    /// The variables that decide on the cell, in order, with the ends of cells inside their range.
    axes: Vec<(Var, Vec<f64>)>,
    /// One for each cell; cells of the last variable are next to each other.
    pieces: Vec<Piece>,
}

/// A law would need more than [`CELLS`] cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyCells;

impl Law {
    pub fn constant(number: f64) -> Law {
        Law {
            axes: Vec::new(),
            pieces: vec![Piece::Constant(number)],
        }
    }

    pub fn unknown() -> Law {
        Law {
            axes: Vec::new(),
            pieces: vec![Piece::Unknown],
        }
    }

    /// `low + (high - low)·u`.
    pub fn affine(c: f64, d: f64, var: Var) -> Law {
        Law {
            axes: Vec::new(),
            pieces: vec![Piece::affine(c, d, var)],
        }
    }

    /// 0 below a point, a number from there on.
    pub fn step(var: Var, at: f64, number: f64) -> Law {
        let law = Law {
            axes: vec![(var, vec![at])],
            pieces: vec![Piece::Constant(0.0), Piece::Constant(number)],
        };
        match at {
            ..=0.0 => Law::constant(number),
            1.0.. => Law::constant(0.0),
            _ => law,
        }
    }

    /// The number that it is everywhere.
    pub fn as_constant(&self) -> Option<f64> {
        match self.pieces[..] {
            [Piece::Constant(number)] => Some(number),
            _ => None,
        }
    }

    /// Its piece, if that is one and no constant.
    pub fn as_affine(&self) -> Option<Piece> {
        match self.pieces[..] {
            [piece @ Piece::Affine(..)] => Some(piece),
            _ => None,
        }
    }

    /// The points at which it may jump or bend, of all variables.
    pub fn ends(&self) -> impl Iterator<Item = f64> + '_ {
        self.axes.iter().flat_map(|(_, ends)| ends.iter().copied())
    }

    pub fn is_zero(&self) -> bool {
        self.as_constant() == Some(0.0)
    }

    pub fn is_known(&self) -> bool {
        !self.pieces.contains(&Piece::Unknown)
    }

    /// The same with zeros where it is next to none.
    pub fn snapped(&self) -> Law {
        let sizes = self.pieces.iter().filter_map(|piece| piece.at(&[]));
        let largest = sizes.fold(0.0, |largest: f64, c| largest.max(c.abs()));
        let mut law = self.clone();
        for piece in &mut law.pieces {
            if piece.at(&[]).is_some_and(|c| c.abs() < 1e-6 * largest) {
                *piece = Piece::Constant(0.0);
            }
        }
        law.merge();
        law
    }

    /// The variables that it depends on.
    pub fn vars(&self) -> Vec<Var> {
        let slopes = self.pieces.iter().filter_map(|piece| piece.var());
        let mut vars: Vec<Var> = self.axes.iter().map(|(var, _)| *var).collect();
        vars.extend(slopes);
        vars.sort();
        vars.dedup();
        vars
    }

    /// True if it takes infinitely large values.
    pub fn is_unbounded(&self) -> bool {
        self.cells().any(|(cell, _, piece)| {
            piece.var().is_some_and(|var| {
                let found = cell.iter().find(|(of, _)| *of == var);
                let (low, high) = found.map_or(var.range(), |(_, interval)| *interval);
                let finite = |u| piece.at(&[(var, u)]).is_some_and(f64::is_finite);
                !finite(low) || !finite(high)
            })
        })
    }

    /// The same law of other variables.
    pub fn renamed(&self, mut to: impl FnMut(Var) -> Var) -> Law {
        let names: Vec<(Var, Var)> = self.vars().into_iter().map(|var| (var, to(var))).collect();
        let renamed = |var: Var| {
            names
                .iter()
                .find(|(old, _)| *old == var)
                .map_or(var, |(_, new)| *new)
        };
        let mut axes: Vec<(Var, Vec<f64>)> = Vec::new();
        for (var, ends) in &self.axes {
            ends.iter()
                .for_each(|end| add_end(&mut axes, renamed(*var), *end));
        }
        let mut law = Law {
            axes,
            pieces: Vec::new(),
        };
        let count = law.axes.iter().map(|(_, ends)| ends.len() + 1).product();
        let piece = |index| {
            let to = point(&law.cell(index));
            let at = |&(old, new): &(Var, Var)| {
                let found = to.iter().find(|(var, _)| *var == new);
                found.map(|(_, u)| (old, *u))
            };
            let from: Vec<(Var, f64)> = names.iter().filter_map(at).collect();
            let piece = self.piece(&from);
            piece.var().map_or(piece, |var| piece.of(renamed(var)))
        };
        law.pieces = (0..count).map(piece).collect();
        law.merge();
        law
    }

    /// Its cells with their probabilities and pieces.
    pub fn cells(&self) -> impl Iterator<Item = (Cell, f64, Piece)> + '_ {
        self.pieces.iter().enumerate().map(|(index, &piece)| {
            let cell = self.cell(index);
            let masses = cell
                .iter()
                .map(|(var, (a, b))| var.below(*b) - var.below(*a));
            let mass = masses.product();
            (cell, mass, piece)
        })
    }

    fn cell(&self, mut index: usize) -> Cell {
        let mut cell: Cell = Vec::new();
        for (var, ends) in self.axes.iter().rev() {
            let place = index % (ends.len() + 1);
            index /= ends.len() + 1;
            let (low, high) = var.range();
            let from = place.checked_sub(1).map_or(low, |i| ends[i]);
            cell.push((*var, (from, ends.get(place).copied().unwrap_or(high))));
        }
        cell.reverse();
        cell
    }

    /// The law on a finer grid.
    fn refined(&self, axes: &[(Var, Vec<f64>)]) -> Vec<Piece> {
        let grid = Law {
            axes: axes.to_vec(),
            pieces: Vec::new(),
        };
        let count = axes.iter().map(|(_, ends)| ends.len() + 1).product();
        (0..count)
            .map(|index| self.piece(&point(&grid.cell(index))))
            .collect()
    }

    /// The piece at a point.
    fn piece(&self, point: &[(Var, f64)]) -> Piece {
        let place = self.axes.iter().fold(0, |place, (var, ends)| {
            let found = point.iter().find(|(of, _)| of == var);
            let at = found.map_or(0.0, |(_, u)| *u);
            place * (ends.len() + 1) + ends.partition_point(|end| *end <= at)
        });
        self.pieces[place]
    }

    /// The number at a point; `None` if unknown.
    pub fn at(&self, point: &[(Var, f64)]) -> Option<f64> {
        self.piece(point).at(point)
    }

    /// A function of several laws, cell by cell. `ends` names the points at which a cell has to be
    /// split, `piece` the result at a point inside a cell.
    pub fn combined(
        laws: &[&Law],
        ends: impl Fn(&[Piece], &Cell) -> Vec<(Var, f64)>,
        piece: impl Fn(&[Piece], &[(Var, f64)]) -> Piece,
    ) -> Result<Law, TooManyCells> {
        let mut axes: Vec<(Var, Vec<f64>)> = Vec::new();
        for (var, more) in laws.iter().flat_map(|law| &law.axes) {
            more.iter().for_each(|end| add_end(&mut axes, *var, *end));
        }
        for var in laws.iter().flat_map(|law| law.vars()) {
            axis(&mut axes, var);
        }
        let mut grids = aligned(laws, &axes)?;
        let before = axes.clone();
        for index in 0..grids.first().map_or(1, Vec::len) {
            let cell = Law {
                axes: before.clone(),
                pieces: Vec::new(),
            }
            .cell(index);
            let pieces: Vec<Piece> = grids.iter().map(|grid| grid[index]).collect();
            for (var, end) in ends(&pieces, &cell) {
                let within = cell.iter().find(|(of, _)| *of == var);
                if within.is_some_and(|(_, (low, high))| *low < end && end < *high) {
                    add_end(&mut axes, var, end);
                }
            }
        }
        if axes != before {
            grids = aligned(laws, &axes)?;
        }
        let mut law = Law {
            axes,
            pieces: Vec::new(),
        };
        law.pieces = (0..grids.first().map_or(1, Vec::len))
            .map(|index| {
                let point = point(&law.cell(index));
                let pieces: Vec<Piece> = grids.iter().map(|grid| grid[index]).collect();
                piece(&pieces, &point)
            })
            .collect();
        law.merge();
        Ok(law)
    }

    /// Two laws on one grid, each cell with its probability.
    pub fn cells_of(one: &Law, two: &Law) -> Result<Vec<(f64, Piece, Piece)>, TooManyCells> {
        let mut axes: Vec<(Var, Vec<f64>)> = Vec::new();
        for (var, more) in one.axes.iter().chain(&two.axes) {
            more.iter().for_each(|end| add_end(&mut axes, *var, *end));
        }
        let grids = aligned(&[one, two], &axes)?;
        let pieces = grids[0].clone();
        let law = Law { axes, pieces };
        let others = &grids[1];
        let cells = law.cells().zip(others);
        Ok(cells
            .map(|((_, mass, one), two)| (mass, one, *two))
            .collect())
    }

    /// Joins neighbouring cells that are alike.
    fn merge(&mut self) {
        for place in 0..self.axes.len() {
            let stride: usize = self.axes[place + 1..]
                .iter()
                .map(|(_, e)| e.len() + 1)
                .product();
            let mut end = 0;
            while end < self.axes[place].1.len() {
                let cells = self.axes[place].1.len() + 1;
                let slab = |index: usize| (index / stride) % cells;
                let mut lower = (0..self.pieces.len()).filter(|&index| slab(index) == end);
                if lower.all(|index| self.pieces[index] == self.pieces[index + stride]) {
                    let kept = self.pieces.iter().enumerate();
                    let kept = kept.filter(|(index, _)| slab(*index) != end);
                    self.pieces = kept.map(|(_, piece)| *piece).collect();
                    self.axes[place].1.remove(end);
                } else {
                    end += 1;
                }
            }
        }
        self.axes.retain(|(_, ends)| !ends.is_empty());
    }
}

/// The laws on one grid.
fn aligned(laws: &[&Law], axes: &[(Var, Vec<f64>)]) -> Result<Vec<Vec<Piece>>, TooManyCells> {
    let counts = axes.iter().map(|(_, ends)| ends.len() + 1);
    let count = counts.fold(1usize, usize::saturating_mul);
    match count > CELLS {
        true => Err(TooManyCells),
        false => Ok(laws.iter().map(|law| law.refined(axes)).collect()),
    }
}

fn axis(axes: &mut Vec<(Var, Vec<f64>)>, var: Var) -> &mut Vec<f64> {
    let place = axes.partition_point(|(of, _)| *of < var);
    if axes.get(place).is_none_or(|(of, _)| *of != var) {
        axes.insert(place, (var, Vec::new()));
    }
    &mut axes[place].1
}

fn add_end(axes: &mut Vec<(Var, Vec<f64>)>, var: Var, end: f64) {
    let ends = axis(axes, var);
    let place = ends.partition_point(|known| *known < end);
    if ends.get(place) != Some(&end) {
        ends.insert(place, end);
    }
}
