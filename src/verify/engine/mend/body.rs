//! Bodies of repairs, as text:
//!
//! ```text
//! x bias => y                            inputs and outputs of the node, by position
//! centred = Sub(x, ReduceMean(x, [-1]))  a node for each operator, in the form of the newest opset
//! if bias: y = Add(centred, bias)        made if an input is present, an output read, an attribute given, or …
//! if !bias: y = centred                  … `x.rank=3`, `x.type=bool`, `mode=sum`
//! ```
//!
//! A number has the element type of the first input, `1f`, `1d` and `1i` have their own, and `[1, 2]` is a list of
//! integers. `@alpha=1` is the attribute of the node or else a number. Braces hold attributes: `{axis=1, pads, *, !p}` are a
//! new one, one of the node's own, all of its own, and none of that name. `self` is the operator of the node. `x?` is left out if it is
//! absent, and an operator of two that is left with one is that one.

mod text;

use std::collections::BTreeMap;

use super::site::Site;
use crate::hash::HashSet;
use crate::onnx::{Attribute, AttributeValue, DataType, Model, Name, Node, encode_float};
use crate::semantics::operator::schema;
use crate::verify::engine::draws::{DOMAIN, DRAW, DROP};
use text::{Cursor, LIBRARY};

/// What an expression is.
#[derive(Clone)]
enum Operand {
    Absent,
    /// Absent, and not to be an input.
    Omitted,
    Value(Name),
    /// Not yet a node: older opsets have such lists as attributes.
    List(Vec<i64>),
}

/// What the names in an expression are.
type Scope = BTreeMap<String, Operand>;

/// Names that no value of a model has.
pub(super) struct Fresh {
    taken: HashSet<Name>,
    count: usize,
}

impl Fresh {
    pub(super) fn new(model: &Model) -> Fresh {
        Fresh {
            taken: model.value_names(),
            count: 0,
        }
    }

    fn name(&mut self, hint: &str) -> Name {
        loop {
            self.count += 1;
            let name = Name::from(format!("{hint}/run{}", self.count));
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// A body on its way.
struct Body<'b, 'm> {
    site: &'b Site<'m>,
    label: String,
    fresh: &'b mut Fresh,
    inputs: Vec<&'b str>,
    outputs: Vec<&'b str>,
    nodes: Vec<Node>,
}

/// The nodes of a body in place of a node. A text that cannot be read leaves the outputs without a producer, which
/// [`super::mend`] reports.
pub(super) fn write(site: &Site<'_>, text: &str, fresh: &mut Fresh) -> Vec<Node> {
    let (inputs, rest) = text.split_once("=>").unwrap_or_default();
    let (outputs, rest) = rest.split_once('\n').unwrap_or_default();
    let mut body = Body {
        site,
        label: site.label(),
        fresh,
        inputs: inputs.split_whitespace().collect(),
        outputs: outputs.split_whitespace().collect(),
        nodes: Vec::new(),
    };
    let given = body.inputs.iter().enumerate().map(|(index, name)| {
        let value = site.node.input(index).cloned();
        let value = value.map_or(Operand::Absent, Operand::Value);
        ((*name).to_string(), value)
    });
    let mut scope: Scope = given.collect();
    scope.insert("none".into(), Operand::Absent);
    let mut text = Cursor(rest);
    while !text.0.trim().is_empty() {
        if body.statement(&mut text, &mut scope).is_none() {
            return body.nodes;
        }
    }
    for (index, name) in body.outputs.clone().into_iter().enumerate() {
        if let (Some(operand), Some(output)) = (scope.get(name), site.node.output(index))
            && let Some(value) = body.value(operand.clone())
        {
            let mut identity = Node::new("Identity").on([value]);
            if index == 0 {
                identity.name = site.node.name.clone();
            }
            body.put([output.clone()], identity);
        }
    }
    body.nodes
}

impl Body<'_, '_> {
    /// Adds a node with these outputs.
    fn put(&mut self, outputs: impl IntoIterator<Item = Name>, node: Node) {
        let outputs = outputs.into_iter().collect();
        self.nodes.push(Node { outputs, ..node });
    }

    /// Adds a constant.
    fn constant(&mut self, element: DataType, dims: &[i64], bytes: &[u8]) -> Name {
        let name = self.fresh.name(&self.label);
        let value = Attribute::tensor((element, dims, bytes));
        self.put([name.clone()], Node::new("Constant").with(value));
        name
    }

    /// A value in the graph; `None` if it is absent.
    fn value(&mut self, operand: Operand) -> Option<Name> {
        match operand {
            Operand::Absent | Operand::Omitted => None,
            Operand::Value(value) => Some(value),
            Operand::List(list) => {
                let bytes: Vec<u8> = list
                    .iter()
                    .flat_map(|number| number.to_le_bytes())
                    .collect();
                Some(self.constant(DataType::INT64, &[list.len() as i64], &bytes))
            }
        }
    }

    /// `None` if it cannot be read.
    fn statement(&mut self, text: &mut Cursor<'_>, scope: &mut Scope) -> Option<()> {
        if text.eat("if ") {
            let mut holds = true;
            while !text.eat(":") {
                text.eat(",");
                holds &= self.holds(text)?;
            }
            if !holds {
                text.skip();
                return Some(());
            }
        }
        let mut names = vec![text.word()];
        while text.eat(",") {
            names.push(text.word());
        }
        if !text.eat("=") {
            return None;
        }
        let mut found = self.expression(text, scope, names.len())?.into_iter();
        for name in names {
            scope.insert(name.to_string(), found.next()?);
        }
        Some(())
    }

    /// Whether a condition holds.
    fn holds(&self, text: &mut Cursor<'_>) -> Option<bool> {
        let wanted = !text.eat("!");
        let (name, fact) = match text.word() {
            "" => return None,
            word => word.split_once('.').unwrap_or((word, "")),
        };
        let expected = text.eat("=").then(|| text.number());
        let at = |names: &[&str]| names.iter().position(|other| *other == name);
        let holds = match (at(&self.inputs), at(&self.outputs), expected) {
            (Some(input), _, Some(expected)) if fact == "rank" => {
                let rank = self.site.rank(input).map(|rank| rank.to_string());
                rank.as_deref() == Some(expected)
            }
            (Some(input), _, Some(expected)) => {
                self.site.element(input).and_then(DataType::name) == Some(expected)
            }
            (Some(input), ..) => self.site.has(input),
            (_, Some(output), _) => self.site.wants(output),
            (_, _, Some(expected)) => match expected.parse::<i64>() {
                Ok(expected) => self.site.int(name, 0) == expected,
                Err(_) => self.site.text(name) == expected,
            },
            _ => self.site.node.attribute(name).is_some_and(|given| {
                fact == "given"
                    || !matches!(
                        given.value,
                        AttributeValue::Int(0) | AttributeValue::Float(0.0)
                    )
            }),
        };
        Some(holds == wanted)
    }

    /// The values of an expression: as many as asked for, if it is an operator.
    fn expression(
        &mut self,
        text: &mut Cursor<'_>,
        scope: &Scope,
        outputs: usize,
    ) -> Option<Vec<Operand>> {
        let next = text.0.trim_start().chars().next()?;
        let one = match next {
            '[' => Operand::List(self.list(text)?),
            '@' => self.attribute(text)?,
            '-' | '0'..='9' => self.literal(text.number(), None)?,
            _ => {
                let name = text.word();
                if text.eat("(") {
                    return self.call(name, text, scope, outputs);
                }
                match (scope.get(name)?.clone(), text.eat("?")) {
                    (Operand::Absent, true) => Operand::Omitted,
                    (operand, _) => operand,
                }
            }
        };
        Some(vec![one])
    }

    fn list(&self, text: &mut Cursor<'_>) -> Option<Vec<i64>> {
        let mut list = Vec::new();
        text.eat("[");
        while !text.eat("]") {
            text.eat(",");
            list.push(match text.eat("@") {
                true => {
                    let name = text.word();
                    let default = if text.eat("=") { text.number() } else { "1" };
                    self.site.int(name, default.parse().ok()?)
                }
                false => text.number().parse().ok()?,
            });
        }
        Some(list)
    }

    /// The attribute of the node, or a number in its place.
    fn attribute(&mut self, text: &mut Cursor<'_>) -> Option<Operand> {
        text.eat("@");
        let name = text.word();
        let default = if text.eat("=") { text.number() } else { "" };
        let given = self.site.node.attribute(name);
        match given.map(|given| given.value.clone()) {
            Some(AttributeValue::Ints(list)) => Some(Operand::List(list)),
            Some(AttributeValue::Int(number)) => {
                let number = self.constant(DataType::INT64, &[], &number.to_le_bytes());
                Some(Operand::Value(number))
            }
            Some(AttributeValue::Floats(list)) => {
                let bytes: Vec<u8> = list.iter().flat_map(|x| x.to_le_bytes()).collect();
                let list = self.constant(DataType::FLOAT, &[list.len() as i64], &bytes);
                Some(Operand::Value(list))
            }
            Some(AttributeValue::Float(number)) => self.literal(default, Some(number.into())),
            Some(AttributeValue::Tensor(tensor)) => {
                let elements = self.site.elements(&tensor)?;
                let tensor = self.constant(tensor.data_type, &tensor.dims, &elements);
                Some(Operand::Value(tensor))
            }
            _ => self.literal(default, None),
        }
    }

    /// A number as it is written, or another one of its type.
    fn literal(&mut self, text: &str, other: Option<f64>) -> Option<Operand> {
        let (digits, suffix) = match text.strip_suffix(['f', 'd', 'i']) {
            Some(digits) if text != "-inf" => (digits, &text[digits.len()..]),
            _ => (text, ""),
        };
        let number: f64 = match other {
            Some(other) => other,
            None => digits.parse().ok()?,
        };
        let element = match suffix {
            "i" => DataType::INT64,
            "d" => DataType::DOUBLE,
            "f" => DataType::FLOAT,
            _ => self.site.element(0).unwrap_or(DataType(0)),
        };
        let bytes = match element {
            DataType::INT64 if suffix == "i" => Some((number as i64).to_le_bytes().to_vec()),
            element => encode_float(element, number),
        };
        if let Some(bytes) = bytes {
            return Some(Operand::Value(self.constant(element, &[], &bytes)));
        }
        // of a type that no number is written in
        let float = (number as f32).to_le_bytes();
        let inputs = [
            self.constant(DataType::FLOAT, &[], &float),
            self.site.node.input(0)?.clone(),
        ];
        let like = self.fresh.name(&self.label);
        self.put([like.clone()], Node::new("CastLike").on(inputs));
        Some(Operand::Value(like))
    }

    /// An operator, or an expression of the library.
    fn call(
        &mut self,
        name: &str,
        text: &mut Cursor<'_>,
        scope: &Scope,
        outputs: usize,
    ) -> Option<Vec<Operand>> {
        let mut operands = Vec::new();
        while !text.eat(")") {
            text.eat(",");
            operands.push(self.expression(text, scope, 1)?.pop()?);
        }
        if name != "self" && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let (_, found) = LIBRARY.split_once(&format!("\n    {name}("))?;
            let (names, found) = found.split_once(") = ")?;
            let names = names.split(", ").map(str::to_string);
            let scope = names.zip(operands).collect();
            return self.expression(&mut Cursor(found), &scope, outputs);
        }
        let attributes = self.attributes(text)?;
        let count = operands.len();
        operands.retain(|operand| !matches!(operand, Operand::Omitted));
        if operands.len() < count && operands.len() < 2 {
            return Some(vec![operands.pop().unwrap_or(Operand::Absent)]);
        }
        let name = match name {
            "self" => self.site.node.op_type.to_string(),
            name => name.to_string(),
        };
        self.node(&name, operands, attributes, outputs)
    }

    /// The attributes of an operator: a later one of a name takes the place of an earlier.
    fn attributes(&self, text: &mut Cursor<'_>) -> Option<Vec<Attribute>> {
        let mut attributes: Vec<Attribute> = Vec::new();
        if !text.eat("{") {
            return Some(attributes);
        }
        while !text.eat("}") {
            text.eat(",");
            if text.eat("*") {
                attributes.clone_from(&self.site.node.attributes);
                continue;
            }
            let is_unwanted = text.eat("!");
            let name = text.word();
            let own = |other: &str| {
                let own = self.site.node.attribute(other);
                own.map(|own| own.value.clone())
            };
            let value = match () {
                () if is_unwanted => None,
                () if !text.eat("=") => own(name),
                () if text.eat("@") => own(text.word()),
                () if text.0.starts_with('[') => Some(AttributeValue::Ints(self.list(text)?)),
                () => Some(plain(text.number())),
            };
            attributes.retain(|attribute| attribute.name != name);
            attributes.extend(value.map(|value| Attribute::new(name, value)));
        }
        Some(attributes)
    }

    /// Writes a node, in the form that the opset has.
    fn node(
        &mut self,
        op_type: &str,
        mut operands: Vec<Operand>,
        mut attributes: Vec<Attribute>,
        outputs: usize,
    ) -> Option<Vec<Operand>> {
        let (opset, count) = (self.site.opset, operands.len());
        // tract reads these two by the newer form alone
        let moved = schema::moved(op_type).filter(|_| !matches!(op_type, "TopK" | "Reshape"));
        let (since, names) = moved.unwrap_or((0, &[]));
        let are_lists = operands
            .iter()
            .skip(1)
            .all(|each| matches!(each, Operand::List(_)));
        if opset < since && count > 1 && are_lists {
            for (name, operand) in names.iter().zip(operands.drain(1..)) {
                if let Operand::List(list) = operand {
                    attributes.push(Attribute::new(name, AttributeValue::Ints(list)));
                }
            }
        }
        if op_type == "Split" && count == 1 && opset >= 18 {
            let parts = AttributeValue::Int(outputs as i64);
            attributes.push(Attribute::new("num_outputs", parts));
        }
        let inputs = operands.into_iter();
        let inputs = inputs.map(|operand| self.value(operand).unwrap_or_default());
        let inputs: Vec<Name> = inputs.collect();
        let domain = match [DRAW, DROP].contains(&op_type) {
            true => DOMAIN.into(),
            false => Name::default(),
        };
        let node = Node {
            attributes,
            domain,
            ..Node::new(op_type).on(inputs)
        };
        let names: Vec<Name> = (0..outputs).map(|_| self.fresh.name(&self.label)).collect();
        self.put(names.clone(), node);
        Some(names.into_iter().map(Operand::Value).collect())
    }
}

/// An integer, a number, an element type, or a word.
fn plain(text: &str) -> AttributeValue {
    let element = || DataType::from_name(text).map(|element| i64::from(element.0));
    match (text.parse().ok().or_else(element), text.parse()) {
        (Some(integer), _) => AttributeValue::Int(integer),
        (None, Ok(number)) => AttributeValue::Float(number),
        (None, Err(_)) => AttributeValue::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::Model;
    use crate::source::Source;
    use crate::verify::engine::Meaning;
    use crate::verify::engine::mend::{Repair, always, mend};
    use crate::wire::{bytes_field, varint_field};

    /// The operators of `y = LeakyRelu(x, , a)` after a repair by a body, or the error.
    fn mended(body: &'static str) -> Result<Vec<String>, String> {
        let text = |number, text: &str| bytes_field(number, text.as_bytes());
        let alpha = [
            text(1, "alpha"),
            vec![0x15, 0, 0, 0, 0x3f],
            varint_field(20, 1),
        ];
        let inputs = ["x", "", "a"].map(|name| text(1, name));
        let node = [
            text(2, "y"),
            text(4, "LeakyRelu"),
            bytes_field(5, &alpha.concat()),
        ];
        let node = [inputs.concat(), node.concat()].concat();
        let value = |name| text(1, name);
        let graph = [
            bytes_field(1, &node),
            bytes_field(11, &value("x")),
            bytes_field(11, &value("a")),
            bytes_field(12, &value("y")),
        ];
        let source = Source::from_bytes(bytes_field(7, &graph.concat()));
        let mut model = Model::read(source).map_err(|error| error.to_string())?;
        let repair = Repair::of("LeakyRelu", always, body);
        let made = mend(&mut model, &[&repair], (13, Meaning::Inference));
        made.map_err(|error| error.to_string())?;
        let nodes = model.nodes().map(|(_, node)| node.op_type.to_string());
        Ok(nodes
            .filter(|op| op != "Constant" && op != "Identity")
            .collect())
    }

    #[test]
    fn a_body_that_cannot_be_read_is_an_error() {
        assert_eq!(mended("x => y\n y = Neg(x)").unwrap(), ["Neg"]);
        for wrong in [
            "y = Neg(x",
            "y = Neg(z)",
            "y = Neg(x) y = missing(x)",
            "z = Neg(x)",
            "",
        ] {
            let body: &'static str = Box::leak(format!("x => y\n {wrong}").into_boxed_str());
            assert!(mended(body).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let body = "x b a => y\n y = Add(x, b?)\n y = Mul(y, a?)";
        assert_eq!(mended(body).unwrap(), ["Mul"]);
        let body = "x b a => y z\n y = x\n if b: y = Neg(y)\n if a: y = Abs(y)\n if z: y = Exp(y)";
        assert_eq!(mended(body).unwrap(), ["Abs"]);
        let body = "x => y\n y = x\n if alpha: y = Neg(y)\n if beta: y = Abs(y)";
        assert_eq!(mended(body).unwrap(), ["Neg"]);
    }
}
