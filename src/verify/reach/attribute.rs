//! Attributes that are exchanged for those of the other model.

use super::Trial;
use super::observe::LARGEST;
use crate::error::Result;
use crate::onnx::{Attribute, AttributeValue, Editor, Name, NodeId, encode_tensor};
use crate::semantics::view::NodeRef;
use crate::verify::structure::{floats, written};

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
    let given = |node: NodeRef<'_>, name: &Name| -> Result<Option<Given>> {
        match written(node).find(|attribute| attribute.name == *name) {
            Some(attribute) => Ok(copied(node, &attribute.value)?.map(Some)),
            None => Ok(Some(None)),
        }
    };
    let mut changes: Vec<(Name, Given)> = Vec::new();
    for attribute in written(one).chain(written(other)) {
        let name = &attribute.name;
        let known = changes.iter().any(|(other, _)| other == name);
        if known || !attribute.graphs().is_empty() {
            continue;
        }
        let (Some(here), Some(there)) = (given(one, name)?, given(other, name)?) else {
            return Ok(None);
        };
        let same = match (&here, &there) {
            (Some(here), Some(there)) => here.is_same(there),
            (here, there) => here.is_none() && there.is_none(),
        };
        if !same {
            changes.push((name.clone(), there));
        }
    }
    Ok(Some(changes))
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
