//! `insert` and `set` as commands: what they refuse, and what they write.

use crate::common::cli::Folder;

const COURSE: &str = "torch_course_eval_op17";

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
