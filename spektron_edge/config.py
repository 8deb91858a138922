"""The configuration file: TOML, checked by pydantic before anything starts."""

from __future__ import annotations

import difflib
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from spektron_edge.bundle.manifest import Precision

from .adaptation_mode import AdaptationMode
from .backend_choice import BackendChoice, BackendName
from .command_names import CommandName
from .faults import Fault, Faults

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# What a length field of MQTT can say, also for four-byte characters.
_MOST_CHARACTERS = 65535 // 4
_MOST_MB = 1e6
_MOST_DAYS = 36500

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


_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


def _broker_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("must look like mqtt://host:1883, mqtts://host:8883 or wss://host/path")
    # Both raise ValueError, here instead of in the middle of connecting.
    _ = parts.port, parts.hostname.encode("idna")
    if parts.username or parts.password:
        raise ValueError("credentials belong into `username` and `password_file`, not into the URL")
    if parts.scheme.startswith("mqtt") and parts.path not in ("", "/"):
        raise ValueError("only ws:// and wss:// have a path")
    return url


def _response_tree(prefix: str) -> str:
    if not prefix.endswith("/") or any(c in prefix for c in "+#$\0"):
        raise ValueError("must end in / and hold no +, # or $: answers go to topics below it")
    return prefix


Expiring = Literal["prediction", "event", "state", "model"]
_Seconds = Annotated[int, Field(ge=1, le=2**32 - 1)]
_ResponseTree = Annotated[str, AfterValidator(_response_tree), Field(max_length=1024)]


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
        None, description="mqtts, wss: certificate authority; else the system's"
    )
    cert_file: Path | None = Field(None, description="our own certificate, with its chain (PEM)")
    key_file: Path | None = Field(None, description="its key, unless in the same file")
    keepalive_s: int = Field(30, ge=5, le=3600)
    timeout_s: float = Field(
        10.0, ge=1, le=600, description="without an answer for so long, the connection is dead"
    )
    in_flight: int = Field(20, ge=1, le=1000)
    session_expiry_s: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        description="the broker keeps commands for so long while the daemon is away",
    )
    message_expiry_s: dict[Expiring, _Seconds] = Field(
        default_factory=dict, description="the broker forgets a record after so long"
    )
    response_topics: tuple[_ResponseTree, ...] = Field(
        (), description="where answers may go, beside the instrument's own `response/`"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Mqtt:
        if self.protocol != "5":
            for name in ("session_expiry_s", "message_expiry_s", "response_topics"):
                if getattr(self, name):
                    raise ValueError(f"`{name}` needs protocol 5")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("`key_file` needs `cert_file`")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("`ca_file` and `cert_file` need an URL with mqtts:// or wss://")
        return self

    @property
    def host(self) -> str:
        """Host name of the URL."""
        return str(urlsplit(self.url).hostname)

    @property
    def tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return urlsplit(self.url).scheme in ("mqtts", "wss")

    @property
    def websocket_path(self) -> str | None:
        """Path and query of a websocket URL; None where there is no websocket."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("ws", "wss"):
            return None
        path = parts.path or "/mqtt"
        return f"{path}?{parts.query}" if parts.query else path

    @property
    def port(self) -> int:
        """Port of the URL, or the scheme's own."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]


class OutboxLimits(_Section):
    """How much is kept on disk, and for how long. docs/outbox.md has the policy."""

    max_mb: float = Field(256.0, gt=0, le=_MOST_MB)
    max_age_days: float = Field(
        90.0, gt=0, le=_MOST_DAYS, description="records that were not acknowledged"
    )
    keep_sent_mb: float = Field(
        32.0, ge=0, le=_MOST_MB, description="acknowledged records kept for a replay"
    )
    keep_sent_days: float = Field(7.0, ge=0, le=_MOST_DAYS, description="and for how long")
    keep_refused_mb: float = Field(
        16.0, ge=0, le=_MOST_MB, description="records that the broker refuses, tried again"
    )
    replay_per_s: float = Field(
        20.0, gt=0, le=1000, description="how fast `replay-outbox` sends records again"
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


_Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", max_length=256)]


class HomeAssistantSettings(_Section):
    """The instrument as a device of Home Assistant (docs/ecosystem.md)."""

    enabled: bool = False
    discovery_prefix: _Prefix = "homeassistant"
    birth_topic: _Prefix = Field(
        "homeassistant/status", description="where it says `online` when it has started"
    )


class SparkplugSettings(_Section):
    """The instrument as a Sparkplug B edge node (docs/ecosystem.md)."""

    enabled: bool = False
    group: TopicPart | None = Field(None, description="absent: the site")
    edge_node: TopicPart | None = Field(None, description="absent: the instrument")
    device: TopicPart = "spectrometer"
    queue_records: int = Field(
        1000, ge=1, le=100_000, description="records that wait in memory without a session"
    )


class MetricsSettings(_Section):
    """Figures for Prometheus, on this machine only (docs/ecosystem.md)."""

    port: int | None = Field(None, ge=1, le=65535, description="on 127.0.0.1; absent: none")


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
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    sparkplug: SparkplugSettings = SparkplugSettings()
    metrics: MetricsSettings = MetricsSettings()
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

    files = ("password_file", "ca_file", "cert_file", "key_file")
    mqtt = config.mqtt.model_copy(update={name: at(getattr(config.mqtt, name)) for name in files})
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
