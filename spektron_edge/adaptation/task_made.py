"""A task for the child, from the stream and from what else is known."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .evidence import Evidence, StabilitySample
from .evidence_store import for_guard
from .ring import Entry, as_batch, sampled
from .task import Given, Mode, Task, told_of

if TYPE_CHECKING:
    from spektron_edge.inference import Model

FEWEST_SPECTRA, FEWEST_SAMPLES = 20, 8
MOST_IN_BATCH, HELD_OUT = 64, 0.25


def enough(entries: Sequence[Entry]) -> bool:
    """Whether there are 20 spectra, of 8 samples."""
    few = len(entries) < FEWEST_SPECTRA
    return not few and len({entry.run for entry in entries}) >= FEWEST_SAMPLES


def task_of(
    entries: Sequence[Entry],
    evidence: Evidence,
    model: Model,
    serial: str,
    mode: Mode,
    parent: str | None,
    samples: Sequence[StabilitySample],
) -> Given:
    """What to adapt to; entries: enough of them.

    parent: id of the adaptation in use; samples: all stability samples.
    """
    last = entries[-1]
    # The same spectra are adapted to in the same way, whenever that is.
    seed = zlib.crc32(f"{serial} {last.boot_id} {last.number}".encode())
    chosen, held = sampled(entries, MOST_IN_BATCH, HELD_OUT, seed)
    properties = [p.name for p in model.product.properties]
    stability = for_guard(samples, serial, model.calibration, properties)
    task = Task(
        id=secrets.token_hex(6),
        bundle=model.bundle_id,
        serial=serial,
        mode=mode,
        seed=seed,
        why="; ".join(evidence.told)[:500],
        parent=parent,
        drift=told_of(evidence.drift),
        services=evidence.services,
        growing=evidence.growing,
        astray=evidence.astray,
        stability=tuple(sample.name for sample in stability),
    )
    return Given(task, as_batch(chosen), as_batch(held), stability)
