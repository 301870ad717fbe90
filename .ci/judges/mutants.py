"""Broken rewrites, made by Python from a rightly stripped model: `verify` must not call them equal.

Each returns a changed copy, or None when the model has no place for it.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import cuts, scopes
from .inference import inference_meaning, ones


def copy(model):
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def replace_reads(body, old, new, first_only=False):
    changed = 0
    for node in body.node:
        for index, name in enumerate(node.input):
            if name == old and not (first_only and changed):
                node.input[index] = new
                changed += 1
    return changed


def bodies(model):
    return [model.graph, *(s.body for s in scopes.scopes(model) if s.label != "graph")]


def changed_weight(before, model):
    """One element of a weight that is read, moved a little."""
    result = copy(model)
    for tensor in result.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 1:
            array = numpy_helper.to_array(tensor).copy()
            array.flat[array.size // 2] += np.float32(0.25)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
            return result
    return None


def dropped_relu(before, model):
    result = copy(model)
    for body in bodies(result):
        for node in list(body.node):
            if node.op_type == "Relu" and replace_reads(body, node.output[0], node.input[0]):
                body.node.remove(node)
                return result
    return None


def wrong_input(before, model):
    """Who read a Relu's output reads its input, as if a redirect went one step too far."""
    result = copy(model)
    for body in bodies(result):
        for node in reversed(body.node):
            if node.op_type in ("Relu", "Tanh", "Sigmoid") and replace_reads(
                body, node.output[0], node.input[0], first_only=True
            ):
                return result
    return None


def swapped_outputs(before, model):
    """Two outputs of the same type trade their producers."""
    result = copy(model)
    for body in bodies(result):
        for node in body.node:
            real = [o for o in node.output if o]
            if len(real) > 1 and len({str(o.type) for o in result.graph.output}) == 1:
                node.output[0], node.output[1] = node.output[1], node.output[0]
                return result
    return None


def scaled(before, model):
    """The other convention: the data is multiplied by 1 - rate."""
    result = copy(before)
    for scope in reversed(list(scopes.scopes(result))):
        for index, node in enumerate(scope.body.node):
            if not scopes.is_dropout(node) or scopes.mask_used(scope, node):
                continue
            half = helper.make_tensor("", TensorProto.FLOAT, [], [0.5])
            constant = helper.make_node("Constant", [], ["judge__half"], value=half)
            scale = helper.make_node("Mul", [node.input[0], "judge__half"], [node.output[0]])
            scope.body.node.remove(node)
            scope.body.node.insert(index, scale)
            scope.body.node.insert(index, constant)
            return inference_meaning(result)
    return None


def mask_of_zeros(before, model):
    """A mask that is read, filled with zeros in place of ones."""
    result = copy(before)
    for scope in scopes.scopes(result):
        for index, node in enumerate(scope.body.node):
            if not scopes.is_dropout(node) or not scopes.mask_used(scope, node):
                continue
            filled = ones(node, node.output[1], TensorProto.BOOL, scope.opset)
            filled[1].attribute[0].t.CopyFrom(helper.make_tensor("", TensorProto.FLOAT, [1], [0.0]))
            identity = helper.make_node("Identity", [node.input[0]], [node.output[0]])
            scope.body.node.remove(node)
            for offset, new in enumerate([identity, *filled]):
                scope.body.node.insert(index + offset, new)
            return inference_meaning(result)
    return None


def wrong_constant(before, model):
    """The same graph with an attribute changed: alpha of a Gemm, axis of a Softmax."""
    result = copy(model)
    for body in bodies(result):
        for node in body.node:
            if node.op_type == "Gemm":
                kept = [a for a in node.attribute if a.name != "alpha"]
                alpha = helper.make_attribute("alpha", 0.5)
                del node.attribute[:]
                node.attribute.extend([*kept, alpha])
                return result
    return None


def mask_scaled_up(before, model):
    """A random mask's 1 / (1 - rate) stays, though the mask went."""
    return cuts.without_masks(inference_meaning(before), 2.0) if has_masks(before) else None


def mask_scaled_down(before, model):
    """Classic dropout's scale, where the mask had been scaled already."""
    return cuts.without_masks(inference_meaning(before), 0.5) if has_masks(before) else None


def has_masks(model):
    return bool(cuts.masks.random_nodes(model))


ALL = [
    mask_scaled_up,
    mask_scaled_down,
    changed_weight,
    dropped_relu,
    wrong_input,
    swapped_outputs,
    scaled,
    mask_of_zeros,
    wrong_constant,
]
# Which fixtures the mutants are made of: main graph, functions, subgraphs, masks.
FIXTURES = [
    "keras_course_train_op8",
    "keras_lstm_loop_op11",
    "torch_course_preserve_op17",
    "torch_mask_output_op13",
    "torch_scripted_if_op13",
    "torch112_function_called_twice_op15",
    "torch112_nested_functions_op15",
    "jax2onnx_runtime_switch_op18",
    "keras_course_random_mask_op13",
    "torch24_nested_functions_random_mask_op18",
    "keras3_lstm_loop_state_op11",
    "keras_gru_loop_op13",
    "torch_classic_mask_op11",
]
