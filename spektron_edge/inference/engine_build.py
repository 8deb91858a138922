"""ONNX graph to TensorRT engine with TensorRT's Python API, versions 10.3 to 11.

The module is an argument: `tensorrt` on a device, `tensorrt_rtx` where tests build without a GPU.

Networks are strongly typed: the graph says what is computed in half precision or INT8, by casts
and by QDQ, and its golden vectors hold for just that. TensorRT 11 knows nothing else. TensorRT 10
also has networks that it types itself, allowed by flags; they are the second try there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spektron_edge.bundle.manifest import Precision

from .backend import BackendError
from .engine_file import BATCH, version_of
from .external_data import refuse_external_data

_OLDEST, _ALWAYS_STRONG = (10, 3), (11, 0)
_FLAGS: dict[Precision, tuple[str, ...]] = {"fp32": (), "fp16": ("FP16",), "int8": ("INT8",)}


@dataclass(frozen=True)
class Built:
    """plan: the serialised engine; typing: `strong`, or `flags` where TensorRT chose the types."""

    plan: bytes
    typing: str


def check_version(text: str) -> None:
    """Raises BackendError for a TensorRT older than what JetPack 6 has."""
    if version_of(text) < _OLDEST:
        raise BackendError(f"TensorRT {text} is too old; 10.3 is the oldest that is supported")


def always_strong(text: str) -> bool:
    """Whether that TensorRT computes in the graph's own types only, without flags."""
    return version_of(text) >= _ALWAYS_STRONG


def build_engine(
    trt: Any, graph: bytes, precision: Precision, capability: tuple[int, int] | None = None
) -> Built:
    """Parse and build. Raises BackendError with TensorRT's reasons, or if the graph names files.

    capability: build for that GPU instead of the one that is here (TensorRT for RTX only).
    """
    refuse_external_data(graph)
    try:
        return Built(_build(trt, graph, precision, "strong", capability), "strong")
    except BackendError as error:
        if not _may_choose_types(trt):
            raise
        against = str(error)
    try:
        return Built(_build(trt, graph, precision, "flags", capability), "flags")
    except BackendError as error:
        raise BackendError(f"{against}; with precision flags: {error}") from None


def _may_choose_types(trt: Any) -> bool:
    """Whether this is a TensorRT 10: RTX has a count of its own, and no such flags."""
    return not always_strong(trt.__version__) and hasattr(trt.BuilderFlag, "FP16")


def _build(
    trt: Any, graph: bytes, precision: Precision, typing: str, capability: tuple[int, int] | None
) -> bytes:
    logger = _collecting(trt)
    builder = trt.Builder(logger)
    flags = 0
    if typing == "strong":
        # Version 11 may drop the flag along with the choice.
        strong = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        flags = 0 if strong is None else 1 << int(strong)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        errors = [str(parser.get_error(i)) for i in range(parser.num_errors)]
        raise BackendError(
            f"TensorRT {trt.__version__} does not take the graph: "
            f"{'; '.join(errors) or logger.said or 'no reason given'}"
        )
    config = builder.create_builder_config()
    # TF32 keeps ten bits of a float32 factor; golden vectors are computed with all of them.
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)
    if typing == "flags":
        for name in _FLAGS[precision]:
            config.set_flag(getattr(trt.BuilderFlag, name))
    config.add_optimization_profile(_profile(builder, network))
    if capability is not None:
        config.num_compute_capabilities = 1
        sm = getattr(trt.ComputeCapability, f"SM{capability[0]}{capability[1]}")
        config.set_compute_capability(sm, 0)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError(
            f"TensorRT {trt.__version__} parses the graph, but builds no engine of it: "
            f"{logger.said or 'no reason given'}"
        )
    return bytes(plan)


def _profile(builder: Any, network: Any) -> Any:
    """Batches of 1 to 32 wherever the graph leaves a size open."""
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        value = network.get_input(index)
        shape = tuple(value.shape)
        if -1 in shape:
            sizes = (tuple(rows if d == -1 else d for d in shape) for rows in BATCH)
            profile.set_shape(value.name, *sizes)
    return profile


def _collecting(trt: Any) -> Any:
    """A logger that keeps TensorRT's last error instead of writing to standard error."""
    worst = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

    class Collecting(trt.ILogger):  # type: ignore[misc]
        said = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in worst:
                self.said = message

    return Collecting()
