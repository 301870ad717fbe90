//! The subcommands of the help.

use std::path::Path;

use crate::common::cli::Folder;

/// The subcommands, as the program's own help lists them; unit tests of the program see to it that
/// none is hidden.
pub fn subcommands() -> Vec<String> {
    let help = Folder::new().run("--help").exits(0);
    let list = help.text().split("Commands:\n").nth(1).unwrap();
    let list = list.lines().take_while(|line| !line.is_empty());
    // what goes on in the next line is indented further
    let list = list.filter(|line| !line.starts_with("   "));
    let names = list.map(|line| line.split_whitespace().next().unwrap().to_string());
    let names: Vec<_> = names.filter(|name| name != "help").collect();
    assert!(names.contains(&"audit".to_string()) && names.len() > 9);
    names
}

#[test]
fn the_help_of_every_subcommand_is_a_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/help");
    for name in subcommands() {
        let case = std::fs::read_to_string(cases.join(format!("{name}.case"))).unwrap_or_default();
        for option in ["-h", "--help"] {
            let command = format!("$ dropout-onnx {name} {option}\n| ");
            assert!(case.contains(&command), "no case of `{name} {option}`");
        }
    }
}
