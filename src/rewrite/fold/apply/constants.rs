//! Constants that take factors: in place where nothing else reads them, else as copies.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::onnx::{Attribute, AttributeValue, Node, NodeId, Tensor, Use, ValueId, encode_tensor};
use crate::rewrite::fold::factor::Spread;
use crate::rewrite::fold::operand::Holder;
use crate::rewrite::fold::weights;
use crate::verify::structure::ScaledWeights;

use super::super::outcome::{Lost, Weight};
use super::{Fold, Place};

impl Fold<'_> {
    /// Multiplies a constant for those inputs that take a factor; other readers keep the old one.
    pub(super) fn scale(
        &mut self,
        holder: Holder,
        places: BTreeMap<Place, Vec<Spread>>,
    ) -> Result<()> {
        let mut groups: Vec<(Vec<Spread>, Vec<Place>)> = Vec::new();
        for (place, spreads) in places {
            match groups.iter_mut().find(|(known, _)| *known == spreads) {
                Some((_, places)) => places.push(place),
                None => groups.push((spreads, vec![place])),
            }
        }
        let base = holder.value(self.editor.view()).map(|value| value.id);
        let base = base.ok_or_else(|| Error::model("a constant has no name"))?;
        let tensor = self.tensor(holder)?.clone();
        if !self.outcome.rounded.contains(&tensor.data_type) {
            self.outcome.rounded.push(tensor.data_type);
        }
        let whole = matches!(&groups[..], [(_, places)] if self.are_all(base, places));
        for (spreads, places) in groups {
            self.scale_for(&places, (holder, base, &tensor), spreads, whole)?;
        }
        Ok(())
    }

    /// True if these inputs are all that reads a value, and read it directly.
    fn are_all(&self, value: ValueId, places: &[Place]) -> bool {
        let values = self.editor.values();
        let listed = |at| match at {
            Use::Input { node, input } => places.contains(&(node, input as usize)),
            _ => false,
        };
        let mut direct = places.iter().copied();
        values.uses(value).all(listed)
            && direct.all(|(node, input)| values.input(node, input) == Some(value))
    }

    /// Scales a constant for these inputs, in place or in a copy.
    fn scale_for(
        &mut self,
        places: &[Place],
        (holder, base, tensor): (Holder, ValueId, &Tensor),
        spreads: Vec<Spread>,
        in_place: bool,
    ) -> Result<()> {
        let lost = weights::lost(self.editor.model(), tensor, &spreads)?;
        let scaled = match in_place {
            true => {
                self.in_place(holder, tensor, spreads)?;
                base
            }
            false => {
                let copy = self.copy(holder, base, tensor, spreads)?;
                for &(node, input) in places {
                    self.editor.set_input(node, input, copy);
                }
                copy
            }
        };
        let values = self.editor.values();
        let (graph, name) = (values[scaled].graph, values[scaled].name.clone());
        let original = values[base].name.clone();
        let bytes = tensor.expected_bytes().unwrap_or(0);
        let outcome = &mut self.outcome;
        let scaled = places.iter().map(|&(node, input)| ScaledWeights {
            node,
            input,
            graph,
            name: name.clone(),
        });
        outcome.allowed.weights.extend(scaled);
        if lost > 0 {
            outcome.lost.push(Lost {
                name: name.clone(),
                elements: lost,
            });
        }
        if tensor.external.is_some() {
            outcome.embedded.push(name.clone());
        }
        let (list, of) = match in_place {
            true => (&mut outcome.weights, None),
            false => (&mut outcome.copies, Some(original)),
        };
        list.push(Weight { name, of, bytes });
        Ok(())
    }

    fn tensor(&self, holder: Holder) -> Result<&Tensor> {
        let model = self.editor.model();
        match holder {
            Holder::Initializer(graph, index) => Ok(model.graph(graph).initializer(index)),
            Holder::Constant(id) => match model.node(id).attribute("value").map(|a| &a.value) {
                Some(AttributeValue::Tensor(tensor)) => Ok(tensor),
                _ => Err(Error::model("has no tensor").at(model.place(id))),
            },
        }
    }

    fn in_place(&mut self, holder: Holder, tensor: &Tensor, spreads: Vec<Spread>) -> Result<()> {
        let elements = weights::scaled(self.editor.model(), tensor, spreads)?;
        match holder {
            Holder::Initializer(graph, index) => self.editor.set_elements(graph, index, elements),
            Holder::Constant(id) => {
                let bytes = elements.bytes(0..elements.len())?;
                let value = encode_tensor(&tensor.name, tensor.data_type, &tensor.dims, &bytes);
                let value = Attribute::new("value", AttributeValue::NewTensor(value));
                self.editor.set_attribute(id, value);
            }
        }
        Ok(())
    }

    /// A constant next to another, with a name made from the other's.
    fn copy(
        &mut self,
        holder: Holder,
        base: ValueId,
        tensor: &Tensor,
        spreads: Vec<Spread>,
    ) -> Result<ValueId> {
        let hint = format!("{}/folded", self.editor.values()[base].name);
        let name = self.editor.fresh_name(&hint);
        let elements = weights::scaled(self.editor.model(), tensor, spreads)?;
        let before = match holder {
            Holder::Initializer(graph, _) => NodeId { graph, index: 0 },
            Holder::Constant(id) => id,
        };
        let (graph, data_type, dims) = (before.graph, tensor.data_type, &tensor.dims);
        let editor = &mut self.editor;
        if editor.takes_initializers(graph) {
            editor.add_elements(graph, &name, data_type, dims, &elements);
        } else {
            let bytes = elements.bytes(0..elements.len())?;
            let value = Attribute::tensor((data_type, dims, &bytes));
            let constant = Node::new("Constant").with(value);
            editor.put_as((graph, Some(before)), name.clone(), constant);
        }
        let copy = editor.view().lookup(graph, &name).map(|value| value.id);
        copy.ok_or_else(|| Error::model(format!("`{name}` was not inserted")))
    }
}
