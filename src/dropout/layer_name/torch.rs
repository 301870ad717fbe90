//! Paths of PyTorch modules: from the names of nodes (`/encoder/layers.0/dropout/Dropout`), their
//! metadata (dynamo), or the functions that contain them (torch 1.12 and 2.4).

use crate::hash::{HashMap, HashSet};
use crate::onnx::{GraphId, GraphKind, Model, NodeId, Producer, Property};
use crate::semantics::facts::Facts;
use crate::semantics::view::ValueRef;

/// The scope of the module that Keras 3 wraps a model in to export it.
const WRAPPER: &str = "_wrapped";

/// The modules that nodes of the TorchScript exporter are in, by their names.
pub(super) struct Modules<'m> {
    /// The paths of all scopes: `/encoder`, `/encoder/layers.0`.
    scopes: HashSet<&'m str>,
    /// The paths of modules with weights: `encoder`, `encoder.layers.0`.
    weighted: HashSet<&'m str>,
    /// Scopes of modules that differ from the one before, whose name they have with a number.
    own: HashSet<&'m str>,
}

impl<'m> Modules<'m> {
    pub fn of(model: &'m Model, names: &[&'m str]) -> Self {
        let main = model.graph(model.main());
        let weights = main
            .initializers()
            .filter_map(|(_, weight)| weight.name.as_str());
        Modules {
            scopes: parents(
                names.iter().copied().filter(|name| name.starts_with('/')),
                '/',
            ),
            weighted: parents(weights, '.'),
            own: HashSet::default(),
        }
    }

    /// Distinguishes modules that drop at different rates, by the names of their nodes.
    pub fn tell_apart(&mut self, rates: impl Iterator<Item = (&'m str, Option<f64>)>) {
        let scope = |name: &'m str| name.rsplit_once('/').map(|(scope, _)| scope);
        let rates = rates.filter_map(|(name, rate)| Some((scope(name)?, rate?)));
        let rates: HashMap<&str, f64> = rates.collect();
        self.own.extend(rates.iter().filter_map(|(scope, rate)| {
            let (first, _) = scope.rsplit_once('_')?;
            rates
                .get(first)
                .filter(|first| *first != rate)
                .map(|_| *scope)
        }));
    }

    /// The module that a node of the TorchScript exporter belongs to. Children of containers repeat the
    /// path: `/features/features.1/features.1.0/Conv`.
    pub fn of_path(&self, name: &str) -> Option<String> {
        let (scopes, _) = name.strip_prefix('/')?.rsplit_once('/')?;
        self.of_scopes(scopes)
    }

    fn of_scopes(&self, scopes: &str) -> Option<String> {
        let mut path: Vec<&str> = Vec::new();
        let mut around = String::new();
        for scope in scopes.split('/') {
            let child = path.last().and_then(|last| scope.strip_prefix(last));
            if child.is_some_and(|child| child.starts_with('.')) {
                path.pop();
            }
            path.push(scope);
            if let Some(first) = self.first_call(&around, &path) {
                path.pop();
                path.push(first);
            }
            around = format!("{around}/{scope}");
        }
        if path.first() == Some(&WRAPPER) {
            path.remove(0);
        }
        path.retain(|scope| !scope.is_empty());
        (!path.is_empty()).then(|| path.join("."))
    }

    /// The scope of the first call of a module: the exporter numbers later ones. A module whose own name
    /// has a number has no such row of scopes before it, or has weights or
    /// a rate of its own.
    fn first_call<'s>(&self, around: &str, path: &[&'s str]) -> Option<&'s str> {
        let scope = *path.last()?;
        let (first, number) = scope.rsplit_once('_')?;
        let number = number.parse().ok().filter(|&number: &u16| number > 0)?;
        let is_known = |scope: &str| self.scopes.contains(&*format!("{around}/{scope}"));
        let later =
            is_known(first) && (1..number).all(|before| is_known(&format!("{first}_{before}")));
        let own = self.own.contains(&*format!("{around}/{scope}"))
            || self.weighted.contains(&*path.join("."));
        (later && !own).then_some(first)
    }
}

/// All that paths are in, at every level.
fn parents<'n>(paths: impl Iterator<Item = &'n str>, separator: char) -> HashSet<&'n str> {
    let mut found = HashSet::default();
    for path in paths {
        let ends = path.match_indices(separator).map(|(end, _)| end).rev();
        for end in ends.take_while(|&end| end > 0) {
            if !found.insert(&path[..end]) {
                break; // and all around it
            }
        }
    }
    found
}

/// The module in the metadata of the dynamo exporter: none, if it is the model itself; `None`
/// where there is no such metadata.
pub(super) fn of_metadata(properties: &[Property]) -> Option<Option<String>> {
    let get = |key: &str| {
        let property = properties.iter().find(|p| p.key == key);
        property.and_then(|p| p.value.as_str())
    };
    let scopes: Vec<&str> = match get("pkg.torch.onnx.name_scopes") {
        // the text of a list: ['', 'encoder', 'encoder.dropout', 'native_dropout']
        Some(list) => list.split('\'').skip(1).step_by(2).collect(),
        // path: class, of each module, and the operation
        None => {
            let levels = get("namespace")?.split('/');
            let path = |level: &'_ str| level.find(':').map(|end| level[..end].len());
            levels
                .map(|level| &level[..path(level).unwrap_or(0)])
                .collect()
        }
    };
    let [.., module, _] = scopes[..] else {
        return Some(None);
    };
    Some((!module.is_empty()).then(|| module.to_string()))
}

/// The module whose function a graph is the body of.
pub(super) fn of_functions(facts: Facts<'_>, body: GraphId) -> Option<String> {
    let model = facts.view().model;
    let GraphKind::Function(function) = model.graph(body).kind else {
        return None;
    };
    let name = model.functions()[function].name.as_str()?;
    if let Some(path) = module_in(name) {
        return below_root(model, dotted(model, path));
    }
    // torch 1.12 names functions by their class; a call passes the parameters of its module
    let calls = facts.calls().of(function).iter();
    let mut paths = calls.map(|&call| common(&parameters(facts, call)));
    let first = paths.next()??;
    paths
        .all(|path| path.as_ref() == Some(&first))
        .then_some(first)
}

/// The module that a call of a function names: the call itself is the module. It is the first of a chain
/// of calls, or the only one.
pub(super) fn of_call(
    facts: Facts<'_>,
    modules: &Modules<'_>,
    (mut body, chain): (GraphId, &[NodeId]),
) -> Option<String> {
    let (model, calls) = (facts.view().model, facts.calls());
    let mut chain = chain.iter();
    // functions may call each other in circles
    for _ in model.functions() {
        let GraphKind::Function(function) = model.graph(body).kind else {
            return None;
        };
        let call = chain.next().copied().or_else(|| calls.only(function))?;
        let node = model.node(call);
        let path = node.name.as_str().filter(|name| name.starts_with('/'));
        if let Some(path) = path.and_then(|path| path.strip_prefix('/')) {
            let (scopes, last) = path.rsplit_once('/').unwrap_or(("", path));
            return match node.op_type == *last {
                true => modules.of_scopes(scopes),
                false => modules.of_scopes(path),
            };
        }
        body = model.root(call.graph);
    }
    None
}

/// The path in the name of torch 2.4's function for a module, its dots made underscores:
/// `torch_nn_modules_dropout_Dropout2d_L__self___layers_1_1` is `layers_1`, called for the first time.
fn module_in(function: &str) -> Option<&str> {
    let (_, module) = function.split_once("_L__")?;
    let (_, path) = module.split_once("___")?;
    let (path, call) = path.rsplit_once('_')?;
    let numbered = !call.is_empty() && call.bytes().all(|b| b.is_ascii_digit());
    (numbered && !path.is_empty()).then_some(path)
}

/// The path within the model: a function that is all of the main graph is the model itself.
fn below_root(model: &Model, path: String) -> Option<String> {
    let mut nodes = model.graph(model.main()).nodes();
    let (Some((_, only)), None) = (nodes.next(), nodes.next()) else {
        return Some(path);
    };
    let root = model.callee(only).map(|f| &model.functions()[f].name);
    let root = root.and_then(|name| module_in(name.as_str()?));
    let below = root.map(|root| dotted(model, root));
    match below.and_then(|root| path.strip_prefix(&root)) {
        Some("") => None,
        Some(below) if below.starts_with('.') => Some(below[1..].to_string()),
        _ => Some(path),
    }
}

/// Puts the dots back, as far as the names of parameters show where they were.
fn dotted(model: &Model, path: &str) -> String {
    let mut best = String::new();
    for (_, tensor) in model.graph(model.main()).initializers() {
        let name = tensor.name.as_str().unwrap_or_default();
        for (end, _) in name.match_indices('.') {
            let module = &name[..end];
            let flat = module.replace('.', "_");
            let rest = path.strip_prefix(&flat);
            let fits = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
            if fits && flat.len() > best.len() {
                best = module.to_string();
            }
        }
    }
    match (best.len(), path.get(best.len() + 1..)) {
        (0, _) => path.to_string(),
        (_, None) => best,
        (_, Some(rest)) => format!("{best}.{rest}"),
    }
}

/// The names of the weights that a call passes.
fn parameters(facts: Facts<'_>, call: NodeId) -> Vec<String> {
    let inputs = facts.view().node(call).given();
    let names = inputs.filter_map(|(_, value)| initializer(facts, value));
    names.collect()
}

/// The name of the initializer that a value is, passed through functions called once.
fn initializer<'m>(facts: Facts<'m>, mut value: ValueRef<'m>) -> Option<String> {
    // functions may call each other in circles
    for _ in 0..=facts.view().model.functions().len() {
        let known = value.get();
        match (known.producer, &facts.view().model.graph(known.graph).kind) {
            (Producer::Input(index), GraphKind::Function(function)) => {
                let call = facts.calls().only(*function)?;
                value = facts.view().node(call).input(index as usize)?;
            }
            _ if known.initializer.is_some() => return known.name.as_str().map(str::to_string),
            _ => return None,
        }
    }
    None
}

/// The module that all parameters are of: `self_attn` of `self_attn.in_proj_weight` and
/// `self_attn.out_proj.bias`.
fn common(parameters: &[String]) -> Option<String> {
    let module = |name: &str| {
        let path: Vec<&str> = name.split('.').collect();
        path.len().checked_sub(1).map(|last| path[..last].join("."))
    };
    let mut modules = parameters.iter().filter_map(|name| module(name));
    let first = modules.next()?;
    let shared = modules.fold(first, |shared, module| {
        let pairs = shared.split('.').zip(module.split('.'));
        let same: Vec<&str> = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
        same.join(".")
    });
    (!shared.is_empty()).then_some(shared)
}
