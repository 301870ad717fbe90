//! Attributes that are exchanged for those of the other model.

use super::Trial;
use super::observe::LARGEST;
use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, Editor, Name, NodeId, encode_tensor};
use crate::semantics::view::NodeRef;
use crate::verify::structure::{floats, of_inference};

/// The longest list that is exchanged as a whole: elements of a longer one might hide in the others.
const LONGEST: usize = 16;

/// A value that an attribute may have in either model, or none.
type Given = Option<AttributeValue>;

impl Trial<'_> {
    /// Exchanges the attributes of a node for those of the other model's, or its floats for others if there is
    /// none. Why no output changes; `None` if one does, for each attribute.
    pub(super) fn attributes(
        &mut self,
        node: NodeId,
        other: Option<NodeId>,
    ) -> Result<Option<String>> {
        let node = self.side.view.node(node);
        let changes = match other {
            Some(other) => exchanged(node, self.other.view.node(other))?,
            None => Some(
                floats(node)
                    .map(|a| (a.name.clone(), moved(&a.value)))
                    .collect(),
            ),
        };
        let Some(changes) = changes.filter(|changes| !changes.is_empty()) else {
            return Ok(Some("its attributes cannot be exchanged".to_string()));
        };
        for (name, value) in changes {
            let unmoved = self.unmoved(|editor: &mut Editor<'_>| match value {
                Some(value) => {
                    editor.set_attribute(node.id, Attribute::new(&name.to_string(), value))
                }
                None => editor.remove_attribute(node.id, &name.to_string()),
            })?;
            if let Some(why) = unmoved {
                return Ok(Some(format!("attribute `{name}`: {why}")));
            }
        }
        Ok(None)
    }
}

/// The attributes that differ in two nodes, each with its value in the second; `None` if one cannot be copied.
fn exchanged(one: NodeRef<'_>, other: NodeRef<'_>) -> Result<Option<Vec<(Name, Given)>>> {
    let (Some(here), Some(there)) = (values(one)?, values(other)?) else {
        return Ok(None);
    };
    let of = |all: &[(Name, AttributeValue)], name: &Name| {
        all.iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.clone())
    };
    let lost = here.iter().filter(|(name, _)| of(&there, name).is_none());
    let lost = lost.map(|(name, _)| (name.clone(), None));
    let same = |name, value: &AttributeValue| of(&here, name).is_some_and(|it| it.is_same(value));
    let set = there.iter().filter(|(name, value)| !same(name, value));
    let set = set.map(|(name, value)| (name.clone(), Some(value.clone())));
    Ok(Some(lost.chain(set).collect()))
}

/// The attributes of a node, besides graphs, as any model can have them; `None` if one cannot be copied.
fn values(node: NodeRef<'_>) -> Result<Option<Vec<(Name, AttributeValue)>>> {
    let attributes = of_inference(node).filter(|attribute| attribute.graphs().is_empty());
    let copies = attributes.map(|attribute| {
        let value = copied(node, &attribute.value)?;
        Ok(value.map(|value| (attribute.name.clone(), value)))
    });
    copies.collect()
}

/// A value as any model can have it; `None` if it cannot be copied.
fn copied(node: NodeRef<'_>, value: &AttributeValue) -> Result<Given> {
    use AttributeValue::{Float, Floats, Int, Ints, NewTensor, String, Strings, Tensor};
    let long = match value {
        Floats(list) => list.len() > LONGEST,
        Ints(list) => list.len() > LONGEST,
        Strings(list) => list.len() > LONGEST,
        _ => false,
    };
    Ok(match value {
        Tensor(tensor) => {
            let elements = node.view().model.small_elements(tensor, LARGEST)?;
            elements.map(|raw| {
                let unnamed = Name::default();
                NewTensor(encode_tensor(
                    &unnamed,
                    tensor.data_type,
                    &tensor.dims,
                    &raw,
                ))
            })
        }
        Float(_) | Floats(_) | Int(_) | Ints(_) | String(_) | Strings(_) | NewTensor(_) => {
            Some(value.clone()).filter(|_| !long)
        }
        _ => None,
    })
}

/// Other floats.
fn moved(value: &AttributeValue) -> Given {
    let other = |float: &f32| if *float == 0.0 { 1.0 } else { float * 1.5 };
    match value {
        AttributeValue::Float(float) => Some(AttributeValue::Float(other(float))),
        AttributeValue::Floats(floats) => {
            Some(AttributeValue::Floats(floats.iter().map(other).collect()))
        }
        _ => None,
    }
}
