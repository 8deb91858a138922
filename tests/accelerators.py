"""Stand-ins for a GPU: TensorRT's Python API, the driver, and onnxruntime's providers.

What they stand in for is narrow: the calls that spektron_edge makes. A fake engine is the ONNX
graph itself and runs on the CPU, so that outputs can be compared; a GPU's arithmetic is not shown.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort

from spektron_edge.inference import BackendError
from spektron_edge.inference.cuda import Gpu
from spektron_edge.inference.native_tensorrt import Device
from spektron_edge.inference.onnx import OnnxCpu

ORIN = Gpu("Orin (nvgpu)", (8, 7))
_OUTPUTS = ("y", "z_chem", "z_inst")


class FakeCuda:
    """Device memory as a dictionary of buffers; a copy beyond a buffer's end is an error."""

    def __init__(self, gpu: Gpu = ORIN) -> None:
        self.gpu = gpu
        self.stream = 1
        self.memory: dict[int, np.ndarray] = {}

    def enter(self) -> None:
        pass

    def allocate(self, size: int) -> int:
        address = 4096 * (len(self.memory) + 1)
        self.memory[address] = np.full(size // 4, np.nan, np.float32)
        return address

    def free(self, address: int) -> None:
        del self.memory[address]

    def upload(self, address: int, array: np.ndarray) -> None:
        assert array.flags.c_contiguous
        assert array.size <= self.memory[address].size
        self.memory[address][: array.size] = array.ravel()

    def download(self, array: np.ndarray, address: int) -> None:
        assert array.flags.c_contiguous
        array[:] = self.memory[address][: array.size].reshape(array.shape)

    def wait(self) -> None:
        pass


class _BuilderFlag10(enum.IntEnum):
    FP16 = 0
    INT8 = 1
    TF32 = 7


class _BuilderFlag11(enum.IntEnum):
    TF32 = 7


class _Typed(enum.IntEnum):
    STRONGLY_TYPED = 1


class _Mode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class FakeTensorrt:
    """A module `tensorrt` of some version. `seen` collects what builders were told."""

    NetworkDefinitionCreationFlag = _Typed
    TensorIOMode = _Mode
    DataType = SimpleNamespace(FLOAT="float32", HALF="float16")

    def __init__(
        self,
        version: str = "10.3.0",
        *,
        cuda: FakeCuda | None = None,
        refuses: tuple[str, ...] = (),
        off_by: float = 0.0,
    ) -> None:
        """refuses: of "strong", "flags", "load", "shape", "run"; off_by: added to every y."""
        self.__version__ = version
        self.cuda = cuda or FakeCuda()
        self.refuses, self.off_by = set(refuses), off_by
        self.seen: list[dict[str, Any]] = []
        self.BuilderFlag = _BuilderFlag11 if version.startswith("11") else _BuilderFlag10
        severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1)
        self.ILogger = type("ILogger", (), {"Severity": severity})
        self.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, _: None})

    @property
    def device(self) -> Device:
        return Device(self, self.cuda)

    def Builder(self, logger: Any) -> Any:
        told: dict[str, Any] = {"flags": set(), "cleared": set(), "shapes": {}}
        self.seen.append(told)

        def create_network(flags: int) -> Any:
            told["typing"] = "strong" if flags & 2 else "flags"
            return SimpleNamespace(graph=b"", inputs=[])

        def build(network: Any, config: Any) -> Any:
            if told["typing"] in self.refuses:
                logger.log(1, f"cannot build ({told['typing']})")
                return None
            return network.graph

        config = SimpleNamespace(
            set_flag=told["flags"].add,
            clear_flag=told["cleared"].add,
            add_optimization_profile=lambda profile: told.update(profile=True),
        )
        profile = SimpleNamespace(
            set_shape=lambda name, *sizes: told["shapes"].update({name: sizes})
        )
        return SimpleNamespace(
            create_network=create_network,
            create_builder_config=lambda: config,
            create_optimization_profile=lambda: profile,
            build_serialized_network=build,
        )

    def OnnxParser(self, network: Any, logger: Any) -> Any:
        parser = SimpleNamespace(num_errors=0)

        def parse(graph: bytes) -> bool:
            try:
                inputs = _session(graph).get_inputs()
            except BackendError as error:
                parser.num_errors, reason = 1, str(error)
                parser.get_error = lambda _: reason
                return False
            network.graph, network.num_inputs = graph, len(inputs)
            network.get_input = lambda i: SimpleNamespace(
                name=inputs[i].name,
                shape=[d if isinstance(d, int) else -1 for d in inputs[i].shape],
            )
            return True

        parser.parse = parse
        return parser

    def Runtime(self, logger: Any) -> Any:
        def load(plan: bytes) -> Any:
            return None if "load" in self.refuses else _Engine(self, plan)

        return SimpleNamespace(deserialize_cuda_engine=load)


class _Engine:
    def __init__(self, trt: FakeTensorrt, graph: bytes) -> None:
        self._trt, self._graph = trt, graph
        session = _session(graph)
        self._inputs = {i.name: i.shape for i in session.get_inputs()}
        self._outputs = {o.name: o.shape for o in session.get_outputs()}
        self._names = [*self._inputs, *self._outputs]
        self.num_io_tensors = len(self._names)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_mode(self, name: str) -> _Mode:
        return _Mode.INPUT if name in self._inputs else _Mode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        shape = {**self._inputs, **self._outputs}[name]
        return tuple(d if isinstance(d, int) else -1 for d in shape)

    def get_tensor_dtype(self, name: str) -> str:
        return "float32"

    def create_execution_context(self) -> Any:
        return _Context(self._trt, OnnxCpu(self._graph), self._inputs)


class _Context:
    def __init__(self, trt: FakeTensorrt, inner: OnnxCpu, inputs: dict[str, Any]) -> None:
        self._trt, self._inner, self._inputs = trt, inner, inputs
        self._at: dict[str, int] = {}
        self._shape: tuple[int, ...] = ()

    def set_tensor_address(self, name: str, address: int) -> None:
        self._at[name] = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert name == "x"
        self._shape = shape
        return "shape" not in self._trt.refuses and 1 <= shape[0] <= 32

    def execute_async_v3(self, stream: int) -> bool:
        if "run" in self._trt.refuses:
            return False
        memory = self._trt.cuda.memory
        rows, points = self._shape
        x = memory[self._at["x"]][: rows * points].reshape(rows, points)
        theta = memory[self._at["theta"]][: self._inputs["theta"][0]]
        outputs = self._inner.infer(x, theta)
        for name in _OUTPUTS:
            value = getattr(outputs, name) + (self._trt.off_by if name == "y" else 0)
            memory[self._at[name]][: value.size] = value.ravel()
        return True


def _session(graph: bytes) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  onnxruntime raises a dozen unrelated types
        raise BackendError(str(error)) from None


def pretend_providers(monkeypatch: Any, *active: str) -> list[Any]:
    """onnxruntime activates `active`, whatever is asked for; returns what was asked for.

    The arithmetic is the CPU's.
    """
    asked: list[Any] = []
    real = ort.InferenceSession

    class Session:
        def __init__(self, graph: bytes, options: Any, providers: list[Any]) -> None:
            asked.append(providers)
            self._real = real(graph, options, providers=["CPUExecutionProvider"])
            on_cpu = providers[0][0] == "CPUExecutionProvider"
            self._active = ["CPUExecutionProvider"] if on_cpu else [*active, "CPUExecutionProvider"]

        def get_providers(self) -> list[str]:
            return self._active

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    known = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: known)
    monkeypatch.setattr(ort, "InferenceSession", Session)
    return asked
