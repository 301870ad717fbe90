//! What remains of dropped data when something is added to it.

use crate::error::Result;
use crate::onnx::ValueId;
use crate::semantics::view::NodeRef;

use super::Finder;
use super::form::{Form, Term};
use super::law::{CELLS, Law};
use super::piece::Piece;
use super::scalar;
use super::walk::Walk;

impl Finder<'_> {
    /// Takes what the draw does not multiply out of a sum. Where that is a multiple of the data
    /// itself, it is part of the same law; `x - x·m` is a mask like any other. Where the two have a
    /// part in common with opposite signs, the draw chooses, and nothing is dropped.
    pub(super) fn settle(
        &self,
        node: NodeRef<'_>,
        inputs: &[Form],
        mut form: Form,
        walk: &mut Walk<'_>,
    ) -> Result<Option<Form>> {
        let output = node.output(0).map(|output| output.id);
        let fixed: Vec<Term> = form.terms.extract_if(.., |term| !term.varies()).collect();
        if form.terms.is_empty() {
            form.terms = fixed;
            return Ok(Some(form));
        }
        self.settle_own(output, inputs, &mut form, walk);
        for other in fixed {
            let Some(factor) = other.law.as_constant() else {
                continue;
            };
            let mut apart = true;
            for term in &mut form.terms {
                let pair = (term.atom.value, other.atom.value);
                let moved = term.atom.path != other.atom.path;
                let relation = self.relation(pair, walk.conditions)?;
                match relation.ratio().filter(|_| !moved && apart) {
                    Some(ratio) => {
                        let Some(sum) = add(&term.law, factor / ratio) else {
                            return Ok(None);
                        };
                        self.join(output, &term.law, &sum, walk);
                        term.law = sum;
                        apart = false;
                    }
                    None => {
                        let against =
                            |&(one, two): &(f64, f64)| is_against(&term.law, one * two * factor);
                        walk.trace.cancelled |= relation.shared.iter().any(against);
                    }
                }
            }
            form.plus |= apart;
        }
        let cells = form.terms.iter().map(|term| term.law.cells().count());
        if cells.sum::<usize>() > CELLS {
            self.too_many_cells(node.id);
            return Ok(None);
        }
        Ok(Some(form))
    }

    /// Joins terms whose own data is an input as well.
    fn settle_own(
        &self,
        output: Option<ValueId>,
        inputs: &[Form],
        form: &mut Form,
        walk: &mut Walk<'_>,
    ) {
        for term in &mut form.terms {
            let before = inputs.iter().flat_map(|input| &input.terms);
            let before: Vec<&Term> = before.filter(|known| known.atom == term.atom).collect();
            let drawn: Vec<&Law> = before
                .iter()
                .filter(|known| known.varies())
                .map(|known| &known.law)
                .collect();
            match drawn[..] {
                [drawn] if before.len() > 1 => {
                    term.law = term.law.snapped();
                    self.join(output, drawn, &term.law, walk);
                }
                [_, _, ..] => walk.trace.joined.extend(output),
                _ => {}
            }
        }
    }

    /// A multiple of dropped data and a multiple of its data make another law.
    fn join(&self, output: Option<ValueId>, law: &Law, sum: &Law, walk: &mut Walk<'_>) {
        let drops = sum
            .cells()
            .any(|(_, mass, piece)| mass > 0.0 && is_zero(piece));
        let affine = law.cells().any(|(.., piece)| piece.var().is_some());
        if drops || affine {
            walk.trace.joined.extend(output);
            return;
        }
        // what is added is what is left where the law drops
        let cells = Law::cells_of(law, sum).unwrap_or_default();
        let added = cells.iter().find(|(_, law, _)| is_zero(*law));
        let added = added.and_then(|(_, _, sum)| sum.at(&[]));
        let against = |sum: Piece| {
            let pair = sum.at(&[]).zip(added);
            pair.is_some_and(|(sum, added)| (sum - added) * added < 0.0)
        };
        walk.trace.cancelled |= cells.iter().any(|(_, _, sum)| against(*sum));
    }
}

fn add(law: &Law, number: f64) -> Option<Law> {
    let sum = scalar::apply("Add", &[law, &Law::constant(number)], None, None)?.ok()?;
    Some(sum.snapped())
}

/// True if a multiple that is added has another sign than a law somewhere.
fn is_against(law: &Law, added: f64) -> bool {
    law.cells()
        .any(|(_, _, piece)| piece.at(&[]).is_some_and(|number| number * added < 0.0))
}

fn is_zero(piece: Piece) -> bool {
    piece.at(&[]).is_some_and(|number| number == 0.0)
}
