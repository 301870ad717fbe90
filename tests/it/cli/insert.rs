//! `insert` and `set` as commands: what they refuse, and what they write.

use dropout_onnx::onnx::Model;

use crate::common::cli::{Folder, fixture, golden};

const COURSE: &str = "torch_course_eval_op17";
const ACTIVE: &str = "torch_course_preserve_op17";

#[test]
fn bad_arguments_of_insert_write_nothing() {
    let folder = Folder::with(COURSE, "m.onnx");
    folder.write("nothing.toml", "rate = 0.5\n");
    folder.write("broken.toml", "rate = 0.5\n[[insert]\n");
    folder.write("unknown.toml", "rate = 0.5\n[[insert]]\nbehind = 'Relu'\n");
    folder.write("rate.toml", "[[insert]]\nafter = 'Relu'\nrate = 1.0\n");
    folder.write("empty.toml", "rate = 0.5\n[[insert]]\nrate = 0.5\n");
    for (arguments, words) in [
        ("--after Relu --rate 1.0", &["--rate", "is not a rate"][..]),
        (
            "--after Relu --rate -0.1",
            &["--rate", "-0.1 is not a rate"],
        ),
        ("--after Relu --rate NaN", &["--rate", "NaN is not a rate"]),
        (
            "--after Relu --rate half",
            &["--rate", "`half` is not a number"],
        ),
        ("--after Relu=1.5", &["--after", "is not a rate"]),
        ("--after Relu=NaN", &["--after", "NaN is not a rate"]),
        ("--after Relu", &["after Relu: no rate; give --rate"]),
        ("--rate 0.3", &["no position selected", "--sites"]),
        (
            "--rate 0.3 --after Relux",
            &["m.onnx", "no node has the operator `Relux`", "Gemm, Relu"],
        ),
        ("--rate 0.3 --name zz*", &["name `zz*` matches nothing"]),
        (
            "--rate 0.3 --layer encoder",
            &["no layer matches `encoder`"],
        ),
        ("--rate 0.3 --at h", &["there is no value `h`"]),
        (
            "--rate 0.3 --preset tail",
            &["unknown preset `tail`", "head, conv"],
        ),
        (
            "--rate 0.3 --preset attention",
            &["preset attention matches nothing"],
        ),
        ("--rate 0.3 --after Relu --mode loud", &["expected inert"]),
        (
            "--rate 0.3 --after Relu --mode runtime:x",
            &["`x` is an input of type"],
        ),
        (
            "--rate 0.3 --after Relu --shared-axes 1",
            &["--shared-axes needs --mode active"],
        ),
        (
            "--rate 0.3 --after Relu --mode active --shared-axes 7",
            &["no axis 7"],
        ),
        ("--plan missing.toml", &["missing.toml", "No such file"]),
        ("--plan nothing.toml", &["no position selected"]),
        ("--plan broken.toml", &["broken.toml", "line 2"]),
        ("--plan unknown.toml", &["unknown.toml", "line 3", "behind"]),
        (
            "--plan rate.toml",
            &["rate.toml", "insert 1", "is not a rate"],
        ),
        (
            "--plan empty.toml",
            &["empty.toml", "insert 1", "selects nothing"],
        ),
    ] {
        folder.refuses(&format!("insert m.onnx {arguments}"), words);
    }
}

#[test]
fn bad_arguments_of_set_write_nothing() {
    let folder = Folder::with(ACTIVE, "m.onnx");
    folder.copy(COURSE, "none.onnx");
    folder.copy("torch_course_training_op9", "op9.onnx");
    for (arguments, words) in [
        ("m.onnx --rate 1.0", &["--rate", "is not a rate"][..]),
        ("m.onnx --rate -0.1", &["--rate", "-0.1 is not a rate"]),
        ("m.onnx --rate NaN", &["--rate", "NaN is not a rate"]),
        ("m.onnx", &["nothing to change"]),
        ("m.onnx --seed one", &["--seed", "not `one`"]),
        (
            "m.onnx --rate 0.2 --where colour=red",
            &["unknown key `colour`"],
        ),
        (
            "m.onnx --rate 0.2 --where layer=encoder",
            &["no dropout matches layer=encoder", "2, 5"],
        ),
        (
            "none.onnx --rate 0.2",
            &["none.onnx", "the model has no dropout"],
        ),
        (
            "op9.onnx --mode active",
            &["op9.onnx", "opset 9", "opset 12 or later"],
        ),
        ("op9.onnx --seed 3", &["Dropout of opset 9 has no seed"]),
    ] {
        folder.refuses(&format!("set {arguments}"), words);
    }
}

#[test]
fn inserted_and_stripped_is_the_original() {
    let folder = Folder::with(COURSE, "m.onnx");
    folder
        .run("insert m.onnx --rate 0.3 --preset head --mode active --seed 3")
        .exits(0);
    folder.run("strip m.dropout.onnx").exits(0);
    assert!(folder.read("m.dropout.stripped.onnx") == folder.read("m.onnx"));
    assert!(folder.read("m.dropout.onnx") != folder.read("m.onnx"));
}

#[test]
fn a_plan_file_does_what_options_do() {
    let folder = Folder::with(COURSE, "m.onnx");
    let plan = "rate = 0.2\nmode = 'active'\nseed = 3\n\n[[insert]]\nafter = 'Relu'\nlayer = '1'\n\n\
                [[insert]]\nat = '/4/Relu_output_0'\nrate = 0.5\n";
    folder.write("plan.toml", plan);
    folder.run("insert m.onnx a.onnx --plan plan.toml").exits(0);
    let options = "--name /1/Relu=0.2 --at /4/Relu_output_0=0.5 --mode active --seed 3";
    folder
        .run(&format!("insert m.onnx b.onnx {options}"))
        .exits(0);
    assert!(folder.read("a.onnx") == folder.read("b.onnx"));
    // an option counts for more than the file
    folder
        .run("insert m.onnx c.onnx --plan plan.toml --rate 0.4")
        .exits(0);
    let model = Model::open(folder.path("c.onnx")).unwrap();
    let text = dropout_onnx::show::text(&model).unwrap();
    assert!(
        text.contains("{0.4}") && text.contains("{0.5}") && !text.contains("{0.2}"),
        "{text}"
    );
}

#[test]
fn a_list_of_sites_is_a_plan_file() {
    let folder = Folder::with("tf1_if_op9", "m.onnx");
    folder.copy("torch_attention_inert_op17", "a.onnx");
    folder.copy(COURSE, "c.onnx");
    for (model, chosen, options) in [
        ("c", "", "--preset head=0.5"),
        ("c", "--name *Relu* --rate 0.2 --seed 3 --mode active", ""),
        (
            "c",
            "--after Relu --rate 0.2 --mode active --shared-axes -1",
            "",
        ),
        ("m", "--name * --rate 0.2", ""),
        ("a", "--after MatMul=0.2 --after Softmax=0.1", ""),
    ] {
        let plan = folder.run(&format!(
            "insert {model}.onnx --sites {chosen} --format toml"
        ));
        folder.write("plan.toml", plan.exits(0).text());
        let (from_plan, direct) = (
            folder.run(&format!(
                "insert {model}.onnx p.onnx --force --plan plan.toml"
            )),
            folder.run(&format!(
                "insert {model}.onnx d.onnx --force {chosen} {options}"
            )),
        );
        from_plan.exits(0);
        direct.exits(0);
        assert!(
            folder.read("p.onnx") == folder.read("d.onnx"),
            "{model} {chosen}"
        );
    }
    let plan = folder.run("insert c.onnx --sites --name * --seed 3 --format toml");
    golden("insert_plan", plan.exits(0).text());
    folder.refuses(
        "insert c.onnx --preset head --rate 0.5 --format toml",
        &["--format toml requires --sites"],
    );
}

#[test]
fn a_dry_run_and_a_list_of_sites_write_nothing() {
    let folder = Folder::with(COURSE, "m.onnx");
    let before = folder.listing();
    folder
        .run("insert m.onnx --rate 0.3 --preset head --dry-run")
        .exits(0);
    folder
        .run("set m.onnx --rate 0.3 --dry-run")
        .refused(&["no dropout"]);
    let said = folder
        .run("insert m.onnx --sites --format json")
        .exits(0)
        .json();
    assert_eq!(said["sites"][0]["preset"], "head");
    assert_eq!(said["sites"][0]["shape"][1], "64");
    assert!(folder.listing() == before);
}

#[test]
fn reports_in_json() {
    let folder = Folder::with(COURSE, "m.onnx");
    let said = folder.run("insert m.onnx --rate 0.3 --after Relu --mode active --format json");
    let said = said.exits(0).json();
    assert_eq!(
        (&said["inserted"], &said["output"]),
        (&2.into(), &"m.dropout.onnx".into())
    );
    assert_eq!(
        said["verification"]["acting"]["sites"][0]["result"],
        "as_said"
    );
    let said = folder
        .run("set m.dropout.onnx --mode runtime:on --format json")
        .exits(0)
        .json();
    assert_eq!(
        (&said["changed"], &said["switch"]),
        (&2.into(), &"on".into())
    );
    assert_eq!(said["output"], "m.dropout.set.onnx");
}

#[test]
fn reports() {
    let folder = Folder::with(COURSE, "m.onnx");
    let said = folder.run("insert m.onnx --sites").exits(0);
    golden("insert_sites", said.text());
    let said = folder
        .run("insert m.onnx --rate 0.3 --name *Relu* --at /3/Gemm_output_0=0.1")
        .exits(0);
    golden("insert_inert", said.text());
    let said = folder.run("show m.dropout.onnx").exits(0);
    golden("show_insert_after", said.text());
    let said = folder
        .run("insert m.onnx r.onnx --rate 0.3 --preset head --mode runtime:on")
        .exits(0);
    golden("insert_runtime", &counted(said.text()));
    std::fs::copy(fixture(ACTIVE), folder.path("a.onnx")).unwrap();
    let said = folder
        .run("set a.onnx --rate 0.2 --seed 7 --where layer=2")
        .exits(0);
    golden("set_operators", &counted(said.text()));
    for (name, file) in [("before", "a"), ("after", "a.set")] {
        let said = folder.run(&format!("show {file}.onnx")).exits(0);
        golden(&format!("show_set_{name}"), said.text());
    }
}

/// Without what depends on which inputs are 0, and so on the processor.
fn counted(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(" runs, ") {
        Some((before, after)) if line.contains("sampled:") => {
            let before = before.rsplit_once('(').map_or(before, |(before, _)| before);
            let after = after.split_once(" draws").map_or(after, |(_, after)| after);
            format!("{before}(N runs, N draws{after}")
        }
        _ => line.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
