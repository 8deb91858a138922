"""Looks are taken one after the other, each within its time: none keeps the others for ever."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from spektron_edge.faults import Fault, Faults

from .finding import Finding, bad, of_fault


@dataclass(frozen=True)
class Look:
    """take: what it finds, one after the other; it may raise Fault and OSError. limit_s: how long
    all of it may take."""

    part: str
    take: Callable[[], Iterable[Finding]]
    limit_s: float = 10.0


def taken(look: Look) -> Iterator[Finding]:
    """What it finds, as it comes. Where it does not end in time, that is the last finding; its
    thread is left to itself and ends with the process."""
    found: queue.Queue[Finding | None] = queue.Queue()
    threading.Thread(target=_take, args=(look, found), name="look", daemon=True).start()
    deadline = time.monotonic() + look.limit_s
    while True:
        try:
            finding = found.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            told = f"it does not answer within {look.limit_s:g} s"
            yield bad(look.part, told, "see whether what is asked here hangs: disk, network, port")
            return
        if finding is None:
            return
        yield finding


def _take(look: Look, found: queue.Queue[Finding | None]) -> None:
    try:
        for finding in look.take():
            found.put(finding)
    except Fault as fault:
        found.put(of_fault(look.part, fault))
    except OSError as error:
        told = f"cannot be looked at: {error}"
        found.put(bad(look.part, told, "look as root or as the daemon's user; see the disk"))
    except Exception as error:  # noqa: BLE001 - one look's mistake must not end the others
        told = f"looking ended in {type(error).__name__}: {error}"
        found.put(of_fault(look.part, Fault(Faults.INTERNAL, told)))
    finally:
        found.put(None)
