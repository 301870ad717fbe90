"""Small models for every place a random mask can stand in, and for what only looks like one.

Real exporters write few of these. `write` puts a TRUTH.tsv beside them, as the shared models have.
"""

import csv
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .synthetic import B, F, I, info, node, scalar, subgraph

P = 0.25
KEEP = 1 - P
ALPHA = -1.7580993408473766
COLUMNS = ["file", "Dropout_forms", "random_forms", "source_dropouts(layer|kind|rate|active_as_called)"]


def number(name, value, kind=np.float32):
    return scalar(name, value, kind)


class Masks:
    """Spellings. Every one makes `y` of `x`; its own names begin with `y`."""

    def __init__(self):
        self.tensors, self.functions, self.imports = {}, [], []

    def constant(self, name, value, kind=np.float32):
        self.tensors.setdefault(name, number(name, value, kind))
        return name

    def uniform(self, x, r):
        """tf2onnx: shaped like x, whatever its shape."""
        fill = numpy_helper.from_array(np.zeros(1, np.float32))
        return [
            node("Shape", x, f"{r}_shape"),
            node("ConstantOfShape", f"{r}_shape", f"{r}_zeros", value=fill),
            node("RandomUniformLike", f"{r}_zeros", r, seed=0.0),
        ]

    def mask(self, x, m):
        """0 or 1 / keep."""
        p, s = self.constant("p", P), self.constant("scale", 1 / KEEP)
        return [
            *self.uniform(x, f"{m}_r"),
            node("GreaterOrEqual", f"{m}_r {p}", f"{m}_kept"),
            node("Cast", f"{m}_kept", f"{m}_number", to=F),
            node("Mul", f"{m}_number {s}", m),
        ]

    def keras(self, x, y):
        p, s, zero = self.constant("p", P), self.constant("scale", 1 / KEEP), self.constant("zero", 0.0)
        return [
            *self.uniform(x, f"{y}_r"),
            node("GreaterOrEqual", f"{y}_r {p}", f"{y}_kept"),
            node("Mul", f"{x} {s}", f"{y}_scaled"),
            node("Cast", f"{y}_kept", f"{y}_m", to=F),
            node("Mul", f"{y}_m {y}_scaled", f"{y}_masked"),
            node("Not", f"{y}_kept", f"{y}_dropped"),
            node("Cast", f"{y}_dropped", f"{y}_d", to=F),
            node("Mul", f"{zero} {y}_d", f"{y}_nothing"),
            node("Add", f"{y}_masked {y}_nothing", y),
        ]

    def keras3(self, x, y):
        key = numpy_helper.from_array(np.array([1, 2], np.int64), "key")
        counter = numpy_helper.from_array(np.array([3], np.int64), "counter")
        self.tensors |= {"key": key, "counter": counter}
        p, s, alg = self.constant("p", P), self.constant("scale", 1 / KEEP), self.constant("alg", 1, np.int32)
        return [
            node("Shape", x, f"{y}_shape"),
            node("StatelessRandomUniformV2", f"{y}_shape key counter {alg}", f"{y}_r"),
            node("GreaterOrEqual", f"{y}_r {p}", f"{y}_kept"),
            node("Cast", f"{y}_kept", f"{y}_m", to=F),
            node("Mul", f"{x} {s}", f"{y}_scaled"),
            node("Mul", f"{y}_scaled {y}_m", y),
        ]

    def torch(self, x, y):
        keep = self.constant("keep", KEEP)
        return [
            *self.uniform(x, f"{y}_r"),
            node("Less", f"{y}_r {keep}", f"{y}_kept"),
            node("Cast", f"{y}_kept", f"{y}_m", to=F),
            node("Div", f"{y}_m {keep}", f"{y}_s"),
            node("Mul", f"{x} {y}_s", y),
        ]

    def floor(self, x, y):
        keep = self.constant("keep", KEEP)
        return [
            *self.uniform(x, f"{y}_r"),
            node("Add", f"{keep} {y}_r", f"{y}_sum"),
            node("Floor", f"{y}_sum", f"{y}_m"),
            node("Div", f"{x} {keep}", f"{y}_scaled"),
            node("Mul", f"{y}_scaled {y}_m", y),
        ]

    def where(self, x, y):
        p, s, zero = self.constant("p", P), self.constant("scale", 1 / KEEP), self.constant("zero", 0.0)
        return [
            *self.uniform(x, f"{y}_r"),
            node("Less", f"{y}_r {p}", f"{y}_dropped"),
            node("Where", f"{y}_dropped {zero} {x}", f"{y}_masked"),
            node("Mul", f"{y}_masked {s}", y),
        ]

    def bernoulli(self, x, y):
        keep = self.constant("keep", KEEP)
        return [
            node("Shape", x, f"{y}_shape"),
            node("Expand", f"{keep} {y}_shape", f"{y}_keeps"),
            node("Bernoulli", f"{y}_keeps", f"{y}_m"),
            node("Mul", f"{x} {y}_m", f"{y}_masked"),
            node("Div", f"{y}_masked {keep}", y),
        ]

    def classic(self, x, y):
        p = self.constant("p", P)
        return [
            *self.uniform(x, f"{y}_r"),
            node("GreaterOrEqual", f"{y}_r {p}", f"{y}_kept"),
            node("Cast", f"{y}_kept", f"{y}_m", to=F),
            node("Mul", f"{x} {y}_m", y),
        ]

    def alpha(self, x, y):
        a = (KEEP * (1 + P * ALPHA**2)) ** -0.5
        p, one = self.constant("p", P), self.constant("one", 1.0)
        c, b = self.constant("alpha", ALPHA), self.constant("alpha_b", -a * ALPHA * P)
        a = self.constant("alpha_a", a)
        return [
            *self.uniform(x, f"{y}_r"),
            node("GreaterOrEqual", f"{y}_r {p}", f"{y}_kept"),
            node("Cast", f"{y}_kept", f"{y}_m", to=F),
            node("Mul", f"{x} {y}_m", f"{y}_left"),
            node("Sub", f"{one} {y}_m", f"{y}_d"),
            node("Mul", f"{c} {y}_d", f"{y}_filled"),
            node("Add", f"{y}_left {y}_filled", f"{y}_mixed"),
            node("Mul", f"{a} {y}_mixed", f"{y}_times"),
            node("Add", f"{y}_times {b}", y),
        ]

    def gaussian(self, x, y):
        sigma, one = self.constant("sigma", (P / KEEP) ** 0.5), self.constant("one", 1.0)
        return [
            node("RandomNormalLike", x, f"{y}_n"),
            node("Mul", f"{y}_n {sigma}", f"{y}_spread"),
            node("Add", f"{y}_spread {one}", f"{y}_noise"),
            node("Mul", f"{x} {y}_noise", y),
        ]

    def model(self, nodes, inputs=("x",), outputs=("y",), opset=15, tensors=(), kind=F, **parts):
        def typed(names):
            return [n if not isinstance(n, str) else info(n, kind) for n in names]

        tensors = [*self.tensors.values(), *tensors]
        graph = helper.make_graph(nodes, "g", typed(inputs), typed(outputs), tensors, **parts)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset), *self.imports],
            functions=self.functions,
            ir_version=8,
            producer_name="judge",
        )


SPELLINGS = "keras keras3 torch floor where bernoulli classic alpha gaussian".split()
DROPOUT, OTHER = "d|Dropout|0.25|True", "o|NOT dropout: other randomness|1.0|True"
MODELS = {}  # name: (build, how many random operators are no dropout)


def stands(kept=0):
    def register(build):
        MODELS[build.__name__] = (build, kept)
        return build

    return register


# -- where a mask stands


@stands()
def input_to_output(b):
    return b.model(b.keras("x", "y"))


@stands()
def output_is_read_too(b):
    return b.model([node("Neg", "x", "a"), *b.keras("a", "y"), node("Abs", "y", "z")], outputs=("y", "z"))


@stands()
def both_ends_are_outputs(b):
    return b.model([node("Neg", "x", "a"), *b.torch("a", "y")], outputs=("a", "y"))


@stands()
def unscaled_to_output(b):
    return b.model(b.classic("x", "y"))


@stands()
def two_in_a_row(b):
    return b.model([node("Neg", "x", "a"), *b.keras("a", "d"), *b.where("d", "e"), node("Abs", "e", "y")])


@stands()
def after_an_operator(b):
    return b.model(
        [node("Dropout", "x rate on", "a"), *b.keras("a", "d"), node("Abs", "d", "y")],
        tensors=[number("rate", 0.5), number("on", True, np.bool_)],
    )


@stands()
def mask_used_twice(b):
    return b.model(
        [
            *b.mask("x", "m"),
            node("Neg", "x", "a"),
            node("Mul", "x m", "d"),
            node("Mul", "m a", "e"),
            node("Tanh", "d", "f"),
            node("Sub", "f e", "y"),
        ]
    )


@stands()
def data_masked_twice(b):
    return b.model([*b.keras("x", "d"), *b.torch("x", "e"), node("Tanh", "d", "f"), node("Sub", "f e", "y")])


@stands()
def transposed_on_the_way(b):
    p, s = b.constant("p", P), b.constant("scale", 1 / KEEP)
    return b.model(
        [
            node("Neg", "x", "a"),
            node("Mul", f"a {s}", "scaled"),
            node("Transpose", "scaled", "turned"),
            *b.uniform("turned", "r"),
            node("GreaterOrEqual", f"r {p}", "kept"),
            node("Cast", "kept", "m", to=F),
            node("Mul", "turned m", "d"),
            node("Tanh", "d", "e"),
            node("Transpose", "e", "y"),
        ]
    )


@stands()
def shared_with_what_stays(b):
    """The shape and the constants of the mask are read by others too."""
    return b.model(
        [
            node("Neg", "x", "a"),
            *b.keras("a", "d"),
            node("Reshape", "d d_r_shape", "e"),
            node("Mul", "e scale", "f"),
            node("Add", "f p", "y"),
        ]
    )


@stands()
def beside_dead_nodes(b):
    """Dead before, by others' doing: they stay."""
    return b.model(
        [node("Neg", "x", "a"), node("Exp", "a", "unused"), *b.keras("a", "d"), node("Abs", "d", "y")],
        tensors=[number("never_read", 7)],
    )


@stands()
def spatial(b):
    p, s = b.constant("p", P), b.constant("scale", 1 / KEEP)
    ones = numpy_helper.from_array(np.zeros((2, 1), np.float32), "like")
    return b.model(
        [
            node("RandomUniformLike", "like", "r"),
            node("GreaterOrEqual", f"r {p}", "kept"),
            node("Cast", "kept", "m", to=F),
            node("Mul", f"x {s}", "scaled"),
            node("Mul", "scaled m", "d"),
            node("Abs", "d", "y"),
        ],
        tensors=[ones],
    )


@stands()
def annotated(b):
    model = b.model([node("Neg", "x", "a"), *b.keras("a", "d"), node("Abs", "d", "y")])
    return onnx.shape_inference.infer_shapes(model)


@stands()
def half_precision(b):
    half = TensorProto.FLOAT16
    for name, value in (("p", P), ("scale", 1 / KEEP)):
        b.constant(name, value, np.float16)
    return b.model(
        [
            node("RandomUniformLike", "x", "r"),
            node("GreaterOrEqual", "r p", "kept"),
            node("Cast", "kept", "m", to=half),
            node("Mul", "x scale", "scaled"),
            node("Mul", "m scaled", "d"),
            node("Abs", "d", "y"),
        ],
        kind=half,
    )


# -- in other scopes


@stands()
def whole_branch(b):
    then, other = subgraph(b.keras("a", "t"), ["t"]), subgraph([node("Identity", "a", "e")], ["e"])
    return b.model(
        [node("Neg", "x", "a"), node("If", "on", "y", then_branch=then, else_branch=other)],
        inputs=("x", info("on", B, [])),
    )


@stands()
def read_in_a_branch(b):
    """Made outside, read inside only."""
    then, other = subgraph([node("Abs", "d", "t")], ["t"]), subgraph([node("Exp", "a", "e")], ["e"])
    return b.model(
        [
            node("Neg", "x", "a"),
            *b.keras("a", "d"),
            node("If", "on", "y", then_branch=then, else_branch=other),
        ],
        inputs=("x", info("on", B, [])),
    )


def loop(nodes, states, tensors=(), scans=()):
    """Of three steps; `states`: (outside, inside, next, result)."""
    inputs = [info("step", I, []), info("go", B, []), *(info(s[1]) for s in states)]
    body = subgraph(
        [*nodes, node("Identity", "go", "again")],
        [info("again", B, []), *(s[2] for s in states), *scans],
        inputs,
        tensors=tensors,
    )
    given = " ".join(s[0] for s in states)
    return node("Loop", f"trips on {given}", " ".join(s[3] for s in states), body=body)


def looped(b, nodes, before=(), after=(), states=(("x", "h", "next", "h_last"),)):
    tensors = [number("trips", 3, np.int64), number("on", True, np.bool_)]
    ending = after or [node("Abs", "h_last", "y")]
    return b.model([*before, loop(nodes, states), *ending], tensors=tensors)


@stands()
def drawn_every_step(b):
    return looped(b, [*b.keras("h", "d"), node("Tanh", "d", "next")])


@stands()
def drawn_once_and_captured(b):
    return looped(b, [node("Mul", "h m", "d"), node("Tanh", "d", "next")], before=b.mask("x", "m"))


@stands()
def drawn_once_and_carried(b):
    """The mask is a state of the loop that never changes (Keras 3)."""
    states = [("x", "h", "next", "h_last"), ("m", "m_in", "m_out", "m_last")]
    nodes = [node("Mul", "h m_in", "d"), node("Tanh", "d", "next"), node("Identity", "m_in", "m_out")]
    return looped(b, nodes, before=b.mask("x", "m"), states=states)


@stands()
def carried_before_another_state(b):
    states = [("m", "m_in", "m_in", "m_last"), ("x", "h", "next", "h_last")]
    return looped(
        b, [node("Mul", "h m_in", "d"), node("Tanh", "d", "next")], before=b.mask("x", "m"), states=states
    )


@stands()
def in_a_function(b):
    constants = [
        helper.make_node("Constant", [], [n], value=number("", v))
        for n, v in (("p", P), ("scale", 1 / KEEP), ("zero", 0.0))
    ]
    body = [*constants, *b.keras("v", "w")]
    b.tensors.clear()
    b.functions.append(
        helper.make_function("judge", "Drop", ["v"], ["w"], body, [helper.make_opsetid("", 15)])
    )
    b.imports.append(helper.make_opsetid("judge", 1))
    return b.model(
        [
            node("Drop", "x", "a", domain="judge"),
            node("Tanh", "a", "b"),
            node("Drop", "b", "y", domain="judge", name="again"),
        ]
    )


@stands()
def drawn_in_a_function(b):
    """The function draws, its caller multiplies (torch 2.4)."""
    body = [
        node("RandomUniformLike", "like", "r"),
        helper.make_node("Constant", [], ["k"], value=number("", KEEP)),
        node("Less", "r k", "kept"),
        node("Cast", "kept", "m", to=F),
    ]
    b.functions.append(
        helper.make_function("judge", "Draw", ["like"], ["m"], body, [helper.make_opsetid("", 15)])
    )
    b.imports.append(helper.make_opsetid("judge", 1))
    keep = b.constant("keep", KEEP)
    return b.model(
        [
            node("Neg", "x", "a"),
            node("Draw", "a", "mask", domain="judge"),
            node("Div", f"mask {keep}", "s"),
            node("Mul", "a s", "d"),
            node("Tanh", "d", "y"),
        ]
    )


@stands()
def in_a_scan(b):
    state = subgraph(
        [*b.keras("h", "d"), node("Tanh", "d", "next"), node("Add", "d piece", "out")],
        [info("next", F, [4]), info("out", F, [4])],
        [info("h", F, [4]), info("piece", F, [4])],
    )
    start = numpy_helper.from_array(np.array([1, 2, 3, 4], np.float32), "start")
    scan = node("Scan", "start x", "last y", body=state, num_scan_inputs=1)
    return b.model([scan], outputs=(info("last", F, [4]), "y"), tensors=[start])


@stands()
def captured_two_levels_in(b):
    """Drawn outside, used in a branch within a loop."""
    then = subgraph([node("Mul", "h m", "d"), node("Tanh", "d", "t")], ["t"])
    other = subgraph([node("Abs", "h", "e")], ["e"])
    return looped(
        b,
        [node("If", "on", "next", then_branch=then, else_branch=other)],
        before=b.mask("x", "m"),
    )


# -- in company


@stands()
def weights_are_masked(b):
    """DropConnect: what is masked is an initializer."""
    weights = numpy_helper.from_array(np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4), "w")
    return b.model([*b.keras("w", "d"), node("MatMul", "x d", "y")], tensors=[weights])


@stands()
def mask_meets_another_mask_first(b):
    """The other one is no dropout and stays."""
    padding = numpy_helper.from_array(np.array([[1, 1, 0, 0], [1, 0, 0, 0]], np.float32), "padding")
    return b.model(
        [
            *b.mask("x", "m"),
            node("Mul", "padding m", "both"),
            node("Mul", "x both", "d"),
            node("Tanh", "d", "y"),
        ],
        tensors=[padding],
    )


@stands()
def mask_meets_a_gate_first(b):
    return b.model(
        [
            *b.mask("x", "m"),
            node("Sigmoid", "x", "gate"),
            node("Mul", "gate m", "both"),
            node("Mul", "both x", "d"),
            node("Tanh", "d", "y"),
        ]
    )


@stands()
def one_draw_for_two_masks(b):
    p, q, s = b.constant("p", P), b.constant("q", 0.5), b.constant("scale", 1 / KEEP)
    two = b.constant("two", 2.0)
    return b.model(
        [
            *b.uniform("x", "r"),
            node("GreaterOrEqual", f"r {p}", "kept"),
            node("Cast", "kept", "m", to=F),
            node("Mul", f"m {s}", "ms"),
            node("Mul", "x ms", "d"),
            node("GreaterOrEqual", f"r {q}", "kept_too"),
            node("Cast", "kept_too", "n", to=F),
            node("Mul", f"n {two}", "ns"),
            node("Tanh", "d", "e"),
            node("Mul", "e ns", "f"),
            node("Abs", "f", "y"),
        ]
    )


@stands()
def residual(b):
    return b.model([*b.torch("x", "d"), node("Add", "x d", "e"), node("Tanh", "e", "y")])


@stands()
def shape_is_read_after(b):
    """Of the masked value, who also reads its shape."""
    return b.model(
        [
            node("Neg", "x", "a"),
            *b.keras("a", "d"),
            node("Shape", "d", "shape"),
            node("Expand", "one shape", "ones"),
            node("Add", "d ones", "y"),
        ],
        tensors=[number("one", 1.0)],
    )


@stands()
def chosen_by_a_flag(b):
    """Where(training, dropped, x), with the flag an input."""
    return b.model(
        [*b.keras("x", "d"), node("Where", "training d x", "e"), node("Tanh", "e", "y")],
        inputs=("x", info("training", B, [])),
    )


@stands()
def threshold_is_a_tensor(b):
    keeps = numpy_helper.from_array(np.full((2, 4), KEEP, np.float32), "keeps")
    return b.model(
        [
            node("RandomUniformLike", "x", "r"),
            node("Less", "r keeps", "kept"),
            node("Cast", "kept", "m", to=F),
            node("Mul", "x m", "masked"),
            node("Div", "masked keeps", "d"),
            node("Tanh", "d", "y"),
        ],
        tensors=[keeps],
    )


@stands()
def given_to_a_function(b):
    """The mask is an argument; the function multiplies."""
    body = [node("Mul", "v m", "d"), node("Tanh", "d", "w")]
    b.functions.append(
        helper.make_function("judge", "Use", ["v", "m"], ["w"], body, [helper.make_opsetid("", 15)])
    )
    b.imports.append(helper.make_opsetid("judge", 1))
    return b.model([*b.mask("x", "mask"), node("Use", "x mask", "y", domain="judge")])


@stands()
def keep_is_an_input(b):
    return b.model(
        [
            *b.uniform("x", "r"),
            node("Less", "r keep", "kept"),
            node("Cast", "kept", "m", to=F),
            node("Div", "x keep", "scaled"),
            node("Mul", "scaled m", "d"),
            node("Abs", "d", "y"),
        ],
        inputs=("x", info("keep", F, [])),
    )


@stands()
def two_masks_meet_first(b):
    return b.model(
        [
            *b.mask("x", "m"),
            *b.mask("x", "n"),
            node("Mul", "m n", "both"),
            node("Mul", "x both", "d"),
            node("Tanh", "d", "y"),
        ]
    )


# -- what is no dropout


@stands(1)
def sampling_of_a_vae(b):
    half = b.constant("half", 0.5)
    return b.model(
        [
            *b.keras("x", "d"),
            node("Neg", "d", "mean"),
            node("Tanh", "d", "log"),
            node("Mul", f"log {half}", "l"),
            node("Exp", "l", "deviation"),
            node("RandomNormalLike", "mean", "n"),
            node("Mul", "deviation n", "scaled"),
            node("Add", "mean scaled", "y"),
        ]
    )


@stands(1)
def gaussian_noise(b):
    sigma = b.constant("sigma", 0.1)
    return b.model(
        [
            node("Neg", "x", "a"),
            node("RandomNormalLike", "a", "n"),
            node("Mul", f"n {sigma}", "spread"),
            node("Add", "a spread", "d"),
            *b.keras("d", "e"),
            node("Abs", "e", "y"),
        ]
    )


@stands(1)
def randomised_leaky_relu(b):
    zero = b.constant("zero", 0.0)
    return b.model(
        [
            node("RandomUniformLike", "x", "slope", low=0.125, high=0.3333),
            node("Mul", "x slope", "leaky"),
            node("Less", f"x {zero}", "negative"),
            node("Where", "negative leaky x", "y"),
        ]
    )


@stands(1)
def random_flip(b):
    half, like = b.constant("half", 0.5), numpy_helper.from_array(np.zeros((2, 1), np.float32), "like")
    backwards = numpy_helper.from_array(np.array([3, 2, 1, 0], np.int64), "backwards")
    return b.model(
        [
            node("RandomUniformLike", "like", "r"),
            node("LessOrEqual", f"r {half}", "flip"),
            node("Gather", "x backwards", "flipped", axis=1),
            node("Where", "flip flipped x", "y"),
        ],
        tensors=[like, backwards],
    )


@stands(1)
def random_contrast(b):
    return b.model(
        [
            node("ReduceMean", "x", "mean", axes=[1], keepdims=1),
            node("Sub", "x mean", "a"),
            node("RandomUniformLike", "like", "factor", low=0.8, high=1.2),
            node("Mul", "a factor", "c"),
            node("Add", "c mean", "y"),
        ],
        tensors=[numpy_helper.from_array(np.zeros((2, 1), np.float32), "like")],
    )


@stands(1)
def gate_of_the_data(b):
    return b.model(
        [
            node("Sigmoid", "x", "chance"),
            node("Bernoulli", "chance", "m"),
            node("Mul", "x m", "y"),
        ]
    )


@stands(1)
def uniform_noise(b):
    return b.model(
        [
            node("RandomUniformLike", "x", "n", low=-0.1, high=0.1),
            node("Add", "x n", "d"),
            node("Tanh", "d", "y"),
        ]
    )


@stands(1)
def noise_scaled_by_data(b):
    return b.model(
        [
            node("RandomNormalLike", "x", "n"),
            node("Abs", "x", "size"),
            node("Mul", "n size", "scaled"),
            node("Add", "x scaled", "d"),
            node("Tanh", "d", "y"),
        ]
    )


@stands(1)
def gumbel_softmax(b):
    return b.model(
        [
            node("RandomUniformLike", "x", "u", low=0.01, high=0.99),
            node("Log", "u", "l"),
            node("Neg", "l", "n"),
            node("Log", "n", "m"),
            node("Sub", "x m", "logits"),
            node("Softmax", "logits", "y"),
        ]
    )


@stands(1)
def blend_of_two(b):
    """mask * x + (1 - mask) * other: a mixture, and neither is dropped."""
    half, one = b.constant("half", 0.5), b.constant("one", 1.0)
    return b.model(
        [
            node("Tanh", "x", "other"),
            node("RandomUniformLike", "x", "r"),
            node("Less", f"r {half}", "take"),
            node("Cast", "take", "m", to=F),
            node("Mul", "x m", "a"),
            node("Sub", f"{one} m", "rest"),
            node("Mul", "other rest", "b"),
            node("Add", "a b", "y"),
        ]
    )


@stands(1)
def threshold_of_the_data(b):
    """As gate_of_the_data, by a comparison."""
    return b.model(
        [
            node("Sigmoid", "x", "chance"),
            node("RandomUniformLike", "x", "r"),
            node("Less", "r chance", "take"),
            node("Cast", "take", "m", to=F),
            node("Mul", "x m", "y"),
        ]
    )


@stands(1)
def mask_is_counted(b):
    """What the mask looks like goes into the result, with no data."""
    return b.model(
        [
            *b.mask("x", "m"),
            node("ReduceSum", "m", "n", keepdims=0),
            node("Add", "x n", "d"),
            node("Tanh", "d", "y"),
        ]
    )


def all_models():
    """(name, model, how many random operators stay)"""
    for spelling in SPELLINGS:
        b = Masks()
        body = [node("Neg", "x", "a"), *getattr(b, spelling)("a", "d"), node("Tanh", "d", "y")]
        yield f"masked_{spelling}", b.model(body), 0
    for name, (build, kept) in MODELS.items():
        yield f"masked_{name}", build(Masks()), kept


def write(folder):
    """The models, and what a TRUTH.tsv says of them."""
    rows = []
    for name, model, kept in all_models():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
        operators = {"ratio input=0.5": 1} if name == "masked_after_an_operator" else {}
        sources = ";".join([OTHER] * kept or [DROPOUT])
        forms = [json.dumps(operators), json.dumps({"others": kept})]
        rows.append([f"{name}.onnx", *forms, sources])
    with (folder / "TRUTH.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([COLUMNS, *rows])
