"""The parent's side of a candidate of `bench-device`: its process, and what it has said so far."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from spektron_edge.backend_choice import BackendName
from spektron_edge.bundle.manifest import Precision

BATCHES = (1, 8)
# onnxruntime's TensorRT provider builds its engine while it loads.
_LOAD_S, _TURN_S = 1800.0, 120.0


@dataclass(frozen=True)
class Result:
    """One candidate, measured or not.

    ms: batch -> median milliseconds over the rounds; spread_ms: half of the range between rounds;
    peak_mb: memory of its process; why_not: why it was not measured, empty when it was.
    """

    backend: BackendName
    precision: Precision
    provider: str = ""
    ms: dict[int, float] | None = None
    spread_ms: dict[int, float] | None = None
    load_s: float = 0.0
    peak_mb: float = 0.0
    why_not: str = ""


class _Ended(Exception):
    """A worker has nothing more to say; the message says why."""


class _Worker:
    """A candidate's process. Methods raise _Ended."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "spektron_edge.device_bench.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def answer(self, timeout_s: float) -> dict[str, Any]:
        out = self._process.stdout
        assert out is not None  # noqa: S101  a pipe was asked for
        if not select.select([out], [], [], timeout_s)[0]:
            raise _Ended(f"no answer within {timeout_s:g} s")
        line = out.readline()
        if not line:
            raise _Ended(f"the process ended with status {self._process.wait()}")
        document: dict[str, Any] = json.loads(line)
        if "error" in document:
            raise _Ended(document["error"])
        return document

    def ask(self, **request: int) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101  as above
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise _Ended(f"the process ended with status {self._process.wait()}") from None
        return self.answer(_TURN_S)

    def finish(self) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101  as above
        self._process.stdin.close()
        return self.answer(_TURN_S)

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()


class Candidate:
    """One backend and precision. Once something fails, `why_not` says so and it is left alone."""

    def __init__(
        self, backend: BackendName, precision: Precision, arguments: Sequence[str]
    ) -> None:
        """arguments: of worker.py. Loads; that can take minutes."""
        self._name = backend, precision
        self._taken: dict[int, list[float]] = {batch: [] for batch in BATCHES}
        self._loaded: dict[str, Any] = {}
        self.why_not = ""
        self._worker = _Worker(arguments)
        try:
            self._loaded = self._worker.answer(_LOAD_S)
        except _Ended as error:
            self.why_not = str(error)

    def turn(self, batch: int, calls: int) -> None:
        """Time some calls."""
        if self.why_not:
            return
        try:
            self._taken[batch].append(self._worker.ask(batch=batch, calls=calls)["ms"])
        except _Ended as error:
            self.why_not = str(error)

    def result(self) -> Result:
        """What the rounds came to; no turn can follow."""
        peak_mb = 0.0
        if not self.why_not:
            try:
                peak_mb = self._worker.finish()["peak_mb"]
            except _Ended as error:
                self.why_not = str(error)
        if self.why_not:
            return Result(*self._name, why_not=self.why_not)
        return Result(
            *self._name,
            provider=self._loaded["provider"],
            ms={b: round(median(v), 3) for b, v in self._taken.items()},
            spread_ms={b: round((max(v) - min(v)) / 2, 3) for b, v in self._taken.items()},
            load_s=round(self._loaded["load_s"], 3),
            peak_mb=round(peak_mb, 1),
        )

    def end(self) -> None:
        """Its process is gone on return."""
        self._worker.end()
