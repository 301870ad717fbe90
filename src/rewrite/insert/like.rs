//! Dropout where another model of the same architecture has it, whatever its weights: that model is stripped
//! in memory, and what its dropout was applied to is looked for in this one.

mod skeleton;
mod uses;

use crate::dropout::{Examined, Kind, Site};
use crate::error::Result;
use crate::onnx::{NodeId, Use, ValueId, Values};
use crate::rewrite::names::usage;
use crate::rewrite::{Rate, strip};
use crate::semantics::view::View;

use super::Choice;
use skeleton::{Member, Prints, Skeleton};
use uses::{Spot, spots};

/// Where the dropout of another model belongs in this one.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Like {
    /// The places, with the rates of the other model.
    pub choices: Vec<Choice>,
    /// Dropout of the other model without a place.
    pub unplaced: Vec<Unplaced>,
}

/// A dropout of another model that has no place in this one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Unplaced {
    /// Its layer, or its node, in the other model.
    pub dropout: String,
    /// The reason.
    pub why: String,
}

/// Finds where the dropout of `trained` belongs in `model`. `rate`: for dropout whose rate is not known.
///
/// # Errors
/// A model is not sound, `trained` has no dropout, or none of it has a place.
pub fn like(model: &Examined<'_>, trained: &Examined<'_>, rate: Option<Rate>) -> Result<Like> {
    let sites = trained.sites()?;
    if sites.is_empty() {
        let why = "this model has no dropout, so there is nothing to insert like it";
        return Err(trained.model().source().name_in(usage(why.into())));
    }
    let (bare, removed) = strip::bare(trained)?;
    let values = Values::new(&bare);
    let bare = View::new(&bare, &values);
    let mut prints = Prints::default();
    let finder = Finder {
        trained,
        from: Skeleton::new(bare, &mut prints)?,
        to: Skeleton::new(model.view(), &mut prints)?,
        rate,
    };
    let mut found = Like::default();
    for site in sites.iter() {
        let stripped = removed.contains(&site.id);
        for choice in finder.choices(site, stripped) {
            match choice {
                Ok(choice) => found.choices.push(choice),
                Err(why) => found.unplaced.push(Unplaced {
                    dropout: named(trained, site),
                    why,
                }),
            }
        }
    }
    // what all read is not written out, unless several dropouts follow each other there
    let at = |choice: &Choice| (choice.at.clone(), choice.scope.clone());
    let places: Vec<_> = found.choices.iter().map(at).collect();
    for choice in &mut found.choices {
        let alone = places.iter().filter(|place| **place == at(choice)).count() == 1;
        if alone && finder.is_read_by_all(choice) {
            choice.readers = None;
        }
    }
    match (&found.choices[..], &found.unplaced[..]) {
        ([], [Unplaced { dropout, why }, ..]) => {
            let why =
                format!("no dropout of the other model has a place in this one: {dropout}: {why}");
            Err(model.model().source().name_in(usage(why)))
        }
        _ => Ok(found),
    }
}

fn named(model: &Examined<'_>, site: &Site) -> String {
    let place = || model.model().place(site.nodes[0]);
    site.layer.clone().unwrap_or_else(place)
}

struct Finder<'m> {
    trained: &'m Examined<'m>,
    /// The other model, without its dropout.
    from: Skeleton<'m>,
    to: Skeleton<'m>,
    rate: Option<Rate>,
}

impl Finder<'_> {
    /// A choice for each place of a dropout, or the reason why there is none.
    fn choices(&self, site: &Site, stripped: bool) -> Vec<Result<Choice, String>> {
        if !stripped {
            return vec![Err("strip does not remove it".to_string())];
        }
        if site.runs_if.is_some() {
            return vec![Err(
                "it skips a layer, and insert writes none like it".to_string()
            )];
        }
        let spots = spots(self.trained.view(), self.from.view, site);
        if spots.is_empty() {
            return vec![Err("nothing reads it".to_string())];
        }
        if site.junctions.len() > 1 && spots.len() > 1 {
            return vec![Err("its mask is applied to several values".to_string())];
        }
        let elsewhere = |source: NodeId| {
            site.junctions
                .iter()
                .any(|junction| junction.node.graph != source.graph)
        };
        if site.source().is_some_and(elsewhere) {
            let why =
                "its mask is drawn in another graph: once for all steps of a loop, for example";
            return vec![Err(why.to_string())];
        }
        let choices = spots.iter().map(|spot| self.choice(site, spot));
        choices.collect()
    }

    fn choice(&self, site: &Site, spot: &Spot) -> Result<Choice, String> {
        if site.kind != Kind::Dropout {
            let kind = site.kind.word().replace('_', " ");
            return Err(format!("insert writes no {kind}"));
        }
        let known = site.rate.filter(|_| !site.lost_rate(self.trained.model()));
        let rate = known.and_then(|rate| Rate::new(rate).ok()).or(self.rate);
        let rate = rate.ok_or("its rate is not known; --rate gives one")?;
        let value = self.value(spot.value)?;
        let target = self.to.view.value(value);
        let scope = self.to.view.model.scope(target.graph);
        Ok(Choice {
            at: Some(target.name.clone()),
            scope: Some(globset::escape(&scope)),
            rate: Some(rate),
            shared_axes: shared_axes(site)?,
            readers: Some(self.readers(spot, value)?),
            optional: true,
            ..Choice::default()
        })
    }

    /// The value of this model that is one of the other.
    fn value(&self, value: ValueId) -> Result<ValueId, String> {
        let chain = self.from.chain(value);
        let chain = chain.ok_or("its data does not depend on any model input")?;
        let counterpart = self.from.counterpart(chain, &self.to)?;
        let mine = &self.from.chains[chain as usize].members;
        let theirs = &self.to.chains[counterpart as usize].members;
        let own = mine.iter().find(|member| member.value == value);
        let moves = own.map_or(0, |member| member.moves);
        let level = |members: &[Member]| -> Vec<ValueId> {
            let level = members.iter().filter(|member| member.moves == moves);
            level.map(|member| member.value).collect()
        };
        let (mine, theirs) = (level(mine), level(theirs));
        // from the end: a bias or a normalization may be part of the layer in one of them
        let after = mine
            .iter()
            .rev()
            .position(|&other| other == value)
            .unwrap_or(0);
        let at = theirs.len().saturating_sub(1 + after);
        let found = theirs.get(at).copied();
        found.ok_or_else(|| "its elements are arranged differently in this model".to_string())
    }

    /// The uses that read the dropout.
    fn readers(&self, spot: &Spot, target: ValueId) -> Result<Vec<Use>, String> {
        if reads(self.from.view, spot.value).all(|at| spot.uses.contains(&at)) {
            return Ok(reads(self.to.view, target).collect());
        }
        let uses = spot
            .uses
            .iter()
            .map(|&at| self.reader(spot.value, at, target));
        let uses: Option<Vec<Use>> = uses.collect();
        let why = "only some of what reads its data reads it, and that is not found in this model";
        uses.ok_or_else(|| why.to_string())
    }

    /// True of a choice that all uses of its value read.
    fn is_read_by_all(&self, choice: &Choice) -> bool {
        let readers = choice.readers.iter().flatten();
        let mut values = readers.filter_map(|&at| uses::used_at(self.to.view, at));
        let readers = choice.readers.as_ref();
        values.next().is_some_and(|value| {
            reads(self.to.view, value).all(|at| readers.is_some_and(|all| all.contains(&at)))
        })
    }

    /// The use of the target that is one of the other model's value.
    fn reader(&self, value: ValueId, at: Use, target: ValueId) -> Option<Use> {
        let target = self.to.view.value(target);
        let Use::Input { node, input } = at else {
            return target.uses().find(|other| *other == at);
        };
        let reader = self.from.view.node(node);
        let inputs = reader.inputs().take(input as usize).flatten();
        let earlier = inputs.filter(|other| other.id == value).count();
        let result = self.from.chain(reader.produced().next()?.id)?;
        let counterpart = self.from.counterpart(result, &self.to).ok()?;
        let mut readers = target.readers().filter(|(other, _)| {
            let result = other.produced().next();
            let result = result.and_then(|output| self.to.chain(output.id));
            result == Some(counterpart) && other.op_type == reader.op_type
        });
        let (node, input) = readers.nth(earlier)?;
        Some(Use::Input {
            node: node.id,
            input: input as u32,
        })
    }
}

/// The uses of a value that can read something else.
fn reads(view: View<'_>, value: ValueId) -> impl Iterator<Item = Use> + '_ {
    let uses = view.value(value).uses();
    uses.filter(|at| matches!(at, Use::Input { .. } | Use::Output { .. }))
}

/// The axes along which the mask is shared.
fn shared_axes(site: &Site) -> Result<Option<Vec<i64>>, String> {
    let Some(shape) = &site.noise_shape else {
        return Ok(None);
    };
    if site
        .junctions
        .iter()
        .any(|junction| !junction.path.is_empty())
    {
        return Err("its mask is shared along axes that are rearranged after it".to_string());
    }
    let shared = shape.iter().enumerate().filter(|(_, size)| *size == "1");
    Ok(Some(shared.map(|(axis, _)| axis as i64).collect()))
}
