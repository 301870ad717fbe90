//! The fields of a model outside of its graph: versions, metadata, functions, training.

use std::collections::BTreeMap;

use super::compare::{Found, functions};
use super::{Kind, Part, compare::change_of};
use crate::error::Result;
use crate::onnx::{Attribute, Function, Model, Name, NamedField, OpsetImport, Training};
use crate::show::attribute_text;

const MODEL: &str = "model";

impl Found<'_> {
    pub(super) fn header(&mut self) -> Result<()> {
        let (before, after) = (self.before.model, self.after.model);
        let place = |what| (MODEL, Part::Model, what);
        let (old, new) = (before.ir_version, after.ir_version);
        self.changed(
            place("ir_version"),
            None,
            Some(old.to_string()),
            Some(new.to_string()),
        );
        let names = [
            ("producer", &before.producer_name, &after.producer_name),
            (
                "producer_version",
                &before.producer_version,
                &after.producer_version,
            ),
        ];
        for (what, old, new) in names {
            self.changed(place(what), None, quoted(old), quoted(new));
        }
        let (old, new) = (before.other_fields()?, after.other_fields()?);
        self.fields((MODEL, Part::Model, ""), &old, &new);
        self.opsets(MODEL, &before.opset_imports, &after.opset_imports);
        let metadata = |model: &Model| {
            let pairs = model.metadata.iter();
            let pairs = pairs.map(|p| (p.key.to_string(), format!("{:?}", p.value)));
            pairs.collect::<BTreeMap<_, _>>()
        };
        self.maps(MODEL, Part::Metadata, &metadata(before), &metadata(after));
        Ok(())
    }

    /// Fields that mean nothing to the graph: `doc_string`, `metadata_props`, unknown ones.
    pub(super) fn fields(
        &mut self,
        (scope, part, name): (&str, Part, &str),
        before: &[NamedField],
        after: &[NamedField],
    ) {
        let mut names: Vec<_> = before.iter().chain(after).map(|(name, ..)| name).collect();
        names.sort();
        names.dedup();
        for field in names {
            let text = |fields: &[NamedField]| {
                let (_, length, hash) = fields.iter().find(|(name, ..)| name == field)?;
                Some(format!("{length} bytes #{:.16}", hash.to_hex()))
            };
            let place = match name.is_empty() {
                true => (scope, part, field.as_str()),
                false => (scope, part, name),
            };
            let what = (!name.is_empty()).then(|| field.clone());
            self.changed(place, what, text(before), text(after));
        }
    }

    fn opsets(&mut self, scope: &str, before: &[OpsetImport], after: &[OpsetImport]) {
        let map = |imports: &[OpsetImport]| {
            let imports = imports.iter().map(|import| {
                let domain = match import.domain.is_empty() {
                    true => "ai.onnx".to_string(),
                    false => import.domain.to_string(),
                };
                (domain, import.version.to_string())
            });
            imports.collect::<BTreeMap<_, _>>()
        };
        self.maps(scope, Part::Opset, &map(before), &map(after));
    }

    fn maps(
        &mut self,
        scope: &str,
        part: Part,
        before: &BTreeMap<String, String>,
        after: &BTreeMap<String, String>,
    ) {
        let added = after.keys().filter(|key| !before.contains_key(*key));
        for key in before.keys().chain(added) {
            let values = (before.get(key).cloned(), after.get(key).cloned());
            self.changed((scope, part, key), None, values.0, values.1);
        }
    }

    pub(super) fn functions(&mut self, pairs: &[(&Function, &Function)]) -> Result<()> {
        let (before, after) = (self.before.model, self.after.model);
        let text = |model: &Model, function: &Function| {
            let nodes = model.graph(function.body).nodes().count();
            Some(format!("{nodes} nodes"))
        };
        for function in functions(before) {
            if !pairs.iter().any(|(paired, _)| paired.body == function.body) {
                let name = before.scope(function.body);
                let place = (MODEL, Part::Function, name.as_str());
                self.changed(place, None, text(before, function), None);
            }
        }
        for function in functions(after) {
            if !pairs.iter().any(|(_, paired)| paired.body == function.body) {
                let name = after.scope(function.body);
                let place = (MODEL, Part::Function, name.as_str());
                self.changed(place, None, None, text(after, function));
            }
        }
        for (old, new) in pairs {
            let scope = before.scope(old.body);
            self.opsets(&scope, &old.opset_imports, &new.opset_imports);
            let attributes = (attributes(before, old)?, attributes(after, new)?);
            let names = attributes.0.keys().chain(attributes.1.keys());
            let mut names: Vec<_> = names.cloned().collect();
            names.sort();
            names.dedup();
            for name in names {
                let values = (attributes.0.get(&name), attributes.1.get(&name));
                let place = (scope.as_str(), Part::Function, scope.as_str());
                let what = format!("attribute {name}");
                self.changed(place, what, values.0.cloned(), values.1.cloned());
            }
        }
        Ok(())
    }

    pub(super) fn training(&mut self) {
        let (before, after) = (self.before.model.training(), self.after.model.training());
        for index in 0..before.len().max(after.len()) {
            let scope = format!("training_info[{index}]");
            let (Some(old), Some(new)) = (before.get(index), after.get(index)) else {
                let kind = match before.get(index) {
                    Some(_) => Kind::Removed,
                    None => Kind::Added,
                };
                let change = change_of(MODEL, Part::Training, &scope, kind);
                self.changes.push(change);
                continue;
            };
            let graph = |there: bool| there.then(|| "graph".to_string());
            let parts = [
                (
                    "initialization",
                    graph(old.initialization.is_some()),
                    graph(new.initialization.is_some()),
                ),
                (
                    "algorithm",
                    graph(old.algorithm.is_some()),
                    graph(new.algorithm.is_some()),
                ),
                ("bindings", bindings(old), bindings(new)),
            ];
            for (what, old, new) in parts {
                let place = (MODEL, Part::Training, scope.as_str());
                self.changed(place, what.to_string(), old, new);
            }
        }
    }
}

fn quoted(name: &Name) -> Option<String> {
    Some(format!("{name:?}"))
}

fn attributes(model: &Model, function: &Function) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in &function.attributes {
        found.insert(name.to_string(), "without a default".to_string());
    }
    for Attribute { name, .. } in &function.defaults {
        let default = function.defaults.iter().rev().find(|d| d.name == *name);
        if let Some(default) = default {
            found.insert(name.to_string(), attribute_text(model, default)?);
        }
    }
    Ok(found)
}

fn bindings(training: &Training) -> Option<String> {
    let pairs = training.bound.as_chunks::<2>().0.iter();
    let pairs: Vec<_> = pairs
        .map(|[key, value]| format!("{key} = {value}"))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join(", "))
}
