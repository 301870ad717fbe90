//! What to run and where, from the command line.

use std::error::Error;
use std::path::PathBuf;

/// What to run and where.
pub struct Setup {
    /// The `dropout-onnx` to measure.
    pub program: PathBuf,
    /// For the models, which are kept, and the outputs, which are not.
    pub folder: PathBuf,
    /// A tenth of the weights, and no more than 50,000 nodes.
    pub quick: bool,
    pub rounds: usize,
    /// The groups asked for; all if none is named.
    groups: Vec<String>,
}

impl Setup {
    /// Reads the arguments; `groups` are the names of what can be asked for. `None` if this is no
    /// run of `cargo bench`: `cargo test --benches` starts it too.
    pub fn from_arguments(
        program: &str,
        folder: &str,
        groups: &[&str],
    ) -> Result<Option<Setup>, Box<dyn Error>> {
        let mut setup = Setup {
            program: program.into(),
            folder: folder.into(),
            quick: false,
            rounds: 7,
            groups: Vec::new(),
        };
        let usage = format!(
            "cargo bench --bench NAME -- [{}]\n       \
             [--quick] [--rounds N] [--bin PATH] [--folder PATH]",
            groups.join("] [")
        );
        let mut bench = false;
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value\n{usage}"));
            match arg.as_str() {
                "--bench" => bench = true,
                "--quick" => setup.quick = true,
                "--rounds" => setup.rounds = value()?.parse::<usize>()?.max(1),
                "--bin" => setup.program = std::path::absolute(value()?)?,
                "--folder" => setup.folder = std::path::absolute(value()?)?,
                group if groups.contains(&group) => setup.groups.push(arg),
                _ => return Err(format!("{arg}?\n{usage}").into()),
            }
        }
        if bench {
            println!("{}, {} rounds", setup.program.display(), setup.rounds);
            println!("models in {}", setup.folder.display());
            load("at the start");
        }
        Ok(bench.then_some(setup))
    }

    /// True if one of these groups is asked for.
    pub fn asked(&self, names: &[&str]) -> bool {
        let mut groups = self.groups.iter();
        self.groups.is_empty() || groups.any(|group| names.contains(&group.as_str()))
    }
}

/// The load of the machine, if the kernel reports it.
pub fn load(when: &str) {
    if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = load.split(' ').next().unwrap_or("?");
        println!("load {when}: {load}, on {cores} cores");
    }
}
