//! The command, run in a folder of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use dropout_onnx::verify::engine::TRACT;
use tempfile::TempDir;

/// A folder that goes when the test ends; commands run in it.
pub struct Folder(TempDir);

/// What a file is, to see whether anything touched it.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub link: Option<PathBuf>,
    pub bytes: Option<Vec<u8>>,
    pub mode: u32,
    pub modified: std::time::SystemTime,
    pub inode: u64,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

pub fn fixture(stem: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures.join(format!("{stem}.onnx"))
}

pub fn test_data(stem: &str, number: usize) -> PathBuf {
    let folder = fixture(stem).with_extension("");
    folder.join(format!("test_data_set_{number}"))
}

/// `dropout-onnx`, with nothing in its environment that changes what it prints.
pub fn command() -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("dropout-onnx");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
        command.env_remove(name);
    }
    command.env("COLUMNS", "100").env("TERM", "xterm-256color");
    command.timeout(Duration::from_secs(120));
    command
}

impl Folder {
    pub fn new() -> Folder {
        Folder(TempDir::new().unwrap())
    }

    /// A folder with one fixture, under this name.
    pub fn with(stem: &str, name: &str) -> Folder {
        let folder = Folder::new();
        folder.copy(stem, name);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn copy(&self, stem: &str, name: &str) {
        std::fs::copy(fixture(stem), self.path(name)).unwrap();
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    pub fn command(&self) -> Command {
        let mut command = command();
        command.current_dir(self.0.path());
        command
    }

    /// Runs with arguments separated by blanks.
    pub fn run(&self, arguments: &str) -> Said {
        self.run_all(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    pub fn run_all(&self, arguments: &[&str]) -> Said {
        Said::new(self.command().args(arguments))
    }

    pub fn run_fed(&self, arguments: &str, stdin: impl Into<Vec<u8>>) -> Said {
        let mut command = self.command();
        Said::new(
            command
                .args(arguments.split_whitespace())
                .write_stdin(stdin),
        )
    }

    /// Everything in it, but for the named pipes' bytes.
    pub fn listing(&self) -> BTreeMap<PathBuf, Entry> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                if meta.is_dir() {
                    folders.push(path.clone());
                }
                let entry = Entry {
                    link: std::fs::read_link(&path).ok(),
                    bytes: meta.is_file().then(|| std::fs::read(&path).unwrap()),
                    mode: meta.permissions().mode(),
                    modified: match meta.is_dir() {
                        true => std::time::UNIX_EPOCH,
                        false => meta.modified().unwrap(),
                    },
                    inode: meta.ino(),
                };
                found.insert(path.strip_prefix(self.0.path()).unwrap().into(), entry);
            }
        }
        found
    }

    /// Runs, and asserts that it refused: status 2, nothing on standard output, an error on
    /// standard error that names all of `names`, no panic, and not a file touched. Returns what it
    /// said.
    #[track_caller]
    pub fn refuses(&self, arguments: &str, names: &[&str]) -> String {
        let before = self.listing();
        let said = self.run(arguments);
        said.refused(names);
        assert!(self.listing() == before, "`{arguments}` touched a file");
        said.stderr
    }
}

impl Said {
    pub fn new(command: &mut Command) -> Said {
        let output = command.output().unwrap();
        Said {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Asserts the status; a command that succeeds says nothing on standard error.
    #[track_caller]
    pub fn exits(self, status: i32) -> Said {
        assert_eq!(self.status, status, "{}{}", self.stderr, self.lossy());
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    #[track_caller]
    pub fn refused(&self, names: &[&str]) {
        let stderr = &self.stderr;
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert_eq!(self.status, 2, "{stderr}{}", self.lossy());
        assert!(self.stdout.is_empty(), "{}", self.lossy());
        assert!(stderr.starts_with("error: "), "{stderr}");
        for name in names {
            assert!(stderr.contains(name), "no `{name}` in: {stderr}");
        }
        assert!(!stderr.contains("(os error"), "{stderr}");
    }

    fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Compares with the file of this name in `tests/it/snapshots`; tract's version is left out.
#[track_caller]
/// Text without line breaks and indentation.
pub fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn golden(name: &str, text: &str) {
    let version = concat!("dropout-onnx ", env!("CARGO_PKG_VERSION"), "\"");
    let text = text.replace(version, "dropout-onnx VERSION\"");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let text = text.replace(TRACT, "tract VERSION");
    settings.bind(|| insta::assert_snapshot!(name, text));
}
