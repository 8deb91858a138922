"""A task for the child, from the stream and from what else is known."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .candidate import Batch
from .evidence import Evidence, StabilitySample
from .evidence_store import for_guard
from .ring import Entry, as_batch, sampled
from .task import Given, Mode, Task, told_of

if TYPE_CHECKING:
    from spektron_edge.inference import Model

FEWEST_SPECTRA, FEWEST_SAMPLES = 20, 8
MOST_IN_BATCH, HELD_OUT = 64, 0.25
# Distinct samples beside which a proposal runs in shadow before it is judged again.
IN_SHADOW = 8


@dataclass(frozen=True)
class About:
    """What holds besides the spectra. parent: id of the adaptation in use; samples: all stability
    samples."""

    evidence: Evidence
    model: Model
    serial: str
    mode: Mode
    parent: str | None
    samples: Sequence[StabilitySample]


def enough(entries: Sequence[Entry]) -> bool:
    """Whether there are 20 spectra, of 8 samples."""
    few = len(entries) < FEWEST_SPECTRA
    return not few and len({entry.run for entry in entries}) >= FEWEST_SAMPLES


def come_since(entries: Sequence[Entry], order: int) -> tuple[Entry, ...]:
    """Spectra of samples that came after a spectrum of the stream, once there are enough of these
    to judge again; else none."""
    seen = {entry.run for entry in entries if entry.order <= order}
    fresh = tuple(entry for entry in entries if entry.order > order and entry.run not in seen)
    return fresh if len({entry.run for entry in fresh}) >= IN_SHADOW else ()


def task_of(entries: Sequence[Entry], about: About) -> Given:
    """What to adapt to; entries: enough of them."""
    seed = _seed(about.serial, entries)
    chosen, held = sampled(entries, MOST_IN_BATCH, HELD_OUT, seed)
    return _given(about, seed, None, as_batch(chosen), as_batch(held))


def task_again(fresh: Sequence[Entry], about: About, number: int) -> Given:
    """A proposal to judge again, by spectra that came since."""
    seed = _seed(about.serial, fresh)
    return _given(about, seed, number, as_batch(()), as_batch(fresh))


def _seed(serial: str, entries: Sequence[Entry]) -> int:
    """The same spectra are adapted to in the same way, whenever that is."""
    last = entries[-1]
    return zlib.crc32(f"{serial} {last.boot_id} {last.number}".encode())


def _given(about: About, seed: int, tried: int | None, batch: Batch, held_out: Batch) -> Given:
    model, evidence = about.model, about.evidence
    properties = [p.name for p in model.product.properties]
    stability = for_guard(about.samples, about.serial, model.calibration, properties)
    task = Task(
        id=secrets.token_hex(6),
        bundle=model.bundle_id,
        serial=about.serial,
        mode=about.mode,
        seed=seed,
        why="; ".join(evidence.told)[:500],
        parent=about.parent,
        tried=tried,
        drift=told_of(evidence.drift),
        services=evidence.services,
        growing=evidence.growing,
        astray=evidence.astray,
        stability=tuple(sample.name for sample in stability),
    )
    return Given(task, batch, held_out, stability)
