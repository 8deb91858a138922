"""The plan of a qualification: which standards there are, what is measured, and which limits hold.

A TOML file of the plant's. What it does not speak of is not done; what it sets no limit to has the
defaults below, each with where it comes from, or none.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from spektron_edge.faults import Fault, Faults

from .items import OURS, PLAN, Expected, Limit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = "example.toml"
_MOST_BYTES = 1_000_000
_MOST_SOURCE = 200
_PRECISION = f"{OURS}: then the mean of ten looks is known to 0.1 nm"
_SCALE = (
    f"{OURS}: twice what a diffuse standard of 10 % that is known to 0.005 of reflectance leaves "
    "open (0.02 absorbance)"
)


def _by(sha256: str) -> str:
    """Twelve digits beside each limit; a report has the whole once."""
    return f"{PLAN}, SHA-256 {sha256[:12]}..."


def _limit(value: object, info: ValidationInfo) -> object:
    """A number as the plan's own limit; with a source, that and the plan."""
    plan = PLAN if info.context is None else _by(info.context["sha256"])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"limit": value, "source": plan}
    if isinstance(value, dict):
        told = value.get("source")
        if isinstance(told, str) and len(told) > _MOST_SOURCE:
            raise ValueError(f"a source has {_MOST_SOURCE} characters at most")
        source = f"{told}, by {plan}" if isinstance(told, str) and told else told
        return {**value, "source": plan if "source" not in value else source}
    return value


_Limit = Annotated[Limit, BeforeValidator(_limit)]
_Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Standard(_Table):
    """What lies in the beam, and what vouches for it. expires: of the certificate."""

    name: _Name
    certificate: _Name | None = None
    expires: date | None = None


class Wavelength(Standard):
    """name: of a table of bands, as `wavelength-check` has them."""

    scans: int = Field(8, ge=1, le=1000, description="averaged for one look at the bands")
    repeats: int = Field(10, ge=2, le=100)
    accuracy_nm: _Limit | None = None
    precision_nm: _Limit = Limit(limit=0.3, source=_PRECISION)


class Photometric(Standard):
    """Values at wavelengths, as absorbance or as reflectance (a share, not per cent)."""

    nm: tuple[float, ...] = Field(min_length=1)
    absorbance: tuple[float, ...] | None = None
    reflectance: tuple[Annotated[float, Field(gt=0)], ...] | None = None

    @model_validator(mode="after")
    def _one_scale(self) -> Photometric:
        given = self.absorbance if self.reflectance is None else self.reflectance
        if given is None or (self.absorbance is not None and self.reflectance is not None):
            raise ValueError(f"{self.name}: give absorbance or reflectance, one of the two")
        if len(given) != len(self.nm):
            raise ValueError(f"{self.name}: {len(self.nm)} wavelengths and {len(given)} values")
        if self.reflectance is not None and max(self.reflectance) > 1.2:
            raise ValueError(f"{self.name}: reflectance is a share (0.8), not per cent (80)")
        return self


class Linearity(_Table):
    """Measured against given absorbance at each wavelength, over all photometric standards."""

    scans: int = Field(8, ge=1, le=1000)
    half_width_nm: float = Field(5.0, ge=0, le=100)
    slope: _Limit = Limit(limit=0.05, source=_SCALE)
    intercept: _Limit = Limit(limit=0.05, source=_SCALE)
    residual: _Limit | None = None


class Noise(Standard):
    """At one level of light. mean, largest: rms over all windows, and in the worst one."""

    scans: int = Field(20, ge=2, le=1000)
    window_nm: float = Field(100.0, gt=0)
    mean: _Limit | None = None
    largest: _Limit | None = None
    peak_to_peak: _Limit | None = None


class Baseline(Standard):
    """Of a standard without bands. drift: per hour; range: of the mean while it is measured."""

    scans: int = Field(20, ge=3, le=10_000)
    window_nm: float = Field(50.0, gt=0)
    flatness: _Limit | None = None
    drift: _Limit | None = None
    range: _Limit | None = None


class Repeatability(_Table):
    """One sample, filled anew `fills` times. within, total: limits by property."""

    sample: _Name
    scans: int = Field(5, ge=2, le=1000)
    fills: int = Field(3, ge=1, le=100)
    within: Mapping[str, _Limit] = Field(default_factory=dict)
    total: Mapping[str, _Limit] = Field(default_factory=dict)


class Control(_Table):
    """A control sample, stable and always the same. tolerance: about the target; sigma: what is
    usual; absent, the first ten measurements say; since: of the trend, after a repair say."""

    name: _Name
    property: str
    unit: str
    target: float
    tolerance: _Limit
    sigma: float | None = Field(None, gt=0)
    since: date | None = None
    scans: int = Field(5, ge=1, le=1000)


class Compared(_Table):
    """A property's predictions against the laboratory's values. Without `bias`, one that is not
    significant passes; without `sep`, one that does not contradict the stated error, and where
    nobody stated any, SEP is not judged; without `slope` (its distance from 1), one that does not
    differ from 1 significantly."""

    unit: str
    laboratory_error: float | None = Field(None, gt=0, description="SEL, 1 sigma")
    bias: _Limit | None = None
    sep: _Limit | None = None
    slope: _Limit | None = None
    agreement: _Limit | None = None


class Plan(_Table):
    """The whole file. expected: names of installation items, and what they have to be."""

    title: _Name
    version: _Name
    expected: Mapping[str, str] = Field(default_factory=dict)
    wavelength: Wavelength | None = None
    photometric: tuple[Photometric, ...] = ()
    linearity: Linearity = Linearity()
    noise: tuple[Noise, ...] = ()
    baseline: Baseline | None = None
    repeatability: Repeatability | None = None
    controls: tuple[Control, ...] = ()
    compare_scans: int = Field(5, ge=1, le=1000, description="averaged for one sample")
    compare_least: int = Field(
        10, ge=3, description="samples that a comparison needs; of fewer, nothing is significant"
    )
    compare: Mapping[str, Compared] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _distinct(self) -> Plan:
        for names in ([s.name for s in self.photometric], [c.name for c in self.noise]):
            if len(set(names)) != len(names):
                raise ValueError("two standards share a name")
        controls = [(c.name, c.property) for c in self.controls]
        if len(set(controls)) != len(controls):
            raise ValueError("a control sample has a property twice")
        return self


@dataclass(frozen=True)
class PlanFile:
    """A plan, and the SHA-256 of the file that it came from."""

    plan: Plan
    sha256: str

    @property
    def expected(self) -> dict[str, Expected]:
        """What installation items have to be, by their names."""
        source = _by(self.sha256)
        return {what: Expected(value=v, source=source) for what, v in self.plan.expected.items()}


def read_plan(path: Path) -> PlanFile:
    """Raises Fault(COMMAND_INPUT) naming every wrong key."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Fault(Faults.COMMAND_INPUT, f"cannot read {path}: {error.strerror}") from None
    if len(raw) > _MOST_BYTES:
        raise Fault(Faults.COMMAND_INPUT, f"{path} is larger than {_MOST_BYTES} bytes")
    try:
        text, sha256 = raw.decode("utf-8-sig"), hashlib.sha256(raw).hexdigest()
        plan = Plan.model_validate(tomllib.loads(text), context={"sha256": sha256})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise Fault(Faults.COMMAND_INPUT, f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(
            ".".join(map(str, e["loc"])) + ": " + e["msg"].removeprefix("Value error, ")
            for e in error.errors()
        )
        raise Fault(Faults.COMMAND_INPUT, f"{path}: {wrong}") from None
    return PlanFile(plan, sha256)


def example() -> str:
    """A plan to start from."""
    return resources.files("spektron_edge.qualification").joinpath(EXAMPLE).read_text("utf-8")
