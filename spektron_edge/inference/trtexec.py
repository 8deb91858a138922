"""Building an engine with NVIDIA's program `trtexec`, where TensorRT has no Python module."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from spektron_edge.bundle.manifest import Precision

from .backend import BackendError
from .engine_build import Built, always_strong
from .engine_file import BATCH
from .external_data import refuse_external_data

# Where NVIDIA's packages put it, which is on nobody's PATH.
_ELSEWHERE = (Path("/usr/src/tensorrt/bin/trtexec"), Path("/opt/tensorrt/bin/trtexec"))
_VERSION = re.compile(r"TensorRT v(\d{5,6})\b")
_BUILD_S, _ANSWER_S = 1800.0, 60.0
_SAID_LINES = 3


def find_trtexec() -> Path | None:
    """The program, or None."""
    found = shutil.which("trtexec")
    if found:
        return Path(found)
    return next((path for path in _ELSEWHERE if os.access(path, os.X_OK)), None)


def trtexec_version(program: Path) -> str:
    """As x.y.z: it prints `TensorRT v100300` for 10.3.0. Raises BackendError."""
    done = _run([str(program), "--help"], _ANSWER_S)
    match = _VERSION.search(done.stdout)
    if match is None:
        raise BackendError(f"{program} does not say which TensorRT it is")
    number = int(match.group(1))
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def build_with_trtexec(
    program: Path, version: str, graph: bytes, precision: Precision, points: int
) -> Built:
    """points: channels of x. Raises BackendError with the program's last words."""
    refuse_external_data(graph)
    with tempfile.TemporaryDirectory(prefix="spektron-") as name:
        folder = Path(name)
        (folder / "graph.onnx").write_bytes(graph)
        against = []
        for typing, flags in _tries(version, precision):
            engine = folder / f"{typing}.engine"
            done = _run([str(program), *_arguments(folder, engine, points), *flags], _BUILD_S)
            if done.returncode == 0 and engine.is_file():
                return Built(engine.read_bytes(), typing)
            against.append(f"{' '.join(flags) or 'no flags'}: {_last_words(done.stdout)}")
    raise BackendError(f"trtexec {version} built no engine ({'; '.join(against)})")


def _tries(version: str, precision: Precision) -> list[tuple[str, list[str]]]:
    """The same order as with the Python module; see engine_build."""
    if always_strong(version):
        return [("strong", [])]
    chosen = [] if precision == "fp32" else [f"--{precision}"]
    return [("strong", ["--stronglyTyped"]), ("flags", chosen)]


def _arguments(folder: Path, engine: Path, points: int) -> list[str]:
    shapes = [f"x:{rows}x{points}" for rows in BATCH]
    return [
        f"--onnx={folder / 'graph.onnx'}",
        f"--saveEngine={engine}",
        *(f"--{kind}Shapes={s}" for kind, s in zip(("min", "opt", "max"), shapes, strict=True)),
        "--noTF32",
        # Timing it would take longer than building it; golden vectors are compared afterwards.
        "--skipInference",
    ]


def _run(command: list[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  the program is the operator's own
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise BackendError(f"cannot run {command[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise BackendError(f"{command[0]} did not end within {timeout_s:g} s") from None


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if "[E]" in line] or said.splitlines()
    return " / ".join(lines[-_SAID_LINES:]) or "it said nothing"
