//! Completions and manual pages. `.ci/shells.sh` has real shells and real `man` read them.

use super::help::subcommands;
use crate::common::cli::Folder;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

#[test]
fn completions_know_every_subcommand_option_and_value() {
    let folder = Folder::new();
    for shell in SHELLS {
        let said = folder.run(&format!("completions {shell}")).exits(0);
        assert!(said.stderr.is_empty());
        for word in subcommands()
            .iter()
            .map(String::as_str)
            .chain(["--exit-zero", "--external-data"])
        {
            let word = match shell {
                // options are written without their dashes
                "fish" => word.trim_start_matches('-'),
                _ => word,
            };
            assert!(said.text().contains(word), "{shell} lacks {word}");
        }
        if ["bash", "fish", "zsh"].contains(&shell) {
            let values = ["sarif", "gaussian_noise", "structure", "attention", "svg"];
            let rules = dropout_onnx::audit::RULES.iter().map(|rule| rule.name);
            for word in values.into_iter().chain(rules) {
                assert!(said.text().contains(word), "{shell} lacks {word}");
            }
        }
    }
    folder.refuses("completions tcsh", &["tcsh", "possible values: bash"]);
    folder.refuses("completions", &["<SHELL>"]);
}

/// The script walks over the words to find out where it is, then looks that up.
#[test]
fn bash_looks_for_what_it_found() {
    let said = Folder::new().run("completions bash").exits(0);
    let lines: Vec<&str> = said.text().lines().map(str::trim).collect();
    let found = lines.iter().filter_map(|line| line.strip_prefix("cmd=\""));
    let found = found.map(|rest| rest.trim_end_matches('"'));
    let found: Vec<_> = found.filter(|label| !label.is_empty()).collect();
    assert!(found.len() > subcommands().len());
    for label in found {
        let branch = format!("{label})");
        assert!(lines.contains(&branch.as_str()), "no {branch}");
    }
}

#[test]
fn a_page_for_the_program_and_for_every_subcommand() {
    let folder = Folder::new();
    let said = folder.run("man --output pages/man1").exits(0);
    let names = subcommands();
    assert_eq!(said.text().lines().count(), names.len() + 1);
    for (name, title) in names
        .iter()
        .map(|name| (name.as_str(), format!("dropout-onnx-{name}")))
        .chain([("", "dropout-onnx".to_string())])
    {
        let page = folder.read(&format!("pages/man1/{title}.1"));
        let printed = folder.run(&format!("man {name}")).exits(0);
        assert_eq!(page, printed.stdout);
        let page = String::from_utf8(page).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let first = format!(".TH {title} 1 \"\" \"dropout-onnx {version}\" \"User Commands\"\n");
        assert!(page.starts_with(&first), "{page}");
        for section in [
            "NAME",
            "SYNOPSIS",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "\"SEE ALSO\"",
        ] {
            let line = format!("\n.SH {section}\n");
            assert_eq!(page.matches(&line).count(), 1, "{title}: {section}");
        }
        assert!(page.contains("\n.SH EXAMPLES\n.nf\ndropout\\-onnx"));
    }
    let quiet = folder.run("man --quiet --output other").exits(0);
    assert!(quiet.text().is_empty() && folder.exists("other/dropout-onnx-strip.1"));
}

#[test]
fn unknown_manual_pages_are_refused() {
    let folder = Folder::new();
    folder.write("file", "");
    folder.refuses(
        "man stirp",
        &["invalid value 'stirp'", "a similar value exists: 'strip'"],
    );
    folder.refuses("man --output file", &["file: "]);
    folder.refuses("man strip --output pages", &["--output"]);
}
