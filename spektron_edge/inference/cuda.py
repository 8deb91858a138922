"""The few calls of NVIDIA's driver that running an engine needs, by ctypes.

The driver's library has had the same binary interface since CUDA 4 and is there wherever a GPU
can be used, on a Jetson as well; no CUDA toolkit and no Python package is needed. Memory is of the
device's primary context, the one that TensorRT works in.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backend import BackendError

_LIBRARY = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
_NAME_BYTES = 256


@dataclass(frozen=True)
class Gpu:
    """name: as the driver says; capability: of compute, e.g. (8, 7) for a Jetson Orin."""

    name: str
    capability: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name} (sm_{self.capability[0]}{self.capability[1]})"


class Cuda:
    """The first GPU, its primary context and one stream. Raises BackendError where none is."""

    def __init__(self, library: Any = None) -> None:
        """library: stands in for the driver's, in tests."""
        if library is None:
            try:
                library = ctypes.CDLL(_LIBRARY)
            except OSError:
                raise BackendError(f"no NVIDIA driver here ({_LIBRARY} is missing)") from None
        self._library = library
        self._device, context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuInit", ctypes.c_uint(0))
        self._call("cuDeviceGet", ctypes.byref(self._device), ctypes.c_int(0))
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._device)
        self._context = context
        self.enter()
        stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(stream), ctypes.c_uint(0))
        self.stream: int = stream.value or 0

    def enter(self) -> None:
        """Make the context current on the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    @property
    def gpu(self) -> Gpu:
        """Which GPU it is."""
        name = ctypes.create_string_buffer(_NAME_BYTES)
        self._call("cuDeviceGetName", name, ctypes.c_int(_NAME_BYTES), self._device)
        numbers = []
        for attribute in (_MAJOR, _MINOR):
            value = ctypes.c_int()
            self._call(
                "cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(attribute), self._device
            )
            numbers.append(value.value)
        return Gpu(name.value.decode(errors="replace"), (numbers[0], numbers[1]))

    def allocate(self, size: int) -> int:
        """Address of `size` bytes on the device. They are given back with the process only."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address.value

    def free(self, address: int) -> None:
        """Give back what `allocate` gave."""
        self._call("cuMemFree_v2", ctypes.c_uint64(address))

    def upload(self, address: int, array: NDArray[np.float32]) -> None:
        """Copy an array, C-contiguous, to the device; done on return."""
        self._call(
            "cuMemcpyHtoD_v2",
            ctypes.c_uint64(address),
            ctypes.c_void_p(array.ctypes.data),
            ctypes.c_size_t(array.nbytes),
        )

    def download(self, array: NDArray[np.float32], address: int) -> None:
        """Fill an array, C-contiguous, from the device; done on return."""
        self._call(
            "cuMemcpyDtoH_v2",
            ctypes.c_void_p(array.ctypes.data),
            ctypes.c_uint64(address),
            ctypes.c_size_t(array.nbytes),
        )

    def wait(self) -> None:
        """Until everything on the stream is done."""
        self._call("cuStreamSynchronize", ctypes.c_void_p(self.stream))

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise BackendError(f"the NVIDIA driver refused {name} (CUresult {status})")
