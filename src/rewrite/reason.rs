//! Why something is not rewritten.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a dropout, a value or a factor is not rewritten: the kind of reason, and its text.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $name(Cow<'static, str>),)+
        }

        impl Reason {
            /// The reason in words.
            pub fn text(&self) -> &str {
                match self {
                    $(Reason::$name(text))|+ => text,
                }
            }

            /// The same kind of reason, in other words.
            pub(super) fn reworded(&self, text: impl Into<Cow<'static, str>>) -> Reason {
                match self {
                    $(Reason::$name(_) => Reason::$name(text.into()),)+
                }
            }
        }
    };
}

reasons! {
    /// The options do not select it.
    NotSelected,
    /// It is as requested already.
    NoChange,
    /// Inference needs it.
    Needed,
    /// It is not valid ONNX.
    Invalid,
    /// Its mask cannot be separated from the data.
    Entangled,
    /// The opset, the IR version or the form in which it is written cannot express the request.
    Inexpressible,
    /// The file does not declare a type, a shape or a rate that must be known.
    Unknown,
    /// A run decides it, or computes it.
    Computed,
    /// The element type does not allow it.
    Type,
    /// The shape or the axis does not allow it.
    Shape,
    /// Something else reads it, or is bound to its name.
    Shared,
    /// It is in a different graph, or in a function.
    Scope,
    /// An operator on the way does not allow it.
    Operator,
    /// The result would be rounded differently, or be out of range.
    Rounding,
    /// A limit was reached.
    Limit,
    /// It is no position for dropout.
    Position,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}
