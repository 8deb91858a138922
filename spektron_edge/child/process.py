"""A child process of low priority that works while scans go on: started, watched, ended.

What it says comes as lines of JSON on its standard output: {"step": ...} or {"fault": code,
"detail": ...}. Its results are files. Priority does not help against a neighbour on the same core,
so it can be stopped while a scan is under way.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from spektron_edge.faults import Fault, Faults

_POLL_S = 0.05
_MAX_BYTES = 1 << 20
_START = f"{__package__}.start"
Self = TypeVar("Self", bound="Child")


@dataclass(frozen=True)
class Limits:
    """Of a child. nice: added to its niceness; address_bytes: of its address space, of which numpy
    and onnxruntime reserve 200 MB at import; processor_s: of its own time, which holds when the
    parent has died."""

    nice: int
    address_bytes: int
    processor_s: int


def lower(limits: Limits) -> None:
    """Limit this process. What a system does not know, or does not allow, is left as it is."""
    with contextlib.suppress(OSError):
        os.nice(limits.nice)
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    for kind, most in (
        (resource.RLIMIT_AS, limits.address_bytes),
        (resource.RLIMIT_CPU, limits.processor_s),
        # No core file of reference values on an instrument's disk.
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def tell(**said: str) -> None:
    """From a child to its parent."""
    print(json.dumps(said), flush=True)  # noqa: T201  to the parent


class Child:
    """A running or ended child. Use as a context: leaving it ends the child.

    what: it does, for messages ("the fit"); failed: the fault when it does not succeed.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], limit_s: float, what: str, failed: Faults
    ) -> None:
        """Starts it. Raises Fault(failed) where no process can be started."""
        self._what, self._failed = what, failed
        # One thread: the others would compete with the daemon whatever their priority.
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        try:
            self.process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-m", _START, str(os.getpid()), module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **one},
            )
        except OSError as error:
            detail = f"no process could be started for {what}: {error.strerror}"
            raise Fault(failed, detail) from None
        assert self.process.stdout is not None  # noqa: S101  asked for above
        os.set_blocking(self.process.stdout.fileno(), False)
        self._deadline = time.monotonic() + limit_s
        self.too_slow = False
        self._said = b""
        self._steps: list[str] = []
        self._fault: Fault | None = None
        # Not before it has said that it ends with us: nobody would continue it.
        self._may_pause = self._paused = False
        # Whoever signals it must know that it was not reaped: its number may be another's.
        self._lock = threading.Lock()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def steps(self) -> list[str]:
        """What the child has begun since the last call; never waits."""
        self._hear()
        heard, self._steps = self._steps, []
        return heard

    def _hear(self) -> None:
        stream = self.process.stdout
        if stream is None or stream.closed:
            return
        self._said += (stream.read() or b"")[:_MAX_BYTES]
        *lines, self._said = self._said.split(b"\n")
        # Whatever a line without an end is, it is no message of ours.
        self._said = self._said[:_MAX_BYTES]
        self._steps += self._understood(lines)

    def _understood(self, lines: Sequence[bytes]) -> Iterator[str]:
        for line in lines:
            try:
                said = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a library's own words
            if isinstance(said, dict) and "step" in said:
                yield str(said["step"])
            elif isinstance(said, dict) and "fault" in said:
                kind = next((f for f in Faults if f.value.code == said["fault"]), None)
                self._fault = Fault(kind or self._failed, str(said.get("detail")))
            elif isinstance(said, dict) and "may_pause" in said:
                self._may_pause = True

    @property
    def running(self) -> bool:
        """Whether it goes on; kills one that has taken too long. Never waits for a result."""
        self._hear()
        with self._lock:
            if self.process.poll() is not None:
                return False
        if time.monotonic() > self._deadline:
            self.too_slow = True
            self._kill()
            return False
        return True

    def pause(self) -> None:
        """Stop it until `proceed`, from any thread. Its time goes on."""
        self._set_paused(True)

    def proceed(self) -> None:
        """Let it go on, from any thread."""
        self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        with self._lock:
            if self._may_pause and self._paused != paused and self.process.poll() is None:
                self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
                self._paused = paused

    def _kill(self) -> None:
        with self._lock:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()

    def wait(self, progress: Callable[[str], None]) -> None:
        """Until it ends; `progress` hears of each step."""
        while True:
            ended = not self.running
            for step in self.steps():
                progress(step)
            if ended:
                return
            time.sleep(_POLL_S)

    def check(self, remedy: str) -> None:
        """Return when it ended well. Raises the fault that it met, or Fault(failed) that names
        what to do, `remedy`."""
        self.steps()
        status = self.process.returncode
        if self._fault is not None:
            raise self._fault
        if self.too_slow:
            raise Fault(self._failed, f"{self._what} took too long and was ended; {remedy}")
        if status:
            ended = (
                f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            )
            detail = f"{self._what} {ended}, perhaps for want of memory; {remedy}"
            raise Fault(self._failed, detail)

    def end(self) -> None:
        """No child is left behind."""
        self._kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
