"""What leaves the instrument: the records published over MQTT, and their JSON Schema."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from ulid import ULID

from spektron_edge.adaptation_mode import AdaptationMode
from spektron_edge.backend_choice import BackendName


def new_id() -> str:
    """A fresh ULID: a consumer that meets an id twice drops the second record."""
    return str(ULID())


Stage = Literal["finished", "accepted", "waiting"]


class _Record(BaseModel):
    # NaN has no place in JSON; a value that could not be computed is null.
    # Every field is always written, so the published schema requires those with defaults too.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )


class Times(_Record):
    """When: both clocks of the host, and whether the wall clock can be believed."""

    utc: str = Field(description="ISO 8601, milliseconds")
    running_s: float = Field(description="seconds since the host started (CLOCK_BOOTTIME)")
    clock: Literal["ok", "suspect"] = Field(
        description="suspect: `utc` is before something that certainly happened"
    )


Basis = Literal["transfer_90", "held_out_rmsep_90"]


class Value(_Record):
    """One property's value; null when the scan could not be evaluated, or a transfer to this
    instrument did not validate for the property."""

    value: float | None
    unit: str
    low: float | None = Field(None, description="90 % interval; null where nobody measured it")
    high: float | None = None
    basis: Basis | None = Field(
        None,
        description="what the interval rests on: this instrument's transfer "
        "(`model.transfer.interval_basis`), or the bundle's held-out samples",
    )


class ScanInfo(_Record):
    """Which exposure, under which conditions."""

    number: int = Field(description="the instrument's scan number since its power-on")
    boot_id: int = Field(description="another one after every power-on")
    device_us: int = Field(description="the instrument's clock since then, us")
    integration_us: int = Field(description="of one exposure, us")
    averages: int = Field(description="exposures averaged")
    temperature_c: float | None = Field(description="of the detector")
    saturated: int = Field(description="saturated channels")
    dark_age_s: float | None = Field(
        description="null without one, or where the host restarted since"
    )
    white_age_s: float | None = Field(description="the same of the white reference")
    white_temperature_c: float | None = Field(
        None, description="of the detector during the white reference, where it was noted"
    )
    missing_before: int = Field(
        0, description="scan numbers lost since the prediction before this one"
    )
    noise_absorbance: float | None = Field(
        None, description="1 sigma of a channel, median; null where the noise is not known"
    )
    ended_utc: str | None = Field(
        None,
        description="end of the exposure by the instrument's clock, on the host's, ISO 8601; null "
        "where the instrument has none",
    )
    ended_running_s: float | None = Field(None, description="the same as `time.running_s`")
    ended_uncertainty_s: float | None = Field(
        None, description="of these, beyond the shortest way over the line, which they include"
    )


class ApplicabilityInfo(_Record):
    """Hotelling T2 and Q residual of the spectrum, each with its 99 % limit, and the nearest
    calibration spectrum."""

    t2: float
    t2_limit: float
    q: float
    q_limit: float
    neighbour: float | None = Field(
        None,
        description="distance to the nearest calibration spectrum, scores in units of their "
        "standard deviation; null where the bundle has no spectra",
    )
    neighbour_limit: float | None = Field(
        None, description="largest such distance within the calibration; beyond it is no reason"
    )


class SignerInfo(_Record):
    """Whose signature the device has checked."""

    key_id: str
    name: str


class TransferInfo(_Record):
    """The calibration transfer that the values come from."""

    version: int
    id: str
    samples: int = Field(description="transfer samples that it was made from")
    interval_basis: str = Field(description="what the 90 % intervals of the values rest on")


class AdaptationInfo(_Record):
    """An adaptation of this instrument: its spectra are corrected, and the model's theta moved."""

    version: int
    id: str
    mode: AdaptationMode = Field(description="of the device when it was made")
    approved_by: tuple[str, ...] = Field(description="empty where it was used by itself (`auto`)")


class ShadowInfo(_Record):
    """What an adaptation that is not in use would have said. Never instead of the values."""

    adaptation: AdaptationInfo
    values: dict[str, Value]
    valid: bool
    reasons: tuple[str, ...]


class ModelInfo(_Record):
    """What computed the values."""

    bundle: str = Field(description="name, version and hash")
    signed_by: SignerInfo | None = Field(
        None, description="null where the device is told to trust anybody's bundle"
    )
    product: str
    graph_sha256: str
    precision: str
    provider: str = Field(description="the engine that really runs, by its own name")
    backend_asked: BackendName = Field(description="`inference.backend` of the configuration")
    backend_active: BackendName = Field(
        description="what runs; another one than asked for is the event `backend_fell_back`"
    )
    transfer: TransferInfo | None = Field(
        None, description="takes the graph's place on this instrument; null: the bundle's own"
    )
    adaptation: AdaptationInfo | None = Field(
        None, description="in use on this instrument; null: as the bundle was made"
    )


class Prediction(_Record):
    """One scan's result. Exactly one is published for every scan that reached the host."""

    schema_: Literal["spektron.prediction/1"] = Field(
        "spektron.prediction/1", serialization_alias="schema"
    )
    id: str = Field(description="ULID; the same whenever the record is sent again")
    site: str
    instrument: str
    serial: str = Field(description="the instrument's own number")
    time: Times
    scan: ScanInfo
    values: dict[str, Value] = Field(description="by property")
    valid: bool = Field(description="whether the values may be used")
    reasons: tuple[str, ...] = Field(description="fault codes or exceeded limits; empty when valid")
    applicability: ApplicabilityInfo | None
    model: ModelInfo
    shadow: ShadowInfo | None = Field(
        None, description="an adaptation beside the values that count; null: none is looked at"
    )


class Event(_Record):
    """Something that happened: a fault that began or ended, a gap, a change."""

    schema_: Literal["spektron.event/1"] = Field("spektron.event/1", serialization_alias="schema")
    id: str
    site: str
    instrument: str
    time: Times
    code: str
    level: Literal["info", "warning", "error"]
    message: str
    next_step: str | None = None
    scans: tuple[tuple[int, int], ...] = Field(
        (), description="ranges of scan numbers, first and last, that the event is about"
    )
    serial: str | None = Field(None, description="of the instrument whose scans or power-on it is")
    boot_id: int | None = Field(
        None, description="of the power-on that `scans` count from, or that ended"
    )


class DeviceInfo(_Record):
    """The instrument behind the line, as it introduced itself."""

    serial: str
    firmware: str = Field(description="version of its firmware, in its own words")
    protocol: int = Field(description="version of the wire protocol that was agreed on")
    capabilities: tuple[str, ...]
    pixels: int
    boot_id: int = Field(description="another one after every power-on")


class DeviceClockInfo(_Record):
    """The instrument's clock against the host's monotonic one."""

    drift_ppm: float | None = Field(
        None, description="by which it runs fast; null before there is half a minute of it"
    )
    uncertainty_s: float = Field(description="of a moment by it, 1 sigma or so")


class DriftInfo(_Record):
    """What is known of a drift. It is kept in memory: it begins anew with the daemon, with another
    bundle, instrument or adaptation, and after a service."""

    since: str = Field(description="when it began, UTC")
    spectra: int = Field(description="sound ones since then")
    samples: int = Field(description="distinct ones among them, which are what counts")
    statistic: str | None = Field(None, description="the one that is nearest to its threshold")
    share: float | None = Field(
        None, description="its sum over its threshold; a drift is told of above 1"
    )
    told: str | None = Field(None, description="of the drift that goes on, in a sentence")


class StateRecord(_Record):
    """Counters and latencies since the daemon started. Retained."""

    schema_: Literal["spektron.state/1"] = Field("spektron.state/1", serialization_alias="schema")
    site: str
    instrument: str
    time: Times
    uptime_s: float
    faults: tuple[str, ...]
    waiting_for: tuple[str, ...] = Field(
        (), description="commands that somebody has to send, or to send as the second person"
    )
    integration_us: int | None = Field(None, description="null until the instrument streams")
    chosen: tuple[str, ...] = Field(
        (), description="what operators chose in place of the configuration"
    )
    device: DeviceInfo | None = Field(
        None, description="the one connected, or connected last; null: none since the start"
    )
    bad_pixels: tuple[int, ...] = Field(
        (), description="channels, from 0 on, that their neighbours stand in for"
    )
    device_clock: DeviceClockInfo | None = Field(
        None, description="null where the instrument has none"
    )
    drift: DriftInfo | None = Field(
        None, description="null while nobody looks for one: mode `frozen`, or no scan yet"
    )
    counters: dict[str, int]
    p50_ms: float | None = Field(description="last serial byte to PUBACK, median")
    p99_ms: float | None
    audit_head: str


class ModelState(_Record):
    """What the daemon predicts with. Retained."""

    schema_: Literal["spektron.model/1"] = Field("spektron.model/1", serialization_alias="schema")
    site: str
    instrument: str
    model: ModelInfo
    properties: dict[str, str] = Field(description="property -> unit")
    interval_basis: str | None = Field(
        None, description="of the values' intervals where no transfer is in use"
    )


class Status(_Record):
    """Whether the daemon is connected; `offline` is also its will. Retained."""

    schema_: Literal["spektron.status/1"] = Field("spektron.status/1", serialization_alias="schema")
    status: Literal["online", "offline"]


class Response(_Record):
    """Answer to a command."""

    schema_: Literal["spektron.response/1"] = Field(
        "spektron.response/1", serialization_alias="schema"
    )
    command: str
    stage: Stage = Field(
        "finished",
        description="accepted: the instrument is asked, and one more answer follows; waiting: for "
        "another operator to ask for the same",
    )
    ok: bool
    message: str
    correlation: str | None = Field(description="the request's own, echoed")
    result: dict[str, str | int | float | bool | tuple[str, ...] | None] = Field(
        default_factory=dict
    )


class Axis(_Record):
    """The wavelengths that published spectra of an instrument are on. Retained."""

    schema_: Literal["spektron.axis/1"] = Field("spektron.axis/1", serialization_alias="schema")
    site: str
    instrument: str
    serial: str
    id: str = Field(description="the same for the same values")
    unit: Literal["nm"] = "nm"
    values: tuple[float, ...]


class SpectrumHeader(_Record):
    """First line of a published spectrum; `points` numbers follow, little-endian."""

    schema_: Literal["spektron.spectrum/1"] = Field(
        "spektron.spectrum/1", serialization_alias="schema"
    )
    record: str = Field(description="id of the prediction that was made of it")
    site: str
    instrument: str
    serial: str
    scan: int = Field(description="its number")
    boot_id: int
    quantity: Literal["absorbance"] = "absorbance"
    axis: str = Field(description="id of the retained axis")
    points: int
    dtype: Literal["float16", "float32"]
    compression: Literal["none", "zlib"]
    noise: bool = Field(
        False,
        description="whether as many numbers more follow: the standard deviation of each, 1 sigma",
    )


PUBLISHED: dict[str, type[_Record]] = {
    "prediction": Prediction,
    "event": Event,
    "state": StateRecord,
    "model": ModelState,
    "status": Status,
    "response": Response,
    "axis": Axis,
    "spectrum": SpectrumHeader,
}


def to_json(record: _Record) -> bytes:
    """A record's payload."""
    return record.model_dump_json(by_alias=True).encode()
