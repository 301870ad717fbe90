//! What a value is as a function of a random draw u and of data x: `a(u)·x + b(u)`, sampled.

use crate::onnx::{DataType, NodeId, ValueId};

/// A value that depends on a draw, at some samples of it.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// `a` and `b` at each sample.
    pub samples: Vec<(f64, f64)>,
    /// x; `None` where the value depends on no data.
    pub data: Option<Data>,
    /// What `a` and `b` are between samples.
    pub curve: Curve,
    /// What its elements are, where it depends on no data and that is known.
    pub element: Option<Element>,
    /// What moved the elements of the draw since it was drawn, in order: the node, and which of its
    /// outputs. `None` where the value does not depend on the draw.
    pub moves: Option<Vec<(NodeId, usize)>>,
}

/// The x of a form.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Data {
    pub value: ValueId,
    /// What moved its elements about since, or cast them: Transpose, Reshape and the like, in order.
    pub path: Vec<NodeId>,
}

/// How a number follows the draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Curve {
    /// It is constant but for jumps.
    Steps,
    /// It is piecewise linear: two samples of it say nothing about a third.
    Lines,
}

/// What numbers are, as far as arithmetic depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Float,
    Integer,
    Bool,
}

impl Element {
    pub fn of(data_type: DataType) -> Element {
        match data_type {
            DataType::BOOL => Element::Bool,
            float if float.is_float() => Element::Float,
            _ => Element::Integer,
        }
    }

    /// What Cast makes of a number.
    fn cast(self, number: f64) -> f64 {
        match self {
            Element::Float => number,
            Element::Integer => number.trunc(),
            Element::Bool => truth(number != 0.0),
        }
    }
}

impl Form {
    /// The same number at every sample.
    pub fn constant(number: f64, element: Option<Element>, samples: usize) -> Form {
        Form {
            samples: vec![(0.0, number); samples],
            data: None,
            curve: Curve::Steps,
            element,
            moves: None,
        }
    }

    /// The data itself.
    pub fn data(value: ValueId, samples: usize) -> Form {
        Form {
            samples: vec![(1.0, 0.0); samples],
            data: Some(Data {
                value,
                path: Vec::new(),
            }),
            ..Form::constant(0.0, None, 0)
        }
    }

    /// The draw itself.
    pub fn draw(samples: &[f64], curve: Curve) -> Form {
        Form {
            samples: samples.iter().map(|&u| (0.0, u)).collect(),
            data: None,
            curve,
            element: None,
            moves: Some(Vec::new()),
        }
    }

    /// The form behind an operator that moves elements about or takes some of them.
    pub fn moved(mut self, by: NodeId, output: usize) -> Form {
        if let Some(data) = &mut self.data {
            data.path.push(by);
        }
        self.elsewhere(by, output)
    }

    /// The form behind an operator that casts elements.
    pub fn cast(mut self, by: NodeId) -> Form {
        if let Some(data) = &mut self.data {
            data.path.push(by);
        }
        self
    }

    /// The form where the draw's elements lie in other places.
    pub fn elsewhere(mut self, by: NodeId, output: usize) -> Form {
        if let Some(moves) = &mut self.moves {
            moves.push((by, output));
        }
        self
    }

    /// A multiple of it, if it depends on no data.
    pub fn scaled(&self, factor: f64) -> Option<Form> {
        self.each(self.curve, |b| b * factor)
    }

    pub fn each(&self, curve: Curve, f: impl Fn(f64) -> f64) -> Option<Form> {
        self.data.is_none().then(|| Form {
            samples: self.samples.iter().map(|&(_, b)| (0.0, f(b))).collect(),
            curve,
            ..self.clone()
        })
    }

    /// As each, of a function that is no line: what follows the draw by lines is lost to it.
    pub fn bent(&self, f: impl Fn(f64) -> f64) -> Option<Form> {
        let steps = self.curve == Curve::Steps;
        steps.then(|| self.each(Curve::Steps, f)).flatten()
    }

    /// What Cast makes of it. A type that is not known leaves zeros and ones what they are.
    pub fn cast_to(&self, to: Option<Element>) -> Option<Form> {
        let coin = self.samples.iter().all(|&(_, b)| b == 0.0 || b == 1.0);
        let curve = match to {
            Some(Element::Float) => self.curve,
            _ => Curve::Steps,
        };
        match to {
            Some(to) => self.each(curve, |b| to.cast(b)),
            None if coin => self.each(curve, |b| b),
            None => None,
        }
        .map(|form| Form {
            element: to,
            ..form
        })
    }

    pub fn both(&self, other: &Form, f: impl Fn(f64, f64) -> f64) -> Option<Form> {
        let free = self.data.is_none() && other.data.is_none();
        let moves = self.moves_with(other)?;
        free.then(|| Form {
            samples: (self.samples.iter().zip(&other.samples))
                .map(|(&(_, x), &(_, y))| (0.0, f(x, y)))
                .collect(),
            data: None,
            curve: self.curve.max(other.curve),
            element: self.element.or(other.element),
            moves,
        })
    }

    /// What a comparison makes of both.
    pub fn compared(&self, other: &Form, f: impl Fn(f64, f64) -> bool) -> Option<Form> {
        let form = self.both(other, |x, y| truth(f(x, y)))?;
        Some(Form {
            curve: Curve::Steps,
            element: Some(Element::Bool),
            ..form
        })
    }

    /// What moved the draw in both; `None` if an element of one would meet another element's draw in
    /// the other.
    #[allow(clippy::option_option)]
    pub fn moves_with(&self, other: &Form) -> Option<Option<Vec<(NodeId, usize)>>> {
        match (&self.moves, &other.moves) {
            (Some(one), Some(two)) if one != two => None,
            (one, two) => Some(one.clone().or_else(|| two.clone())),
        }
    }

    /// True if each is data where the other is dropped: a choice between two forms of the data.
    pub fn complements(&self, other: &Form) -> bool {
        let pairs = || self.samples.iter().zip(&other.samples);
        pairs().any(|(x, _)| x.0 == 0.0)
            && pairs().any(|(_, y)| y.0 == 0.0)
            && pairs().all(|(x, y)| (x.0 == 0.0) != (y.0 == 0.0))
            && self.data.is_some()
            && other.data.is_some()
    }

    pub fn zip(
        &self,
        other: &Form,
        data: Option<Data>,
        f: impl Fn((f64, f64), (f64, f64)) -> (f64, f64),
    ) -> Option<Form> {
        let pairs = self.samples.iter().zip(&other.samples);
        Some(Form {
            samples: pairs.map(|(&x, &y)| f(x, y)).collect(),
            element: self.element.or(other.element).filter(|_| data.is_none()),
            data,
            curve: self.curve.max(other.curve),
            moves: self.moves_with(other)?,
        })
    }

    /// The product of a form and one without data, unless both follow the draw by lines.
    pub fn times(&self, factor: &Form) -> Option<Form> {
        let bent = self.curve == Curve::Lines && factor.curve == Curve::Lines;
        let data = self.data.clone();
        let form = self.zip(factor, data, |(a, b), (_, d)| (a * d, b * d));
        form.filter(|_| !bent)
    }

    /// The quotient of a form and one without data.
    pub fn over(&self, divisor: &Form) -> Option<Form> {
        let data = self.data.clone();
        let element = self.element.or(divisor.element);
        let whole = data.is_none() && element == Some(Element::Integer);
        let form = self.zip(divisor, data, |(a, b), (_, d)| match whole {
            true => (0.0, (b / d).trunc()),
            false => (a / d, b / d),
        });
        form.filter(|_| divisor.curve == Curve::Steps)
    }
}

/// Booleans as numbers.
pub(super) fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}
