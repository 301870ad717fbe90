//! The outputs of a model that no input changes, such as the mask of a dropout that is off.

use std::collections::BTreeSet;

use super::measure::Ground;
use crate::dropout::Side;
use crate::error::Result;
use crate::hash::HashSet;

/// Names of the main graph's outputs whose elements depend on no input that has to be fed: at most on
/// the shape of one. Dropout is taken as in inference.
pub(super) fn outputs(side: Side<'_>) -> Result<BTreeSet<String>> {
    let (view, ground) = (side.view, Ground::new(side.facts)?);
    let main = view.model.main();
    let fed = view.graph_inputs(main).flatten();
    let fed = fed.filter(|input| input.initializer_index().is_none());
    let moved = ground.dependents(fed.map(|input| input.id), &HashSet::default(), None);
    let outputs = view.graph_outputs(main).flatten();
    let steady = outputs.filter(|output| !moved.values.contains(&output.id));
    Ok(steady.map(|output| output.name.to_string()).collect())
}
