//! Case files: sessions with the command, and what they print and write.
//!
//! A file `tests/cases/SUBJECT/NAME.case` runs in a folder of its own. A line of it is one of these, or a
//! comment:
//!
//! ```text
//! $ COMMAND       a line for the shell; $FIXTURES is the folder of models
//! | TEXT          a line of its standard output; `| ...` stands for any lines
//! ! TEXT          a line of its standard error; `! ...` stands for any lines
//! ? 1             its exit status, unless that is 0
//! + FILE          a file that is new; `~ FILE` is one that changed, `- FILE` one that is gone
//! ```
//!
//! Files are listed after lines that begin with `dropout-onnx`. `cargo test --test cases diff/` runs the cases
//! whose path contains `diff/`, and `UPDATE_CASES=1` before it writes what they print.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

/// The first characters of lines that show what a command did.
const MARKS: [char; 6] = ['|', '!', '?', '+', '~', '-'];

fn main() -> ExitCode {
    let mut trials = vec![Trial::test(
        "a case that differs fails",
        a_case_that_differs_fails,
    )];
    trials.extend(cases().into_iter().map(|path| {
        let name = path.strip_prefix(root().join("tests/cases")).unwrap();
        Trial::test(name.display().to_string(), move || check(&path))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join("tests/cases")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "case")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn check(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let replayed = replay(&text);
    if replayed == text {
        return Ok(());
    }
    if std::env::var_os("UPDATE_CASES").is_some() {
        return Ok(std::fs::write(path, replayed)?);
    }
    let difference = similar::TextDiff::from_lines(&text, &replayed);
    Err(format!("{}\n{}", path.display(), difference.unified_diff()).into())
}

/// The case with what its commands print now.
fn replay(text: &str) -> String {
    let folder = TempDir::new().unwrap();
    let mut replayed = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        replayed += &format!("{line}\n");
        let Some(command) = line.strip_prefix("$ ") else {
            continue;
        };
        let mut shown = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(MARKS)) {
            shown.push(line);
        }
        let printed = run(command, folder.path());
        for line in match agree(&shown, &printed) {
            true => shown.iter().map(|line| line.to_string()).collect(),
            false => printed,
        } {
            replayed += &format!("{line}\n");
        }
    }
    replayed
}

/// What a line for the shell prints, as lines of a case.
fn run(line: &str, folder: &Path) -> Vec<String> {
    let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx");
    let mut path = std::ffi::OsString::from(binary.parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
        command.env_remove(name);
    }
    let before = files(folder);
    let output = command
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env("FIXTURES", root().join("fixtures"))
        .env("HOME", folder)
        .env("COLUMNS", "100")
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut printed = marked('|', &output.stdout, folder);
    printed.extend(marked('!', &output.stderr, folder));
    match output.status.code() {
        Some(0) => {}
        Some(status) => printed.push(format!("? {status}")),
        None => printed.push("? signal".to_string()),
    }
    if line.starts_with("dropout-onnx") {
        printed.extend(changes(&before, &files(folder)));
    }
    printed
}

/// What the files in a folder hold; of a link, where it leads.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                folders.push(path);
            } else if meta.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                found.insert(name, target.into_os_string().into_encoded_bytes());
            } else if meta.is_file() {
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn changes(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, bytes) in after {
        match before.get(name) {
            None => changes.push(format!("+ {name}")),
            Some(old) if old != bytes => changes.push(format!("~ {name}")),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    changes.extend(gone.map(|name| format!("- {name}")));
    changes
}

/// The lines of a stream after their mark, without what differs from machine to machine.
fn marked(mark: char, stream: &[u8], folder: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(stream);
    let version = env!("CARGO_PKG_VERSION");
    let text = text
        .replace(&folder.display().to_string(), "FOLDER")
        .replace(&format!("dropout-onnx {version}"), "dropout-onnx VERSION")
        .replace(
            &format!("\"semanticVersion\": \"{version}\""),
            "\"semanticVersion\": \"VERSION\"",
        )
        .replace(&format!("tract {}", tract()), "tract VERSION");
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| {
            let line: String = line.chars().map(visible).collect();
            match line.is_empty() {
                true => mark.to_string(),
                false => format!("{mark} {line}"),
            }
        })
        .collect();
    if !text.is_empty() && !text.ends_with('\n') {
        lines.push(format!("{mark} (no newline)"));
    }
    lines
}

fn visible(c: char) -> String {
    match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    }
}

/// The version of tract that the command was built with.
fn tract() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let (_, package) = lock
        .split_once("name = \"tract-onnx\"\nversion = \"")
        .unwrap();
    package.split('"').next().unwrap()
}

/// Whether a case shows what was printed.
fn agree(shown: &[&str], printed: &[String]) -> bool {
    let Some((line, rest)) = shown.split_first() else {
        return printed.is_empty();
    };
    let Some(mark) = line.strip_suffix(" ...").filter(|mark| mark.len() == 1) else {
        return printed.first().is_some_and(|p| p == line) && agree(rest, &printed[1..]);
    };
    let skipped = printed
        .iter()
        .take_while(|line| line.starts_with(mark))
        .count();
    (0..=skipped).any(|skipped| agree(rest, &printed[skipped..]))
}

fn a_case_that_differs_fails() -> Result<(), Failed> {
    for (text, right) in [
        ("$ printf 'a\\nb\\n'\n| a\n| b\n", true),
        ("text\n\n$ printf 'a\\nb\\nc\\n'\n| a\n| ...\n| c\n", true),
        ("$ printf 'a\\nb\\n'\n| ...\n", true),
        ("$ printf 'a\\nb\\n'\n| a\n", false),
        ("$ printf 'a\\nb\\n'\n| a\n| ...\n| c\n", false),
        ("$ echo a >&2\n! a\n", true),
        ("$ echo a >&2\n| a\n", false),
        ("$ echo a >&2\n| ...\n", false),
        ("$ printf a\n| a\n| (no newline)\n", true),
        ("$ printf a\n| a\n", false),
        ("$ false\n? 1\n", true),
        ("$ false\n", false),
        ("$ true\n? 1\n", false),
        ("$ echo a > file\n$ cat file\n| a\n", true),
        ("$ dropout-onnx --version\n| dropout-onnx VERSION\n", true),
        ("$ dropout-onnx --version\n| dropout-onnx\n", false),
        ("$ dropout-onnx completions fish > a\n+ a\n", true),
        ("$ dropout-onnx completions fish > a\n", false),
        ("$ echo a > a\n$ dropout-onnx --version > a\n~ a\n", true),
        ("$ echo a > a\n$ dropout-onnx --version > a\n+ a\n", false),
    ] {
        if (replay(text) == text) != right {
            return Err(format!("{text}became\n{}", replay(text)).into());
        }
    }
    Ok(())
}
