"""What stands around dropout: ordinary layers that keep the shape."""

import numpy as np


def weights(b, *shape):
    made = np.random.default_rng(int(b.random.integers(1 << 30)))
    return made.uniform(-0.7, 0.7, shape)


def dense(b, x, shape):
    y = b.op("MatMul", x, b.const(weights(b, shape[-1], shape[-1])))
    return b.op("Add", y, b.const(weights(b, shape[-1]))) if b.has(7) else y


def relu(b, x, _shape):
    return b.op("Relu", x)


def tanh(b, x, _shape):
    return b.op("Tanh", x)


def sigmoid(b, x, _shape):
    return b.op("Sigmoid", x)


def softmax(b, x, shape):
    return b.op("Softmax", x, axis=len(shape) - 1)


def swish(b, x, _shape):
    return b.op("Mul", x, b.op("Sigmoid", x))


def bias(b, x, shape):
    return b.op("Add", x, b.const(weights(b, shape[-1])))


def scale(b, x, shape):
    factor = weights(b, shape[-1]) + 1 if b.random.random() < 0.5 else np.float64(0.7)
    return b.op("Mul", x, b.const(factor))


def norm(b, x, shape):
    axes = {"axes": [len(shape) - 1]} if not b.has(18) else {}
    rest = [b.const([-1], np.int64)] if b.has(18) else []
    mean = b.op("ReduceMean", x, *rest, keepdims=1, **axes)
    centred = b.op("Sub", x, mean)
    variance = b.op("ReduceMean", b.op("Mul", centred, centred), *rest, keepdims=1, **axes)
    deviation = b.op("Sqrt", b.op("Add", variance, b.const(1e-2)))
    return b.op("Div", centred, deviation)


def layer_norm(b, x, shape):
    size = shape[-1]
    return b.op("LayerNormalization", x, b.const(weights(b, size) + 1), b.const(weights(b, size)))


def convolution(b, x, shape):
    if len(shape) != 4:
        return dense(b, x, shape)
    channels = shape[1]
    kernel = int(b.random.choice([1, 3]))
    pads = [kernel // 2] * 4
    return b.op("Conv", x, b.const(weights(b, channels, channels, kernel, kernel)), pads=pads)


def residual(b, x, shape):
    return b.op("Add", x, tanh(b, dense(b, x, shape), shape))


def there_and_back(b, x, shape):
    order = [0, *range(len(shape) - 1, 0, -1)]
    return b.op("Transpose", relu(b, b.op("Transpose", x, perm=order), shape), perm=order)


def flattened(b, x, shape):
    rows = b.op("Reshape", x, b.const([-1, shape[-1]], np.int64))
    sizes = [-1, *shape[1:]]
    return b.op("Reshape", tanh(b, rows, shape), b.const(sizes, np.int64))


ANY = (dense, relu, tanh, sigmoid)
FROM_7 = (swish, bias, scale, norm, convolution, residual, there_and_back, flattened, softmax)
LINEAR = (dense, bias, scale)


def layers(b):
    if b.linear:
        return LINEAR if b.has(7) else (dense,)
    found = ANY
    if b.has(7):
        found += FROM_7
    if b.has(17):
        found += (layer_norm,)
    return found
