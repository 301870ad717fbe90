//! The house is built as CONTRIBUTING.md says: who imports whom, which crates stay where, and the
//! files and tables it sends people to.

use std::collections::BTreeMap;
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
