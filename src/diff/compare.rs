//! The comparison: every part of both models, and a list of what differs.

use super::matched;
use super::matching::Matching;
use super::{Change, Kind, Options, Part};
use crate::error::Result;
use crate::onnx::{Function, GraphId, Model, Name, Values};
use crate::semantics::view::View;

/// A comparison under way.
pub(super) struct Found<'m> {
    pub before: View<'m>,
    pub after: View<'m>,
    pub matching: Matching<'m>,
    pub options: Options,
    pub changes: Vec<Change>,
}

/// Every difference between two models.
pub(super) fn changes(before: &Model, after: &Model, options: &Options) -> Result<Vec<Change>> {
    let (old, new) = (Values::new(before), Values::new(after));
    run(View::new(before, &old), View::new(after, &new), *options)
}

fn run(before: View<'_>, after: View<'_>, options: Options) -> Result<Vec<Change>> {
    let functions = pairs_of_functions(before.model, after.model);
    let mut roots = vec![(before.model.main(), after.model.main())];
    roots.extend(functions.iter().map(|(a, b)| (a.body, b.body)));
    for (a, b) in before.model.training().iter().zip(after.model.training()) {
        roots.extend(a.initialization.zip(b.initialization));
        roots.extend(a.algorithm.zip(b.algorithm));
    }
    let mut found = Found {
        before,
        after,
        matching: matched::matching(before, after, roots)?,
        options,
        changes: Vec::new(),
    };
    found.header()?;
    for index in 0..found.matching.graphs.len() {
        let (a, b) = found.matching.graphs[index];
        found.graph(a, b)?;
    }
    found.functions(&functions)?;
    found.training();
    Ok(found.changes)
}

/// Functions of both models by domain, name and overload.
fn pairs_of_functions<'m>(
    before: &'m Model,
    after: &'m Model,
) -> Vec<(&'m Function, &'m Function)> {
    let key = |f: &Function| (f.domain.clone(), f.name.clone(), f.overload.clone());
    let theirs = functions(after);
    let pair = |f: &'m Function| {
        let other = theirs.iter().find(|other| key(other) == key(f))?;
        Some((f, *other))
    };
    functions(before).into_iter().filter_map(pair).collect()
}

/// Functions, each once: a second of the same name is never called.
pub(super) fn functions(model: &Model) -> Vec<&Function> {
    let mut found: Vec<&Function> = Vec::new();
    for (index, function) in model.functions().iter().enumerate() {
        let same = |f: &&Function| {
            (&f.domain, &f.name, &f.overload)
                == (&function.domain, &function.name, &function.overload)
        };
        if !model.is_removed_function(index) && !found.iter().any(same) {
            found.push(function);
        }
    }
    found
}

impl Found<'_> {
    /// Records a changed name.
    pub fn renamed(
        &mut self,
        (scope, part, name): (&str, Part, &str),
        what: impl Into<Option<String>>,
        old: &Name,
        new: &Name,
    ) {
        if old != new {
            self.changes.push(Change {
                what: what.into(),
                before: Some(old.to_string()),
                after: Some(new.to_string()),
                ..change_of(scope, part, name, Kind::Renamed)
            });
        }
    }

    /// The scope of a graph, in the model before.
    pub fn scope(&self, graph: GraphId) -> String {
        self.before.model.scope(graph)
    }

    /// Records a change of a property.
    pub fn changed(
        &mut self,
        (scope, part, name): (&str, Part, &str),
        what: impl Into<Option<String>>,
        before: Option<String>,
        after: Option<String>,
    ) {
        if before == after {
            return;
        }
        let what = what.into();
        let change = match (&before, &after, &what) {
            (None, _, None) => Kind::Added,
            (_, None, None) => Kind::Removed,
            _ => Kind::Changed,
        };
        let change = change_of(scope, part, name, change);
        self.changes.push(Change {
            what,
            before,
            after,
            ..change
        });
    }
}

/// A change without details.
pub(super) fn change_of(scope: &str, part: Part, name: &str, change: Kind) -> Change {
    Change {
        scope: scope.to_string(),
        part,
        name: name.to_string(),
        change,
        what: None,
        before: None,
        after: None,
        past: Vec::new(),
        through: Vec::new(),
        values: None,
    }
}
