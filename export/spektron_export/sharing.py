"""Weights that several graphs of a bundle have in common, stored once.

Serialised protobuf messages one after the other are their union. So a graph is split into a model
with everything but the shared weights and a model with nothing else, and `cat` puts them together
again: no file is named in either, and neither onnxruntime nor TensorRT needs to know of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from .errors import ExportError

_SMALLEST = 1024
_PREFIX = "shared."
_Key = tuple[int, tuple[int, ...], bytes]


@dataclass(frozen=True)
class SharedWeights:
    """Serialised: each graph's own part by its name, and what follows every one of them.

    weights is empty where nothing is shared.
    """

    graphs: Mapping[str, bytes]
    weights: bytes


def share_weights(models: Mapping[str, onnx.ModelProto]) -> SharedWeights:
    """Split; weights of 1 kB or more that two graphs have, whatever their names, are shared.

    Raises ExportError when a shared weight's name means something else in another graph.
    """
    copies = {name: _without_types(model) for name, model in models.items()}
    counts = Counter(k for model in copies.values() for k in {_key(t) for t in _large(model)})
    stock: dict[_Key, onnx.TensorProto] = {}
    for model in copies.values():
        for tensor in _large(model):
            if counts[_key(tensor)] > 1 and _key(tensor) not in stock:
                stock[_key(tensor)] = _renamed(tensor, stock)
    for model in copies.values():
        _refer(model, stock)
    weights = onnx.ModelProto()
    if stock:
        weights.graph.initializer.extend(stock.values())
    return SharedWeights(
        {name: model.SerializeToString(deterministic=True) for name, model in copies.items()},
        weights.SerializeToString(deterministic=True),
    )


def _without_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without what every reader infers by itself."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    return copy


def _large(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    return [t for t in model.graph.initializer if len(t.raw_data) >= _SMALLEST]


def _key(tensor: onnx.TensorProto) -> _Key:
    return tensor.data_type, tuple(tensor.dims), hashlib.sha256(tensor.raw_data).digest()


def _renamed(tensor: onnx.TensorProto, stock: Mapping[_Key, onnx.TensorProto]) -> onnx.TensorProto:
    result = onnx.TensorProto()
    result.CopyFrom(tensor)
    result.name = _PREFIX + tensor.name
    if result.name in {t.name for t in stock.values()}:
        raise ExportError(f"two graphs have different weights under the name {tensor.name}")
    return result


def _refer(model: onnx.ModelProto, stock: Mapping[_Key, onnx.TensorProto]) -> None:
    """Take the shared weights out of the graph and let its nodes name them."""
    names = {t.name: stock[_key(t)].name for t in _large(model) if _key(t) in stock}
    own = [t for t in model.graph.initializer if t.name not in names]
    del model.graph.initializer[:]
    model.graph.initializer.extend(own)
    for node in model.graph.node:
        if any(output.startswith(_PREFIX) for output in node.output):
            raise ExportError(f"{node.output[0]} is a name of shared weights")
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
