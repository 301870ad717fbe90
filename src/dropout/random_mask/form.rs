//! Values as linear forms: `Σ lawᵢ(draw)·atomᵢ + law(draw)`, and the forms of operators' outputs.

use crate::onnx::{DataType, NodeId, ValueId};
use crate::semantics::operator::Operator;

use super::law::{Law, TooManyCells};
use super::maps::Maps;
use super::piece::Var;
use super::scalar;

/// A value that depends on a draw, or a constant, or data.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub terms: Vec<Term>,
    pub rest: Law,
    /// True if something else was added to it, which this draw does not multiply.
    pub plus: bool,
    pub element: Option<DataType>,
}

/// A multiple of data.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub atom: Atom,
    pub law: Law,
}

/// Data: a value that is no linear form of the draw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Atom {
    pub value: ValueId,
    /// What moved its elements about since, or cast them, in order.
    pub path: Vec<NodeId>,
}

impl Term {
    /// True if the draw decides on the multiple.
    pub fn varies(&self) -> bool {
        self.law.as_constant().is_none()
    }
}

impl Form {
    pub fn number(law: Law, element: Option<DataType>) -> Form {
        Form {
            terms: Vec::new(),
            rest: law,
            plus: false,
            element,
        }
    }

    pub fn data(value: ValueId, element: Option<DataType>) -> Form {
        let atom = Atom {
            value,
            path: Vec::new(),
        };
        let law = Law::constant(1.0);
        Form {
            terms: vec![Term { atom, law }],
            ..Form::number(Law::constant(0.0), element)
        }
    }

    /// True if it is made of no data: a constant, or part of a mask.
    pub fn is_numeric(&self) -> bool {
        self.terms.is_empty() && !self.plus
    }

    /// True if the draw decides on it.
    pub fn varies(&self) -> bool {
        self.rest.as_constant().is_none() || self.terms.iter().any(Term::varies)
    }

    /// True of a mask: numbers that the draw decides on.
    pub fn is_mask(&self) -> bool {
        self.is_numeric() && self.varies()
    }

    /// True of data that a mask multiplies, or is added to.
    pub fn is_dropped(&self) -> bool {
        !self.terms.is_empty() && self.varies()
    }

    /// The one atom that it is made of and the draw, if there is nothing else.
    pub fn single(&self) -> Option<&Term> {
        match &self.terms[..] {
            [term] if self.varies() && !self.plus => Some(term),
            _ => None,
        }
    }

    pub fn is_known(&self) -> bool {
        self.rest.is_known() && self.terms.iter().all(|term| term.law.is_known())
    }

    /// The form of an output of a node that moves elements about.
    pub fn moved(&self, by: (NodeId, usize), parts: bool, maps: &mut Maps) -> Form {
        let mut form = self.elsewhere(by, parts, maps);
        form.terms
            .iter_mut()
            .for_each(|term| term.atom.path.push(by.0));
        form
    }

    /// The form after an operator that moves the elements of the draw.
    pub fn elsewhere(&self, by: (NodeId, usize), parts: bool, maps: &mut Maps) -> Form {
        let mut form = self.clone();
        let mut move_law = |law: &mut Law| *law = law.renamed(|var| maps.moved(var, by, parts));
        move_law(&mut form.rest);
        form.terms
            .iter_mut()
            .for_each(|term| move_law(&mut term.law));
        form
    }

    /// Its law for an atom.
    fn law_of(&self, atom: &Atom) -> Law {
        let term = self.terms.iter().find(|term| term.atom == *atom);
        term.map_or(Law::constant(0.0), |term| term.law.clone())
    }

    /// The variables that it depends on.
    pub fn vars(&self) -> impl Iterator<Item = Var> {
        let laws = self.terms.iter().map(|term| &term.law).chain([&self.rest]);
        laws.flat_map(|law| law.vars())
    }
}

/// An operator applied to forms.
pub(super) struct Application<'a> {
    pub operator: &'static Operator,
    pub node: NodeId,
    /// One for each input; `None` where it is absent.
    pub inputs: Vec<Option<&'a Form>>,
    /// The element type of the output, if known.
    pub element: Option<DataType>,
    pub maps: &'a Maps,
}

type Made = Result<Option<Form>, TooManyCells>;

impl Application<'_> {
    /// The form of the output, before elements are moved about; `None` without one.
    pub fn form(&self) -> Made {
        let inputs: Option<Vec<&Form>> = self.inputs.iter().copied().collect();
        let Some(inputs) = inputs.filter(|inputs| !inputs.is_empty()) else {
            return Ok(None);
        };
        let op = self.operator.name;
        let x = inputs[0];
        if self.operator.casts() {
            return self.cast(x);
        }
        if self.operator.copies() {
            return Ok(Some(x.clone()));
        }
        if self.operator.selects() || (op == "Concat" && inputs.len() == 1) {
            // what a mask selects of dropped data is other data
            return Ok(x.is_numeric().then(|| x.clone()));
        }
        if inputs.iter().all(|input| input.is_numeric()) {
            let laws: Vec<&Law> = inputs.iter().map(|input| &input.rest).collect();
            let law = self.scalar(op, &laws)?;
            return Ok(law.map(|law| Form::number(law, self.element_of(x))));
        }
        let share = 1.0 / inputs.len() as f64;
        let ones = vec![1.0; inputs.len()];
        // a file may have an operator with more inputs or fewer
        match (op, &inputs[..]) {
            ("Neg", [_]) => self.sum(&inputs, &[-1.0]),
            ("Sub", [_, _]) => self.sum(&inputs, &[1.0, -1.0]),
            ("Mean", _) => self.sum(&inputs, &vec![share; inputs.len()]),
            ("Add", [_, _]) | ("Sum", _) => self.sum(&inputs, &ones),
            ("Mul", [x, by]) if by.is_numeric() => self.scaled("Mul", x, by),
            ("Mul", [by, x]) if by.is_numeric() => self.scaled("Mul", x, by),
            ("Div", [x, by]) if by.is_numeric() => self.scaled("Div", x, by),
            ("Where", [by, x, y]) => self.chosen(by, x, y),
            _ => Ok(None),
        }
    }

    fn element_of(&self, x: &Form) -> Option<DataType> {
        match scalar::makes_booleans(self.operator.name) {
            true => Some(DataType::BOOL),
            false if self.operator.name == "Where" => self.element,
            false => self.element.or(x.element),
        }
    }

    /// The law of a scalar operator's output; unknown if it combines elements of different positions.
    fn scalar(&self, op: &str, laws: &[&Law]) -> Result<Option<Law>, TooManyCells> {
        let of = self.inputs.iter().flatten().find_map(|input| input.element);
        let of = match op {
            "Where" => self.element,
            _ => of,
        };
        if !scalar::is_scalar(op, laws.len()) {
            return Ok(None);
        }
        if !self.maps.are_independent(laws) {
            return Ok(Some(Law::unknown()));
        }
        let to = match scalar::makes_booleans(op) {
            true => Some(DataType::BOOL),
            false => self.element.or(of),
        };
        scalar::apply(op, laws, of, to).transpose()
    }

    fn plain(&self, op: &str, laws: &[&Law]) -> Result<Law, TooManyCells> {
        if !self.maps.are_independent(laws) {
            return Ok(Law::unknown());
        }
        scalar::apply(op, laws, None, None).unwrap_or(Ok(Law::unknown()))
    }

    fn cast(&self, x: &Form) -> Made {
        let mut form = x.clone();
        form.element = self.element;
        let Some(to) = self.element else {
            // zeros and ones are what they are in any type
            let coin = |law: &Law| {
                law.cells()
                    .all(|(_, _, piece)| matches!(piece.at(&[]), Some(0.0 | 1.0)))
            };
            return Ok((!x.is_numeric() || coin(&x.rest)).then_some(form));
        };
        if !x.is_numeric() {
            // data that is cast to integers is other data
            form.terms
                .iter_mut()
                .for_each(|term| term.atom.path.push(self.node));
            return Ok(to.is_float().then_some(form));
        }
        form.rest = scalar::cast_law(&x.rest, to)?;
        Ok(Some(form))
    }

    fn sum(&self, inputs: &[&Form], factors: &[f64]) -> Made {
        let mut sum = Form::number(Law::constant(0.0), self.element.or(inputs[0].element));
        let times = |law: &Law, factor: f64| self.plain("Mul", &[law, &Law::constant(factor)]);
        for (input, &factor) in inputs.iter().zip(factors) {
            sum.plus |= input.plus;
            sum.rest = self.plain("Add", &[&sum.rest, &times(&input.rest, factor)?])?;
            for term in &input.terms {
                let law = times(&term.law, factor)?;
                match sum.terms.iter_mut().find(|known| known.atom == term.atom) {
                    Some(known) => known.law = self.plain("Add", &[&known.law, &law])?,
                    None => sum.terms.push(Term {
                        law,
                        ..term.clone()
                    }),
                }
            }
        }
        sum.terms.retain(|term| !term.law.is_zero());
        Ok(Some(sum))
    }

    /// A form times or by a number.
    fn scaled(&self, op: &str, form: &Form, by: &Form) -> Made {
        let whole = self.element.is_some_and(scalar::is_integer);
        if op == "Div" && whole || form.plus && by.varies() {
            return Ok(None);
        }
        let mut scaled = form.clone();
        scaled.element = self.element.or(form.element);
        scaled.rest = self.plain(op, &[&form.rest, &by.rest])?;
        for term in &mut scaled.terms {
            term.law = self.plain(op, &[&term.law, &by.rest])?;
        }
        scaled.terms.retain(|term| !term.law.is_zero());
        Ok(Some(scaled))
    }

    fn chosen(&self, by: &Form, x: &Form, y: &Form) -> Made {
        if x == y {
            return Ok(Some(x.clone()));
        }
        if !by.is_numeric() {
            return Ok(None);
        }
        if let Some(constant) = by.rest.as_constant() {
            return Ok(Some(if constant == 0.0 { y } else { x }.clone()));
        }
        if x.plus || y.plus {
            return Ok(None);
        }
        let pick = |one: &Law, two: &Law| self.plain("Where", &[&by.rest, one, two]);
        let mut form = Form::number(
            pick(&x.rest, &y.rest)?,
            self.element.or(x.element).or(y.element),
        );
        for term in x.terms.iter().chain(&y.terms) {
            if form.terms.iter().all(|known| known.atom != term.atom) {
                let law = pick(&x.law_of(&term.atom), &y.law_of(&term.atom))?;
                form.terms.push(Term {
                    law,
                    ..term.clone()
                });
            }
        }
        form.terms.retain(|term| !term.law.is_zero());
        Ok(Some(form))
    }
}
