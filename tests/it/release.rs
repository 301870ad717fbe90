//! What a release needs: one repository and one version everywhere, and files that say what is true.

use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The value of a key in a TOML or YAML file.
fn value(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let value = line.unwrap_or_else(|| panic!("no {key}"));
    let value = value.trim_start_matches([' ', '=', ':']);
    value.trim_matches('"').to_string()
}

/// Files that name the repository.
const NAME_IT: &[&str] = &[
    ".github/ISSUE_TEMPLATE/config.yml",
    "CITATION.cff",
    "Cargo.toml",
    "SECURITY.md",
    "docs/ci.md",
    "python/README.md",
    "python/pyproject.toml",
];

/// The repositories `https://github.com/…/dropout-onnx` in a text.
fn repositories(text: &str) -> Vec<String> {
    let parts = text.split("https://github.com/").skip(1);
    let names = parts.filter_map(|part| {
        let (owner, rest) = part.split_once('/')?;
        rest.starts_with("dropout-onnx")
            .then(|| format!("https://github.com/{owner}/dropout-onnx"))
    });
    names.collect()
}

#[test]
fn all_files_name_the_repository_of_the_package() {
    let package = value(&read("Cargo.toml"), "repository");
    for name in NAME_IT {
        let found = repositories(&read(name));
        assert!(!found.is_empty(), "{name} no longer names it");
        assert!(
            found.iter().all(|found| *found == package),
            "{name}: {found:?}"
        );
    }
    // the twin, and no other file names it
    assert_eq!(
        repositories("https://github.com/me/dropout-onnx/x").len(),
        1
    );
    assert_eq!(
        repositories("https://github.com/sonos/tract"),
        Vec::<String>::new()
    );
    let listed = Command::new("git")
        .args(["grep", "-l", "github.com/[^/ ]*/dropout-onnx"])
        .current_dir(root())
        .output();
    let Ok(listed) = listed else { return };
    let listed = String::from_utf8(listed.stdout).unwrap();
    for name in listed.lines().filter(|name| !name.starts_with("tests/")) {
        let workflow = name.starts_with(".github/workflows/");
        assert!(
            workflow || NAME_IT.contains(&name),
            "{name} is not in the list"
        );
    }
}

#[test]
fn all_files_name_one_version() {
    let version = value(&read("Cargo.toml"), "version");
    assert_eq!(value(&read("python/Cargo.toml"), "version"), version);
    assert_eq!(value(&read("CITATION.cff"), "version"), version);
    let hooks = read("pyproject.toml");
    assert_eq!(value(&hooks, "version"), version);
    assert!(hooks.contains(&format!("\"dropout-onnx=={version}\"")));
    assert_ne!(value("version = \"0.0.1\"", "version"), version);
}
