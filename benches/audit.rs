//! `cargo bench --bench audit`: the speed of `audit` on many models, on a large one, and on large
//! graphs.
//!
//! README.md in this folder explains each row. A limit that is exceeded is reported, and
//! never fails the run: times depend on the machine and on who else uses it.

#[cfg(target_os = "linux")]
mod common;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark reads /proc: it runs on Linux only");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match linux::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("audit benchmark: {why}");
            std::process::ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::common::generate::Model;
    use crate::common::measure::{Case, alternate};
    use crate::common::setup::{Setup, load};
    use crate::common::table::{Figures, Limit, heading, row};

    const GROUPS: &[&str] = &["many", "weights", "nodes"];
    const MANY: usize = 1000;

    pub fn run() -> Result<(), Box<dyn Error>> {
        let program = env!("CARGO_BIN_EXE_dropout-onnx");
        let folder = env!("CARGO_TARGET_TMPDIR");
        let Some(setup) = Setup::from_arguments(program, folder, GROUPS)? else {
            return Ok(());
        };
        if setup.asked(&["many"]) {
            many(&setup)?;
        }
        if setup.asked(&["weights"]) {
            weights(&setup)?;
        }
        if setup.asked(&["nodes"]) {
            nodes(&setup)?;
        }
        println!();
        load("at the end");
        Ok(())
    }

    /// A thousand small models, compared with `cat` of the same files.
    fn many(setup: &Setup) -> io::Result<()> {
        let (folder, bytes) = copies(setup)?;
        println!();
        println!("{MANY} models of {:.1} MB in all", bytes as f64 / 1e6);
        heading();
        let cat = Case {
            what: "cat".to_string(),
            program: "sh".into(),
            args: vec![
                "-c".into(),
                "cat \"$0\"/*.onnx".into(),
                folder.clone().into(),
            ],
            ..audit(setup, &folder, &[])
        };
        let cases = [
            cat,
            audit(setup, &folder, &["--format", "text"]),
            audit(setup, &folder, &["--format", "json"]),
            audit(setup, &folder, &["--format", "json", "--jobs", "1"]),
        ];
        for (case, runs) in cases.iter().zip(alternate(&cases, setup.rounds)?) {
            let limit = [Limit::Seconds(2.0)];
            let limits = match case.what.contains("audit") {
                true => &limit[..],
                false => &[],
            };
            row(&case.what, &runs, None, None, limits);
        }
        Ok(())
    }

    /// A folder of copies of the shared models, or of the fixtures without them.
    fn copies(setup: &Setup) -> io::Result<(PathBuf, u64)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shared = root.join("../shared/models");
        let mut models = Vec::new();
        let mut folders = match shared.is_dir() {
            true => vec![shared],
            false => vec![root.join("fixtures")],
        };
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path
                    .extension()
                    .is_some_and(|extension| extension == "onnx")
                {
                    models.push(path);
                }
            }
        }
        models.sort();
        let folder = setup.folder.join("many");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        let mut bytes = 0;
        for (number, model) in models.iter().cycle().take(MANY).enumerate() {
            bytes += fs::copy(model, folder.join(format!("{number:04}.onnx")))?;
        }
        Ok((folder, bytes))
    }

    /// A large file of weights, which are not to be read.
    fn weights(setup: &Setup) -> io::Result<()> {
        let width = if setup.quick { 640 } else { 2048 };
        let model = Model::Weights { layers: 96, width };
        let path = setup.folder.join(model.file_name());
        let mb = model.generate(&path)? as f64 / 1e6;
        println!();
        println!("{}: {mb:.0} MB", model.file_name());
        heading();
        let warm = audit(setup, &path, &[]);
        let cold = Case {
            what: "audit, file not in cache".to_string(),
            cold: true,
            ..warm.clone()
        };
        let cases = [warm, cold];
        let limits = [Limit::Seconds(0.05), Limit::ReadMb(mb / 100.0)];
        for (case, runs) in cases.iter().zip(alternate(&cases, setup.rounds)?) {
            row(&case.what, &runs, None, None, &limits);
        }
        Ok(())
    }

    /// Graphs of random masks and operators, three sizes: the time should grow with the nodes.
    fn nodes(setup: &Setup) -> io::Result<()> {
        let sizes: &[usize] = if setup.quick {
            &[2_000, 10_000, 50_000]
        } else {
            &[10_000, 50_000, 250_000]
        };
        println!();
        println!("of 25 nodes, 15 in two random masks and 4 in Dropouts and their constants");
        heading();
        let mut figures: Vec<Figures> = Vec::new();
        for &nodes in sizes {
            let model = Model::Masks { nodes };
            let path = setup.folder.join(model.file_name());
            model.generate(&path)?;
            let case = audit(setup, &path, &["--format", "json"]);
            let runs = alternate(&[case], setup.rounds)?;
            let what = format!("{} k nodes: audit", nodes / 1000);
            for runs in &runs {
                figures.extend(row(&what, runs, None, Some(nodes), &[]));
            }
        }
        if let [first, .., last] = &figures[..] {
            let growth = sizes[sizes.len() - 1] / sizes[0];
            let times = last.min / first.min;
            println!("audit: {growth} × the nodes take {times:.1} × the time (min)");
        }
        Ok(())
    }

    fn audit(setup: &Setup, path: &Path, options: &[&str]) -> Case {
        let mut args = vec!["audit".into(), "--exit-zero".into(), path.into()];
        args.extend(options.iter().map(Into::into));
        Case {
            what: format!("audit {}", options.join(" ")).trim().to_string(),
            program: setup.program.clone(),
            args,
            input: path.to_path_buf(),
            cold: false,
            output: None,
        }
    }
}
