"""The adaptation that the benchmark of adaptation runs: the daemon's stream, child and rules.

What a daemon does between processes is done here in one: the same `Stream` follows every scan, a
batch is made as `AdaptationJobs` makes it, `auto` installs what the guard neither refuses nor
doubts after its time in shadow, and goes back where later samples lie nearer to the source without
it. One set of thresholds, which are the product's.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from spektron_edge.adaptation.adapt import Material, adapt, steps_of
from spektron_edge.adaptation.candidate import Adapted, Candidate
from spektron_edge.adaptation.evidence import Evidence
from spektron_edge.adaptation.gauge import Gauge, gauge
from spektron_edge.adaptation.ground import Ground
from spektron_edge.adaptation.guard import judge
from spektron_edge.adaptation.looking_back import LookingBack
from spektron_edge.adaptation.pace import Pace
from spektron_edge.adaptation.population import Population
from spektron_edge.adaptation.ring import as_batch
from spektron_edge.adaptation.seen import Seen
from spektron_edge.adaptation.stream import Stream
from spektron_edge.adaptation.task_made import About, come_since, enough, task_of
from spektron_edge.adaptation.yardstick import Yardstick, calibrate

from .adapt_streams import SERVICE, Adapter, Decision, Event, Source

# Of full scale: what stands still in counts stands still in absorbance.
_FULL_SCALE = 60000.0
_KNOWN: dict[str, tuple[Yardstick, Material]] = {}


class _Auto:
    """One stream, from its first scan."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._yardstick, self._material = _known(source)
        self._limits = source.model.applicability.t2_limit, source.model.applicability.q_limit
        self._in_use: Adapted | None = None
        self._before: Adapted | None = None
        self._begin()
        self._pace, self._sound = Pace(), 0
        self._service, self._untried = "", False
        self.decisions: list[Decision] = []

    def _begin(self) -> None:
        self._stream, self._told = Stream(self._yardstick), False
        self._in_shadow: tuple[Candidate, int] | None = None
        self._looking_back = None if self._in_use is None else LookingBack(*self._limits)

    def event(self, event: Event) -> None:
        if event.kind == SERVICE:
            self._service, self._untried = "instrument exchanged by the plant", True
            self._pace.fresh(self._sound)
            # What was measured before is of another state of the instrument.
            self._begin()

    def scan(self, at: int, spectrum: np.ndarray) -> None:
        model, used = self._source.model, self._in_use
        corrected = spectrum if used is None else used.correction.apply(spectrum[None])[0]
        theta = None if used is None else used.theta
        output = model.infer(corrected, theta)
        seen = Seen(spectrum, corrected, output.z_chem[0], output.z_inst[0])
        counts = np.rint(_FULL_SCALE * 10.0**-spectrum)
        scan = SimpleNamespace(counts=counts, boot_id=1, number=at)
        before = self._stream.sound
        found = self._stream.take(scan, seen, output.y[0])
        self._sound += self._stream.sound - before
        if isinstance(found, Gauge):
            self._sample(at, found, seen)
        if self._in_shadow is not None:
            self._try_again(at, *self._in_shadow)
        elif self._pace.may(float("inf"), self._sound):
            self._try(at)

    def _sample(self, at: int, found: Gauge, seen: Seen) -> None:
        drifts = self._stream.drift is not None
        if drifts and not self._told:
            self._pace.fresh(self._sound)
        self._told = drifts
        if self._looking_back is None:
            return
        plain = seen.measured[None]
        if self._before is not None:
            plain = self._before.correction.apply(plain)
        why = self._looking_back.take(found, gauge(self._yardstick.domain, plain[0]))
        if why:
            self._in_use, self._before = self._before, None
            self.decisions.append(Decision(at, True, self._in_use, (why,)))
            self._begin()

    def _try(self, at: int) -> None:
        stream = self._stream
        if stream.drift is None and not self._untried:
            return
        entries = stream.entries
        if not enough(entries):
            return
        evidence = self._evidence
        about = About(evidence, self._source.model, "bench", "auto", None, ())
        given = task_of(entries, about)
        self._untried = False
        candidate = adapt(self._start, given.batch, given.task.seed)
        verdict = judge(self._start, given.held_out, candidate, evidence, ())
        told = (*verdict.refusals, *verdict.doubts)
        self._pace.ended(0.0, self._sound, 0.0, in_vain=bool(told))
        if not told and not evidence.services:
            self._in_shadow = candidate, stream.sound
            return
        self._decided(at, candidate, told)

    def _try_again(self, at: int, candidate: Candidate, order: int) -> None:
        fresh = come_since(self._stream.ring.entries, order)
        if not fresh:
            return
        self._in_shadow = None
        verdict = judge(self._start, as_batch(fresh), candidate, self._evidence, ())
        told = (*verdict.refusals, *verdict.doubts)
        self._pace.ended(0.0, self._sound, 0.0, in_vain=bool(told))
        self._decided(at, candidate, told)

    def _decided(self, at: int, candidate: Candidate, told: tuple[str, ...]) -> None:
        self.decisions.append(Decision(at, not told, candidate.adapted, told))
        if not told:
            self._before, self._in_use = self._in_use, candidate.adapted
            self._begin()

    @property
    def _evidence(self) -> Evidence:
        services = (self._service,) if self._service else ()
        return Evidence(self._stream.drift, services, self._stream.growing)

    @property
    def _start(self) -> Material:
        return Material(
            Ground(None, None, self._source.model, "bench", self._in_use),
            *(getattr(self._material, n) for n in ("x", "axis_nm", "population", "steps")),
        )


def _known(source: Source) -> tuple[Yardstick, Material]:
    if source.name not in _KNOWN:
        model, bundle = source.model, source.bundle
        z_inst = np.concatenate([model.infer(part).z_inst for part in np.array_split(source.x, 8)])
        step = float(source.axis[1] - source.axis[0])
        yardstick = calibrate(model.applicability, source.x, z_inst, step)
        steps = steps_of(bundle, model)
        ground = Ground(None, bundle, model, "bench")
        axis = model.product.grid.axis()
        population = Population.of(source.x)
        _KNOWN[source.name] = yardstick, Material(ground, source.x, axis, population, steps)
    return _KNOWN[source.name]


def auto(source: Source, spectra: np.ndarray, events: Sequence[Event]) -> tuple[Decision, ...]:
    """See the module."""
    followed = _Auto(source)
    for at, spectrum in enumerate(spectra):
        for event in events:
            if event.at == at:
                followed.event(event)
        followed.scan(at, spectrum)
    return tuple(followed.decisions)


ADAPTER: Adapter = auto
