"""Dropout of models that onnx2torch imports, as PyTorch's own.

From opset 12 on, `Dropout` takes its rate as an input, and onnx2torch makes a module of its own of it. That
trains, but its rate is a tensor: `torch.export` and the exporters do not take it.

This module needs torch, but not the rest of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

__all__ = ["real_dropout"]

M = TypeVar("M")


def real_dropout(module: M) -> M:
    """Replaces the dropout of a model that `onnx2torch.convert` returned by `torch.nn.Dropout`, in place.

    Rates are the shortest decimals that are the same number in the model's type: 0.3, not
    0.30000001192092896. Modes (`train()`, `eval()`) stay.

    Args:
        module: The model, a `torch.fx.GraphModule` or a module with such inside.

    Returns:
        The same model.

    Raises:
        ValueError: The rate of a dropout is computed, or is an input of the model. Nothing is replaced.

    Examples:
        >>> import onnx2torch
        >>> from dropout_onnx.torch import real_dropout
        >>> module = real_dropout(onnx2torch.convert("trainable.onnx"))
    """
    torch: Any = import_module("torch")
    graphs = [m for m in _modules(module) if isinstance(m, torch.fx.GraphModule)]
    found = [(graph, node) for graph in graphs for node in graph.graph.nodes if _is_dynamic(graph, node)]
    rates = [_rate(torch, graph, node) for graph, node in found]
    for (graph, node), rate in zip(found, rates):
        dropout = torch.nn.Dropout(rate)
        dropout.train(graph.get_submodule(node.target).training)
        parent, _, name = node.target.rpartition(".")
        setattr(graph.get_submodule(parent), name, dropout)
        others = [other for other in node.all_input_nodes if other is not node.args[0]]
        node.args, node.kwargs = node.args[:1], {}
        for other in others:
            if other.op == "get_attr" and not other.users:
                graph.graph.erase_node(other)
    for graph in graphs:
        graph.recompile()
    for dropout in _modules(module):
        if type(dropout) is torch.nn.Dropout:
            dropout.p = _shortest(torch, torch.tensor(dropout.p, dtype=torch.float32), dropout.p)
    return module


def _modules(module: Any) -> list[Any]:
    return list(module.modules())


def _is_dynamic(graph: Any, node: Any) -> bool:
    return node.op == "call_module" and type(graph.get_submodule(node.target)).__name__ == "OnnxDropoutDynamic"


def _rate(torch: Any, graph: Any, node: Any) -> float:
    """The rate of a dynamic dropout, its second input."""
    given = node.args[1] if len(node.args) > 1 else node.kwargs.get("ratio", 0.5)
    if isinstance(given, (int, float)):
        return float(given)
    value = None
    if given is not None and given.op == "get_attr":
        value = graph
        for name in given.target.split("."):
            value = getattr(value, name)
    elif given is not None and given.op == "call_module":
        # a Constant; other modules compute something
        constant = graph.get_submodule(given.target)
        if type(constant).__name__ == "OnnxConstant":
            value = constant.value
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise ValueError(f"{node.target}: its rate is not a constant, so it is not the p of an nn.Dropout")
    return _shortest(torch, value, float(value))


def _shortest(torch: Any, value: Any, number: float) -> float:
    """The number with the fewest digits that is this value in its type."""
    for digits in range(1, 17):
        short = round(number, digits)
        if torch.tensor(short, dtype=value.dtype) == value:
            return short
    return number
