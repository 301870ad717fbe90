//! The examples of README.md and docs/ are run, and print what is shown. `UPDATE_DOCS=1 cargo test
//! --test it readme::` writes what they print, and the picture, anew.
//!
//! A block ```` ```console ```` holds commands after `$ `, each with what it prints on a terminal's
//! two streams; `# exit status 1` after a command says that it does not end with 0, and a line `...`
//! in what it prints stands for any lines. All blocks of a file run one after another in one folder
//! that has the fixtures.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// `cargo run -- …` is the command that was built.
const PRELUDE: &str = r#"cargo() { test "$1 $2" = "run --" && shift 2 && dropout-onnx "$@"; }"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn updates() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// The folder that the commands of one file run in.
struct Sandbox(TempDir);

impl Sandbox {
    fn new() -> Sandbox {
        let folder = TempDir::new().unwrap();
        let fixtures = folder.path().join("fixtures");
        std::fs::create_dir(&fixtures).unwrap();
        for entry in std::fs::read_dir(root().join("fixtures")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "onnx") {
                std::fs::copy(&path, fixtures.join(path.file_name().unwrap())).unwrap();
            }
        }
        Sandbox(folder)
    }

    /// What a line for the shell prints, and its exit status.
    fn run(&self, line: &str) -> (String, i32) {
        let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx");
        let mut path = std::ffi::OsString::from(binary.parent().unwrap());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let output = Command::new("sh")
            .args(["-c", &format!("{PRELUDE}\nexec 2>&1\n{line}")])
            .current_dir(self.0.path())
            .env("PATH", path)
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        (printed, output.status.code().unwrap_or(-1))
    }
}

/// A command of a block, and what the file says it prints.
struct Example<'a> {
    /// From 1.
    line: usize,
    command: &'a str,
    printed: String,
}

impl Example<'_> {
    fn status(&self) -> i32 {
        let said = self.command.split_once("# exit status ");
        said.map_or(0, |(_, status)| status.trim().parse().unwrap())
    }
}

/// The lines of a file: text that stays, and the examples in its blocks.
enum Part<'a> {
    Text(&'a str),
    Example(Example<'a>),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => {
                inside = line == "```console";
                parts.push(Part::Text(line));
            }
            Some(command) if inside => parts.push(Part::Example(Example {
                line: number + 1,
                command,
                printed: String::new(),
            })),
            _ if inside => match parts.last_mut() {
                Some(Part::Example(example)) => example.printed += &format!("{line}\n"),
                _ => panic!("line {}: a block begins with what is printed", number + 1),
            },
            _ => parts.push(Part::Text(line)),
        }
    }
    parts
}

/// Is this what was printed? A line `...` stands for any number of lines.
fn agrees(shown: &str, printed: &str) -> bool {
    let mut pieces = shown.split("...\n");
    let Some(mut rest) = printed.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let pieces: Vec<_> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in between {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// Runs the examples of a file; the file as it should be, and what is wrong with it.
fn told(text: &str) -> (String, Vec<String>) {
    let sandbox = Sandbox::new();
    let (mut right, mut wrong) = (String::new(), Vec::new());
    for part in parts(text) {
        match part {
            Part::Text(line) => right += &format!("{line}\n"),
            Part::Example(example) => {
                let (printed, status) = sandbox.run(example.command);
                let Example { line, command, .. } = example;
                right += &format!("$ {command}\n");
                if status != example.status() {
                    wrong.push(format!("line {line}: exit status {status} of {command}"));
                }
                if agrees(&example.printed, &printed) {
                    right += &example.printed;
                } else {
                    right += &printed;
                    wrong.push(format!("line {line}: {command} printed\n{printed}"));
                }
            }
        }
    }
    (right, wrong)
}

fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found
}

#[test]
fn examples_print_the_output_shown() {
    let mut wrong = Vec::new();
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (right, here) = told(&text);
        if updates() && right != text {
            std::fs::write(&path, right).unwrap();
        }
        wrong.extend(here.iter().map(|w| format!("{}, {w}", path.display())));
    }
    assert!(updates() || wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_example_that_prints_something_else_is_noticed() {
    for (text, problems) in [
        ("```console\n$ printf 'a\\nb\\n'\na\nb\n```\n", 0),
        ("```console\n$ printf 'a\\nb\\nc\\n'\na\n...\nc\n```\n", 0),
        ("```console\n$ printf 'a\\nb\\n'\na\n```\n", 1),
        ("```console\n$ printf 'a\\nb\\n'\na\n...\nc\n```\n", 1),
        ("```console\n$ false\n```\n", 1),
        ("```console\n$ false # exit status 1\n```\n", 0),
        (
            "```console\n$ echo a\n$ dropout-onnx audit no.onnx\n```\n",
            3,
        ),
    ] {
        assert_eq!(told(text).1.len(), problems, "{text}");
    }
}

/// The picture at the top of README.md: what `strip` prints on a terminal.
/// The words of an SVG; its numbers depend on the machine.
fn words(picture: &str) -> Vec<&str> {
    let texts = picture
        .split('>')
        .filter_map(|part| Some(part.split_once('<')?.0.trim()));
    let numbers = |text: &&str| text.chars().any(char::is_alphabetic);
    texts.filter(numbers).collect()
}

#[test]
fn the_plot_is_that_of_the_book() {
    let command = "dropout-onnx sample fixtures/keras_course_random_mask_op13.onnx \
                   --rates 0.1,0.2,0.3,0.5 --seed 7 --plot plot.svg";
    let sandbox = Sandbox::new();
    let (printed, status) = sandbox.run(command);
    assert_eq!(status, 0, "{printed}");
    let (picture, _) = sandbox.run("cat plot.svg");
    let path = root().join("docs/sample.svg");
    if updates() {
        std::fs::write(&path, &picture).unwrap();
    }
    let shown = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(words(&picture), words(&shown));
    assert!(words(&shown).contains(&"Predictive entropy"), "{shown}");
    assert_ne!(words("<b>Agreement</b>"), words("<b>1</b>"));
}

#[test]
fn the_picture_is_what_is_printed() {
    let command = "strip --force fixtures/keras_course_random_mask_op13.onnx stripped.onnx";
    let (printed, status) = Sandbox::new().run(&format!("dropout-onnx --color always {command}"));
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("\u{1b}["), "without colours: {printed}");
    let typed = format!("\u{1b}[1m$ dropout-onnx {command}\u{1b}[0m\n{printed}");
    let picture = anstyle_svg::Term::new()
        .palette(anstyle_svg::WIN10_CONSOLE)
        .render_svg(&typed);
    let path = root().join("docs/strip.svg");
    if updates() {
        std::fs::write(&path, &picture).unwrap();
    }
    assert_eq!(picture, std::fs::read_to_string(path).unwrap_or_default());
}
