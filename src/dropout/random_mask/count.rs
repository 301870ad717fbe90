//! Masks that are rescaled by their own count: `x · m · n / Σm`, or `x · m / mean(m)`.
//!
//! DropBlock (Ghiasi et al. 2018) makes the mask of a sparse draw by MaxPool, DropHead (Zhou et al. 2020)
//! draws it. What remains has the mean of the data in every run, and inference leaves the data as it is.
//! It depends on more than one element of the draw, so that such a mask is found by structure: the values
//! that a draw and constants make, the products of data by them, and the product of these factors. Blocks
//! that MaxPool made are DropBlock even without a scale: no other layer has them, and DropBlock does
//! nothing at inference.

mod amount;
mod cone;
mod few;
mod product;

use crate::dropout::noise_shape::{Fit, fit};
use crate::dropout::{Form, Junction, KeptDraw, MaskUse, Mode, RateOrigin, Scaling, Site};
use crate::error::Result;
use crate::hash::HashSet;
use crate::onnx::{NodeId, Use, ValueId};
use crate::semantics::view::{NodeRef, ValueRef};

use super::Finder;
use super::attempt::spans;
use super::draw::Draw;
use super::law::Law;
use super::piece::inside;
use super::walk::Trace;
use cone::Cone;
use few::are_bits;

/// Data times a mask, rescaled.
struct Product {
    node: NodeId,
    output: ValueId,
    data: ValueId,
    path: Vec<NodeId>,
    /// All nodes from the data to the output.
    nodes: Vec<NodeId>,
    mask: ValueId,
    scaling: Scaling,
    fit: Fit,
}

impl Finder<'_> {
    /// The dropouts of masks made of a draw that are rescaled by their own count.
    pub(super) fn counted(&self, source: NodeId) -> Result<Vec<Site>> {
        let Some(draw) = self.draw(source, &self.conditions)? else {
            return Ok(Vec::new());
        };
        let mut cone = self.cone(draw.drawn);
        let few = self.few(&cone, None)?.into_iter();
        let bits = few.filter(|(_, few)| are_bits(few));
        cone.bits = bits.map(|(value, _)| value).collect();
        let mut products: Vec<Product> = Vec::new();
        let mut used: HashSet<NodeId> = HashSet::default();
        for &node in &cone.meetings {
            if used.contains(&node) {
                continue;
            }
            let Some(product) = self.product(self.view.node(node), &cone)? else {
                return Ok(Vec::new());
            };
            used.extend(&product.nodes);
            products.push(product);
        }
        if products.is_empty() || !self.is_closed(&cone, &used) {
            return Ok(Vec::new());
        }
        let mut sites = Vec::new();
        while let Some(first) = products.first() {
            let mask = first.mask;
            let of_mask: Vec<Product> = products.extract_if(.., |p| p.mask == mask).collect();
            let Some(site) = self.counted_site(&draw, source, &cone, &of_mask)? else {
                return Ok(Vec::new());
            };
            sites.push(site);
        }
        Ok(sites)
    }

    /// True if all that the draw makes is used in the products only.
    fn is_closed(&self, cone: &Cone, products: &HashSet<NodeId>) -> bool {
        cone.values.iter().all(|&value| {
            self.uses(value).all(|at| match at {
                Use::Input { node, input } => {
                    let reads = self.reads_values(node, input as usize);
                    !reads || cone.nodes.contains(&node) || products.contains(&node)
                }
                _ => false,
            })
        })
    }

    /// Follows data from the first product by a value of the draw to the node where all factors together
    /// are a mask rescaled by its count.
    fn product(&self, node: NodeRef<'_>, cone: &Cone) -> Result<Option<Product>> {
        let is_data = |value: &ValueRef<'_>| !cone.has(value.id) && !self.is_fixed(value.id);
        let data = node.inputs().flatten().find(is_data);
        let Some(data) = data.filter(|data| !self.is_noise(data.id)) else {
            return Ok(None);
        };
        let (mut at, mut next) = (data, node);
        let (mut factors, mut path, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut largest, mut product) = (Fit::Within, None);
        loop {
            let (Some(output), Some(operator)) = (next.output(0), next.operator()) else {
                return Ok(product);
            };
            nodes.push(next.id);
            let scales = next.is("Mul") || next.is("Div");
            if scales && let (Some(x), Some(y)) = (next.input(0), next.input(1)) {
                let other = if x.id == at.id { y } else { x };
                if next.is("Div") && other.id != y.id
                    || !(cone.has(other.id) || self.is_fixed(other.id))
                {
                    return Ok(product);
                }
                factors.push((other.id, next.is("Div")));
                largest = largest.max(fit(self.facts, other.id, at.id));
            } else if (operator.moves() || operator.casts())
                && next.input(0).is_some_and(|x| x.id == at.id)
            {
                path.push(next.id);
            } else if !operator.copies() {
                return Ok(product);
            }
            let factors = self.factors(&factors, cone)?;
            let is_end = factors.is_some_and(|(_, scaling)| scaling == Scaling::Count);
            if let Some((mask, scaling)) = factors {
                product = Some(Product {
                    node: next.id,
                    output: output.id,
                    data: data.id,
                    path: path.clone(),
                    nodes: nodes.clone(),
                    mask,
                    scaling,
                    fit: largest,
                });
            }
            let mut uses = self.uses(output.id);
            match (uses.next(), uses.next()) {
                (Some(Use::Input { node, .. }), None) if !is_end => {
                    (at, next) = (output, self.view.node(node));
                }
                _ => return Ok(product),
            }
        }
    }

    fn counted_site(
        &self,
        draw: &Draw,
        source: NodeId,
        cone: &Cone,
        products: &[Product],
    ) -> Result<Option<Site>> {
        let Some(first) = products.first() else {
            return Ok(None);
        };
        let trace = self.walk(&[(draw.drawn, draw.law.clone())], &self.conditions)?;
        let law = trace.forms.get(&first.mask).map(|form| &form.rest);
        let dropped = |law: &Law| {
            let zero = law.cells().filter(|(.., piece)| piece.at(&[]) == Some(0.0));
            zero.map(|(_, mass, _)| mass).sum::<f64>()
        };
        let rate = law.map(dropped).filter(|&rate| 0.0 < rate && rate < 1.0);
        let mut fills = Vec::new();
        for (drawn, as_if) in points(draw, &trace, law.is_some()) {
            fills.push((drawn, self.few(cone, Some(as_if))?.remove(&first.mask)));
        }
        let at = |number: f64| {
            fills
                .iter()
                .find(|(_, fill)| fill.as_deref() == Some(&[number]))
        };
        let (Some(&(kept, _)), false) = (at(1.0), law.is_some() && rate.is_none()) else {
            return Ok(None); // nothing is ever kept, or dropped
        };
        let fits = products.iter().map(|product| product.fit);
        let entangled = match fits.max().unwrap_or(Fit::Within) {
            Fit::Within => None,
            Fit::Unknown => Some("its mask may be larger than the data, whose shape is not known"),
            Fit::Larger => Some("its mask is larger than the data"),
        };
        let name = |value: ValueId| self.view.value(value).get().name.clone();
        Ok(Some(Site {
            mode: Mode::Active,
            rate: rate.map(|rate| super::decimal(rate, super::attempt::PRECISION)),
            rate_origin: RateOrigin::Mask,
            scaling: first.scaling,
            seed: super::site::seed(self.view.model.node(source)),
            mask: MaskUse::None,
            input: Some(first.data),
            input_name: Some(name(first.data)),
            output: Some(first.output),
            output_name: Some(name(first.output)),
            kept_draw: Some(Box::new(KeptDraw {
                source,
                value: kept,
                dropped: at(0.0).map(|(drawn, _)| *drawn),
            })),
            junctions: products.iter().map(junction).collect(),
            entangled: entangled.map(String::from),
            ..Site::new(Form::RandomMask, first.node.graph, vec![first.node, source])
        }))
    }
}

/// A number drawn between any two where the laws of the draw change, with the number that it is taken for.
fn points(draw: &Draw, trace: &Trace, has_law: bool) -> Vec<(f64, f64)> {
    let ends = trace.forms.values().flat_map(|form| form.rest.ends());
    let points = spans(ends, draw.var).into_iter().map(inside);
    let points = points.map(|point| draw.values((point, point)).0);
    let mut points: Vec<(f64, f64)> = points.map(|drawn| (drawn, drawn)).collect();
    if !has_law {
        // a threshold that depends on sizes is between the least and the most that is drawn
        let (low, high) = draw.values(draw.var.range());
        points.extend([(low, f64::NEG_INFINITY), (high, f64::INFINITY)]);
    }
    points
}

fn junction(product: &Product) -> Junction {
    Junction {
        node: product.node,
        data: product.data,
        path: product.path.clone(),
        output: product.output,
        scale: 1.0,
        prescale: None,
        kept: (1.0, 0.0),
        frozen: Vec::new(),
    }
}
