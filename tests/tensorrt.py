"""Parse and build a graph with TensorRT for RTX, for a GPU that need not be here.

The builder is the runtime's own; RTX has the Python API of TensorRT, and nearly the same parser.
"""

from __future__ import annotations

from spektron_edge.bundle.manifest import Precision
from spektron_edge.inference import BackendError
from spektron_edge.inference.engine_build import Built, build_engine

AMPERE = (8, 6)


def build(graph: bytes, precision: Precision = "fp32") -> Built:
    """An engine for Ampere. Raises BackendError with TensorRT's reasons."""
    import tensorrt_rtx as trt

    return build_engine(trt, graph, precision, AMPERE)


def refusals(graph: bytes) -> str:
    """What is said against the graph; empty when it builds."""
    try:
        build(graph)
    except BackendError as error:
        return str(error)
    return ""
