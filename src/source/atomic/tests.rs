//! Every step of writing a file fails in turn; and what is kept of files.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::fault::{Faults, Step, with};
use super::temporary::{prefix, sweep};
use super::{Destination, stage, stage_link, write_atomic};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{ReadAt, Rope, Source};

/// Numbers of errors, as Linux and the BSDs have them.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A folder with an input, and perhaps an output that is there.
struct Case {
    folder: tempfile::TempDir,
    before: usize,
}

impl Case {
    fn new(old: Option<&str>) -> Case {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("in"), [7; 600 << 10]).unwrap();
        if let Some(old) = old {
            fs::write(folder.path().join("out"), old).unwrap();
        }
        let before = 1 + usize::from(old.is_some());
        Case { folder, before }
    }

    fn write(&self) -> Result<()> {
        let source = Source::open(self.folder.path().join("in"))?;
        let mut rope = Rope::new();
        rope.push(&b"new"[..]);
        rope.push_range(&source, 0..source.len());
        rope.push(&b"end"[..]);
        write_atomic(&self.out(), &rope)
    }

    fn out(&self) -> Destination {
        Destination::new(self.folder.path().join("out")).unwrap()
    }

    /// The output, and the number of files.
    fn now(&self) -> (Option<Vec<u8>>, usize) {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        (fs::read(self.out().real()).ok(), entries.count())
    }
}

/// The kinds of file system: with files without names or not, with copies by the system or not.
const SYSTEMS: [&[Step]; 3] = [&[], &[Step::Unnamed], &[Step::Unnamed, Step::Copy]];

fn new() -> Vec<u8> {
    [&b"new"[..], &[7; 600 << 10], b"end"].concat()
}

#[test]
fn a_step_that_fails_leaves_the_old_file_or_the_new_one_and_no_other() {
    for (system, old) in SYSTEMS
        .into_iter()
        .flat_map(|s| [(s, None), (s, Some("old"))])
    {
        let faults = |error| Faults {
            without: system.to_vec(),
            error,
            ..Faults::default()
        };
        let (healthy, steps) = with(faults(None), || Case::new(old).write());
        healthy.unwrap();
        assert!(steps.len() > 5, "{steps:?}");
        for (number, step) in steps.iter().enumerate() {
            for error in [EIO, ENOSPC] {
                let case = Case::new(old);
                let (written, _) = with(faults(Some((number, error))), || case.write());
                let there = case.now();
                let context = format!("{step:?} of {steps:?}: {error}, {written:?}");
                match step {
                    // another way is taken
                    Step::Unnamed | Step::Copy => {
                        assert!(written.is_ok(), "{context}");
                        assert_eq!(there, (Some(new()), 2), "{context}");
                    }
                    // what is in place cannot be taken back
                    Step::SyncFolder => {
                        assert_eq!(written.unwrap_err().kind(), ErrorKind::Io, "{context}");
                        assert_eq!(there, (Some(new()), 2), "{context}");
                    }
                    _ => {
                        assert_eq!(written.unwrap_err().kind(), ErrorKind::Io, "{context}");
                        let old = old.map(|old| old.as_bytes().to_vec());
                        assert_eq!(there, (old, case.before), "{context}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_panic_at_any_step_leaves_the_old_file_or_the_new_one_and_no_other() {
    for system in SYSTEMS {
        let faults = |panic| Faults {
            without: system.to_vec(),
            panic,
            ..Faults::default()
        };
        let (_, steps) = with(faults(None), || Case::new(Some("old")).write());
        let reached = |number: &usize| !system.contains(&steps[*number]);
        for number in (0..steps.len()).filter(reached) {
            let case = Case::new(Some("old"));
            let write = || catch_unwind(AssertUnwindSafe(|| case.write()));
            let (written, _) = with(faults(Some(number)), write);
            assert!(written.is_err(), "{:?}", steps[number]);
            let expected = match steps[number] {
                Step::SyncFolder => new(),
                _ => b"old".to_vec(),
            };
            assert!(case.now() == (Some(expected), 2), "{:?}", steps[number]);
        }
    }
}

#[test]
fn a_short_write_is_continued() {
    for system in SYSTEMS {
        let [whole, halves] = [false, true].map(|short| {
            let faults = Faults {
                without: system.to_vec(),
                short,
                ..Faults::default()
            };
            let case = Case::new(Some("old"));
            let (written, steps) = with(faults, || case.write());
            written.unwrap();
            assert!(case.now() == (Some(new()), 2));
            steps.iter().filter(|step| **step == Step::Write).count()
        });
        assert!(halves > whole, "the twin: writes were shorter");
    }
}

#[test]
fn what_is_not_synced_is_not_waited_for() {
    for sync in [true, false] {
        let case = Case::new(Some("old"));
        let out = case.out().synced(sync);
        let (written, steps) = with(Faults::default(), || write_atomic(&out, &Rope::new()));
        written.unwrap();
        for step in [Step::Sync, Step::SyncFolder] {
            assert_eq!(
                steps.contains(&step),
                sync && (cfg!(unix) || step == Step::Sync)
            );
        }
        assert_eq!(case.now(), (Some(Vec::new()), 2));
    }
}

/// Weights that cannot be read.
#[derive(Debug)]
struct Unreadable;

impl ReadAt for Unreadable {
    fn read_exact_at(&self, _: &mut [u8], _: u64) -> Result<()> {
        Err(Error::new(ErrorKind::Io, "unreadable"))
    }
}

#[test]
fn nothing_is_replaced_before_everything_is_written() {
    let case = Case::new(Some("old"));
    let other = Destination::new(case.folder.path().join("weights")).unwrap();
    let (mut fine, mut broken) = (Rope::new(), Rope::new());
    fine.push(&b"weights"[..]);
    broken.push_range(&Source::computed(100, Unreadable), 0..100);
    let weights = stage(&other, &fine).unwrap();
    assert!(stage(&case.out(), &broken).is_err());
    drop(weights);
    assert_eq!(case.now(), (Some(b"old".to_vec()), 2));
    stage(&other, &fine).unwrap().commit().unwrap();
    assert_eq!(case.now().1, 3, "the twin");
}

#[test]
fn a_link_replaces_a_file() {
    let case = Case::new(Some("old"));
    let input = case.folder.path().join("in");
    let (out, steps) = (case.out(), [Step::Create, Step::Rename, Step::SyncFolder]);
    for (number, step) in steps.iter().enumerate() {
        let faults = Faults {
            error: Some((number, EIO)),
            ..Faults::default()
        };
        let (linked, done) = with(faults, || stage_link(&out, &input)?.commit());
        assert_eq!((&done[..], linked.is_err()), (&steps[..=number], true));
        let old = *step != Step::SyncFolder;
        assert_eq!(case.now().0 == Some(b"old".to_vec()), old, "{step:?}");
        assert_eq!(case.now().1, 2);
    }
    assert!(case.now().0 == Some(vec![7; 600 << 10]));
}

#[test]
fn only_temporary_files_that_no_process_holds_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let other_host = ".dropout-onnx-0123abcd-dead.tmp";
    let ours = |name: &str| format!("{}{name}", prefix());
    let (dead, read_only, alive) = (ours("dead.tmp"), ours("ro.tmp"), ours("alive.tmp"));
    let kept = [
        "model.onnx",
        other_host,
        &alive,
        &ours("tmp"),
        &ours("folder.tmp"),
    ];
    for name in [
        "model.onnx",
        other_host,
        &dead,
        &read_only,
        &alive,
        &ours("tmp"),
    ] {
        fs::write(path(name), "").unwrap();
    }
    fs::create_dir(path(&ours("folder.tmp"))).unwrap();
    let mut permissions = path(&read_only).metadata().unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path(&read_only), permissions).unwrap();
    let held = File::open(path(&alive)).unwrap();
    held.lock().unwrap();
    sweep(folder.path());
    let is_there = |name: &str| path(name).exists();
    assert!(kept.into_iter().all(is_there));
    assert!(!is_there(&dead) && !is_there(&read_only));
    drop(held);
    sweep(folder.path());
    assert!(!is_there(&alive), "its process has ended");
}

#[test]
fn a_file_of_a_run_that_is_not_over_is_not_swept() {
    for without in SYSTEMS {
        let case = Case::new(Some("old"));
        let faults = Faults {
            without: without.to_vec(),
            ..Faults::default()
        };
        let (out, mut rope) = (case.out(), Rope::new());
        rope.push(&b"new"[..]);
        let (staged, _) = with(faults, || stage(&out, &rope).unwrap());
        sweep(case.folder.path());
        staged.commit().unwrap();
        assert_eq!(case.now(), (Some(b"new".to_vec()), 2));
    }
}

/// The value of an attribute; `None` also where the file system has none.
#[cfg(unix)]
fn attribute(path: &Path) -> Option<Vec<u8>> {
    xattr::get(path, "user.origin").ok().flatten()
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_attributes_and_a_copy_has_its_times_too() {
    use std::os::unix::fs::PermissionsExt;
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let modified = |path: &Path| path.metadata().unwrap().modified().unwrap();
    for without in SYSTEMS {
        for copy in [false, true] {
            let case = Case::new(Some("old"));
            let (input, out) = (case.folder.path().join("in"), case.out());
            let like = if copy { &input } else { out.real() };
            fs::set_permissions(like, fs::Permissions::from_mode(0o640)).unwrap();
            if xattr::set(like, "user.origin", b"training").is_err() {
                return; // a file system without extended attributes
            }
            File::open(like).unwrap().set_modified(then).unwrap();
            let faults = Faults {
                without: without.to_vec(),
                ..Faults::default()
            };
            let to = if copy {
                out.clone().as_copy_of(&input)
            } else {
                out.clone()
            };
            let (written, _) = with(faults, || write_atomic(&to, &Rope::new()));
            written.unwrap();
            assert_eq!(attribute(out.real()).as_deref(), Some(&b"training"[..]));
            let mode = out.real().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o640);
            assert_eq!(
                modified(out.real()) == then,
                copy,
                "a changed file is newer"
            );
        }
    }
    // the twin: a new file is not like its folder's others
    let case = Case::new(None);
    xattr::set(case.folder.path().join("in"), "user.origin", b"training").unwrap();
    case.write().unwrap();
    assert_eq!(attribute(case.out().real()), None);
}
