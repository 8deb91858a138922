"""Built engines on disk: one file each, named and checked by what it was built for.

An engine serves one graph, one TensorRT and one kind of GPU. A file starts with a line of JSON that
says which, and the SHA-256 of the rest, so that a torn or exchanged file is noticed before
TensorRT sees it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from spektron_edge.bundle.manifest import Precision
from spektron_edge.files.durable import share_with_owner, write_durably
from spektron_edge.files.set_aside import set_aside

from .backend import BackendError
from .cuda import Gpu

_FORMAT = "spektron-engine/1"
_LONGEST_HEADER = 4096
# Fewest, typical and most spectra of a batch that engines are built for.
BATCH = (1, 8, 32)


@dataclass(frozen=True)
class EngineKey:
    """What an engine was built for.

    graph_sha256: of the whole ONNX graph; tensorrt: version as x.y.z; batch: fewest, typical, most.
    """

    graph_sha256: str
    precision: Precision
    tensorrt: str
    gpu: str
    capability: tuple[int, int]
    batch: tuple[int, int, int] = BATCH

    @property
    def file_name(self) -> str:
        """Readable, and different for every key."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        gpu = re.sub(r"[^A-Za-z0-9]+", "-", self.gpu).strip("-").lower()[:40] or "gpu"
        sm = "".join(map(str, self.capability))
        return f"{self.precision}-trt{self.tensorrt}-{gpu}-sm{sm}-{digest[:16]}.engine"


def version_of(text: str) -> tuple[int, ...]:
    """The first three numbers of a version string."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def key_of(graph: bytes, precision: Precision, tensorrt: str, gpu: Gpu) -> EngineKey:
    """The key of a graph's engine. tensorrt: any version string with numbers in it."""
    version = ".".join(map(str, version_of(tensorrt)))
    return EngineKey(
        hashlib.sha256(graph).hexdigest(), precision, version, gpu.name, gpu.capability
    )


def make_folder(folder: Path) -> None:
    """A folder for engines that the daemon's user owns, also when root makes it. Raises OSError."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        share_with_owner(folder)


def store_engine(folder: Path, key: EngineKey, plan: bytes) -> Path:
    """Write an engine as a whole or not at all. Raises OSError."""
    make_folder(folder)
    path = folder / key.file_name
    write_durably(path, _header(key, plan) + plan)
    return path


def read_engine(folder: Path, key: EngineKey) -> bytes:
    """The engine of that key.

    Raises BackendError when there is none; a file that is damaged is set aside first.
    """
    path = folder / key.file_name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BackendError(
            f"no {key.precision} engine in {folder} for this graph, TensorRT {key.tensorrt} and "
            f"{key.gpu}; `spektron-edge build-engine` makes one"
        ) from None
    except OSError as error:
        raise BackendError(f"cannot read {path}: {error.strerror}") from None
    end = data.find(b"\n", 0, _LONGEST_HEADER) + 1
    plan = data[end:]
    if not end or data[:end] != _header(key, plan):
        raise BackendError(f"{path.name} is damaged{put_aside(path)}")
    return plan


def put_aside(path: Path) -> str:
    """Rename what must not be used again; in words, for the end of a message."""
    try:
        return f"; set aside as {set_aside(path).name}"
    except OSError as error:
        return f"; it could not be set aside ({error.strerror})"


def _header(key: EngineKey, plan: bytes) -> bytes:
    document = {
        "format": _FORMAT,
        **asdict(key),
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
    }
    return json.dumps(document, sort_keys=True).encode() + b"\n"
