"""One graph in one single-threaded onnxruntime session."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .backend import BackendError
from .external_data import refuse_external_data

if TYPE_CHECKING:
    import onnxruntime as ort

# onnxruntime 1.31 writes a device id into the home folder and reports to its maker unless told not
# to before it is imported; an instrument must not phone home. It is imported where a session is
# opened: 40 MB that the page does without.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# A provider of onnxruntime with its options.
Provider = tuple[str, dict[str, Any]]
CPU_PROVIDER: Provider = ("CPUExecutionProvider", {})


def open_session(
    graph: bytes,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    plan_memory: bool = True,
    provider: Provider = CPU_PROVIDER,
) -> ort.InferenceSession:
    """Load a graph that takes `inputs` and gives at least `outputs`.

    plan_memory: one block per shape of the inputs, kept beside what the first run took piece by
    piece, and results written over what is not needed any more; provider: what must run the graph.
    Raises BackendError, also where onnxruntime would go on with another provider: it says so in a
    line of its log only.
    """
    import onnxruntime as ort

    refuse_external_data(graph)
    # onnxruntime would warn on standard error and take the CPU.
    if provider[0] not in available_providers():
        raise BackendError(f"onnxruntime {ort.__version__} as installed here has no {provider[0]}")
    options = ort.SessionOptions()
    # A second thread loses under contention: 11 ms instead of 2 (see docs/decisions/0003).
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = options.enable_mem_reuse = plan_memory
    # Left to guess, onnxruntime would also load its own format, which was not looked through.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        session = ort.InferenceSession(graph, options, providers=[provider])
    except Exception as error:  # noqa: BLE001  onnxruntime raises a dozen unrelated types
        raise BackendError(f"onnxruntime {ort.__version__} refused the graph: {error}") from None
    _release_freed_memory()
    active = session.get_providers()
    if provider[0] not in active:
        raise BackendError(
            f"onnxruntime {ort.__version__} does not run {provider[0]} here, only "
            f"{', '.join(active)}"
        )
    # After a failure it would otherwise run the next batch somewhere else, and not say so.
    session.disable_fallback()
    takes = {i.name for i in session.get_inputs()}
    gives = {o.name for o in session.get_outputs()}
    if takes != set(inputs) or not gives.issuperset(outputs):
        raise BackendError(
            f"the graph takes {sorted(takes)} and gives {sorted(gives)}; "
            f"expected {', '.join(inputs)} -> {', '.join(outputs)}"
        )
    return session


def available_providers() -> list[str]:
    """What this onnxruntime was built with; whether a GPU is there shows when a graph is loaded."""
    import onnxruntime as ort

    return list(ort.get_available_providers())


def _release_freed_memory() -> None:
    """Give the system back what loading took and freed, 10 to 20 MB that glibc would keep."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
