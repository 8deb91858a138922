"""What setup asks, in this order, with what Enter takes."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from firmware_bridge.drivers.registry import UnknownDriver, driver
from spektron_edge.config.file import Config
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.config.page import PageSettings
from spektron_edge.config.retention import Retention
from spektron_edge.examination.broker import accepts
from spektron_edge.examination.ports import serial_ports
from spektron_edge.faults import Fault
from spektron_edge.retention.budget import MB, fitting_budget_mb, fitting_outbox_mb, room_bytes

from . import checks
from .asking import Answers, Doubt, Question, Step, Trial
from .place import PACKAGED_STATE, is_packaged
from .prober import ALL, Prober

_UDEV_NAME = Path("/dev/spektron")
RETENTION = ("max_mb", "max_age_days", "keep_sent_mb", "keep_sent_days", "keep_refused_mb")
_RETENTION_ASKS = {
    "max_mb": "Records that wait for the broker, MB at most",
    "max_age_days": "and for how many days",
    "keep_sent_mb": "Records that the broker has, kept for a replay, MB at most",
    "keep_sent_days": "and for how many days",
    "keep_refused_mb": "Records that the broker refuses, MB at most",
}


def steps(path: Path, before: Config | None, prober: Prober, *, look: bool) -> list[Step]:
    """path: of the configuration; before: as it is, None where there is none; look: whether Enter
    looks for an instrument on all ports, which somebody has to want: bytes are sent to each."""
    return [
        *_names(before),
        *_instrument(before, prober, look=look),
        *_broker(before),
        *_device(path, before),
        *_retention(path, before),
    ]


def _same(value: object) -> Callable[[Answers], str | None]:
    return lambda _answers: None if value is None else str(value)


def _names(before: Config | None) -> list[Step]:
    explains = "Topics are spektron/SITE/INSTRUMENT/...: letters, digits, `_`, `.`, `-`."
    site = None if before is None else before.site
    instrument = None if before is None else before.instrument
    return [
        Question("site", "Site", explains, _same(site), checks.topic_part),
        Question("instrument", "Instrument", explains, _same(instrument), checks.topic_part),
    ]


def _instrument(before: Config | None, prober: Prober, *, look: bool) -> list[Step]:
    serial = None if before is None else before.serial
    there = [f"{port.path} ({port.what})" for port in serial_ports()]
    listed = "; ".join(there) or "none is there now"
    explains = f"Serial ports: {listed}. `{ALL}` looks on all of them."

    def usual_port(_answers: Answers) -> str | None:
        if serial is not None:
            return serial.url
        if _UDEV_NAME.exists():
            return str(_UDEV_NAME)
        return ALL if there and look else None

    def usual_driver(answers: Answers) -> str:
        if serial is not None and serial.url == answers["port"]:
            return serial.driver
        found = prober.at(answers["port"])
        return "spektron" if found is None else found.driver.name

    def usual_baud(answers: Answers) -> str:
        if serial is not None and serial.url == answers["port"] and serial.baud is not None:
            return str(serial.baud)
        found = prober.known(answers["port"])
        if found is not None and found.driver.name == answers["driver"]:
            return str(found.place.baud)
        bauds = driver(answers["driver"]).bauds
        return str(bauds[0]) if bauds else ""

    def given(key: str, otherwise: str | None) -> Callable[[Answers], str | None]:
        def usual(_answers: Answers) -> str | None:
            held = None if serial is None else getattr(serial, key)
            if isinstance(held, tuple):
                return ", ".join(map(str, held))
            return otherwise if held is None else str(held)

        return usual

    drivers = "`spektron-edge instruments` lists them."
    sheet = "a0, a1, a2 of its calibration sheet: nm = a0 + a1 pixel + a2 pixel^2"
    return [
        Question("port", "Port of the instrument", explains, usual_port, checks.port(prober)),
        Question("driver", "Driver", drivers, usual_driver, checks.driver_name),
        Question(
            "baud",
            "Speed of the line, baud",
            "As the instrument is set.",
            usual_baud,
            checks.of_serial("baud"),
            lambda answers: bool(driver(answers["driver"]).bauds),
        ),
        Question(
            "model",
            "Model",
            lambda answers: f"One of {', '.join(driver(answers['driver']).models)}.",
            given("model", None),
            checks.of_serial("model"),
            _needs("model"),
        ),
        Question(
            "wavelength_nm",
            "Polynomial of its wavelengths, nm",
            f"It does not know its axis: {sheet}.",
            given("wavelength_nm", None),
            checks.of_serial("wavelength_nm"),
            _needs("wavelength_nm"),
        ),
        Question(
            "serial_number",
            "Serial number",
            "It has none of its own: any name that no other has.",
            given("serial_number", None),
            checks.of_serial("serial_number"),
            _needs("serial"),
        ),
    ]


def _needs(field: str) -> Callable[[Answers], bool]:
    def wanted(answers: Answers) -> bool:
        with contextlib.suppress(UnknownDriver):
            used = driver(answers["driver"])
            return field in used.needs or (field == "serial" and used.nameless)
        return False

    return wanted


def _broker(before: Config | None) -> list[Step]:
    mqtt = None if before is None else before.mqtt
    forms = "mqtt://host:1883, mqtts://host:8883 with TLS, or wss://host/path."
    kept = "" if mqtt is None or mqtt.password_file is None else " Enter keeps the one there is."
    files = "its authority as a file (PEM); `none`: the authorities that this system knows."

    def try_it(answers: Answers) -> str:
        try:
            return _accepts(answers, mqtt)
        except Fault as fault:
            raise Doubt(str(fault)) from None
        except (OSError, ValidationError) as error:
            raise Doubt(f"cannot be tried: {error}") from None

    return [
        Question("broker", "Broker", forms, _same(mqtt and mqtt.url), checks.broker_url),
        Question(
            "username",
            "User name at the broker",
            "`none` where it asks for none.",
            _same("" if mqtt is None else mqtt.username or ""),
            checks.username,
        ),
        Question(
            "password",
            "Password",
            f"It goes into a file that only the daemon may read.{kept}",
            _same(""),
            checks.password,
            lambda answers: bool(answers["username"]),
            secret=True,
        ),
        Question(
            "ca_file",
            "Who vouches for the broker",
            f"The broker's certificate is checked against {files}",
            _same("" if mqtt is None else mqtt.ca_file or ""),
            checks.certificate,
            lambda answers: urlsplit(answers["broker"]).scheme in ("mqtts", "wss"),
        ),
        Trial(try_it, "broker"),
    ]


def _accepts(answers: Answers, before: Mqtt | None) -> str:
    """Tried with what was answered, and what else the file has of the broker. Raises Fault."""
    asked = {"url": answers["broker"], "username": answers["username"] or None}
    asked["ca_file"] = answers.get("ca_file") or None
    held = {} if before is None else before.model_dump(exclude_none=True)
    password, username = answers.get("password", ""), answers["username"]
    if not password or not username:
        if not username:
            held.pop("password_file", None)
        return accepts(Mqtt.model_validate({**held, **asked}))
    with tempfile.NamedTemporaryFile(prefix="spektron-") as file:
        file.write(password.encode())
        file.flush()
        return accepts(Mqtt.model_validate({**held, **asked, "password_file": file.name}))


def _device(path: Path, before: Config | None) -> list[Step]:
    folder = path.resolve().parent
    state = str(PACKAGED_STATE) if is_packaged(path) else "state"
    page = None if before is None else before.page
    held = "" if before is None or before.bundle is None else str(before.bundle)
    seen = "Names and addresses that browsers ask for, with commas; `none`: this machine only."
    return [
        Question(
            "state_dir",
            "Folder for results and state",
            "On a disk that survives a power cut, not on a network.",
            _same(state if before is None else before.state_dir),
            checks.state_folder(folder),
        ),
        Question(
            "bundle",
            "Bundle of the calibration",
            "A file; `slots`: what `bundle install` brings; `none`: the corn one that is shipped.",
            _same(held),
            checks.bundle(folder),
        ),
        Question(
            "page",
            "Serve the instrument's page",
            "For a tablet beside the instrument; docs/page.md.",
            _same(checks.NO if page in (None, PageSettings()) else checks.YES),
            checks.yes_or_no,
        ),
        Question(
            "page_names",
            "By which names",
            f"{seen} A certificate is made for them.",
            _same("" if page is None else ", ".join(page.names)),
            checks.names,
            lambda answers: answers["page"] == checks.YES,
        ),
    ]


def _retention(path: Path, before: Config | None) -> list[Step]:
    folder = path.resolve().parent
    held = None if before is None else before.retention.total_mb
    limits = OutboxLimits() if before is None else before.outbox
    explains = "The oldest are dropped beyond it, counted; docs/outbox.md."

    def room(answers: Answers) -> float:
        with contextlib.suppress(OSError):
            return room_bytes(folder / checks.file_path(answers["state_dir"], folder))
        return math.inf

    def told(answers: Answers) -> str:
        there = room(answers)
        known = f" There is room for {there / MB:.0f} MB." if math.isfinite(there) else ""
        return f"Results, audit log, bundles and all else; what is beyond is told.{known}"

    def usual_total(answers: Answers) -> str:
        there = room(answers)
        fits = fitting_budget_mb(there) if math.isfinite(there) else Retention().total_mb
        return f"{fits if held is None else held:g}"

    def usual_most(answers: Answers) -> str:
        if before is not None:
            return f"{limits.max_mb:g}"
        return f"{fitting_outbox_mb(float(answers['total_mb'])):g}"

    return [
        Question(
            "total_mb",
            "The whole state folder, MB at most",
            told,
            usual_total,
            checks.budget(room),
        ),
        *(
            Question(
                key,
                _RETENTION_ASKS[key],
                explains,
                usual_most if key == "max_mb" else _same(f"{getattr(limits, key):g}"),
                checks.limit(key),
            )
            for key in RETENTION
        ),
    ]
