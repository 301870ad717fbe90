//! Regions as a model that can be run: the original's own nodes, with inputs in place of the values around them.

use std::cell::{Cell, RefCell};

use crate::error::Result;
use crate::hash::HashMap;
use crate::onnx::{CopiedAttribute, Copier, DataType, Editor, GraphId, Name, Node, Piece, ValueId};
use crate::semantics::view::{NodeRef, View};
use crate::source::{Rope, Source};

use super::region::Region;

/// An input of a probe.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub name: Name,
    pub element: DataType,
    pub shape: Vec<usize>,
}

/// The names of the inputs and outputs of a probe.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// In the order of the inputs of the region.
    pub feeds: Vec<Feed>,
    /// What the original computes.
    pub output: Name,
    /// What the rewrite leaves, without its scale.
    pub left: Name,
}

/// A region in which inputs have types and sizes.
#[derive(Clone, Debug)]
pub(super) struct Sized<'r> {
    pub region: &'r Region,
    /// By input: element type and shape.
    pub inputs: Vec<(DataType, Vec<usize>)>,
    /// The data.
    pub data: ValueId,
}

/// Writes regions as parts of one model.
pub(super) struct Writer<'m> {
    view: View<'m>,
    copier: Copier<'m>,
}

impl<'m> Writer<'m> {
    pub fn new(view: View<'m>) -> Writer<'m> {
        Writer {
            view,
            copier: Copier::new(view.model),
        }
    }

    /// The bytes of a region without its names: equal for two regions that compute the same.
    ///
    /// # Errors
    /// A constant cannot be read.
    pub fn identity(&mut self, sized: &Sized<'_>) -> Result<Vec<u8>> {
        let (rope, ends) = self.part(sized, "")?;
        let mut bytes = Vec::new();
        rope.write_to(&mut bytes)?;
        bytes.extend(format!("{ends:?}").into_bytes());
        Ok(bytes)
    }

    /// A model of regions.
    ///
    /// # Errors
    /// A constant cannot be read.
    pub fn model(&mut self, regions: &[&Sized<'_>]) -> Result<(Source, Vec<Ends>)> {
        let mut main = Rope::new();
        let mut all = Vec::new();
        for (place, sized) in regions.iter().enumerate() {
            let (part, ends) = self.part(sized, &format!("r{place}."))?;
            main.append(part);
            all.push(ends);
        }
        let mut model = self.copier.model(main)?;
        let values = crate::onnx::Values::new(&model);
        let mut editor = Editor::new(&mut model, values);
        let main = editor.model().main();
        for ends in &all {
            for feed in &ends.feeds {
                let dims: Vec<i64> = feed.shape.iter().map(|&size| size as i64).collect();
                editor.add_input(&feed.name, feed.element, &dims);
            }
            for name in [&ends.output, &ends.left] {
                if let Some(value) = editor.values().lookup(editor.model(), main, name) {
                    editor.add_output(value);
                }
            }
        }
        editor.finish()?;
        Ok((Source::from_rope(model.to_rope()?), all))
    }

    /// The nodes and constants of a region.
    fn part(&mut self, sized: &Sized<'_>, prefix: &str) -> Result<(Rope, Ends)> {
        let region = sized.region;
        let names = Names::new(prefix);
        let mut feeds = Vec::new();
        for ((value, _), (element, shape)) in region.inputs.iter().zip(&sized.inputs) {
            feeds.push(Feed {
                name: names.of(*value),
                element: *element,
                shape: shape.clone(),
            });
        }
        // a state of a loop may be that of another around it, which was found after it
        for &(inner, outside) in region.aliases.iter().rev() {
            names.alias(inner, outside);
        }
        let mut out = Rope::new();
        for &constant in &region.constants {
            let at = self.view.value(constant);
            if let Some(index) = at.initializer_index() {
                let name = names.of(constant);
                self.copier
                    .initializer(&mut out, at.get().graph, index, &name)?;
            }
        }
        for &node in &region.nodes {
            self.node(&mut out, self.view.node(node), &names, region)?;
        }
        let mut left = names.of(sized.data);
        for &step in &region.path {
            left = self.again(&mut out, self.view.node(step), left, &names)?;
        }
        // both are outputs of nodes, whatever the region is
        let identity = |input: &Name, to: &str| Node {
            inputs: [input.clone()].into_iter().collect(),
            outputs: [Name::from(format!("{prefix}{to}").as_str())]
                .into_iter()
                .collect(),
            ..Node::new("Identity")
        };
        let ends = [
            identity(&names.of(region.output), "output"),
            identity(&left, "left"),
        ];
        for end in &ends {
            self.copier.node(&mut out, end, Vec::new())?;
        }
        let [output, left] = ends.map(|end| end.outputs[0].clone());
        let ends = Ends {
            feeds,
            output,
            left,
        };
        Ok((out, ends))
    }

    fn node(
        &mut self,
        out: &mut Rope,
        node: NodeRef<'m>,
        names: &Names,
        region: &Region,
    ) -> Result<()> {
        if region.draws.contains(&node.id) {
            return Ok(());
        }
        let mut attributes = Vec::new();
        for attribute in &node.get().attributes {
            let mut graphs = Vec::new();
            for &graph in attribute.graphs() {
                graphs.push(self.body(graph, names, region)?);
            }
            attributes.push(CopiedAttribute {
                name: attribute.name.clone(),
                attribute,
                graphs,
            });
        }
        let name = |name: &Name| names.in_graph(self.view, node.graph(), name);
        let copy = Node {
            inputs: node.inputs.iter().map(name).collect(),
            outputs: node.outputs.iter().map(name).collect(),
            op_type: node.op_type.clone(),
            domain: node.domain.clone(),
            overload: node.overload.clone(),
            ..Node::default()
        };
        self.copier.node(out, &copy, attributes)
    }

    fn body(&mut self, graph: GraphId, names: &Names, region: &Region) -> Result<Rope> {
        let view = self.view;
        let rename = |name: &Name| names.in_graph(view, graph, name);
        let rename: &dyn Fn(&Name) -> Name = &rename;
        let mut out = Rope::new();
        for piece in self.copier.pieces(graph, Some(rename))? {
            match piece {
                Piece::Copied(copy) => out.append(copy),
                Piece::Node(id) => self.node(&mut out, view.node(id), names, region)?,
            }
        }
        Ok(out)
    }

    /// A node of the path, on other data.
    fn again(
        &mut self,
        out: &mut Rope,
        step: NodeRef<'m>,
        data: Name,
        names: &Names,
    ) -> Result<Name> {
        let name = |name: &Name| names.in_graph(self.view, step.graph(), name);
        let mut inputs: Vec<Name> = step.inputs.iter().map(name).collect();
        if let Some(first) = inputs.first_mut() {
            *first = data;
        }
        let output = names.fresh();
        let copy = Node {
            inputs: inputs.into_iter().collect(),
            outputs: [output.clone()].into_iter().collect(),
            op_type: step.op_type.clone(),
            domain: step.domain.clone(),
            overload: step.overload.clone(),
            ..Node::default()
        };
        let attributes = step.get().attributes.iter().map(|attribute| {
            let name = attribute.name.clone();
            let graphs = Vec::new();
            CopiedAttribute {
                name,
                attribute,
                graphs,
            }
        });
        self.copier.node(out, &copy, attributes.collect())?;
        Ok(output)
    }
}

/// Names for values, numbered in the order in which they are asked for.
struct Names<'p> {
    prefix: &'p str,
    names: RefCell<HashMap<ValueId, Name>>,
    next: Cell<usize>,
}

impl<'p> Names<'p> {
    fn new(prefix: &'p str) -> Names<'p> {
        Names {
            prefix,
            names: RefCell::default(),
            next: Cell::new(0),
        }
    }

    fn fresh(&self) -> Name {
        let number = self.next.get();
        self.next.set(number + 1);
        Name::from(format!("{}{number}", self.prefix).as_str())
    }

    fn of(&self, value: ValueId) -> Name {
        if let Some(name) = self.names.borrow().get(&value) {
            return name.clone();
        }
        let name = self.fresh();
        self.names.borrow_mut().insert(value, name.clone());
        name
    }

    fn alias(&self, inner: ValueId, outside: ValueId) {
        let name = self.of(outside);
        self.names.borrow_mut().insert(inner, name);
    }

    /// The name of what a name means in a graph.
    fn in_graph(&self, view: View<'_>, graph: GraphId, name: &Name) -> Name {
        if name.is_empty() {
            return name.clone();
        }
        match view.lookup(graph, name) {
            Some(value) => self.of(value.id),
            None => name.clone(),
        }
    }
}
