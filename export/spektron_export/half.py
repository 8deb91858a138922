"""Half precision for GPUs: the Transformer's products in float16, all else in float32.

That is what training's autocast computes in half precision. Spectra, their standardisation and
convolutions, the residual stream, layer norms, softmax, pooling, heads and the linear path stay in
float32, where what tells two samples of a product apart is not rounded away. Weights stay float32
in the file, shared with the other graphs; an engine casts them once, when it is built.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from .errors import ExportError
from .graphs import tidy
from .quantise import constant_products


def halve(model: onnx.ModelProto, *, expected: int) -> onnx.ModelProto:
    """A copy with its Transformer's products in float16; inputs and outputs stay float32.

    expected: how many products there must be, those of attention included. Raises ExportError.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]
    products = transformer_products(result)
    if len(products) != expected:
        raise ExportError(f"found {len(products)} products to halve, expected {expected}")
    cast: dict[str, str] = {}
    nodes = []
    for node in result.graph.node:
        if node.name not in products:
            nodes.append(node)
            continue
        for place, name in enumerate(node.input):
            if name not in cast:
                cast[name] = f"{name}.fp16"
                nodes.append(_cast(name, cast[name], TensorProto.FLOAT16))
            node.input[place] = cast[name]
        # The product keeps its name for what follows, as what it is in float32.
        name, node.output[0] = node.output[0], f"{node.output[0]}.fp16"
        nodes += [node, _cast(node.output[0], name, TensorProto.FLOAT)]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    tidy(result)
    return result


def transformer_products(model: onnx.ModelProto) -> set[str]:
    """Names of all MatMul nodes of the Transformer blocks, those of two activations included."""
    constant = set(constant_products(model))
    names = [node.name for node in model.graph.node]
    places = [i for i, name in enumerate(names) if name in constant]
    if not places:
        return set()
    # Nodes stand in the order of the encoder's own code, so nothing else lies between.
    inside = model.graph.node[places[0] : places[-1] + 1]
    return {node.name for node in inside if node.op_type == "MatMul"}


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast.{target}", to=kind)
