"""`adaptations/evidence.json`: services and stability samples, which outlast daemon and power."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from spektron_edge.clock import Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Ledger, told
from spektron_edge.files.set_aside import set_aside

from .evidence import (
    EvidenceFile,
    ServiceEvent,
    Stability,
    StabilitySample,
    counted,
    measured_again,
    serviced,
    with_sample,
)

Array = NDArray[np.float64]
FOLDER = "adaptations"
FILE = "evidence.json"
FEWEST_SCANS = 3
# Of the scatter of the first measurement's scans: 99 % of a normal scatter, known from three scans
# or more, stays within.
_SCATTERS = 6.0
# Of the calibration's own error, below which no difference matters.
_OF_ERROR = 0.5


class EvidenceStore:
    """Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FOLDER / FILE
        self._ledger = Ledger(self._path, EvidenceFile())

    def read(self) -> EvidenceFile:
        """What is known."""
        return self._ledger.read()

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Another one whenever the file was changed, whoever did it."""
        return self._ledger.stamp

    def service(self, what: str, who: str, now: Stamp) -> ServiceEvent:
        """Record a service. Raises Fault(ADAPTATION_INPUT) for words that no log takes."""
        try:
            event = ServiceEvent(
                what=what, who=who, utc=now.iso, running_s=now.running_s, boot=now.boot
            )
        except ValidationError as error:
            raise _wrong(error) from None
        self._ledger.update(functools.partial(serviced, event=event))
        return event

    def count(self, spectra: int, now: Stamp) -> EvidenceFile:
        """So many sound spectra were measured; nothing is written where nothing waits for it."""
        return self._ledger.update(functools.partial(counted, spectra=spectra, stamp=now))

    def stability(
        self,
        name: str,
        who: str,
        now: Stamp,
        *,
        instrument: tuple[str, str],
        spectra: Array,
        values: Mapping[str, Array],
        errors: Mapping[str, float],
    ) -> StabilitySample:
        """The sample in the beam: known from now on, or measured again.

        instrument: serial number and `Model.calibration`; spectra: (k, L) on the model's grid,
        values: (k,) by property, of its scans; errors: of the calibration, by property.

        Raises Fault(ADAPTATION_INPUT), and Fault(SAMPLE_REFUSED) for fewer than three scans.
        """
        if len(spectra) < FEWEST_SCANS:
            detail = f"{len(spectra)} sound spectra of the sample in the beam, and 3 are needed"
            raise Fault(Faults.SAMPLE_REFUSED, detail)
        if not all(np.all(np.isfinite(of)) for of in (*values.values(), spectra)):
            detail = "a value of the sample in the beam is no number"
            raise Fault(Faults.ADAPTATION_INPUT, detail)
        means = {name: float(np.mean(of)) for name, of in values.items()}
        middle = np.asarray(spectra, np.float64).mean(axis=0)
        serial, bundle = instrument
        known = self.read().samples
        same = [s for s in known if (s.name, s.serial, s.bundle) == (name, serial, bundle)]
        if same:
            after = self._ledger.update(
                functools.partial(
                    measured_again, sample=same[0], values=means, spectrum=middle, who=who
                )
            )
            key = (name, serial, bundle)
            return next(s for s in after.samples if (s.name, s.serial, s.bundle) == key)
        widths = {
            name: max(_SCATTERS * float(np.std(of, ddof=1)), _OF_ERROR * errors.get(name, 0.0))
            for name, of in values.items()
        }
        try:
            sample = StabilitySample(
                name=name,
                serial=serial,
                bundle=bundle,
                who=who,
                utc=now.iso,
                value=means,
                half_width=widths,
                latest=means,
                spectrum=tuple(map(float, middle)),
            )
        except ValidationError as error:
            raise _wrong(error) from None
        self._ledger.update(functools.partial(with_sample, sample=sample))
        return sample

    def set_aside(self) -> Path:
        """Begin anew where the file is damaged; returns where it is kept. Raises OSError."""
        return set_aside(self._path)

    def untold(self) -> tuple[Action, ...]:
        """What was done and the audit log does not know yet."""
        return self.read().untold

    def told(self, count: int) -> None:
        """The oldest `count` of them stand in the audit log now."""
        self._ledger.update(functools.partial(told, count=count))


def for_guard(
    samples: Sequence[StabilitySample], serial: str, bundle: str, properties: Sequence[str]
) -> tuple[Stability, ...]:
    """Those of an instrument under a `Model.calibration`, properties in this order."""
    return tuple(
        Stability(
            sample.name,
            np.array(sample.spectrum),
            np.array([sample.value[p] for p in properties]),
            np.array([sample.half_width[p] for p in properties]),
        )
        for sample in samples
        if (sample.serial, sample.bundle) == (serial, bundle)
        and all(p in sample.value for p in properties)
    )


def _wrong(error: ValidationError) -> Fault:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return Fault(Faults.ADAPTATION_INPUT, f"{where}: {first['msg']}")
