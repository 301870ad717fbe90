//! The mode of a dropout: parsing it, and the input that switches at run time.

use std::fmt;
use std::str::FromStr;

use crate::dropout::{OperatorVersion, version};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::{
    DataType, Editor, GraphId, GraphKind, Model, Name, Producer, ValueId, ValueType,
};
use crate::rewrite::Reason;
use crate::words::instead;

/// Whether a dropout is to act.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum Acting {
    /// Never: it passes its input through.
    #[default]
    Inert,
    /// Whenever the model runs.
    Active,
    /// If this input of the model is true. The input is boolean and optional, and false if not given.
    Runtime(Name),
}

/// The default name of the input.
const INPUT: &str = "training_mode";

impl TryFrom<String> for Acting {
    type Error = Error;

    fn try_from(text: String) -> Result<Acting> {
        text.parse()
    }
}

impl FromStr for Acting {
    type Err = Error;

    /// `inert`, `active`, `runtime` or `runtime:NAME`.
    fn from_str(text: &str) -> Result<Acting> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("inert", "") => Ok(Acting::Inert),
            ("active", "") => Ok(Acting::Active),
            ("runtime", "") => Ok(Acting::Runtime(INPUT.into())),
            ("runtime", name) => Ok(Acting::Runtime(name.into())),
            _ => {
                let words = ["inert", "active", "runtime", "runtime:NAME"];
                let why = format!("unknown mode `{text}`{}", instead(text, words));
                Err(Error::new(ErrorKind::Usage, why))
            }
        }
    }
}

impl fmt::Display for Acting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Acting::Inert => f.write_str("inert"),
            Acting::Active => f.write_str("active"),
            Acting::Runtime(name) => write!(f, "runtime:{name}"),
        }
    }
}

impl Acting {
    /// Why a `Dropout` in this graph cannot do it.
    pub(super) fn refusal(&self, model: &Model, graph: GraphId) -> Option<Reason> {
        let opset = model.opset(graph, "").unwrap_or(1);
        let convert = "convert the model to opset 12 or later first (onnx.version_converter)";
        let switched = match self {
            Acting::Inert => return None,
            Acting::Active => "can act",
            Acting::Runtime(_) => "has a switch",
        };
        let why = match (version(opset), self) {
            (OperatorVersion::InferenceTyped | OperatorVersion::InferenceBool, _) => {
                format!("no Dropout of opset {opset} {switched}; use --mode inert, or {convert}")
            }
            (OperatorVersion::IsTest, Acting::Runtime(_)) => format!(
                "whether a Dropout of opset {opset} acts is an attribute: inert or active can be \
                 written; {convert}"
            ),
            (_, Acting::Runtime(_)) => return self.unseen(model, graph),
            _ => return None,
        };
        Some(Reason::Inexpressible(why.into()))
    }

    /// Why an input of the model cannot decide in this graph.
    pub(super) fn unseen(&self, model: &Model, graph: GraphId) -> Option<Reason> {
        let Acting::Runtime(name) = self else {
            return None;
        };
        match model.graph(model.root(graph)).kind {
            GraphKind::Function(_) => {
                let why = format!(
                    "a function does not see the model's input `{name}`: inert or active can be \
                     written; inline the functions first (onnx.inliner)"
                );
                Some(Reason::Scope(why.into()))
            }
            _ if model.ir_version < 4 => {
                let why = format!(
                    "IR version {} has no optional inputs: inert or active can be written; write \
                     the model with IR version 4 or later first",
                    model.ir_version
                );
                Some(Reason::Inexpressible(why.into()))
            }
            _ => None,
        }
    }
}

/// The boolean model input with this name, added if missing, false by default.
/// Returns whether it was added.
///
/// # Errors
/// The name is that of something else.
pub(super) fn input(editor: &mut Editor<'_>, name: &Name) -> Result<(ValueId, bool)> {
    let taken = |what: &str| {
        let why =
            format!("`{name}` is {what}: no input can have that name; runtime:NAME chooses one");
        Error::new(ErrorKind::Usage, why)
    };
    let main = editor.model().main();
    let (model, values) = (editor.model(), editor.values());
    if let Some(value) = values.lookup(model, main, name) {
        let Producer::Input(index) = values[value].producer else {
            return Err(taken("a different value of the model"));
        };
        let kind = model.graph(main).inputs[index as usize].value_type();
        let boolean = matches!(&kind, ValueType::Tensor { element: DataType::BOOL, shape }
            if shape.as_ref().is_none_or(Vec::is_empty));
        return match boolean {
            true => Ok((value, false)),
            false => Err(taken(&format!(
                "an input of type {kind}, not a boolean scalar"
            ))),
        };
    }
    if name.is_empty() || editor.fresh_name(&name.to_string()) != *name {
        return Err(taken("a value in a subgraph"));
    }
    let value = editor.add_input(name, DataType::BOOL, &[]);
    editor.add_initializer(main, name, DataType::BOOL, &[], &[0]);
    value
        .map(|value| (value, true))
        .ok_or_else(|| taken("taken"))
}
