"""Builds one model node by node, in nested graphs and functions.

The same choices build a model in several forms: `training` says of each dropout whether it is emitted
as it is in training or as it is at inference. All random choices are therefore made before a builder
asks which form is wanted, and names of a site do not move those that follow it.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto, helper, numpy_helper

DOMAIN = "net"


@dataclass
class Scope:
    """A graph or a function under construction."""

    function: bool = False
    nodes: list = field(default_factory=list)
    initializers: list = field(default_factory=list)


class Builder:
    def __init__(self, random, opset, dtype, training, linear=False, spoil=None):
        self.random, self.opset = random, opset
        self.dtype, self.element = np.dtype(dtype), helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.training, self.linear, self.spoil = training, linear, spoil
        self.scopes = [Scope()]
        self.functions, self.inputs, self.outputs = [], [], []
        self.sites, self.near = [], []
        self.depth = 0
        self.symbolic = False
        self._prefixes, self._counts = [""], {"": 0}

    # Names and nodes

    def name(self, hint):
        prefix = self._prefixes[-1]
        self._counts[prefix] += 1
        return f"{prefix}{hint}_{self._counts[prefix]}"

    @contextmanager
    def prefixed(self, prefix):
        self._prefixes.append(prefix)
        self._counts.setdefault(prefix, 0)
        yield
        self._prefixes.pop()

    def op(self, op_type, *inputs, outputs=1, domain="", names=None, **attributes):
        """Adds a node; its output, or a list of them. An output named "" is left out."""
        names = names or [self.name(op_type.lower()) for _ in range(outputs)]
        given = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(
            op_type, list(inputs), names, name=f"n_{names[0]}", domain=domain, **given
        )
        self.scopes[-1].nodes.append(node)
        return names[0] if outputs == 1 else names

    def const(self, array, dtype=None, where=None):
        """A constant: an initializer here or of the main graph, or a Constant node."""
        array = np.asarray(array, dtype=self.dtype if dtype is None else dtype)
        where = where or self.random.choice(["here", "node", "main"])
        name = self.name("c")
        tensor = numpy_helper.from_array(array, name)
        if where == "node" and not self.has(9) and array.dtype.kind != "f":
            where = "here"  # Constant-1 has floating point numbers only
        in_function = any(scope.function for scope in self.scopes)
        if where == "node" or (in_function and where == "main") or self.scopes[-1].function:
            node = helper.make_node("Constant", [], [name], name=f"n_{name}", value=tensor)
            self.scopes[-1].nodes.append(node)
        else:
            scope = self.scopes[0] if where == "main" else self.scopes[-1]
            scope.initializers.append(tensor)
        return name

    def input(self, hint, element, shape):
        """A new input of the model; None in a function, which sees no names around it."""
        if any(scope.function for scope in self.scopes):
            return None
        name = self.name(hint)
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def has(self, version):
        return self.opset >= version

    # What is dropout and what only looks like it

    @contextmanager
    def site(self, spelling):
        """Yields whether this dropout is to be emitted as in training."""
        number = len(self.sites)
        self.sites.append(spelling)
        state = self.random.bit_generator.state
        with self.prefixed(f"s{number}_"):
            yield number in self.training
        # whatever was chosen inside, the choices that follow are the same in every form
        self.random.bit_generator.state = state
        self.random.random(7)

    @contextmanager
    def near_miss(self, spelling):
        number = len(self.near)
        self.near.append(spelling)
        with self.prefixed(f"m{number}_"):
            yield

    # Graphs in graphs

    @contextmanager
    def graph(self, function=False):
        """A scope whose nodes go into what is yielded."""
        scope = Scope(function)
        self.scopes.append(scope)
        self.depth += 1
        yield scope
        self.depth -= 1
        self.scopes.pop()

    def body(self, scope, name, inputs, outputs):
        return helper.make_graph(scope.nodes, name, inputs, outputs, scope.initializers)

    def declared(self, shape):
        """A shape of the main graph, as inputs and outputs declare it."""
        return ["batch", *shape[1:]] if self.symbolic else shape

    def info(self, name, shape=None, element=None):
        return helper.make_tensor_value_info(name, element or self.element, shape)

    def function(self, scope, name, inputs, outputs, attributes=()):
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(DOMAIN, 1)]
        self.functions.append(
            helper.make_function(DOMAIN, name, inputs, outputs, scope.nodes, imports, list(attributes))
        )

    def model(self):
        main = self.scopes[0]
        graph = helper.make_graph(main.nodes, "net", self.inputs, self.outputs, main.initializers)
        imports = [helper.make_opsetid("", self.opset)]
        if self.functions:
            imports.append(helper.make_opsetid(DOMAIN, 1))
        ir_version = 10 if self.opset >= 21 else 8 if self.functions or self.opset >= 15 else 7
        return helper.make_model(
            graph, functions=self.functions, opset_imports=imports, ir_version=ir_version
        )


BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64
