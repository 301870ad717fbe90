//! The house is built as CONTRIBUTING.md says: who imports whom, which crates stay where, and the
//! files and tables it sends people to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Crates that stay in rooms. prost is in `verify`, too: tract takes models as its messages.
const CRATES: [(&str, &[&str]); 8] = [
    ("prost", &["wire", "onnx", "verify"]),
    ("tract_onnx", &["verify", "sample"]),
    ("clap", &[]),
    ("anyhow", &[]),
    ("anstream", &[]),
    ("indicatif", &[]),
    ("clap_complete", &[]),
    ("clap_mangen", &[]),
];

/// What a library does not do.
const NEVER: [&str; 5] = [
    "println!",
    "eprintln!",
    "print!(",
    "dbg!",
    "std::process::exit",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn contributing() -> String {
    std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap()
}

/// The rooms of the table, each with its row.
fn rooms(book: &str) -> BTreeMap<String, usize> {
    let rows = book.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let rooms = cells.enumerate().flat_map(|(rank, cell)| {
        let names = cell.split('`').filter_map(|name| name.strip_suffix(".rs"));
        names.map(move |name| (name.to_string(), rank))
    });
    rooms.collect()
}

/// The library's files by path below `src`.
fn sources() -> BTreeMap<String, String> {
    let src = root().join("src");
    let (mut found, mut folders) = (BTreeMap::new(), vec![src.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(&src).unwrap();
            if below.starts_with("bin") || below == Path::new("lib.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(below.to_str().unwrap().replace('\\', "/"), text);
        }
    }
    found
}

/// The identifiers behind `before` in a line.
fn after<'l>(line: &'l str, before: &'l str) -> impl Iterator<Item = &'l str> {
    line.match_indices(before).map(move |(at, _)| {
        let rest = &line[at + before.len()..];
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// What a file does that its room must not.
fn offences(path: &str, text: &str, rooms: &BTreeMap<String, usize>) -> Vec<String> {
    let room = path.split('/').next().unwrap().trim_end_matches(".rs");
    let Some(rank) = rooms.get(room) else {
        return vec![format!("{path}: the house has no room `{room}`")];
    };
    let mut found = Vec::new();
    let code = text.lines().map(str::trim_start);
    for line in code.filter(|line| !line.starts_with("//")) {
        for name in after(line, "crate::") {
            let name = match name {
                "Error" | "ErrorKind" | "Result" => "error",
                name => name,
            };
            // `$crate::` and names of macros are not rooms
            match rooms.get(name) {
                Some(of) if of <= rank => {}
                Some(_) => found.push(format!("{path}: imports `{name}`, which is below it")),
                None => found.push(format!("{path}: `crate::{name}` is no room")),
            }
        }
        for (name, allowed) in CRATES {
            let here = line.contains(&format!("{name}::")) && !line.contains(&format!("_{name}::"));
            if here && !allowed.contains(&room) {
                found.push(format!("{path}: uses {name}"));
            }
        }
        let never = NEVER.iter().filter(|what| line.contains(*what));
        found.extend(never.map(|what| format!("{path}: has {what}")));
    }
    found
}

#[test]
fn imports_point_upwards_and_crates_stay_where_they_belong() {
    let (rooms, sources) = (rooms(&contributing()), sources());
    assert!(rooms.len() > 10 && sources.len() > 100);
    let files = sources.iter();
    let found: Vec<_> = files
        .flat_map(|(path, text)| offences(path, text, &rooms))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_a_room_must_not_do_is_seen() {
    let rooms = rooms(&contributing());
    for (path, text, offence) in [
        (
            "dropout/scale.rs",
            "use crate::rewrite::Plan;",
            "imports `rewrite`",
        ),
        (
            "source.rs",
            "fn f(x: crate::onnx::Model) {}",
            "imports `onnx`",
        ),
        (
            "diff/text.rs",
            "use crate::report::summary;",
            "imports `report`",
        ),
        ("rewrite/fold.rs", "use prost::Message;", "uses prost"),
        ("audit.rs", "use clap::ValueEnum;", "uses clap"),
        ("job.rs", "use tract_onnx::prelude::*;", "uses tract_onnx"),
        ("show.rs", "    println!(\"{x}\");", "has println!"),
        ("cellar.rs", "", "no room `cellar`"),
    ] {
        let found = offences(path, text, &rooms);
        assert!(
            found.iter().any(|o| o.contains(offence)),
            "{path}: {found:?}"
        );
    }
    let fine = "// crate::report\nuse crate::onnx::Model;\nuse crate::Result;";
    assert!(offences("dropout/scale.rs", fine, &rooms).is_empty());
}

/// "`RULES` in `src/audit/rules.rs`", and paths.
#[test]
fn the_files_and_tables_that_people_are_sent_to_are_there() {
    let book = contributing();
    let book = book.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted: Vec<&str> = book.split('`').collect();
    let (mut tables, mut paths) = (0, 0);
    for at in (1..quoted.len()).step_by(2) {
        let path = root().join(quoted[at]);
        let places = ["src/", "tests/", "docs/", "fixtures/", "benches/", ".ci/"];
        if !places.iter().any(|place| quoted[at].starts_with(place)) {
            continue;
        }
        assert!(path.exists(), "{} is not there", quoted[at]);
        paths += 1;
        // `A` and in `B` in `path`
        let mut before = at;
        while before >= 2 && [" in ", " and in "].contains(&quoted[before - 1]) {
            before -= 2;
            let text = std::fs::read_to_string(&path).unwrap();
            let name = quoted[before];
            let defined = ["const", "enum", "fn", "static"];
            let defined = defined
                .iter()
                .any(|what| text.contains(&format!("{what} {name}")));
            assert!(defined, "{} has no {name}", quoted[at]);
            tables += 1;
        }
    }
    assert!(tables >= 9 && paths >= 15, "{tables} tables, {paths} paths");
}

/// The library's files as modules: `verify/run.rs` is `verify::run`.
struct Modules<'s> {
    /// For each module, its code without comments and tests.
    code: BTreeMap<Vec<&'s str>, String>,
    /// For each module, its imports: the name in scope, and the path.
    imports: BTreeMap<Vec<&'s str>, Vec<(String, Vec<String>)>>,
}

impl<'s> Modules<'s> {
    fn new(sources: &'s BTreeMap<String, String>) -> Self {
        let module = |path: &'s str| path.trim_end_matches(".rs").split('/').collect::<Vec<_>>();
        let code = |text: &str| {
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let lines = text.lines().map(str::trim_start);
            let lines = lines.filter(|line| !line.starts_with("//"));
            lines.collect::<Vec<_>>().join("\n")
        };
        let code: BTreeMap<_, _> = sources
            .iter()
            .map(|(path, text)| (module(path), code(text)))
            .collect();
        let imports = code
            .iter()
            .map(|(module, code)| (module.clone(), imports(code)));
        Modules {
            imports: imports.collect(),
            code,
        }
    }

    fn is_module(&self, path: &[String]) -> bool {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.code.contains_key(&path)
    }

    /// The module that defines what a path names, seen from another module: re-exports are followed.
    /// `None` of other crates.
    fn definition(&self, from: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let mut at = from.to_vec();
        for (place, segment) in path.iter().enumerate() {
            match segment.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => {
                    at.pop();
                }
                name => {
                    let child = [&at[..], &[name.to_string()]].concat();
                    if self.is_module(&child) {
                        at = child;
                        continue;
                    }
                    let here: Vec<&str> = at.iter().map(String::as_str).collect();
                    let mut imports = self.imports.get(&here).into_iter().flatten();
                    let import = imports.find(|(known, _)| known == name);
                    return match import {
                        Some((_, import)) if depth < 8 => {
                            let rest = &path[place + 1..];
                            let path = [&import[..], rest].concat();
                            self.definition(&at, &path, depth + 1)
                        }
                        _ if at.is_empty() || (place == 0 && at == from) => None,
                        _ => Some(at),
                    };
                }
            }
        }
        Some(at).filter(|at| !at.is_empty())
    }

    /// The other modules of which a module uses something.
    fn uses(&self, module: &[&str]) -> BTreeSet<Vec<String>> {
        let from: Vec<String> = module.iter().map(|name| name.to_string()).collect();
        let code = &self.code[module];
        let mut paths: Vec<Vec<String>> = imports(code).into_iter().map(|(_, path)| path).collect();
        let word = |c: char| c == '_' || c == ':' || c.is_ascii_alphanumeric();
        let words = code
            .split(|c: char| !word(c))
            .filter(|word| word.contains("::"));
        let path = |word: &str| word.split("::").map(str::to_string).collect::<Vec<_>>();
        paths.extend(words.map(|word| path(word.trim_end_matches(':'))));
        let used = paths
            .iter()
            .filter_map(|path| self.definition(&from, path, 0));
        used.filter(|used| *used != from).collect()
    }

    /// Pairs of files that use each other. A module and those inside it are one unit, in which the inner
    /// ones may use the types of the outer one.
    fn circles(&self) -> BTreeSet<String> {
        let path = |module: &[String]| format!("{}.rs", module.join("/"));
        let modules = self.code.keys();
        let uses: BTreeMap<String, BTreeSet<String>> = modules
            .map(|module| {
                let uses = self.uses(module);
                let uses = uses.iter().map(|used| path(used)).collect();
                (format!("{}.rs", module.join("/")), uses)
            })
            .collect();
        let pairs = uses
            .iter()
            .flat_map(|(file, used)| used.iter().map(move |u| (file, u)));
        let circles = pairs.filter(|(file, used)| file < used && uses[*used].contains(*file));
        let inside = |file: &str, used: &str| {
            let folder = file.trim_end_matches(".rs").to_string() + "/";
            used.starts_with(&folder)
        };
        let circles = circles.filter(|(file, used)| !inside(file, used));
        circles
            .map(|(file, used)| format!("{file} {used}"))
            .collect()
    }
}

/// Public types with variants or fields that programs may name, without `#[non_exhaustive]`.
fn cannot_grow(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_type = line.starts_with("pub enum ")
            || line.starts_with("pub struct ") && {
                let body = lines[at + 1..]
                    .iter()
                    .take_while(|line| !line.starts_with('}'));
                line.ends_with('{') && body.clone().any(|line| line.starts_with("    pub "))
            };
        let above = lines[..at].iter().rev();
        let mut above = above.take_while(|line| !line.is_empty() && !line.starts_with('}'));
        if is_type && !above.any(|line| line.contains("non_exhaustive")) {
            found.push(line.to_string());
        }
    }
    found
}

#[test]
fn public_types_can_grow() {
    let files = sources().into_iter();
    let files = files.filter(|(path, _)| !path.starts_with("bin/"));
    let found: Vec<_> = files.flat_map(|(_, text)| cannot_grow(&text)).collect();
    assert_eq!(found, [] as [String; 0]);
    let marked = "/// A word.\n#[non_exhaustive]\npub enum Word {\n    One,\n}\n";
    assert!(cannot_grow(marked).is_empty());
    assert_eq!(
        cannot_grow(&marked.replace("#[non_exhaustive]\n", "")).len(),
        1
    );
    let private = "pub struct Counter {\n    count: usize,\n}\n";
    assert!(cannot_grow(private).is_empty());
    assert_eq!(cannot_grow(&private.replace("count", "pub count")).len(), 1);
}

/// The imports of a file: the name in scope, and the path.
fn imports(code: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let line = statement.rsplit('\n').find(|line| {
            let line = line.trim_start_matches("pub ");
            line.starts_with("use ") || (line.starts_with("pub(") && line.contains(" use "))
        });
        let Some(line) = line else { continue };
        let begin = statement.rfind(line).unwrap();
        let tree = statement[begin..].split_once("use ").unwrap().1;
        expand(
            &[],
            &tree.split_whitespace().collect::<Vec<_>>().join(" "),
            &mut found,
        );
    }
    found
}

/// The paths in an import such as `a::{b, c::{d, e as f}}`.
fn expand(before: &[String], tree: &str, found: &mut Vec<(String, Vec<String>)>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, Some(group.trim_end().trim_end_matches('}'))),
        None => (tree, None),
    };
    let (head, name) = match head.trim().split_once(" as ") {
        Some((head, name)) => (head, Some(name)),
        None => (head.trim(), None),
    };
    let segments = head.split("::").filter(|segment| !segment.is_empty());
    let path: Vec<String> = (before.iter().cloned())
        .chain(segments.map(str::to_string))
        .collect();
    let Some(group) = group else {
        let path: Vec<String> = path.into_iter().filter(|segment| segment != "*").collect();
        let last = path.iter().rfind(|segment| *segment != "self");
        let name = name.map(str::to_string).or(last.cloned());
        found.extend(name.map(|name| (name, path)));
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = group[start..at].trim();
                if !part.is_empty() {
                    expand(&path, part, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[test]
fn no_two_files_use_each_other() {
    let sources = sources();
    let circles = Modules::new(&sources).circles();
    assert!(
        circles.is_empty(),
        "files that use each other: {circles:#?}"
    );
}

#[test]
fn circles_are_found_through_reexports_and_groups() {
    let circles = |files: &[(&str, &str)]| {
        let files = files
            .iter()
            .map(|(path, text)| (path.to_string(), text.to_string()));
        let sources: BTreeMap<_, _> = files.collect();
        Modules::new(&sources).circles()
    };
    let one = ("a/one.rs", "use super::two::{Two, nested::{Deep}};");
    let expected = BTreeSet::from(["a/one.rs a/two.rs".to_string()]);
    for two in [
        "use super::one::One;",
        "use crate::a::{\n    one::One,\n};",
        "use super::One;",
        "fn f() -> crate::a::one::One {}",
    ] {
        let parent = ("a.rs", "mod one;\nmod two;\npub use one::One;");
        assert_eq!(
            circles(&[parent, one, ("a/two.rs", two)]),
            expected,
            "{two}"
        );
    }
    for two in [
        "use super::three::Three;",
        "// use super::one::One;",
        "#[cfg(test)]\nmod tests {\n    use super::super::one::One;\n}",
        "use std::one::One;",
    ] {
        let others = [("a.rs", "mod one;\nmod two;"), ("a/three.rs", "")];
        let all = [&others[..], &[one, ("a/two.rs", two)]].concat();
        assert_eq!(circles(&all), BTreeSet::new(), "{two}");
    }
    let family = [
        ("a.rs", "use inner::X;\nstruct Y;"),
        ("a/inner.rs", "use super::Y;"),
    ];
    assert_eq!(circles(&family), BTreeSet::new());
}
