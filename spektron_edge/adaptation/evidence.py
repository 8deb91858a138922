"""What speaks for a change of the instrument, apart from the stream: services, stability samples.

Evidence expires by sound spectra counted since, which a restart does not change, and by the running
clock, as long as the host has not been restarted. No rule uses the wall clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.clock import Stamp, age_s
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Noted, noted
from spektron_edge.said import Sayings

from .drift import Drift

Array = NDArray[np.float64]
# A change by a service shows at once or not at all.
SERVICE_SPECTRA = 2000
SERVICE_AGE_S = 7 * 86400.0
MOST = 32
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f,]{1,64}$")]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ServiceEvent(_Strict):
    """Somebody worked on the instrument. utc is only told; running_s of boot is what counts; left:
    sound spectra before it expires."""

    what: Text
    who: Name
    utc: str
    running_s: float
    boot: str
    left: int = Field(SERVICE_SPECTRA, ge=0)

    def holds(self, now: Stamp) -> bool:
        """Whether it has not expired."""
        age = age_s(Stamp(now.utc_s, self.running_s, self.boot), now)
        return self.left > 0 and (age is None or age <= SERVICE_AGE_S)


class StabilitySample(_Strict):
    """A sample that is kept, and what it predicts to. spectrum: (L,) absorbance on the model's
    grid as measured, mean of its latest measurement; value, half_width: by property, of the first;
    latest: values of the latest measurement, with what was in use then."""

    name: Name
    serial: str
    bundle: str
    who: Name
    utc: str
    value: dict[str, float]
    half_width: dict[str, float]
    latest: dict[str, float]
    spectrum: tuple[float, ...] = Field(max_length=4096)
    measured: int = Field(1, ge=1)

    @property
    def astray(self) -> tuple[str, ...]:
        """Properties whose latest values are outside the interval of the first."""
        return tuple(
            name
            for name, value in self.latest.items()
            if not abs(value - self.value[name]) <= self.half_width[name]
        )


class EvidenceFile(Noted):
    """`evidence.json`."""

    format: Literal[1] = 1
    services: tuple[ServiceEvent, ...] = Field((), max_length=MOST)
    samples: tuple[StabilitySample, ...] = Field((), max_length=MOST)


@dataclass(frozen=True, eq=False)
class Stability:
    """A stability sample as the guard sees it: spectrum (L,) of the latest measurement, and the
    values (m,) +- half_width (m,) that it has to predict to, in the order of the properties."""

    name: str
    spectrum: Array
    value: Array
    half_width: Array


@dataclass(frozen=True)
class Evidence:
    """drift: that goes on, if any; services: unexpired, in words; growing: why a change is not over
    yet, or empty; astray: stability samples outside their intervals."""

    drift: Drift | None = None
    services: tuple[str, ...] = ()
    growing: str = ""
    astray: tuple[str, ...] = field(default=())

    @property
    def of_instrument(self) -> bool:
        """Whether anything points to the instrument and not to the samples."""
        by_stream = self.drift is not None and self.drift.evidence_kind == "instrument"
        return by_stream or bool(self.services) or bool(self.astray)

    @property
    def told(self) -> tuple[str, ...]:
        """In sentences."""
        found = [] if self.drift is None else [self.drift.told]
        found += self.services
        found += [str(Sayings.SAMPLE_OUTSIDE.of(sample=name)) for name in self.astray]
        return (*found, self.growing) if self.growing else tuple(found)


def serviced(now: EvidenceFile, event: ServiceEvent) -> EvidenceFile:
    """With one more; the oldest makes room."""
    kept = (*now.services, event)[-MOST:]
    after = now.model_copy(update={"services": kept})
    details: dict[str, str | int | bool | None] = {"event": event.what, "at": event.utc}
    return noted(after, Action(what="adaptation_service_event", who=event.who, details=details))


def counted(now: EvidenceFile, spectra: int, stamp: Stamp) -> EvidenceFile:
    """So many sound spectra later: what has expired is gone. The same object if nothing changes."""
    if not now.services:
        return now
    left = tuple(
        event.model_copy(update={"left": max(0, event.left - spectra)}) for event in now.services
    )
    return now.model_copy(update={"services": tuple(e for e in left if e.holds(stamp))})


def with_sample(now: EvidenceFile, sample: StabilitySample) -> EvidenceFile:
    """A first measurement. Raises Fault(ADAPTATION_INPUT) where there are as many as there may."""
    if len(now.samples) >= MOST:
        detail = f"{MOST} stability samples are known, which is the most"
        raise Fault(Faults.ADAPTATION_INPUT, detail)
    details: dict[str, str | int | bool | None] = {"sample": sample.name, "serial": sample.serial}
    details |= {n: f"{v:.4g} +- {sample.half_width[n]:.2g}" for n, v in sample.value.items()}
    after = now.model_copy(update={"samples": (*now.samples, sample)})
    return noted(after, Action(what="stability_sample_added", who=sample.who, details=details))


def measured_again(
    now: EvidenceFile,
    sample: StabilitySample,
    values: Mapping[str, float],
    spectrum: Array,
    who: str,
) -> EvidenceFile:
    """A later measurement; its interval stays what the first made it."""
    after = sample.model_copy(
        update={
            "latest": dict(values),
            "spectrum": tuple(map(float, spectrum)),
            "measured": sample.measured + 1,
        }
    )
    key = (sample.name, sample.serial, sample.bundle)
    kept = tuple(after if (s.name, s.serial, s.bundle) == key else s for s in now.samples)
    details: dict[str, str | int | bool | None] = {"sample": sample.name, "serial": sample.serial}
    details |= {name: f"{value:.4g}" for name, value in values.items()}
    details["astray"] = ", ".join(after.astray) or None
    changed = now.model_copy(update={"samples": kept})
    return noted(changed, Action(what="stability_sample_measured", who=who, details=details))
