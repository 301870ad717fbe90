//! Where models come from and where results go.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;

use dropout_onnx::onnx::Model;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::common::cli::{Folder, Said};

const STEM: &str = "torch_mask_output_op13";

fn folder() -> Folder {
    Folder::with(STEM, "model.onnx")
}

fn dropouts(path: &Path) -> usize {
    let model = Model::open(path).unwrap();
    model.nodes().filter(|(_, node)| node.is("Dropout")).count()
}

/// What strip makes of the fixture.
fn result() -> Vec<u8> {
    let folder = folder();
    folder.run("strip model.onnx result.onnx").exits(0);
    assert_eq!(dropouts(&folder.path("result.onnx")), 0);
    folder.read("result.onnx")
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_file_is_as_private_as_the_model() {
    let folder = folder();
    let set = |mode| {
        let permissions = PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.path("model.onnx"), permissions).unwrap();
    };
    set(0o600);
    folder.run("strip model.onnx private.onnx").exits(0);
    assert_eq!(mode(&folder.path("private.onnx")), 0o600);
    set(0o640);
    folder.run("strip model.onnx private.onnx --force").exits(0);
    assert_eq!(mode(&folder.path("private.onnx")), 0o600, "it had a mode");
}

#[test]
fn the_default_output_is_next_to_the_model() {
    let folder = folder();
    let before = folder.listing();
    let said = folder.run("strip model.onnx").exits(0);
    assert!(said.stderr.is_empty(), "{}", said.stderr);
    assert!(
        said.text().contains("model.stripped.onnx"),
        "{}",
        said.text()
    );
    let after = folder.listing();
    assert_eq!(after.len(), 2);
    assert_eq!(
        after[Path::new("model.onnx")],
        before[Path::new("model.onnx")]
    );
    assert_eq!(folder.read("model.stripped.onnx"), result());
}

#[test]
fn the_default_keeps_folder_and_extension() {
    let folder = Folder::new();
    fs::create_dir(folder.path("sub")).unwrap();
    for (name, expected) in [
        ("sub/a.b.onnx", "sub/a.b.stripped.onnx"),
        ("bare", "bare.stripped"),
        ("model.ONNX", "model.stripped.ONNX"),
    ] {
        folder.copy(STEM, name);
        folder.run(&format!("strip {name}")).exits(0);
        assert!(folder.exists(expected), "{expected}");
    }
}

#[test]
fn out_is_positional_or_an_option() {
    let folder = folder();
    folder.run("strip model.onnx a.onnx").exits(0);
    folder.run("strip model.onnx -o b.onnx").exits(0);
    folder.run("strip --output c.onnx model.onnx").exits(0);
    for name in ["a.onnx", "b.onnx", "c.onnx"] {
        assert_eq!(folder.read(name), result());
    }
    assert!(!folder.exists("model.stripped.onnx"));
    folder.refuses(
        "strip model.onnx d.onnx -o e.onnx",
        &["cannot be used with"],
    );
    // several models in place: the second one is not OUT
    let said = folder.run("strip a.onnx d.onnx --in-place").exits(2);
    assert!(
        said.stderr.contains("d.onnx: cannot open"),
        "{}",
        said.stderr
    );
    folder.refuses(
        "strip model.onnx -o d.onnx --in-place",
        &["cannot be used with"],
    );
}

#[test]
fn a_model_passes_through_standard_input_and_output() {
    let folder = folder();
    let (bytes, expected) = (folder.read("model.onnx"), result());
    for arguments in ["strip -", "strip - -", "strip - -o -", "strip model.onnx -"] {
        let before = folder.listing();
        let said = folder.run_fed(arguments, bytes.clone()).exits(0);
        assert!(said.stdout == expected, "{arguments}");
        assert!(
            said.stderr.contains("removed"),
            "{arguments}: {}",
            said.stderr
        );
        assert!(folder.listing() == before);
    }
    let said = folder
        .run_fed("strip - from_stdin.onnx", bytes.clone())
        .exits(0);
    assert!(said.text().contains("from_stdin.onnx"));
    assert_eq!(folder.read("from_stdin.onnx"), expected);
    let said = folder.run_fed("strip - --format json", bytes).exits(0);
    assert!(said.stdout == expected);
    let report: serde_json::Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!(report["output"], "standard output");
}

#[test]
fn in_place_needs_a_file() {
    Folder::new().refuses("strip --in-place -", &["--in-place needs a file"]);
}

#[test]
fn in_place_replaces_files_only() {
    let folder = Folder::new();
    mknodat(CWD, folder.path("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    std::fs::create_dir(folder.path("sub")).unwrap();
    for place in ["pipe", "/dev/null"] {
        let names = [place, "is not a file, and --in-place replaces a file"];
        folder.refuses(&format!("strip --in-place {place}"), &names);
    }
    let names = ["sub", "no file in this folder matches *.onnx"];
    let said = folder.run("strip --in-place sub").exits(2);
    assert!(
        names.iter().all(|name| said.stderr.contains(name)),
        "{}",
        said.stderr
    );
}

#[test]
fn in_place_keeps_the_mode() {
    for bits in [0o600, 0o755, 0o640] {
        let folder = folder();
        let path = folder.path("model.onnx");
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        folder.run("strip --in-place model.onnx").exits(0);
        assert_eq!(mode(&path), bits);
        assert_eq!(folder.read("model.onnx"), result());
        assert_eq!(folder.listing().len(), 1);
    }
}

#[test]
fn force_keeps_the_mode_of_what_it_overwrites() {
    let folder = folder();
    folder.write("out.onnx", "old");
    fs::set_permissions(folder.path("out.onnx"), fs::Permissions::from_mode(0o600)).unwrap();
    folder.run("strip --force model.onnx out.onnx").exits(0);
    assert_eq!(mode(&folder.path("out.onnx")), 0o600);
    assert_eq!(folder.read("out.onnx"), result());
}

#[test]
fn a_new_file_has_the_mode_of_any_new_file() {
    let folder = folder();
    folder.write("other", "");
    folder.run("strip model.onnx").exits(0);
    assert_eq!(
        mode(&folder.path("model.stripped.onnx")),
        mode(&folder.path("other"))
    );
}

#[test]
fn in_place_keeps_a_link_and_replaces_its_target() {
    let folder = Folder::new();
    fs::create_dir(folder.path("store")).unwrap();
    folder.copy(STEM, "store/real.onnx");
    symlink("store/real.onnx", folder.path("hop.onnx")).unwrap();
    symlink("hop.onnx", folder.path("model.onnx")).unwrap();
    folder.run("strip -i model.onnx").exits(0);
    assert_eq!(
        fs::read_link(folder.path("model.onnx")).unwrap(),
        Path::new("hop.onnx")
    );
    assert_eq!(folder.read("store/real.onnx"), result());
    assert!(!folder.path("store/real.onnx").is_symlink());
    assert_eq!(folder.listing().len(), 4);
}

#[test]
fn a_link_as_out_is_kept_and_leads_to_the_result() {
    let folder = folder();
    symlink("real.onnx", folder.path("out.onnx")).unwrap();
    folder.run("strip model.onnx out.onnx").exits(0);
    assert!(folder.path("out.onnx").is_symlink());
    assert_eq!(folder.read("real.onnx"), result());
}

#[test]
fn nothing_is_written_when_there_is_nothing_to_do() {
    let folder = Folder::with("torch_course_eval_op17", "model.onnx");
    let before = folder.listing();
    for arguments in ["--in-place model.onnx", "model.onnx", "-n model.onnx"] {
        let said = folder.run(&format!("strip {arguments}")).exits(0);
        let expected = "model.onnx: no dropout in this file; nothing to strip, nothing written\n";
        assert_eq!(said.text(), expected, "{arguments}");
        assert!(folder.listing() == before, "{arguments}");
    }
    // the twins: a copy that was asked for, and another command
    let said = folder.run("fold --in-place model.onnx").exits(0);
    let expected = "nothing: model.onnx needs no change";
    assert!(said.text().contains(expected), "{}", said.text());
    assert!(folder.listing() == before);
    folder.run("strip model.onnx copy.onnx").exits(0);
    assert_eq!(folder.read("copy.onnx"), folder.read("model.onnx"));
}

#[test]
fn a_second_strip_gives_the_same_bytes() {
    let folder = folder();
    folder.run("strip model.onnx once.onnx").exits(0);
    folder.run("strip once.onnx twice.onnx").exits(0);
    assert_eq!(folder.read("twice.onnx"), folder.read("once.onnx"));
    let before = folder.listing();
    folder.run("strip --in-place once.onnx").exits(0);
    assert!(folder.listing() == before);
}

#[test]
fn an_existing_file_is_overwritten_only_with_force() {
    let folder = folder();
    folder.write("out.onnx", "precious");
    folder.refuses(
        "strip model.onnx out.onnx",
        &["out.onnx: already exists", "--force"],
    );
    folder.refuses(
        "strip model.onnx -o out.onnx",
        &["out.onnx: already exists"],
    );
    folder.write("model.stripped.onnx", "precious");
    folder.refuses("strip model.onnx", &["model.stripped.onnx: already exists"]);
    symlink("out.onnx", folder.path("link.onnx")).unwrap();
    folder.refuses("strip model.onnx link.onnx", &["link.onnx: already exists"]);
    folder.run("strip model.onnx out.onnx --force").exits(0);
    assert_eq!(folder.read("out.onnx"), result());
    folder.run("strip -f model.onnx").exits(0);
    assert_eq!(folder.read("model.stripped.onnx"), result());
}

#[test]
fn the_model_itself_is_no_place_for_the_result() {
    let folder = folder();
    fs::create_dir(folder.path("sub")).unwrap();
    symlink("model.onnx", folder.path("link.onnx")).unwrap();
    symlink(".", folder.path("here")).unwrap();
    fs::hard_link(folder.path("model.onnx"), folder.path("hard.onnx")).unwrap();
    let absolute = folder.path("model.onnx").display().to_string();
    for out in [
        "model.onnx",
        "./model.onnx",
        "sub/../model.onnx",
        "link.onnx",
        "here/model.onnx",
        "hard.onnx",
        &absolute,
    ] {
        for force in ["", "--force"] {
            let names = [out, "is both IN and OUT", "--in-place"];
            folder.refuses(&format!("strip model.onnx {out} {force}"), &names);
            folder.refuses(&format!("strip model.onnx -o {out} {force}"), &names);
        }
    }
    folder.refuses("strip link.onnx model.onnx -f", &["is both IN and OUT"]);
}

#[test]
fn a_dry_run_writes_nothing_and_reports_the_plan() {
    let folder = folder();
    let before = folder.listing();
    for (arguments, place) in [
        ("--dry-run", "model.stripped.onnx"),
        ("-n out.onnx", "out.onnx"),
        ("-n --in-place", "model.onnx"),
        ("-n -v", "model.stripped.onnx"),
    ] {
        let said = folder
            .run(&format!("strip model.onnx {arguments}"))
            .exits(0);
        let expected = format!("nothing (dry run); would be {place}\n");
        assert!(said.text().ends_with(&expected), "{}", said.text());
        assert!(
            said.text().contains("would remove 1 dropout layer"),
            "{}",
            said.text()
        );
    }
    // nor does a file that is in the way keep it from reporting
    folder.write("model.stripped.onnx", "in the way");
    let said = folder.run("strip model.onnx -n").exits(0);
    assert!(said.text().contains("would remove"), "{}", said.text());
    folder.refuses("strip model.onnx", &["model.stripped.onnx", "--force"]);
    fs::remove_file(folder.path("model.stripped.onnx")).unwrap();
    let said = folder.run("strip model.onnx -n --format json").exits(0);
    assert_eq!(said.json()["output"], serde_json::Value::Null);
    assert_eq!(said.json()["plan"][0]["action"], "remove");
    let said = folder.run("strip model.onnx - -n").exits(0);
    assert!(said.stdout.is_empty());
    assert!(said.stderr.contains("dry run"));
    assert!(folder.listing() == before);
}

#[test]
fn devices_and_pipes_are_written_to_and_never_replaced() {
    let folder = folder();
    folder.run("strip model.onnx /dev/null").exits(0);
    let meta = fs::metadata("/dev/null").unwrap();
    assert!(meta.file_type().is_char_device());

    let pipe = folder.path("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut bytes = Vec::new();
            fs::File::open(pipe)
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        }
    });
    folder.run("strip model.onnx pipe").exits(0);
    assert_eq!(reader.join().unwrap(), result());
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(folder.listing().len(), 2);
}

/// Opening a named pipe waits for a writer, and `/dev/zero` never ends.
#[test]
fn a_pipe_or_device_is_no_model() {
    let folder = folder();
    let pipe = folder.path("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for place in ["pipe", "/dev/zero"] {
        let names = [
            place,
            ": is a pipe or a device; copy its content to a regular file",
        ];
        for command in [
            format!("strip {place} out.onnx"),
            format!("audit {place}"),
            format!("show {place}"),
            format!("verify model.onnx {place}"),
            format!("verify {place} model.onnx"),
        ] {
            let said = folder.run(&command).exits(2);
            assert!(said.stderr.contains(&names.concat()), "{}", said.stderr);
        }
    }
    // nor data
    for name in ["x.npz", "x.npy", "x.pb"] {
        std::fs::rename(&pipe, folder.path(name)).unwrap();
        let said = folder.run(&format!("verify model.onnx model.onnx --input x={name}"));
        assert!(
            said.stderr.contains(": is a pipe or a device"),
            "{}",
            said.stderr
        );
        std::fs::rename(folder.path(name), &pipe).unwrap();
    }
    // a link to a regular file is one, and standard input may be a pipe
    std::os::unix::fs::symlink("model.onnx", folder.path("link")).unwrap();
    folder.run("strip link linked.onnx").exits(0);
    assert_eq!(folder.read("linked.onnx"), result());
    let fed = folder.run_fed("strip - fed.onnx", folder.read("model.onnx"));
    fed.exits(0);
    assert_eq!(folder.read("fed.onnx"), result());
}

#[test]
fn names_that_are_no_unicode_are_names() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let name = std::ffi::OsStr::from_bytes(b"m\xff.onnx");
    fs::rename(folder.path("model.onnx"), folder.path("").join(name)).unwrap();
    Said::new(folder.command().arg("strip").arg(name)).exits(0);
    let stripped = std::ffi::OsStr::from_bytes(b"m\xff.stripped.onnx");
    assert_eq!(fs::read(folder.path("").join(stripped)).unwrap(), result());
    Said::new(folder.command().arg("audit").arg(name)).exits(1);
    Said::new(folder.command().arg("show").arg(name)).exits(0);
}
