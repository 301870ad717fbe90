//! The table of operators: the only place that knows what each operator of the default domain does.
//!
//! A row applies to a range of opsets. An operator whose meaning changed has several rows. Where ONNX
//! has a schema newer than `CHECKED`, the last row ends and the operator is unknown from that opset on.
//! Operators of other domains and the model's own functions are unknown.

#[cfg(test)]
mod checked;
mod columns;
mod elementwise;
mod layers;
mod movement;
mod reductions;
pub(crate) mod schema;
mod sources;

use std::sync::OnceLock;

use crate::hash::HashMap;
use crate::onnx::{AttributeValue, Model, Node, NodeId};

use columns::Reads;
pub(crate) use columns::{
    Continuous, Control, Data, Distribution, Elements, Layer, Linear, Role, Shape, Type,
};

/// The last opset for which the rows were checked against the schemas.
#[cfg(test)]
const CHECKED: i64 = 26;

/// The last opset whose schemas are in `tests/schema/operators.tsv`. Later opsets may change any
/// operator, so all are unknown there.
const LISTED: i64 = 28;

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Operator {
    pub name: &'static str,
    /// The first opset of the row.
    since: i64,
    /// The first opset after the row.
    until: i64,
    /// The inputs that it transforms. Other inputs are parameters: weights, shapes, axes, indices, bounds.
    pub data: Data,
    /// The element type of each output.
    types: &'static [Type],
    /// The shape of the first output.
    pub shape: Shape,
    /// How the elements of the output depend on those of the data.
    pub elements: Elements,
    /// Whether it commutes with a factor of the data.
    pub linear: Linear,
    /// Which inputs are read for their elements.
    reads: Reads,
    /// Whether close inputs make close outputs.
    pub continuous: Continuous,
    pub role: Role,
}

/// The rows of a file: name and opsets, then the columns in the order of [`Operator`].
macro_rules! operators {
    ($($name:literal $since:literal .. $($until:literal)?: $data:ident $(($of:expr))?,
        [$($type:expr),+], $shape:ident $(($rank:literal))?, $elements:ident, $linear:ident, $reads:ident,
        $continuous:ident, $role:expr;)+) => {
        pub(super) const ROWS: &[super::Operator] = {
            #[allow(unused_imports, reason = "not every table has every column")]
            use crate::semantics::operator::columns::{
                Control::*, Distribution::*, Layer::*, Role::*, types::*, *,
            };
            use crate::semantics::operator::Operator;
            &[$(Operator {
                name: $name,
                since: $since,
                until: { let until = i64::MAX; $(let until = { let _ = until; $until };)? until },
                data: Data::$data $(($of))?,
                types: &[$($type),+],
                shape: Shape::$shape $(($rank))?,
                elements: Elements::$elements,
                linear: Linear::$linear,
                reads: Reads::$reads,
                continuous: Continuous::$continuous,
                role: $role,
            }),+]
        };
    };
}
use operators;

/// The rows of each operator, by name.
fn rows() -> &'static HashMap<&'static [u8], &'static [Operator]> {
    static ROWS: OnceLock<HashMap<&[u8], &[Operator]>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let tables = [
            elementwise::ROWS,
            layers::ROWS,
            movement::ROWS,
            reductions::ROWS,
            sources::ROWS,
        ];
        let same = |one: &Operator, two: &Operator| one.name == two.name;
        let of_name = tables.into_iter().flat_map(|table| table.chunk_by(same));
        of_name
            .map(|rows| (rows[0].name.as_bytes(), rows))
            .collect()
    })
}

impl Operator {
    /// The operator that a node applies; `None` if it is unknown.
    pub fn of(model: &Model, id: NodeId) -> Option<&'static Operator> {
        let node = model.node(id);
        let rows = own_rows(node)?;
        let opset = model.opset(id.graph, "")?;
        let own = || model.callee(node).is_none();
        within(rows, opset).filter(|_| own())
    }

    /// The operator of a name at an opset; `None` if it is unknown.
    pub fn named(name: &str, opset: i64) -> Option<&'static Operator> {
        within(rows().get(name.as_bytes())?, opset)
    }

    /// True of an operator that ONNX has, at some opset.
    pub fn is_standard(node: &Node) -> bool {
        own_rows(node).is_some()
    }

    /// True of an input that is data.
    pub fn is_data(&self, input: usize) -> bool {
        match self.data {
            Data::Nothing => false,
            Data::First => input == 0,
            Data::All => true,
            Data::From(first) => input >= first.into(),
            Data::Of(inputs) => inputs.iter().any(|&of| usize::from(of) == input),
        }
    }

    /// Where the element type of an output comes from.
    pub fn type_of(&self, output: usize) -> Type {
        let variadic =
            |kind: &&Type| matches!(kind, Type::EachOf(..) | Type::Bodies | Type::Mapped);
        let last = || self.types.last().filter(variadic);
        let kind = self.types.get(output).or_else(last);
        kind.copied().unwrap_or(Type::Unknown)
    }

    /// The operator that a node applies, by its simplest name: an Einsum that multiplies element by element
    /// is a Mul, and one of a single input that leaves it as it is an Identity.
    pub fn simplest(model: &Model, id: NodeId) -> Option<&'static Operator> {
        let node = model.node(id);
        let operator = Operator::of(model, id)?;
        if operator.shape != Shape::Einsum {
            return Some(operator);
        }
        let Some(AttributeValue::String(equation)) = node.attribute("equation").map(|a| &a.value)
        else {
            return Some(operator);
        };
        let name = match elementwise_inputs(&String::from_utf8_lossy(equation)) {
            Some(1) => "Identity",
            Some(2) => "Mul",
            _ => return Some(operator),
        };
        let opset = model.opset(id.graph, "").unwrap_or(LISTED);
        within(rows().get(name.as_bytes())?, opset)
    }

    /// True if it passes its data through, possibly with different axes or element type.
    pub fn passes(&self) -> bool {
        let same = matches!(self.elements, Elements::Copy | Elements::Move);
        self.data == Data::First && (same || self.role == Role::Cast)
    }

    /// True if every element of its output is an element of its data, up to the element type, and all
    /// elements of the data are there.
    pub fn copies(&self) -> bool {
        use Elements::{Copy, Move, Repeat};
        self.data == Data::First && matches!(self.elements, Copy | Move | Repeat)
    }

    /// True of a pool, and of a reduction over axes.
    pub fn reduces(&self) -> bool {
        self.role == Role::Pool || self.shape == Shape::Reduce
    }

    /// True if every element of its output is one of its data, selected by position.
    pub fn selects(&self) -> bool {
        let padded = matches!(self.shape, Shape::Pad | Shape::SameRank);
        self.data == Data::First && self.elements == Elements::Pick && !padded
    }

    /// True if this number of inputs can be in any order, without attributes.
    pub fn is_commutative(&self, inputs: usize) -> bool {
        let bits = ["BitwiseAnd", "BitwiseOr", "BitwiseXor"];
        let words = ["Add", "Mul", "And", "Or", "Xor", "Equal", "Sum"];
        let two = words.contains(&self.name) || bits.contains(&self.name);
        (two && inputs == 2) || ["Max", "Min"].contains(&self.name)
    }

    /// The number of inputs, of these, that it may leave as they are: a Relu, a Clip, a Floor the first, a Max
    /// each. None of an operator that makes another element type.
    pub fn passable(&self, inputs: usize) -> usize {
        if !matches!(self.types.first(), Some(Type::Inputs(0, _))) {
            return 0;
        }
        match (self.elements, self.data, self.linear) {
            (Elements::Map, Data::First, _) => 1,
            (Elements::Map, _, Linear::JointPositive) if inputs > 1 => inputs,
            _ => 0,
        }
    }

    /// True if it changes the element type and nothing else.
    pub fn casts(&self) -> bool {
        self.role == Role::Cast && self.elements == Elements::Copy
    }

    /// True if elements of its output are at other indices than in its data.
    pub fn moves(&self) -> bool {
        use Elements::{Move, Pick, Repeat};
        matches!(self.elements, Move | Repeat | Pick)
    }

    /// True of an input whose elements it reads, and not only its shape or type.
    pub fn reads_values(&self, input: usize) -> bool {
        match self.reads {
            Reads::Values => true,
            Reads::First => input == 0,
            Reads::Shape => false,
        }
    }
}

/// How many inputs an Einsum has that multiplies them element by element, broadcast as by Mul.
fn elementwise_inputs(equation: &str) -> Option<usize> {
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = equation.split_once("->")?;
    let letters = output.bytes().all(|c| c.is_ascii_alphabetic());
    let distinct = output
        .bytes()
        .enumerate()
        .all(|(i, c)| !output.as_bytes()[..i].contains(&c));
    let inputs: Vec<&str> = inputs.split(',').collect();
    let broadcast = inputs.iter().all(|input| output.ends_with(input));
    let whole = inputs.contains(&output);
    (letters && distinct && broadcast && whole).then_some(inputs.len())
}

fn own_rows(node: &Node) -> Option<&'static [Operator]> {
    let rows = rows().get(node.op_type.as_bytes()).copied()?;
    let is_alike =
        node.domain == "com.microsoft" && node.op_type.as_str().is_some_and(is_quantization);
    (node.in_default_domain() || is_alike).then_some(rows)
}

/// True of the two operators that ONNX Runtime also has in its own domain, for more types.
pub(crate) fn is_quantization(name: &str) -> bool {
    matches!(name, "QuantizeLinear" | "DequantizeLinear")
}

/// The row that applies to an opset. Before its first opset an operator has no other meaning: files have
/// such nodes, and runtimes take them.
fn within(rows: &'static [Operator], opset: i64) -> Option<&'static Operator> {
    let opset = opset.max(rows.first()?.since);
    let rules = |row: &&Operator| (row.since..row.until).contains(&opset);
    rows.iter().find(|row| opset <= LISTED && rules(row))
}
