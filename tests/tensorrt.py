"""Parse and build a graph with TensorRT for RTX, for a GPU that need not be here."""

from __future__ import annotations

from typing import Any

# Fewest, typical and most spectra of a batch.
BATCH = (1, 8, 32)


def refusals(graph: bytes) -> str:
    """What the parser says against the graph; empty when it takes it."""
    return _parsed(graph)[1]


def build(graph: bytes) -> bytes:
    """An engine for Ampere (compute capability 8.6), serialised. Raises ValueError, says why."""
    import tensorrt_rtx as trt

    (builder, network), against = _parsed(graph)
    if against:
        raise ValueError(against)
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        value = network.get_input(i)
        shape = tuple(value.shape)
        if -1 in shape:
            sizes = (tuple(rows if d == -1 else d for d in shape) for rows in BATCH)
            profile.set_shape(value.name, *sizes)
    config.add_optimization_profile(profile)
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ValueError("the graph parses, but no engine can be built of it")
    return bytes(engine)


def _parsed(graph: bytes) -> tuple[tuple[Any, Any], str]:
    import tensorrt_rtx as trt

    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if parser.parse(graph):
        return (builder, network), ""
    errors = [str(parser.get_error(i)) for i in range(parser.num_errors)]
    return (builder, network), "; ".join(errors) or "refused without a reason"
