//! What is written is whole, whatever happens in between, and nothing is left behind.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use dropout_onnx::ErrorKind;
use dropout_onnx::source::{Destination, Rope, Source, write_atomic};
use rand::{RngExt, SeedableRng};

use crate::common::cli::{Folder, fixture};

/// A change of a file, and whether it is noticed.
type Change = (&'static str, bool, fn(&Path));

const CHANGES: &[Change] = &[
    ("nothing", false, |_| {}),
    ("read by others", false, |path| {
        fs::read(path).unwrap();
    }),
    ("bytes appended", true, |path| {
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(b"more").unwrap();
    }),
    ("bytes cut off", true, |path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(3)
            .unwrap();
    }),
    ("other bytes of the same length, later", true, |path| {
        let length = path.metadata().unwrap().len();
        fs::write(path, vec![7; length as usize]).unwrap();
        let later = SystemTime::now() + Duration::from_secs(1);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(later)
            .unwrap();
    }),
];

#[test]
fn a_source_that_changes_while_it_is_read_is_refused() {
    for (what, noticed, change) in CHANGES {
        let folder = Folder::new();
        folder.write("in", vec![1; 1000]);
        folder.write("out", "old");
        let source = Source::open(folder.path("in")).unwrap();
        let mut rope = Rope::new();
        rope.push(b"new ".to_vec());
        rope.push_range(&source, 0..3);
        change(&folder.path("in"));
        assert_eq!(source.check_unchanged().is_err(), *noticed, "{what}");
        let written = write_atomic(&Destination::new(folder.path("out")).unwrap(), &rope);
        match written {
            Err(error) if *noticed => {
                assert_eq!(error.kind(), ErrorKind::Io);
                assert!(
                    error.to_string().contains("in: changed while it was read"),
                    "{error}"
                );
                assert_eq!(folder.read("out"), b"old", "{what}");
            }
            other => {
                other.unwrap();
                assert!(!noticed, "{what}");
                assert_eq!(folder.read("out"), b"new \x01\x01\x01");
            }
        }
        assert_eq!(folder.listing().len(), 2, "{what}: litter");
    }
}

#[test]
fn a_model_that_was_replaced_meanwhile_is_not_replaced_in_place() {
    use dropout_onnx::job::{Files, Job, Written};
    use dropout_onnx::onnx::Model;
    use dropout_onnx::rewrite::strip::{Options, strip};
    for replaced in [false, true] {
        let folder = Folder::with("torch_mlp_training_op7", "model.onnx");
        let path = folder.path("model.onnx");
        let files = Files::default().input(path.clone()).in_place(true);
        let job = Job::open(files, "stripped", None, || Model::open(&path)).unwrap();
        let stripped = strip(job.before(), &Options::default()).unwrap();
        if replaced {
            // by a rename, as editors and downloads do
            folder.copy("torch_course_eval_op17", "new");
            fs::rename(folder.path("new"), &path).unwrap();
        }
        let end = job.conclude(&stripped.edited, false, |_| unreachable!(), &mut Vec::new());
        match replaced {
            true => {
                let error = end.unwrap_err().to_string();
                assert!(error.contains("changed while it was read"), "{error}");
                let there = fs::read(&path).unwrap();
                assert_eq!(there, fs::read(fixture("torch_course_eval_op17")).unwrap());
            }
            false => assert_eq!(end.unwrap().written, Written::Yes),
        }
    }
}

#[test]
fn a_read_only_file_is_replaced_only_by_force() {
    let folder = Folder::with("torch_mlp_training_op7", "model.onnx");
    let read_only = |name: &str| {
        let mut permissions = folder.path(name).metadata().unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(folder.path(name), permissions).unwrap();
    };
    read_only("model.onnx");
    folder.refuses(
        "strip -i model.onnx",
        &["model.onnx: is read-only; replace it with --force"],
    );
    folder.run("strip -i -n model.onnx").exits(0);
    folder.run("strip -i --force model.onnx").exits(0);
    let permissions = folder.path("model.onnx").metadata().unwrap().permissions();
    assert!(permissions.readonly(), "the mode is kept");
    folder.run("audit model.onnx -o report").exits(0);
    folder.run("audit model.onnx -o report").exits(0);
    read_only("report");
    folder.refuses("audit model.onnx -o report", &["report: is read-only"]);
}

/// 200 signals at random moments of a run that replaces a model: what one run leaves, the next removes.
#[test]
fn a_run_that_is_killed_leaves_the_old_file_or_the_new_one_and_the_next_run_no_other() {
    let folder = Folder::with("keras_course_random_mask_op13", "model.onnx");
    let old = folder.read("model.onnx");
    let options = [
        "strip",
        "--in-place",
        "--quiet",
        "--verify",
        "none",
        "model.onnx",
    ];
    let began = std::time::Instant::now();
    folder.run_all(&options).exits(0);
    let whole = began.elapsed();
    let new = folder.read("model.onnx");
    assert_ne!(old, new);
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let mut seen = [0; 2];
    for round in 0..200 {
        fs::write(folder.path("model.onnx"), &old).unwrap();
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("dropout-onnx"))
            .args(options)
            .current_dir(folder.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(random.random_range(0.0..1.2)));
        let signal = ["INT", "TERM", "HUP", "KILL"][round % 4];
        let id = child.id().to_string();
        // the shell has it built in; the command is not everywhere
        let kill = ["-c", r#"kill -s "$0" "$1""#, signal, &id];
        Command::new("sh").args(kill).output().unwrap();
        child.wait().unwrap();
        let there = folder.read("model.onnx");
        assert!(
            there == old || there == new,
            "round {round}: a broken file after {signal}"
        );
        seen[usize::from(there == new)] += 1;
        if folder.listing().len() > 1 || round == 199 {
            fs::write(folder.path("model.onnx"), &old).unwrap();
            folder.run_all(&options).exits(0);
            assert_eq!(folder.listing().len(), 1, "round {round}: {signal}");
        }
    }
    // the twin: signals came before the rename and after it
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
}
