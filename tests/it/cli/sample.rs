//! `sample`: what it prints and writes, and what it refuses.

use std::io::Cursor;

use ndarray::ArrayD;
use ndarray_npy::NpzReader;
use tract_onnx::pb;

use crate::common::cli::{Folder, Said, fixture, golden, test_data};

const STEM: &str = "torch_course_preserve_op17"; // x: float[batch, 20], y: softmax of 10

fn folder() -> Folder {
    Folder::with(STEM, "model.onnx")
}

/// Numbers with a decimal point, to two digits that count: the others depend on the processor. Columns
/// are as wide as they were.
fn rounded(text: &str) -> String {
    let mut out = String::new();
    for piece in text.split_inclusive(|c: char| !(c.is_ascii_digit() || c == '.')) {
        let digits = piece.trim_end_matches(|c: char| !(c.is_ascii_digit() || c == '.'));
        match digits.parse::<f64>() {
            Ok(number) if digits.len() > 4 && digits.contains('.') && number != 0.0 => {
                let decimals = (1.0 - number.log10().floor()).max(0.0) as usize;
                let width = digits.len();
                out.push_str(&format!("{:<width$}", format!("{number:.decimals$}")));
                out.push_str(&piece[digits.len()..]);
            }
            _ => out.push_str(piece),
        }
    }
    let lines = out.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

/// The same of JSON, which has no columns.
fn rounded_json(text: &str) -> String {
    let text = rounded(text);
    let lines = text.lines().map(|line| match line.strip_suffix(',') {
        Some(line) => format!("{},\n", line.trim_end()),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn reports() {
    for (stem, options) in [
        (STEM, "--runs 100 --seed 7"),
        ("keras_course_train_op8", "--runs 30 --rates 0.1,0.3,0.5"),
        ("keras3_kinds_op15", "--runs 20 --dim unk__10549=1"),
        ("tf1_if_op9", "--runs 10"),
        ("torch_mask_output_op13", "--runs 20 --classes y=logits"),
    ] {
        let folder = Folder::with(stem, "model.onnx");
        let said = folder.run(&format!("sample model.onnx {options}")).exits(0);
        assert!(said.stderr.is_empty(), "{}", said.stderr);
        golden(&format!("sample_{stem}"), &rounded(said.text()));
    }
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let folder = folder();
    let say = |seed: u32| {
        let said = folder.run(&format!(
            "sample model.onnx --runs 5 --seed {seed} --format json"
        ));
        said.exits(0).stdout
    };
    assert_eq!(say(3), say(3));
    assert_ne!(say(3), say(4));
}

#[test]
fn json_has_the_figures() {
    let folder = folder();
    let said = folder.run("sample model.onnx --runs 5 --seed 3 --format json");
    let document = said.exits(0).json();
    assert_eq!(document["schema"], "dropout-onnx/sample/1");
    assert_eq!(
        (&document["runs"], &document["seed"]),
        (&5.into(), &3.into())
    );
    assert_eq!(document["sites"].as_array().unwrap().len(), 2);
    assert_eq!(document["random_inputs"][0], "x");
    assert_eq!(document["samplings"][0]["rate"], serde_json::Value::Null);
    let output = &document["samplings"][0]["outputs"][0];
    assert_eq!(output["name"], "y");
    for figures in ["mean", "std", "deterministic"] {
        assert_eq!(output[figures].as_array().unwrap().len(), 20, "{figures}");
    }
    let classes = &output["classes"];
    for figures in ["entropy", "agreement", "top", "deterministic_top"] {
        assert_eq!(classes[figures].as_array().unwrap().len(), 2, "{figures}");
    }
}

#[test]
fn every_format() {
    let folder = folder();
    let sample = "sample model.onnx --runs 20 --seed 7 --dim batch=1";
    let json = folder.run(&format!("{sample} --format json")).exits(0);
    golden("sample_json", &rounded_json(json.text()));
    let sweep = folder.run(&format!("{sample} --rates 0.1,0.5 -o a.json -v"));
    golden("sample_sweep", &rounded(sweep.exits(0).text()));
    let document = String::from_utf8(folder.read("a.json")).unwrap();
    golden("sample_sweep_json", &rounded_json(&document));
    folder
        .run(&format!("{sample} --rates 0.1,0.5 -o a.npz --force"))
        .exits(0);
    let mut reader = NpzReader::new(Cursor::new(folder.read("a.npz"))).unwrap();
    let mut arrays: Vec<String> = Vec::new();
    for name in reader.names().unwrap() {
        let name = name.trim_end_matches(".npy").to_string();
        let shape = match name.as_str() {
            "runs" | "seed" | "mask_seed" | "y.top" => {
                let array: ArrayD<u64> = reader.by_name(&name).unwrap();
                format!("u64{:?}", array.shape())
            }
            _ => {
                let array: ArrayD<f64> = reader.by_name(&name).unwrap();
                format!("f64{:?}", array.shape())
            }
        };
        arrays.push(format!("{name}: {shape}\n"));
    }
    arrays.sort();
    golden("sample_npz", &arrays.concat());
}

#[test]
fn standard_output_takes_any_format() {
    let folder = folder();
    let run = |options: &str| {
        let said = folder.run(&format!("sample model.onnx --runs 5 {options}"));
        said.exits(0)
    };
    run("-o a.npz");
    assert_eq!(run("-o - --format npz").stdout, folder.read("a.npz"));
    run("-o a.json");
    assert_eq!(run("-o - --format json").stdout, folder.read("a.json"));
    assert_eq!(run("-q --format json").stdout, folder.read("a.json"));
    run("-o a.txt");
    assert_eq!(run("-o - -q").stdout, folder.read("a.txt"));
    assert!(!folder.exists("-"));
    // the plot is beside IN then
    let swept = run("-o - --format json --rates 0.1,0.2").json();
    assert_eq!(swept["plot"], "model.sample.svg");
    assert!(folder.exists("model.sample.svg"));
}

/// A bar is for terminals: here, with a terminal of util-linux' `script` around it, and without.
#[cfg(target_os = "linux")]
#[test]
fn progress_is_shown_on_a_terminal_only() {
    let folder = folder();
    let said = folder.run("sample model.onnx --runs 300").exits(0);
    assert!(said.stderr.is_empty(), "{}", said.stderr);
    let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx").display();
    let on_terminal = |options: &str| {
        let line = format!("{binary} sample model.onnx --runs 300 -o a.json --force {options}");
        let mut script = assert_cmd::Command::new("script");
        script.args(["-qec", &line, "typescript"]);
        script
            .current_dir(folder.path(""))
            .env("TERM", "xterm-256color");
        let shown = Said::new(&mut script).exits(0).stdout;
        String::from_utf8_lossy(&shown).into_owned()
    };
    let shown = on_terminal("");
    assert!(
        shown.contains("sampling") && shown.contains("/300"),
        "{shown}"
    );
    assert!(shown.contains("sampled"), "{shown}");
    // the twin
    let quiet = on_terminal("-q");
    assert!(!quiet.contains("sampling"), "{quiet}");
}

#[test]
fn figures_go_into_files_by_their_names() {
    let folder = folder();
    let run = |options: &str| {
        folder
            .run(&format!("sample model.onnx --runs 5 {options}"))
            .exits(0)
    };
    let said = run("-o a.npz");
    assert!(
        said.text().ends_with("written   a.npz\n"),
        "{}",
        said.text()
    );
    let mut reader = NpzReader::new(Cursor::new(folder.read("a.npz"))).unwrap();
    let mean: ArrayD<f64> = reader.by_name("y.mean").unwrap();
    assert_eq!(mean.shape(), [2, 10]);
    run("-o a.json");
    let document: serde_json::Value = serde_json::from_slice(&folder.read("a.json")).unwrap();
    let of_json = document["samplings"][0]["outputs"][0]["mean"][3]
        .as_f64()
        .unwrap();
    assert!((of_json - mean[[0, 3]]).abs() < 1e-12);
    run("-o a.txt --color always");
    let text = String::from_utf8(folder.read("a.txt")).unwrap();
    assert!(
        text.starts_with("sampled   2 dropout layers, p=0.5\n"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
    run("-o b.dat --format npz");
    assert_eq!(folder.read("b.dat"), folder.read("a.npz"));
    assert!(run("-q -o c.npz").stdout.is_empty());
    assert!(!folder.exists("model.sample.svg"));
}

#[test]
fn a_sweep_is_plotted() {
    let folder = folder();
    let sweep = "sample model.onnx --runs 4 --rates 0.1,0.2";
    let said = folder.run(sweep).exits(0);
    assert!(
        said.text().ends_with("written   model.sample.svg\n"),
        "{}",
        said.text()
    );
    let svg = String::from_utf8(folder.read("model.sample.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    // never over a file that is there
    let kept = folder.listing();
    for again in [
        sweep,
        &format!("{sweep} -o other.npz --plot model.sample.svg"),
    ] {
        folder.refuses(again, &["model.sample.svg: already exists", "--force"]);
    }
    assert!(folder.listing() == kept);
    folder.run(&format!("{sweep} --force --seed 1")).exits(0);
    assert_ne!(folder.read("model.sample.svg"), svg.as_bytes());
    folder.run(&format!("{sweep} -o figures.npz")).exits(0);
    assert!(folder.exists("figures.svg"));
    folder.run(&format!("{sweep} --plot other.svg -q")).exits(0);
    assert_eq!(folder.read("other.svg"), svg.into_bytes());
    // one rate is a point
    folder
        .run("sample model.onnx --runs 4 --rates 0.1 -o one.npz")
        .exits(0);
    assert!(!folder.exists("one.svg"));
}

#[test]
fn from_standard_input() {
    let folder = Folder::new();
    let model = std::fs::read(fixture(STEM)).unwrap();
    let said = folder
        .run_fed("sample - --runs 4 --rates 0.1,0.2", model.clone())
        .exits(0);
    assert!(!said.text().contains("written"), "{}", said.text());
    folder
        .run_fed("sample - --runs 4 --rates 0.1,0.2 --plot a.svg", model)
        .exits(0);
    assert!(folder.exists("a.svg"));
}

/// The floats of a `TensorProto`.
fn tensor_of(file: &std::path::Path) -> ArrayD<f32> {
    use prost::Message;
    let tensor = pb::TensorProto::decode(&std::fs::read(file).unwrap()[..]).unwrap();
    let shape: Vec<usize> = tensor.dims.iter().map(|&dim| dim as usize).collect();
    let (floats, _) = tensor.raw_data.as_chunks::<4>();
    let floats = floats.iter().map(|&bytes| f32::from_le_bytes(bytes));
    ArrayD::from_shape_vec(shape, floats.collect()).unwrap()
}

#[test]
fn data_is_used_where_given() {
    let folder = folder();
    let set = test_data(STEM, 0);
    let said = folder.run(&format!(
        "sample model.onnx --runs 4 --input {}",
        set.display()
    ));
    let said = said.exits(0);
    assert!(said.text().contains("from --input"), "{}", said.text());
    assert!(!said.text().contains("random ("), "{}", said.text());
    // the same numbers, however they come, give the same figures
    let tensor = tensor_of(&set.join("input_0.pb"));
    ndarray_npy::write_npy(folder.path("x.npy"), &tensor).unwrap();
    ndarray_npy::write_npy(folder.path("wide.npy"), &tensor.mapv(f64::from)).unwrap();
    let mut archive =
        ndarray_npy::NpzWriter::new(std::fs::File::create(folder.path("x.npz")).unwrap());
    archive.add_array("x", &tensor).unwrap();
    archive.finish().unwrap();
    let figures = |input: &str| {
        let said = folder.run(&format!(
            "sample model.onnx --runs 4 --format json --input {input}"
        ));
        let document = said.exits(0).json();
        assert_eq!(document["random_inputs"], serde_json::json!([]), "{input}");
        document["samplings"].clone()
    };
    let of_set = figures(&set.display().to_string());
    let bare = set.join("input_0.pb").display().to_string();
    for input in ["x=x.npy", "x=wide.npy", "x=x.npz", "all=x.npz", &bare] {
        assert_eq!(figures(input), of_set, "{input}");
    }
    // the twin
    ndarray_npy::write_npy(folder.path("x.npy"), &tensor.mapv(|x| x + 1.0)).unwrap();
    assert_ne!(figures("x=x.npy"), of_set);
    let said = folder
        .run("sample model.onnx --runs 4 --dim batch=3")
        .exits(0);
    assert!(
        said.text().contains("x[3, 20]: random ("),
        "{}",
        said.text()
    );
}
