//! Models run in a process of their own, which may crash, hang, or run out of memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dropout_onnx::onnx::Model;
use dropout_onnx::source::Source;
use dropout_onnx::verify::engine::{Host, Isolation};
use dropout_onnx::verify::{self, run};
use dropout_onnx::{ErrorKind, Interrupt};

use crate::common::cli::{Folder, fixture, unwrapped};
use prost::Message;

use crate::common::build::{f32s, graph, i64s, int, model, op};
use crate::common::proto::Node;
use crate::engine::both::ort_is_here;

/// A Dropout and what comes after it, from `x` of the given shape to `y`.
fn file(folder: &Folder, dims: &[i64], after: Node, weights: &[(&str, &[f32])]) {
    use dropout_onnx::onnx::DataType;
    let mut graph = graph([op("d = Dropout(x)"), after])
        .input_of("x", DataType::FLOAT, dims)
        .output("y");
    for (name, elements) in weights {
        graph = graph.init(name, f32s(&[elements.len() as i64], elements));
    }
    let graph = graph.init("pads", i64s(&[0, 0, 100_000, 100_000]));
    folder.write("model.onnx", model(17, graph).encode_to_vec());
}

/// tract 0.23.9 reads past the shape of an input that has one axis.
fn crashes(folder: &Folder) {
    let node = op("y = BatchNormalization(d, s, b, m, v)");
    let one: &[(&str, &[f32])] = &[("s", &[1.0]), ("b", &[0.0]), ("m", &[0.0]), ("v", &[1.0])];
    file(folder, &[10], node, one);
}

/// tract 0.23.9 counts from the axis to the last one.
fn hangs(folder: &Folder, axis: i64) {
    let node = op("y = LayerNormalization(d, s, b)").with(int("axis", axis));
    file(
        folder,
        &[1, 4, 2],
        node,
        &[("s", &[1.0, 1.0]), ("b", &[0.0, 0.0])],
    );
}

/// 40 GB.
fn exhausts(folder: &Folder) {
    file(folder, &[4, 8], op("y = Pad(d, pads)"), &[]);
}

#[track_caller]
fn not_run(folder: &Folder, arguments: &str, why: &str) {
    let engine = if arguments.contains("--engine") {
        ""
    } else {
        " --engine tract"
    };
    let said = folder.run(&format!("{arguments}{engine}")).exits(0);
    assert!(said.text().contains("identical"), "{}", said.text());
    let text = unwrapped(said.text());
    assert!(text.contains(&format!("not run: {why}")), "{text}");
    assert!(folder.exists("model.stripped.onnx"));
}

#[test]
fn a_crash_of_the_engine_is_not_one_of_the_command() {
    let folder = Folder::new();
    crashes(&folder);
    not_run(&folder, "strip model.onnx", "tract crashed");
    let refused = folder.refuses(
        "strip model.onnx o.onnx --verify run --engine tract",
        &["tract crashed"],
    );
    assert!(refused.contains("nothing was written"), "{refused}");
    let twice = "verify model.onnx model.stripped.onnx --verify run --engine tract";
    let said = folder.run(twice);
    assert_eq!(said.status, 2, "{said:?}");
    assert!(said.text().contains("not run: tract crashed"), "{said:?}");
}

#[test]
fn a_model_that_never_ends_is_given_up() {
    let folder = Folder::new();
    hangs(&folder, -1000);
    let why = "tract did not finish within 1 s (--timeout)";
    not_run(&folder, "strip model.onnx --timeout 1", why);
    // the twin: an axis that it has
    hangs(&folder, -1);
    let said = folder.run("strip model.onnx --timeout 60 --force").exits(0);
    assert!(said.text().contains("equal outputs"), "{}", said.text());
}

#[test]
fn a_model_that_needs_too_much_memory_is_not_run() {
    let folder = Folder::new();
    exhausts(&folder);
    let why = "tract needs more than 2.0 GiB of memory (--memory-limit)";
    not_run(&folder, "strip model.onnx --memory-limit 2GiB", why);
    // the twin: what fits runs under the same limit
    folder.copy("torch_mlp_training_op7", "small.onnx");
    let said = folder.run("strip small.onnx --memory-limit 2GiB").exits(0);
    assert!(said.text().contains("equal outputs"), "{}", said.text());
}

#[test]
fn both_engines_name_the_memory_limit() {
    let folder = Folder::new();
    exhausts(&folder);
    for (engine, name) in [("tract", "tract"), ("ort", "ONNX Runtime")] {
        if engine == "ort" && !ort_is_here() {
            continue;
        }
        for (limit, words) in [("500MiB", "500.0 MiB"), ("1MiB", "1.0 MiB")] {
            let command =
                format!("strip model.onnx --engine {engine} --memory-limit {limit} --force");
            let why = format!("{name} needs more than {words} of memory (--memory-limit)");
            not_run(&folder, &command, &why);
        }
    }
}

/// What is not used does not count.
#[test]
fn a_limit_counts_what_the_engine_needs() {
    let folder = Folder::new();
    folder.copy("torch_mlp_training_op7", "model.onnx");
    let said = folder
        .run("strip model.onnx --engine tract --memory-limit 100MiB")
        .exits(0);
    assert!(said.text().contains("equal outputs"), "{}", said.text());
}

#[test]
fn a_small_file_whose_values_double_is_not_run() {
    let folder = Folder::new();
    let doubled = |levels: usize| {
        let nodes = (0..levels).map(|n| {
            let value = if n == 0 {
                "x".to_string()
            } else {
                format!("v{}", n - 1)
            };
            op(&format!("v{n} = Concat({value}, {value})")).with(int("axis", 0))
        });
        let nodes = nodes.chain([op(&format!("y = Dropout(v{})", levels - 1))]);
        let graph = graph(nodes).input_of("x", dropout_onnx::onnx::DataType::FLOAT, &[4, 8]);
        folder.write("model.onnx", model(17, graph.output("y")).encode_to_vec());
    };
    doubled(40);
    not_run(&folder, "strip model.onnx --memory-limit 500MB", "tract");
    doubled(4);
    let said = folder
        .run("strip model.onnx --memory-limit 500MB --force")
        .exits(0);
    assert!(said.text().contains("equal outputs"), "{}", said.text());
}

#[test]
fn sampling_is_isolated_too() {
    let folder = Folder::new();
    hangs(&folder, -1000);
    folder.refuses(
        "sample model.onnx --timeout 1 --engine tract",
        &["did not finish within 1 s"],
    );
}

fn settings(program: impl AsRef<Path>) -> run::Settings {
    run::Settings::default().host(Host::isolated(Isolation::new(program.as_ref())))
}

fn compare(model: &Model, settings: run::Settings) -> dropout_onnx::Result<run::RunReport> {
    let how = verify::Options::asked(false, Some(settings));
    // with a model_version: identical bytes would not be run
    let source = model.source();
    let bytes = source.bytes(0..source.len())?;
    let other = Model::read(Source::from_bytes([&bytes[..], &[0x28, 1]].concat()))?;
    Ok(verify::verify(model, &other, &how)?.run.unwrap())
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_dropout-onnx");

#[test]
fn both_hosts_report_the_same() {
    let stems = [
        "torch_course_preserve_op17",
        "keras3_kinds_op15",
        "keras_course_random_mask_op13",
        "keras3_lstm_loop_state_op11",
    ];
    for stem in stems {
        let model = Model::open(fixture(stem)).unwrap();
        let here = compare(&model, run::Settings::default()).unwrap();
        let there = compare(&model, settings(PROGRAM)).unwrap();
        assert_eq!(format!("{here:?}"), format!("{there:?}"), "{stem}");
    }
}

#[test]
fn outputs_are_equal_to_the_bit_in_both_hosts() {
    use dropout_onnx::sample::{Options, sample};
    let model = Model::open(fixture("torch_course_preserve_op17")).unwrap();
    let of = |host: Host, seed| {
        let options = Options::default().runs(5).seed(seed).host(host);
        let report = sample(&model, &options, &mut |_, _| {}).unwrap();
        format!("{:?}", report.samplings)
    };
    let there = || Host::isolated(Isolation::new(PROGRAM));
    assert_eq!(of(Host::default(), 3), of(there(), 3));
    assert_ne!(of(Host::default(), 3), of(there(), 4));
}

#[test]
fn a_program_that_is_no_engine_is_an_error() {
    let model = Model::open(fixture("torch_mlp_training_op7")).unwrap();
    let error = compare(&model, settings("/no/such/program")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(
        error
            .to_string()
            .contains("cannot start the engine process"),
        "{error}"
    );
}

#[test]
fn a_request_to_stop_ends_a_run_that_hangs() {
    let folder = Folder::new();
    hangs(&folder, -1000);
    let model = Model::open(folder.path("model.onnx")).unwrap();
    let interrupt = Interrupt::default();
    let error = std::thread::scope(|scope| {
        let hanging = scope.spawn(|| interrupt.heeded(|| compare(&model, settings(PROGRAM))));
        std::thread::sleep(Duration::from_millis(300));
        interrupt.ask();
        hanging.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn a_request_to_stop_ends_quick_runs_without_end() {
    let model = Model::open(fixture("torch_course_preserve_op17")).unwrap();
    let endless = settings(PROGRAM).runs(usize::MAX);
    let interrupt = Interrupt::default();
    let error = std::thread::scope(|scope| {
        let endless = scope.spawn(|| interrupt.heeded(|| compare(&model, endless)));
        std::thread::sleep(Duration::from_millis(300));
        interrupt.ask();
        endless.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn a_folder_whose_name_is_not_unicode_is_no_reason_to_wait() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let odd = folder.path("").join(std::ffi::OsStr::from_bytes(b"m\xff"));
    std::fs::create_dir(&odd).unwrap();
    std::fs::copy(fixture("torch_mlp_training_op7"), odd.join("model.onnx")).unwrap();
    let mut command = crate::common::cli::command();
    let said =
        crate::common::cli::Said::new(command.arg("strip").arg(odd.join("model.onnx"))).exits(0);
    assert!(said.text().contains("structure: identical"), "{said:?}");
    assert!(said.text().contains("not run: "), "{said:?}");
}

/// The processes that a process has started.
#[cfg(target_os = "linux")]
fn children(id: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace()
        .map(|id| id.parse().unwrap())
        .collect()
}

/// True of a process that runs: not of one that has ended and waits for its parent.
#[cfg(target_os = "linux")]
fn runs(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("State:") && !line.contains('Z'))
}

#[cfg(target_os = "linux")]
#[test]
fn the_engine_ends_with_a_command_that_is_killed() {
    let folder = Folder::new();
    hangs(&folder, -1000);
    let mut command = Command::new(PROGRAM)
        .args(["strip", "model.onnx", "--verify", "run"])
        .current_dir(folder.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait_for = |what: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !what() && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
        what()
    };
    assert!(
        wait_for(&|| !children(command.id()).is_empty()),
        "no engine was started"
    );
    let engine = children(command.id())[0];
    std::thread::sleep(Duration::from_millis(300)); // it is in the middle of it
    assert!(runs(engine));
    command.kill().unwrap();
    command.wait().unwrap();
    assert!(
        wait_for(&|| !runs(engine)),
        "the engine outlives the command"
    );
}
