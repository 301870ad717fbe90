//! Scalar operators on laws, in the arithmetic of their element type.

use crate::onnx::DataType;
use crate::semantics::scalar::{apply as number, cast};
pub(super) use crate::semantics::scalar::{is_integer, makes_booleans};

use super::law::{CELLS, Law, TooManyCells};
use super::piece::{Cell, Piece, Var};

/// True of an operator that [`apply`] knows, with this many inputs.
pub(super) fn is_scalar(op: &str, inputs: usize) -> bool {
    number(op, &[1.0; 3][..inputs.min(3)], false).is_some() && inputs > 0
}

/// What an operator makes of laws, for elements of a type; `None` of an operator that is no function
/// of numbers.
pub(super) fn apply(
    op: &str,
    laws: &[&Law],
    of: Option<DataType>,
    to: Option<DataType>,
) -> Option<Result<Law, TooManyCells>> {
    let whole = of.is_some_and(is_integer);
    if !is_scalar(op, laws.len()) {
        return None;
    }
    if matches!(op, "Floor" | "Ceil" | "Round") && laws[0].is_unbounded() {
        return Some(Ok(Law::unknown()));
    }
    let rounded = |number: f64| match to {
        Some(to) => Piece::Constant(cast(number, to)),
        None => Piece::Constant(number),
    };
    Some(Law::combined(
        laws,
        |pieces, cell| ends(op, pieces, cell),
        |pieces, point| {
            let constants: Option<Vec<f64>> = pieces.iter().map(|piece| piece.at(&[])).collect();
            if let Some(constants) = constants {
                return number(op, &constants, whole).map_or(Piece::Unknown, rounded);
            }
            match shaped(op, pieces, point) {
                Some(piece) => piece,
                None if jumps(op) && comparable(pieces) => {
                    let numbers: Option<Vec<f64>> =
                        pieces.iter().map(|piece| piece.at(point)).collect();
                    numbers
                        .and_then(|numbers| number(op, &numbers, whole))
                        .map_or(Piece::Unknown, rounded)
                }
                None => Piece::Unknown,
            }
        },
    ))
}

/// What Cast makes of a law.
pub(super) fn cast_law(law: &Law, to: DataType) -> Result<Law, TooManyCells> {
    if is_integer(to) && law.is_unbounded() {
        return Ok(Law::unknown());
    }
    let ends = |pieces: &[Piece], cell: &Cell| match to {
        DataType::BOOL => pieces[0].solved(0.0, cell).into_iter().collect(),
        to if is_integer(to) => crossings(pieces[0], cell, 0.0),
        _ => Vec::new(),
    };
    Law::combined(&[law], ends, |pieces, point| match pieces[0] {
        Piece::Constant(c) => Piece::Constant(cast(c, to)),
        piece if to.is_float() => piece,
        piece => piece
            .at(point)
            .map_or(Piece::Unknown, |u| Piece::Constant(cast(u, to))),
    })
}

/// The factors with which an operator adds up its inputs, 0 of those that are numbers; `None` if it is
/// no sum of its inputs.
pub(super) fn factors(op: &str, numbers: &[Option<f64>]) -> Option<Vec<f64>> {
    let of = |factor: f64| {
        numbers
            .iter()
            .map(|known| if known.is_some() { 0.0 } else { factor })
            .collect()
    };
    match (op, numbers) {
        ("Add" | "Sum", _) => Some(of(1.0)),
        ("Mean", all) => Some(of(1.0 / all.len() as f64)),
        ("Sub", [x, y]) => {
            let factor = |known: &Option<f64>, factor| if known.is_some() { 0.0 } else { factor };
            Some(vec![factor(x, 1.0), factor(y, -1.0)])
        }
        ("Neg", [None]) => Some(vec![-1.0]),
        ("Mul", [None, Some(c)]) => Some(vec![*c, 0.0]),
        ("Mul", [Some(c), None]) => Some(vec![0.0, *c]),
        ("Div", [None, Some(c)]) => Some(vec![1.0 / c, 0.0]),
        _ => None,
    }
}

/// True of operators that leave little of how large a number is.
pub(super) fn rounds(op: &str) -> bool {
    matches!(op, "Floor" | "Ceil" | "Round")
}

/// True of operators whose result is constant between the ends of cells.
fn jumps(op: &str) -> bool {
    makes_booleans(op) || matches!(op, "Floor" | "Ceil" | "Round" | "Sign")
}

/// False of pieces of different elements: which is larger is not decided cell by cell.
fn comparable(pieces: &[Piece]) -> bool {
    let first = pieces[0];
    pieces[1..]
        .iter()
        .all(|other| first.sum(1.0, *other, -1.0) != Piece::Unknown)
}

/// The result at a point, if it is linear in the pieces there.
fn shaped(op: &str, pieces: &[Piece], point: &[(Var, f64)]) -> Option<Piece> {
    use Piece::Constant;
    let above = |piece: &Piece, than: f64| Some(piece.at(point)? > than);
    let larger = |x: Piece, y: Piece| Some(x.sum(1.0, y, -1.0).at(point)? > 0.0);
    match (op, pieces) {
        ("Add", &[x, y]) => Some(x.sum(1.0, y, 1.0)),
        ("Sub", &[x, y]) => Some(x.sum(1.0, y, -1.0)),
        ("Neg", &[x]) => Some(x.times(-1.0)),
        ("Sum", all) => Some(
            all.iter()
                .fold(Constant(0.0), |sum, piece| sum.sum(1.0, *piece, 1.0)),
        ),
        ("Mean", all) => {
            let share = 1.0 / all.len() as f64;
            Some(
                all.iter()
                    .fold(Constant(0.0), |sum, piece| sum.sum(1.0, *piece, share)),
            )
        }
        ("Mul", &[x, Constant(c)]) | ("Mul", &[Constant(c), x]) => Some(x.times(c)),
        ("Div", &[x, Constant(c)]) => Some(x.times(1.0 / c)),
        ("Where", &[c, x, y]) => Some(if c.at(point)? == 0.0 { y } else { x }),
        ("Abs", &[x]) => Some(if above(&x, 0.0)? { x } else { x.times(-1.0) }),
        ("Relu", &[x]) => Some(if above(&x, 0.0)? { x } else { Constant(0.0) }),
        ("Min", &[x, y]) => Some(if larger(x, y)? { y } else { x }),
        ("Max" | "Clip", &[x, y]) => Some(if larger(x, y)? { x } else { y }),
        ("Clip", &[x, low, high]) => {
            let x = if larger(x, low)? { x } else { low };
            Some(if larger(x, high)? { high } else { x })
        }
        ("Clip" | "Min" | "Max", &[x]) => Some(x),
        _ => Piece::curved(op, pieces, point),
    }
}

/// Where the result may jump or bend.
fn ends(op: &str, pieces: &[Piece], cell: &Cell) -> Vec<(Var, f64)> {
    let zeros = || {
        pieces
            .iter()
            .filter_map(|piece| piece.solved(0.0, cell))
            .collect()
    };
    match op {
        "Floor" | "Ceil" => crossings(pieces[0], cell, 0.0),
        "Round" => crossings(pieces[0], cell, 0.5),
        "Not" | "Sign" | "Abs" | "Relu" | "And" | "Or" | "Xor" => zeros(),
        "Where" | "Log" | "Sqrt" | "Pow" => pieces[0].solved(0.0, cell).into_iter().collect(),
        "Mul" if pieces[0] == pieces[1] => zeros(),
        "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Equal" | "Min" | "Max"
        | "Clip" => {
            let differences = pieces[1..]
                .iter()
                .map(|other| pieces[0].sum(1.0, *other, -1.0));
            differences
                .filter_map(|difference| difference.solved(0.0, cell))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Where a piece crosses integers, or numbers so far from them: one more than a law may have cells at
/// most.
fn crossings(piece: Piece, cell: &Cell, offset: f64) -> Vec<(Var, f64)> {
    let of = |var| cell.iter().find(move |(of, _)| *of == var);
    let Some(&(var, (low, high))) = piece.var().and_then(of) else {
        return Vec::new();
    };
    let [Some(one), Some(two)] = [low, high].map(|u| piece.at(&[(var, u)])) else {
        return Vec::new();
    };
    let (one, two) = (one - offset, two - offset);
    let (from, to) = (one.min(two).ceil(), one.max(two).floor());
    let numbers = (0..=CELLS)
        .map(|n| from + n as f64)
        .take_while(|n| *n <= to);
    numbers
        .filter_map(|n| piece.solved(n + offset, cell))
        .collect()
}

/// The shortest decimal that is the rate to the precision of its type: the file has the rate, or what
/// it leaves, or where it falls between other numbers.
pub(super) fn decimal(rate: f64, precision: f64) -> f64 {
    let rounded = (1..9).map(|digits| {
        let unit = 10f64.powi(digits);
        (rate * unit).round() / unit
    });
    let near = |decimal: &f64| (decimal - rate).abs() < precision;
    rounded.into_iter().find(near).unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: Var = Var {
        map: 0,
        normal: false,
    };
    const N: Var = Var {
        map: 0,
        normal: true,
    };

    fn of(op: &str, laws: &[&Law]) -> Law {
        apply(op, laws, Some(DataType::DOUBLE), Some(DataType::DOUBLE))
            .unwrap()
            .unwrap()
    }

    fn number(c: f64) -> Law {
        Law::constant(c)
    }

    /// Probabilities and values of a law of constants.
    fn masses(law: &Law) -> Vec<(f64, f64)> {
        law.cells()
            .map(|(_, mass, piece)| (mass, piece.at(&[]).unwrap_or(f64::NAN)))
            .collect()
    }

    #[test]
    fn thresholds_split_at_the_exact_point() {
        let u = Law::affine(0.0, 1.0, U);
        let keep = of("Less", &[&u, &number(0.7)]);
        assert_eq!(masses(&keep), [(0.7, 1.0), (1.0 - 0.7, 0.0)]);
        let floor = of("Floor", &[&of("Add", &[&u, &number(0.75)])]);
        assert_eq!(masses(&floor), [(0.25, 0.0), (0.75, 1.0)]);
        let wide = Law::affine(-1.0, 2.0, U);
        assert_eq!(
            masses(&of("Greater", &[&wide, &number(0.5)])),
            [(0.75, 0.0), (0.25, 1.0)]
        );
        // a threshold outside of the range splits nothing
        assert_eq!(of("Less", &[&u, &number(1.5)]).as_constant(), Some(1.0));
    }

    #[test]
    fn a_law_of_two_elements_has_the_product_of_their_cells() {
        let v = Var {
            map: 1,
            normal: false,
        };
        let both = of("And", &[&Law::step(U, 0.5, 1.0), &Law::step(v, 0.25, 1.0)]);
        let kept: f64 = masses(&both)
            .iter()
            .filter(|(_, one)| *one == 1.0)
            .map(|(m, _)| m)
            .sum();
        assert_eq!(kept, 0.375);
        // the same element twice is one
        assert_eq!(
            of("And", &[&Law::step(U, 0.5, 1.0), &Law::step(U, 0.5, 1.0)]),
            Law::step(U, 0.5, 1.0)
        );
        let either = of("Xor", &[&Law::step(U, 0.5, 1.0), &Law::step(v, 0.5, 1.0)]);
        assert_eq!(
            masses(&either)
                .iter()
                .filter(|(_, one)| *one == 1.0)
                .count(),
            2
        );
        assert_eq!(
            of("Xor", &[&Law::step(U, 0.5, 1.0), &Law::step(U, 0.5, 1.0)]).as_constant(),
            Some(0.0)
        );
    }

    #[test]
    fn arithmetic_of_element_types() {
        let five = |of: DataType| {
            apply("Div", &[&number(5.0), &number(2.0)], Some(of), Some(of))
                .unwrap()
                .unwrap()
        };
        assert_eq!(five(DataType::INT32).as_constant(), Some(2.0));
        assert_eq!(five(DataType::FLOAT).as_constant(), Some(2.5));
        let third = apply(
            "Div",
            &[&number(1.0), &number(3.0)],
            None,
            Some(DataType::FLOAT16),
        );
        assert_eq!(
            third.unwrap().unwrap().as_constant(),
            Some(half::f16::from_f64(1.0 / 3.0).to_f64())
        );
        let relu = of("Relu", &[&Law::affine(-0.5, 1.0, U)]);
        assert_eq!(cast_law(&relu, DataType::BOOL), Ok(Law::step(U, 0.5, 1.0)));
        assert_eq!(cast_law(&number(2.0), DataType::BOOL), Ok(number(1.0)));
        assert_eq!(cast_law(&number(-1.5), DataType::INT64), Ok(number(-1.0)));
    }

    #[test]
    fn what_is_not_affine_is_unknown() {
        let u = Law::affine(0.0, 1.0, U);
        assert!(!of("Mul", &[&u, &of("Exp", &[&u])]).is_known());
        assert!(!of("Exp", &[&of("Exp", &[&u])]).is_known());
        assert!(!of("Less", &[&of("Exp", &[&u]), &u]).is_known());
        assert!(!of("Log", &[&Law::affine(-0.5, 1.0, U)]).is_known());
        assert!(!of("Pow", &[&u, &number(-1.0)]).is_known());
        assert!(of("Exp", &[&Law::step(U, 0.5, 1.0)]).is_known());
        let v = Law::affine(
            0.0,
            1.0,
            Var {
                map: 1,
                normal: false,
            },
        );
        assert!(!of("Less", &[&u, &v]).is_known());
    }

    #[test]
    fn thresholds_on_monotone_functions_split_at_the_exact_point() {
        let u = Law::affine(0.0, 1.0, U);
        let dropped = |op: &str, inputs: &[&Law], threshold: f64| {
            let mask = of("Less", &[&of(op, inputs), &number(threshold)]);
            let ones = masses(&mask).into_iter().filter(|(_, one)| *one == 1.0);
            ones.map(|(mass, _)| mass).sum::<f64>()
        };
        let n = Law::affine(0.0, 1.0, N);
        let cases: [(&str, &[&Law], f64, f64); 9] = [
            ("Mul", &[&u, &u], 0.09, 0.3),
            ("Pow", &[&u, &number(3.0)], 0.027, 0.3),
            ("Exp", &[&u], 0.3_f64.exp(), 0.3),
            ("Log", &[&u], 0.3_f64.ln(), 0.3),
            ("Sqrt", &[&u], 0.3_f64.sqrt(), 0.3),
            ("Mul", &[&u, &u], 1.5, 1.0),
            // both ends of a square
            (
                "Pow",
                &[&Law::affine(-0.5, 1.0, U), &number(2.0)],
                0.0225,
                0.3,
            ),
            ("Mul", &[&n, &n], 0.454_936_423_119_572, 0.5),
            ("Sigmoid", &[&Law::affine(0.0, 3.0, N)], 0.5, 0.5),
        ];
        for (op, inputs, threshold, share) in cases {
            let found = dropped(op, inputs, threshold);
            assert!((found - share).abs() < 1e-9, "{op}: {found}");
        }
        // three steps of √u
        let steps = of("Floor", &[&of("Mul", &[&of("Sqrt", &[&u]), &number(3.0)])]);
        assert_eq!(masses(&steps).len(), 3);
        // more and more of them towards 0
        assert!(!of("Floor", &[&of("Log", &[&u])]).is_known());
        // a number that it never is
        assert_eq!(
            of("Less", &[&of("Exp", &[&u]), &number(0.5)]).as_constant(),
            Some(0.0)
        );
    }

    #[test]
    fn a_normal_draw_has_cells_with_masses() {
        let mask = of("Greater", &[&Law::affine(0.0, 1.0, N), &number(0.0)]);
        assert_eq!(masses(&mask), [(0.5, 0.0), (0.5, 1.0)]);
        let tail = of(
            "Less",
            &[
                &Law::affine(1.0, 2.0, N),
                &number(1.0 - 2.0 * 1.281_551_565_544_6),
            ],
        );
        assert!((masses(&tail)[0].0 - 0.1).abs() < 1e-12);
    }

    #[test]
    fn more_cells_than_a_law_may_have() {
        let floor =
            |times: f64| apply("Floor", &[&Law::affine(0.0, times, U)], None, None).unwrap();
        assert!(floor(CELLS as f64).is_ok());
        assert_eq!(floor(CELLS as f64 + 0.5), Err(TooManyCells));
        let normal = apply("Floor", &[&Law::affine(0.0, 1.0, N)], None, None).unwrap();
        assert_eq!(normal, Ok(Law::unknown()));
    }
}
