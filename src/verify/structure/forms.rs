//! Operators whose attributes became inputs in a later opset: both forms are one expression.

use crate::onnx::{AttributeValue, DataType, Name, encode_float, floats};
use crate::semantics::operator::schema;
use crate::semantics::view::NodeRef;

use super::attributes::written;
use super::expression::Expression;
use super::numbering::Builder;

/// The version of an operator that has inputs in place of attributes, and the names of these.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub version: i64,
    /// The first of them is input 1. Lists are inputs of one axis, and floats are inputs without axes, of the type of
    /// the data.
    moved: &'static [&'static str],
}

impl Form {
    /// True of an attribute that became an input.
    pub fn has(&self, attribute: &Name) -> bool {
        self.input(attribute).is_some()
    }

    fn input(&self, attribute: &Name) -> Option<usize> {
        let mut names = self.moved.iter();
        Some(names.position(|name| *attribute == **name)? + 1)
    }
}

impl<'m> Builder<'_, 'm> {
    /// Makes inputs of the attributes of a node that a later version has as inputs. `None` if it has no such
    /// form, or what is written is not known to mean the same in it.
    pub(super) fn form(&mut self, node: NodeRef<'m>, inputs: &mut Vec<Expression>) -> Option<Form> {
        let (version, moved) = schema::moved(node.op())?;
        let form = Form { version, moved };
        let opset = self.view.model.opset(node.graph(), "")?;
        let since = schema::since(node.op(), opset)?;
        let mut factors = (0..inputs.len()).filter_map(|i| self.exceptions.weights(node.id, i));
        // the first Split has both
        if node.is("Split") && since == 1 || factors.next().is_some() {
            return None;
        }
        if node.is("Slice") {
            *inputs = self.sliced(node, inputs).unwrap_or(inputs.clone());
        }
        let mut found = inputs.clone();
        for attribute in written(node).filter(|attribute| form.has(&attribute.name)) {
            let place = form.input(&attribute.name)?;
            if node.is("Slice") && inputs.len() > 1 {
                continue; // an input by now
            }
            let moved = self.as_input(node, &attribute.value)?;
            found.resize(found.len().max(place + 1), Expression::ABSENT);
            found[place] = moved;
        }
        let bounds = written(node).filter(|a| form.has(&a.name)).count();
        let float = || node.input(0)?.element_type();
        // without one, the bound is the largest float, of whatever type the data is
        if node.is("Clip") && since < 11 && bounds < 2 && float() != Some(DataType::FLOAT) {
            return None;
        }
        // without a value, zeros are padded
        let zero = |element| Some(self.scalar(element, encode_float(element, 0.0)?));
        if node.is("Pad") && found.len() > 2 && float().and_then(zero) == Some(found[2]) {
            found[2] = Expression::ABSENT;
        }
        *inputs = found;
        Some(form)
    }

    /// What an attribute is as an input; `None` if it has another type, or is rounded to that of the data.
    fn as_input(&mut self, node: NodeRef<'m>, value: &AttributeValue) -> Option<Expression> {
        match value {
            AttributeValue::Int(int) => self.ints(&[*int]),
            AttributeValue::Ints(ints) if !ints.is_empty() => self.ints(ints),
            AttributeValue::Floats(list) => {
                let bytes = list.iter().flat_map(|f| f.to_le_bytes());
                self.row(DataType::FLOAT, list.len(), bytes.collect())
            }
            AttributeValue::Float(float) => {
                let (element, number) = (node.input(0)?.element_type()?, f64::from(*float));
                let bytes = encode_float(element, number)?;
                let exact = floats(element, &bytes)? == [number];
                exact.then(|| self.scalar(element, bytes))
            }
            _ => None,
        }
    }

    fn ints(&mut self, ints: &[i64]) -> Option<Expression> {
        let bytes = ints.iter().flat_map(|i| i.to_le_bytes());
        self.row(DataType::INT64, ints.len(), bytes.collect())
    }

    /// The inputs of a Slice with constant bounds: all of them, and the same number for every end that is beyond
    /// all sizes. `None` if they are not constant.
    fn sliced(&mut self, node: NodeRef<'m>, inputs: &[Expression]) -> Option<Vec<Expression>> {
        let facts = self.numbering.facts;
        let starts = facts.integers(node.id, 1, "starts")?;
        let ends = facts.integers(node.id, 2, "ends")?;
        let given = |input, name| match node.input(input).is_some() || node.ints(name).is_some() {
            true => facts.integers(node.id, input, name).map(Some),
            false => Some(None),
        };
        let axes = given(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = given(4, "")?.unwrap_or_else(|| vec![1; starts.len()]);
        let beyond = |bound: i64| match bound {
            _ if bound >= i64::from(i32::MAX) => i64::MAX,
            _ if bound <= -i64::from(i32::MAX) => i64::MIN,
            _ => bound,
        };
        let [starts, ends] = [starts, ends].map(|bounds| bounds.into_iter().map(beyond));
        let lists = [starts.collect(), ends.collect(), axes, steps];
        let mut sliced = vec![*inputs.first()?];
        for list in lists {
            sliced.push(self.ints(&list)?);
        }
        Some(sliced)
    }
}
