//! Paths of Keras layers from the names of TensorFlow's operations, as tf2onnx keeps them:
//! `StatefulPartitionedCall/model/dropout_1/dropout/random_uniform/RandomUniform`.

use smallvec::SmallVec;

use crate::hash::HashSet;

/// Scopes that functions, optimizers and savers prepend.
const FRONT: &[&str] = &[
    "ConstantFolding",
    "PartitionedCall",
    "StatefulPartitionedCall",
];

/// Scopes that a layer opens for the control flow inside it: what follows is not the path's.
const INSIDE: &[&str] = &[
    "while",
    "cond",
    "PartitionedCall",
    "StatefulPartitionedCall",
];

/// Scopes of TensorFlow's random operations.
const RANDOM: &[&str] = &[
    "bernoulli",
    "random_normal",
    "random_uniform",
    "stateless_random_normal",
    "stateless_random_uniform",
    "truncated_normal",
];

/// Scopes of TensorFlow's own dropout operations.
const DROPOUT: &[&str] = &["dropout", "stateless_dropout"];

/// A name and the number that was appended to make it unique: `dropout_1` is `dropout`.
fn split(component: &str) -> (&str, Option<&str>) {
    match component.rsplit_once('_') {
        Some((base, number)) if !base.is_empty() && is_number(number) => (base, Some(number)),
        _ => (component, None),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// True of one of these names, with or without a number.
fn is_one_of(component: &str, of: &[&str]) -> bool {
    let mut rests = of.iter().filter_map(|name| component.strip_prefix(name));
    rests.any(|rest| rest.is_empty() || rest.strip_prefix('_').is_some_and(is_number))
}

/// Scopes, from the outermost in.
pub(super) type Path<'n> = SmallVec<[&'n str; 8]>;

/// The scopes that an operation is in, down to where a layer's control flow begins; whether it
/// does begin.
fn scopes(name: &str) -> Option<(Path<'_>, bool)> {
    if name.starts_with('/') {
        return None;
    }
    let (path, _) = name.rsplit_once('/')?;
    let mut scopes: Path = path.split('/').collect();
    let front = scopes.iter().take_while(|c| is_one_of(c, FRONT)).count();
    scopes.drain(..front);
    let inside = scopes.iter().position(|c| is_one_of(c, INSIDE));
    scopes.truncate(inside.unwrap_or(scopes.len()));
    Some((scopes, inside.is_some()))
}

/// As [`scopes`], without those that the operation has opened and the layer has not.
fn layer(name: &str, by_dropout: bool) -> Option<Path<'_>> {
    let (mut scopes, inside) = scopes(name)?;
    if inside {
        return Some(scopes);
    }
    if scopes.last().is_some_and(|last| is_one_of(last, RANDOM)) {
        scopes.pop();
    }
    let opened = scopes.last().is_some_and(|last| is_one_of(last, DROPOUT));
    if by_dropout && opened && scopes.len() > 1 {
        scopes.pop();
    }
    Some(scopes)
}

/// The scope of TensorFlow's own dropout that a name is in.
pub(super) fn dropout_scope(name: &str) -> Option<&str> {
    let (scopes, _) = scopes(name)?;
    let opened = scopes.len() > 1 && is_one_of(scopes.last()?, DROPOUT);
    name.rsplit_once('/')
        .map(|(scope, _)| scope)
        .filter(|_| opened)
}

/// True if these names of a model's operations are numbered as Keras 3 does: it opens each scope twice,
/// once to build and once to call, so that `course_1/dropout_1_2` is the layer `dropout_1` of the
/// model `course`. In Keras 2, such numbers are the layers' own, and need not start with 1.
pub(super) fn are_numbered(names: &[&str]) -> bool {
    const STATELESS: &str = "stateless_dropout";
    let stateless = |scope: &str| is_one_of(scope, &[STATELESS]);
    let mut drawn = names.iter().filter(|name| name.contains(STATELESS));
    if drawn.any(|name| name.split('/').any(stateless)) {
        return true;
    }
    let mut layers = HashSet::default();
    for name in names {
        let Some((path, _)) = scopes(name) else {
            continue;
        };
        let of_keras_2 = path.len() > 1 && path.contains(&"dropout");
        // the model and its layers; what a layer opens inside is opened once
        if of_keras_2 || path.iter().take(2).any(|scope| split(scope).1.is_none()) {
            return false;
        }
        layers.extend(path.get(1).copied());
    }
    let from_1 = |scope: &&str| {
        let (layer, number) = split(scope);
        split(layer).1.is_some() || number == Some("1") || layers.contains(&*format!("{layer}_1"))
    };
    !layers.is_empty() && layers.iter().all(from_1)
}

/// The path of the layer that a junction and a source have in common. `by_dropout`: TensorFlow's own
/// dropout drew the mask, in a scope of its own, and what it is applied to names the layer: converters
/// merge draws of different layers. `numbered`: see [`are_numbered`].
pub(super) fn path<'n>(
    junction: Option<&'n str>,
    source: Option<&'n str>,
    by_dropout: bool,
    numbered: bool,
) -> Option<Path<'n>> {
    let own = by_dropout && junction.and_then(dropout_scope).is_some();
    let source = source.filter(|_| !own);
    let both = [junction, source].map(|name| name.and_then(|name| layer(name, by_dropout)));
    let mut path = match both {
        [Some(junction), Some(source)] => {
            let pairs = junction.into_iter().zip(source);
            let common = pairs.take_while(|(e, s)| e == s);
            common.map(|(e, _)| e).collect::<Path<'_>>()
        }
        [Some(path), None] | [None, Some(path)] => path,
        [None, None] => return None,
    };
    for scope in path.iter_mut().take_while(|_| numbered) {
        match split(scope) {
            (layer, Some(_)) => *scope = layer,
            (_, None) => break,
        }
    }
    (!path.is_empty()).then_some(path)
}

/// True of the dropout that a layer made for itself (MultiHeadAttention's on its softmax): it is listed
/// by the layer that its author wrote. `softmax`: the path of the Softmax that the data comes from.
pub(super) fn is_inner<'n>(path: &[&str], softmax: impl FnOnce() -> Option<Path<'n>>) -> bool {
    let [owner @ .., last] = path else {
        return false;
    };
    let is_owned = owner.len() > 1 && owner.last().is_some_and(|owner| !owner.is_empty());
    if !is_owned || split(last).0 != "dropout" {
        return false;
    }
    softmax().is_some_and(|softmax| match softmax.strip_prefix(owner) {
        Some([]) => true,
        Some([inner]) => split(inner).0 == "softmax",
        _ => false,
    })
}
