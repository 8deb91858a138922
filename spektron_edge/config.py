"""The configuration file: TOML, checked by pydantic before anything starts."""

from __future__ import annotations

import difflib
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from .adaptation_mode import AdaptationMode
from .backend_choice import BackendChoice, BackendName
from .command_names import CommandName
from .faults import Fault, Faults
from .manifest import Precision

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# What a length field of MQTT can say, also for four-byte characters.
_MOST_CHARACTERS = 65535 // 4
_MOST_MB = 1e6

TopicPart = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Serial(_Section):
    """The line to the instrument."""

    url: str = Field(description="a device path or any pyserial URL")
    baud: int = Field(921600, ge=300, le=4_000_000)
    silence_s: float = Field(5.0, gt=0, description="no scan for so long: ask the instrument again")


class Acquisition(_Section):
    """How scans are taken and how long references last."""

    integration_us: int = Field(1000, ge=1, le=2**32 - 1)
    averages: int = Field(
        1, ge=1, le=65535, description="exposures that the instrument averages into one scan"
    )
    reference_averages: int = Field(64, ge=1, le=65535)
    dark_max_age_s: float = Field(3600.0, gt=0)
    white_max_age_s: float = Field(3600.0, gt=0)
    automatic_references: bool = Field(
        True, description="let the instrument close its shutter and move its own white reference"
    )
    queue_scans: int = Field(64, ge=1, description="scans that may wait; more are dropped, counted")


def _broker_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError("must look like mqtt://host:1883 or mqtts://host:8883")
    # Both raise ValueError, here instead of in the middle of connecting.
    _ = parts.port, parts.hostname.encode("idna")
    if parts.username or parts.password:
        raise ValueError("credentials belong into `username` and `password_file`, not into the URL")
    return url


class Mqtt(_Section):
    """The broker."""

    url: Annotated[str, AfterValidator(_broker_url)]
    protocol: Literal["5", "3.1.1"] = Field(
        "5", description="3.1.1 acknowledges even what the broker's access list refuses"
    )
    client_id: str | None = Field(
        None,
        max_length=_MOST_CHARACTERS,
        description="unique per broker; made from the names if absent",
    )
    username: str | None = Field(None, max_length=_MOST_CHARACTERS)
    password_file: Path | None = None
    ca_file: Path | None = Field(
        None, description="mqtts: certificate authority; else the system's"
    )
    keepalive_s: int = Field(30, ge=5, le=3600)
    in_flight: int = Field(20, ge=1, le=1000)

    @property
    def host(self) -> str:
        """Host name of the URL."""
        return str(urlsplit(self.url).hostname)

    @property
    def tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def port(self) -> int:
        """Port of the URL, or the scheme's own."""
        return urlsplit(self.url).port or (8883 if self.tls else 1883)


class OutboxLimits(_Section):
    """How much is kept on disk."""

    max_mb: float = Field(256.0, gt=0, le=_MOST_MB)
    keep_sent_mb: float = Field(
        32.0, ge=0, le=_MOST_MB, description="acknowledged records kept for a replay"
    )


class Operator(_Section):
    """Someone who may send commands, proven by a shared key."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    key_file: Path
    may: tuple[CommandName, ...]


def _distinct(operators: tuple[Operator, ...]) -> tuple[Operator, ...]:
    names = [operator.name for operator in operators]
    if len(set(names)) != len(names):
        raise ValueError("two operators share a name")
    return operators


class Commands(_Section):
    """Who may do what over MQTT. Without operators, no command is accepted."""

    operators: Annotated[tuple[Operator, ...], AfterValidator(_distinct)] = ()
    two_people: tuple[CommandName, ...] = Field(
        (), description="carried out only when a second operator asks for the same in 10 minutes"
    )
    reload_trial_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="what worked before a reload has to work again within so long",
    )

    @model_validator(mode="after")
    def _enough_people(self) -> Commands:
        if "adapt-approve" in self.two_people:
            raise ValueError("two people for adapt-approve: set `approvals = 2` in [adaptation]")
        for name in self.two_people:
            if sum(name in operator.may for operator in self.operators) < 2:
                raise ValueError(f"two_people: fewer than two operators may {name}")
        return self


class SpectraSettings(_Section):
    """Spectra beside the predictions, best effort: docs/payloads.md."""

    every: int = Field(0, ge=0, description="publish that of every so-manieth scan; 0: none")
    apart_s: float = Field(0.0, ge=0, description="and not closer than this in time")
    precision: Literal["float32", "float16"] = Field(
        "float32", description="float16 keeps three digits: to look at, not to calibrate with"
    )
    compression: Literal["none", "zlib"] = "none"


class Trust(_Section):
    """Whose bundles are accepted. Without this section, anybody's."""

    keys: Path = Field(description="folder of public keys (*.pem) and revoked.json")
    require_signature: bool = Field(True, description="false: an unsigned bundle is accepted, too")


class InferenceSettings(_Section):
    """What computes. A backend that cannot be had is replaced by the CPU, with an event."""

    backend: BackendName = Field("cpu", description="docs/inference.md says what each needs")
    engines: Path | None = Field(
        None, description="folder of TensorRT's engines; default: `engines` in `state_dir`"
    )


class AdaptationSettings(_Section):
    """How far the instrument may adapt by itself, and who has to agree."""

    mode: AdaptationMode = Field("frozen", description="docs/adaptation.md says what each does")
    approvals: int = Field(
        1, ge=1, le=2, description="different people who have to approve what was proposed"
    )


class Log(_Section):
    """Log lines."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(_Section):
    """The whole file."""

    site: TopicPart
    instrument: TopicPart
    state_dir: Path
    bundle: Literal["slots"] | Path | None = Field(
        None, description='a file; "slots": the active slot; absent: the corn bundle of the package'
    )
    product: str | None = Field(None, description="needed when the bundle holds several")
    precision: Precision | None = Field(
        None, description="absent: int8 where the bundle has it, else fp32"
    )
    serial: Serial
    mqtt: Mqtt
    acquisition: Acquisition = Acquisition()
    outbox: OutboxLimits = OutboxLimits()
    commands: Commands = Commands()
    spectra: SpectraSettings = SpectraSettings()
    trust: Trust | None = None
    inference: InferenceSettings = InferenceSettings()
    adaptation: AdaptationSettings = AdaptationSettings()
    log: Log = Log()

    @property
    def uses_slots(self) -> bool:
        """Whether the bundle is the one in the active slot. A file of that name is `./slots`."""
        return self.bundle == "slots"

    @property
    def backend(self) -> BackendChoice:
        """The backend to try, and where its engines are."""
        return BackendChoice(
            self.inference.backend, self.inference.engines or self.state_dir / "engines"
        )

    @property
    def bundle_path(self) -> Path:
        """The bundle file to load where no slots are used."""
        return self.bundle if isinstance(self.bundle, Path) else shipped_bundle()


def shipped_bundle() -> Path:
    """The bundle that comes with the package."""
    return Path(str(resources.files("spektron_edge").joinpath("bundles/corn.spektron")))


def load_config(path: Path) -> Config:
    """Read and check a file. Raises Fault(CONFIG_INVALID) naming every wrong key.

    Relative paths in the file are relative to the file's folder.
    """
    return parse_config(read_config(path), path)


def read_config(path: Path) -> str:
    """The file's text. Raises Fault(CONFIG_INVALID)."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise Fault(Faults.CONFIG_INVALID, f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Fault(Faults.CONFIG_INVALID, f"{path} is not TOML: {error}") from None


def parse_config(text: str, path: Path) -> Config:
    """Check a text as if the file held it. Raises Fault(CONFIG_INVALID) naming every wrong key."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Fault(Faults.CONFIG_INVALID, f"{path} is not TOML: {error}") from None
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(_explain(detail["loc"], detail["msg"]) for detail in error.errors())
        raise Fault(Faults.CONFIG_INVALID, f"{path}: {problems}") from None
    return _anchored(config, path.resolve().parent)


def _explain(location: tuple[str | int, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    if message != "Extra inputs are not permitted":
        return f"{where}: {message}"
    close = difflib.get_close_matches(str(location[-1]), _known(location[:-1]), n=1)
    return f"unknown key {where}" + (f" (did you mean {close[0]!r}?)" if close else "")


def _known(section: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in section:
        inner = model.model_fields[str(part)].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _anchored(config: Config, folder: Path) -> Config:
    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    mqtt = config.mqtt.model_copy(
        update={
            "password_file": at(config.mqtt.password_file),
            "ca_file": at(config.mqtt.ca_file),
        }
    )
    operators = tuple(
        o.model_copy(update={"key_file": folder / o.key_file}) for o in config.commands.operators
    )
    trust = config.trust and config.trust.model_copy(update={"keys": folder / config.trust.keys})
    inference = config.inference.model_copy(update={"engines": at(config.inference.engines)})
    return config.model_copy(
        update={
            "inference": inference,
            "state_dir": folder / config.state_dir,
            "bundle": at(config.bundle) if isinstance(config.bundle, Path) else config.bundle,
            "trust": trust,
            "mqtt": mqtt,
            "commands": config.commands.model_copy(update={"operators": operators}),
        }
    )
