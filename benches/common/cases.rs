//! What `cargo bench --bench strip` measures, and the limits of each.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::generate::Model;
use super::measure::{Case, alternate};
use super::setup::Setup;
use super::table::{Figures, Limit, heading, row};

/// A generated model, and the commands on it.
struct Subject<'a> {
    setup: &'a Setup,
    model: Model,
    path: PathBuf,
    bytes: u64,
}

/// A large file of weights, compared with `cp`, which does not parse it.
pub fn weights(setup: &Setup) -> io::Result<()> {
    let width = if setup.quick { 640 } else { 2048 };
    let subject = Subject::new(setup, Model::Weights { layers: 96, width })?;
    println!();
    println!(
        "{}: {:.0} MB, {} Dropouts",
        subject.name(),
        subject.mb(),
        subject.model.dropouts()
    );
    heading();

    let writers = [
        subject.cp(),
        subject.strip("none"),
        subject.strip("structure"),
    ];
    let runs = alternate(&writers, setup.rounds)?;
    let cp = row(&writers[0].what, &runs[0], None, None, &[]);
    let memory = Limit::PeakMb(32.0);
    let none = [Limit::TimesCp(1.2), Limit::TimesCpu(1.1), memory];
    row(&writers[1].what, &runs[1], cp, None, &none);
    let structure = [Limit::TimesCp(1.5), memory];
    row(&writers[2].what, &runs[2], cp, None, &structure);

    let warm = subject.audit();
    let cold = Case {
        what: "audit, file not in cache".to_string(),
        cold: true,
        ..warm.clone()
    };
    let readers = [warm, cold];
    let limits = [Limit::Seconds(0.05), Limit::ReadMb(subject.mb() / 100.0)];
    for (case, runs) in readers.iter().zip(alternate(&readers, setup.rounds)?) {
        row(&case.what, &runs, None, None, &limits);
    }

    // Once: what counts is its memory, and that varies little.
    let mut verified = subject.strip("all");
    verified
        .args
        .extend(["--dim", "batch=1", "--runs", "1"].map(Into::into));
    let runs = verified.run()?.map(|run| vec![run]);
    let most = 2.3 * subject.model.weight_bytes() as f64 / 1e6;
    row(&verified.what, &runs, None, None, &[Limit::PeakMb(most)]);
    Ok(())
}

/// The factor of one layer of a large file, and those of all layers, folded; compared with `cp`.
pub fn folds(setup: &Setup) -> io::Result<()> {
    let width = if setup.quick { 640 } else { 2048 };
    let layers = Subject::new(setup, Model::Weights { layers: 96, width })?;
    let path = setup.folder.join("classic").join(layers.name());
    std::fs::create_dir_all(path.with_file_name(""))?;
    let strip = std::process::Command::new(&setup.program)
        .args([
            "strip",
            "-q",
            "-f",
            "--verify",
            "none",
            "--convention",
            "classic",
        ])
        .args([&layers.path, &path])
        .status()?;
    if !strip.success() {
        return Err(io::Error::other("strip --convention classic failed"));
    }
    let bytes = std::fs::metadata(&path)?.len();
    let subject = Subject {
        path,
        bytes,
        ..layers
    };
    println!();
    println!(
        "{}: {:.0} MB, {} factors",
        subject.name(),
        subject.mb(),
        subject.model.dropouts()
    );
    heading();
    let layer_mb = (width * width * 4) as f64 / 1e6;
    let cases = [
        subject.cp(),
        subject.fold("fold one layer", &["--at", "v4", "--verify", "none"]),
        subject.fold(
            "fold one layer, --verify structure",
            &["--at", "v4", "--verify", "structure"],
        ),
        subject.fold("fold all layers", &["--verify", "none"]),
    ];
    let runs = alternate(&cases, setup.rounds)?;
    let cp = row(&cases[0].what, &runs[0], None, None, &[]);
    let memory = Limit::PeakMb(32.0 + layer_mb);
    for (case, runs) in cases.iter().zip(&runs).skip(1) {
        let all = case.what == "fold all layers";
        let limits = [Limit::TimesCp(1.3), memory];
        row(
            &case.what,
            runs,
            cp,
            None,
            if all { &limits[1..] } else { &limits },
        );
    }
    std::fs::remove_file(&subject.path)
}

/// Many nodes and next to no weights, three sizes: the time should grow with the nodes.
pub fn nodes(setup: &Setup, branches: bool) -> io::Result<()> {
    let sizes: &[usize] = if setup.quick {
        &[2_000, 10_000, 50_000]
    } else {
        &[10_000, 50_000, 250_000]
    };
    let mut first: Vec<Option<Figures>> = Vec::new();
    let mut last = Vec::new();
    println!();
    println!(
        "{}",
        if branches {
            "45 % of the nodes in If branches"
        } else {
            "all nodes in one graph"
        }
    );
    heading();
    for &nodes in sizes {
        let subject = Subject::new(setup, Model::Nodes { nodes, branches })?;
        let cases = [
            subject.strip("none"),
            subject.strip("structure"),
            subject.audit(),
        ];
        last.clear();
        for (i, runs) in alternate(&cases, setup.rounds)?.iter().enumerate() {
            let what = format!("{} k nodes: {}", nodes / 1000, cases[i].what);
            // The limit is for stripping 50,000 nodes.
            let limit = [Limit::Seconds(0.5)];
            let limits = if nodes == 50_000 && i < 2 {
                &limit[..]
            } else {
                &[]
            };
            last.push((
                cases[i].what.clone(),
                row(&what, runs, None, Some(nodes), limits),
            ));
        }
        if first.is_empty() {
            first = last.iter().map(|(_, figures)| *figures).collect();
        }
    }
    let growth = sizes[sizes.len() - 1] / sizes[0];
    for ((what, last), first) in last.iter().zip(first) {
        if let (Some(last), Some(first)) = (last, first) {
            let times = last.min / first.min;
            println!("{what}: {growth} × the nodes take {times:.1} × the time (min)");
        }
    }
    Ok(())
}

/// A graph of a million nodes, compared with what reads it into Python's messages and does nothing.
pub fn chain(setup: &Setup) -> io::Result<()> {
    let sizes: &[usize] = match setup.quick {
        true => &[10_000],
        false => &[10_000, 100_000, 1_000_000],
    };
    println!();
    println!("one chain, a fifth of its nodes Dropouts, compared with onnx.load");
    heading();
    for &nodes in sizes {
        let subject = Subject::new(setup, Model::Chain { nodes })?;
        let cases = [subject.load(), subject.audit(), subject.strip("structure")];
        let limits = [
            &[][..],
            &[Limit::TimesCpu(1.0), Limit::TimesPeak(1.3)],
            &[Limit::TimesCpu(2.5), Limit::TimesPeak(1.8)],
        ];
        let mut first = None;
        for (i, runs) in alternate(&cases, setup.rounds)?.iter().enumerate() {
            let what = format!("{} k nodes: {}", nodes / 1000, cases[i].what);
            let figures = row(&what, runs, first, Some(nodes), limits[i]);
            first = first.or(figures.filter(|_| i == 0));
        }
    }
    Ok(())
}

impl Subject<'_> {
    fn new(setup: &Setup, model: Model) -> io::Result<Subject<'_>> {
        let path = setup.folder.join(model.file_name());
        let bytes = model.generate(&path)?;
        Ok(Subject {
            setup,
            model,
            path,
            bytes,
        })
    }

    fn name(&self) -> String {
        self.model.file_name()
    }

    fn mb(&self) -> f64 {
        self.bytes as f64 / 1e6
    }

    fn cp(&self) -> Case {
        let copy = self.path.with_extension("copy");
        // what a file system shares is not copied, and nothing to compare with
        let mut args: Vec<OsString> = vec!["--reflink=never".into()];
        args.extend([self.path.clone().into(), copy.clone().into()]);
        Case {
            program: "cp".into(),
            args,
            output: Some((copy, self.bytes)),
            ..self.case("cp")
        }
    }

    fn strip(&self, verify: &str) -> Case {
        let stripped = self.path.with_extension("stripped.onnx");
        let mut args = vec![
            "strip".into(),
            self.path.clone().into(),
            stripped.clone().into(),
        ];
        args.extend(["--force", "--verify", verify].map(Into::into));
        // A Dropout node takes more than 30 bytes here: a result that is larger kept some.
        let most = self.bytes - 30 * self.model.dropouts() as u64;
        Case {
            args,
            output: Some((stripped, most)),
            ..self.case(&format!("strip --verify {verify}"))
        }
    }

    fn fold(&self, what: &str, args: &[&str]) -> Case {
        let folded = self.path.with_extension("folded.onnx");
        let mut all = vec![
            "fold".into(),
            self.path.clone().into(),
            folded.clone().into(),
        ];
        all.push("--force".into());
        all.extend(args.iter().map(Into::into));
        // A Mul takes more than 30 bytes here: a result that is larger kept it.
        Case {
            args: all,
            output: Some((folded, self.bytes - 30)),
            ..self.case(what)
        }
    }

    /// Python reads the model; `PYTHON` names one that has the package `onnx`.
    fn load(&self) -> Case {
        let program = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let code = "import onnx, sys; onnx.load(sys.argv[1])";
        Case {
            program: program.into(),
            args: vec!["-c".into(), code.into(), self.path.clone().into()],
            ..self.case("onnx.load")
        }
    }

    fn audit(&self) -> Case {
        Case {
            args: vec!["audit".into(), self.path.clone().into()],
            ..self.case("audit")
        }
    }

    /// A case still without arguments.
    fn case(&self, what: &str) -> Case {
        Case {
            what: what.to_string(),
            program: self.setup.program.clone(),
            args: Vec::new(),
            input: self.path.clone(),
            cold: false,
            output: None,
        }
    }
}

/// The figures that the project's issue gives for other tools, on a graph like this one's
/// 50,000 nodes with 10,000 Dropouts. They are not measured here.
pub fn peers() {
    println!();
    println!("For scale, from the issue and not measured here, 50,000 nodes with 10,000 Dropouts:");
    println!("onnxoptimizer 228 s, and removes none; onnxslim and onnxscript not done in 300 s.");
}
