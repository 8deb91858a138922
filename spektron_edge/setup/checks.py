"""Whether one answer can be used; by the configuration's own rules, as far as they reach."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from firmware_bridge.drivers.registry import UnknownDriver, driver
from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.config.instrument import Serial
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.config.page import PageSettings
from spektron_edge.config.retention import Retention
from spektron_edge.config.section import TopicPart
from spektron_edge.faults import Fault
from spektron_edge.mqtt.tls import lifetime
from spektron_edge.retention.budget import MB, outbox_bytes

from .asking import AnswerRefused, Answers, Doubt
from .prober import ALL, Prober

LONGEST = 4096
YES, NO, NONE = "yes", "no", "none"
_TOPIC: TypeAdapter[str] = TypeAdapter(TopicPart)
# Files that a check looks for; the section only wants to be told of them.
_ANY = Path("/given")


def plain(text: str) -> str:
    """A line of printable characters. Raises AnswerRefused."""
    line = text.strip()
    if len(line) > LONGEST:
        raise AnswerRefused(f"longer than {LONGEST} characters")
    if not line.isprintable():
        raise AnswerRefused("holds characters that cannot be printed")
    return line


def typed(text: str) -> str:
    """The same, and empty for `none`. Raises AnswerRefused."""
    line = plain(text)
    return "" if line == NONE else line


def file_path(text: str, folder: Path = Path()) -> Path:
    """As it was typed, with `~` in full; folder: that it may be relative to.

    Raises AnswerRefused for what can be none.
    """
    try:
        path = Path(text).expanduser()
        (folder / path).exists()
    except (OSError, RuntimeError) as error:
        raise AnswerRefused(f"no path that can be used: {error}") from None
    return path


def topic_part(text: str, _answers: Answers) -> str:
    """It becomes a part of topics."""
    try:
        return _TOPIC.validate_python(text)
    except ValidationError:
        told = "letters, digits, `_`, `.` and `-` only, 64 at most: it is a part of MQTT topics"
        raise AnswerRefused(told) from None


def port(prober: Prober) -> Callable[[str, Answers], str]:
    """A port that is there; `find` looks for one."""

    def check(text: str, _answers: Answers) -> str:
        if text == ALL:
            return prober.first()
        _section(Serial, {"url": text})
        if "://" not in text:
            path = file_path(text)
            if not path.is_absolute():
                raise AnswerRefused(
                    "a path such as /dev/ttyUSB0, or an URL such as socket://h:4001"
                )
            if not path.exists():
                raise Doubt(f"{text} is not there: is the instrument plugged in?")
            if not path.is_char_device():
                raise AnswerRefused(f"{text} is no serial port")
        return text

    return check


def driver_name(text: str, _answers: Answers) -> str:
    """One that is installed."""
    try:
        return driver(text).name
    except (UnknownDriver, Fault) as error:
        raise AnswerRefused(str(error)) from None


def of_serial(key: str) -> Callable[[str, Answers], str]:
    """A field of [serial] beside url and driver, empty for none."""

    def check(text: str, answers: Answers) -> str:
        if text:
            held = {k: serial_value(k, answers[k]) for k in SERIAL_KEYS if answers.get(k)}
            values = _stand_ins(answers["driver"]) | held | {key: serial_value(key, text)}
            _section(Serial, {"url": answers["port"], **values})
        return text

    return check


SERIAL_KEYS = ("driver", "baud", "serial_number", "model", "wavelength_nm")


def _stand_ins(name: str) -> dict[str, Any]:
    """For what the driver needs and is asked for later."""
    used = driver(name)
    known = {
        "wavelength_nm": ("wavelength_nm", [0.0, 1.0]),
        "serial": ("serial_number", "unnamed"),
        "model": ("model", next(iter(used.models), "")),
    }
    return dict(known[need] for need in used.needs)


def serial_value(key: str, text: str) -> str | int | list[float]:
    """As the configuration has it. Raises AnswerRefused."""
    try:
        if key == "baud":
            return int(text)
        if key == "wavelength_nm":
            return [float(part) for part in text.strip("[]").split(",")]
    except ValueError:
        wanted = "a whole number" if key == "baud" else "numbers with commas between them"
        raise AnswerRefused(f"{text!r}: {wanted}") from None
    return text


def broker_url(text: str, _answers: Answers) -> str:
    """As `mqtt.url`."""
    if "://" not in text:
        text = f"mqtt://{text}"
    _section(Mqtt, {"url": text})
    return text


def username(text: str, answers: Answers) -> str:
    """Empty for none."""
    if text:
        _section(Mqtt, {"url": answers["broker"], "username": text})
    return text


def password(text: str, _answers: Answers) -> str:
    """Empty for none, or for the one that there is."""
    if text != text.strip() or not text.isprintable():
        raise AnswerRefused("printable characters only, and no space at its ends")
    return text


def certificate(text: str, _answers: Answers) -> str:
    """A file of certificates (PEM), empty for none."""
    if not text:
        return ""
    path = file_path(text)
    if lifetime(path) is None:
        raise AnswerRefused(f"{path} holds no certificate (PEM) that can be read")
    return str(path.absolute())


def state_folder(folder: Path) -> Callable[[str, Answers], str]:
    """folder: of the configuration, to which it may be relative."""

    def check(text: str, _answers: Answers) -> str:
        path = folder / file_path(text, folder)
        if path.exists() and not path.is_dir():
            raise AnswerRefused(f"{path} is there, and is no folder")
        there = path
        while not there.exists():
            there = there.parent
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
            raise AnswerRefused(
                f"you may not write to {there}; run this as root, or choose another"
            )
        return str(file_path(text, folder))

    return check


def bundle(folder: Path) -> Callable[[str, Answers], str]:
    """A file, `slots`, or empty for the one of the package."""

    def check(text: str, _answers: Answers) -> str:
        if text in ("", "slots"):
            return text
        path = folder / file_path(text, folder)
        try:
            read_bundle(path)
        except BundleError as error:
            raise AnswerRefused(str(error)) from None
        return str(path.absolute())

    return check


def yes_or_no(text: str, _answers: Answers) -> str:
    """Either, or the beginning of it."""
    for word in (YES, NO):
        if text and word.startswith(text.lower()):
            return word
    raise AnswerRefused("yes or no")


def names(text: str, _answers: Answers) -> str:
    """Host names and addresses with commas between them, empty for none."""
    given = split_names(text)
    files = {"certificate": _ANY, "key": _ANY}
    if given:
        _section(PageSettings, {"host": "0.0.0.0", "names": given, **files})  # noqa: S104
    return ", ".join(given)


def split_names(text: str) -> list[str]:
    """One by one."""
    return [part.strip() for part in text.split(",") if part.strip()]


def budget(room: Callable[[Answers], float]) -> Callable[[str, Answers], str]:
    """`retention.total_mb`. room: bytes that the state folder has."""

    def check(text: str, answers: Answers) -> str:
        _section(Retention, {"total_mb": text})
        if float(text) * MB > (there := room(answers)):
            raise Doubt(f"the disk has room for {there / MB:.0f} MB only: it would be full first")
        return text

    return check


def limit(key: str) -> Callable[[str, Answers], str]:
    """A limit of the outbox."""

    def check(text: str, answers: Answers) -> str:
        _section(OutboxLimits, {key: text})
        if key == "max_mb":
            takes = outbox_bytes(OutboxLimits(max_mb=float(text))) / MB
            if takes > float(answers["total_mb"]):
                raise Doubt(f"its file may take {takes:.0f} MB, more than the whole folder may")
        return text

    return check


def _section(model: type[BaseModel], values: Mapping[str, Any]) -> None:
    """Raises AnswerRefused with the first thing that is wrong."""
    try:
        model.model_validate(values)
    except Fault as fault:
        raise AnswerRefused(fault.detail) from None
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise AnswerRefused(message.removeprefix("Value error, ")) from None
