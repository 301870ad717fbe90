"""A model of Keras, exported and audited: in this test where TensorFlow and tf2onnx are installed, and
as the fixture that they wrote everywhere."""

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import FIXTURES

import dropout_onnx as do

RATES = [0.5, 0.25]


def test_the_fixture_of_the_course():
    audit = do.audit(FIXTURES / "keras_course_random_mask_op13.onnx")
    assert [site.layer for site in audit.sites] == ["course/dropout", "course/dropout_1"]
    assert [(site.form, site.mode, site.rate) for site in audit.sites] == [
        ("random_mask", "active", 0.5)
    ] * 2
    model = onnx.load(FIXTURES / "keras_course_random_mask_op13.onnx")
    stripped = do.strip(model).model
    x = np.random.default_rng(0).standard_normal((4, 20)).astype(np.float32)
    clean, twin = (
        onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
        for proto in (stripped, onnx.load(FIXTURES / "keras_course_infer_op15.onnx"))
    )
    np.testing.assert_allclose(clean, twin, rtol=1e-5, atol=1e-6)


def test_exported_here():
    tf = pytest.importorskip("tensorflow")
    tf2onnx = pytest.importorskip("tf2onnx")
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            tf.keras.Input((20,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(RATES[0]),
            layers.Dense(32, activation="relu"),
            layers.Dropout(RATES[1]),
            layers.Dense(10, activation="softmax"),
        ],
        name="course",
    )
    signature = [tf.TensorSpec((None, 20), tf.float32, name="x")]

    def export(training):
        call = tf.function(lambda x: model(x, training=training), input_signature=signature)
        proto, _ = tf2onnx.convert.from_function(call, input_signature=signature, opset=15)
        return proto

    trained = export(True)
    audit = do.audit(trained)
    assert [site.rate for site in audit.sites] == RATES
    assert audit.verdict == "active"
    stripped = do.strip(trained)
    assert stripped.removed.dropouts == 2 and not do.audit(stripped.model).sites
    # Keras 3 draws with an operator that no runtime loads; stripped, the model runs, and is Keras'
    x = np.random.default_rng(0).standard_normal((4, 20)).astype(np.float32)
    session = onnxruntime.InferenceSession(stripped.model.SerializeToString())
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(y, model(x, training=False).numpy(), rtol=1e-4, atol=1e-5)
    # the twin: exported for inference there is none
    assert do.audit(export(False)).verdict == "clean"
