//! A model under test: `cargo insta review` shows what changed, and accepts it.

use dropout_onnx::onnx::Model;
use dropout_onnx::show;

#[test]
fn the_model_is_the_one_we_know() -> dropout_onnx::Result<()> {
    let model = Model::open("fixtures/keras_course_infer_op15.onnx")?;
    insta::assert_snapshot!(show::text(&model)?);
    Ok(())
}
