"""Writes the models in this folder, with Keras 3 and tf2onnx (.ci/keras_requirements.txt):

    python tests/keras/make.py

`.keras` is what `model.save` writes, `.onnx` what `model.export(format="onnx")` writes. In `mlp_mc` two
dropouts are called with `training=True`, the way to keep them on for Monte Carlo dropout.
"""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from keras import layers as L

HERE = Path(__file__).parent


def mlp(on):
    x = L.Input((8,), name="x")
    h = L.Dense(6, activation="relu", name="fc1")(x)
    d = L.Dropout(0.3, name="drop1")(h, **on)
    block = [L.Input((6,)), L.Dense(6, name="fc2"), L.Dropout(0.2, name="drop2", seed=1)]
    d = keras.Sequential(block, name="block")(d)
    h = L.Add(name="skip")([h, d])
    h = L.GaussianDropout(0.1, name="gd")(h)
    h = L.GaussianNoise(0.1, name="gn")(h)
    h = L.AlphaDropout(0.25, name="ad")(h, **on)
    h = L.Dropout(0.5, name="last")(h)
    y = L.Dense(3, activation="softmax", name="head")(h)
    return keras.Model(x, y, name="mlp")


def seq():
    x = L.Input((5, 4), name="x")
    lstm = L.LSTM(3, dropout=0.2, recurrent_dropout=0.1, return_sequences=True, name="lstm")
    h = L.Bidirectional(lstm, name="bi")(x)
    h = L.TimeDistributed(L.Dropout(0.4, name="inner"), name="td")(h)
    h = L.SpatialDropout1D(0.15, name="sd")(h)
    a = L.MultiHeadAttention(2, 3, dropout=0.12, name="mha")(h, h)
    h = L.Add(name="add")([h, a])
    h = L.GRU(3, dropout=0.3, name="gru")(h)
    y = L.Dense(2, name="head")(h)
    return keras.Model(x, y, name="seq")


def cnn():
    layers = [
        L.Input((8, 8, 3)),
        L.Conv2D(4, 3, activation="relu", name="c1"),
        L.SpatialDropout2D(0.1, name="s2"),
        L.MaxPooling2D(name="p"),
        L.Flatten(name="f"),
        L.Dropout(0.5, name="dropout_1"),
        L.Dense(4, activation="relu", name="d1"),
        L.Dropout(0.25, name="dropout_2"),
        L.Dense(2, name="d2"),
    ]
    return keras.Sequential(layers, name="cnn")


keras.utils.set_random_seed(1)
for name, model in [("mlp", mlp({})), ("mlp_mc", mlp({"training": True})), ("cnn", cnn()), ("seq", seq())]:
    model(np.zeros((2, *model.input_shape[1:]), "float32"))
    if name != "mlp_mc":
        model.save(HERE / f"{name}.keras")
    model.export(HERE / f"{name}.onnx", format="onnx", verbose=False)
