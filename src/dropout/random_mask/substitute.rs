//! Dropout that puts a number in the place of what it drops: −∞ in attention scores, so that the Softmax
//! shares out what it keeps (DropKey, Li et al. 2022), or the id of an unknown word (word dropout, Iyyer
//! et al. 2015). It scales nothing, and inference leaves the data as it is.

use crate::dropout::scores::is_scores;
use crate::dropout::{Kind, Scaling};
use crate::hash::HashSet;
use crate::onnx::{Use, ValueId};
use crate::semantics::operator::{Elements, Shape};

use super::Finder;
use super::classify::Class;
use super::law::Law;
use super::maps::Maps;
use super::piece::Piece;
use super::scalar::is_integer;

/// Scores below are as good as −∞: exporters write −10,000 for half precision, and less for others.
const NOTHING: f64 = -1e4;

impl Finder<'_> {
    /// The dropout that `a·data + b` is, if it is that; with the law of what is kept.
    pub(super) fn substituted(
        &self,
        (data, output): (ValueId, ValueId),
        (a, b): (&Law, &Law),
        maps: &Maps,
    ) -> Option<(Class, Law)> {
        if !maps.are_independent(&[a, b]) {
            return None;
        }
        let cells = Law::cells_of(a, b).ok()?.into_iter();
        let cells: Option<Vec<(f64, f64, f64)>> = cells
            .map(|(mass, a, b)| Some((mass, a.at(&[])?, b.at(&[])?)))
            .collect();
        let is_kept = |a: f64, b: f64| a == 1.0 && b == 0.0;
        let (kept, lost): (Vec<_>, Vec<_>) =
            cells?.into_iter().partition(|&(_, a, b)| is_kept(a, b));
        let rate: f64 = lost.iter().map(|(mass, ..)| mass).sum();
        let &(_, _, number) = lost.first()?;
        let of = self.view.value(data).element_type()?;
        let substitutes = match is_integer(of) {
            true => {
                lost.iter().all(|&(_, a, b)| a == 0.0 && b == number) && self.are_indices(output)
            }
            false => {
                let nothing = |&(_, a, b): &(f64, f64, f64)| (a == 0.0 || a == 1.0) && b <= NOTHING;
                lost.iter().all(nothing) && is_scores(self.view, output)
            }
        };
        if !substitutes || kept.is_empty() || rate <= 0.0 {
            return None;
        }
        let keeps = Law::combined(
            &[a, b],
            |_, _| Vec::new(),
            |pieces, _| match (pieces[0].at(&[]), pieces[1].at(&[])) {
                (Some(a), Some(b)) => Piece::Constant(f64::from(u8::from(is_kept(a, b)))),
                _ => Piece::Unknown,
            },
        );
        let class = Class {
            kind: Kind::Dropout,
            scaling: Scaling::Other,
            rate,
            scale: 1.0,
            is_identity: true,
        };
        Some((class, keeps.ok()?))
    }

    /// True of what selects rows of a table, and does nothing else: also after arithmetic, as that of Keras,
    /// which adds the number of rows where an index is negative.
    fn are_indices(&self, value: ValueId) -> bool {
        let (mut open, mut seen) = (vec![self.view.value(value)], HashSet::default());
        while let Some(value) = open.pop() {
            let mut ends = true;
            for at in value.uses() {
                let Use::Input { node, input } = at else {
                    return false; // a result
                };
                let node = self.view.node(node);
                let Some(operator) = node.operator() else {
                    return false;
                };
                ends = false;
                if operator.shape == Shape::Gather && input == 1 {
                    continue;
                }
                if !operator.copies() && operator.elements != Elements::Map {
                    return false;
                }
                open.extend(node.output(0).filter(|output| seen.insert(output.id)));
            }
            if ends {
                return false;
            }
        }
        true
    }
}
