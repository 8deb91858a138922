"""From answers to the configuration's text and the files beside it; nothing is written here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from spektron_edge.config.file import Config
from spektron_edge.config.loading import parse_config
from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.config.page import PageSettings
from spektron_edge.config.retention import Retention
from spektron_edge.faults import Fault, Faults
from spektron_edge.page.certificate import CERTIFICATE, KEY

from .asking import Answers
from .checks import SERIAL_KEYS, YES, serial_value, split_names
from .questions import RETENTION
from .toml_edit import Key, NotInPlace, Value, edited

PASSWORD_FILE = "mqtt.password"  # noqa: S105 - its name
_HEAD = (
    "# Made by `spektron-edge setup`, which also changes it. What is not here has its default.\n"
)


@dataclass(frozen=True)
class Draft:
    """text: of the configuration; config: the same, checked; diff: lines, none where nothing
    changes; password: for its file, None where that stays as it is; certificate_for: names that the
    page's certificate is made for, none where it is not needed or there."""

    path: Path
    text: str
    config: Config
    diff: tuple[str, ...]
    password: str | None
    certificate_for: tuple[str, ...]

    @property
    def changes(self) -> tuple[str, ...]:
        """Everything that is written, in lines; none where nothing is."""
        beside = []
        if self.password is not None:
            beside.append(f"{self.password_file}: the password")
        if self.certificate_for:
            names = ", ".join(self.certificate_for)
            beside.append(f"{self.config.page.certificate}: a certificate for {names}, and its key")
        return (*self.diff, *beside)

    @property
    def password_file(self) -> Path:
        """Beside the configuration."""
        return self.config.mqtt.password_file or self.path.resolve().parent / PASSWORD_FILE


def drafted(path: Path, before: str, config: Config | None, answers: Answers) -> Draft:
    """before, config: what is there, empty and None for nothing.

    Raises Fault(SETUP_REFUSED, CONFIG_INVALID).
    """
    folder = path.resolve().parent
    try:
        text = edited(before or _HEAD, _changes(answers, config, folder))
    except NotInPlace as error:
        told = f"{path} cannot be changed in place: {error}. Change it by hand, or move it away"
        raise Fault(Faults.SETUP_REFUSED, told) from None
    made = parse_config(text, path)
    old, new = before.splitlines(), text.splitlines()
    diff = difflib.unified_diff(old, new, str(path), f"{path} (new)", lineterm="")
    names = split_names(answers.get("page_names", ""))
    own = made.page.certificate
    missing = own == folder / CERTIFICATE and not own.exists()
    draft = Draft(
        path,
        text,
        made,
        () if old == new else tuple(diff),
        answers.get("password") or None,
        tuple(names) if missing else (),
    )
    return replace(draft, password=None) if _is_there(draft) else draft


def _is_there(draft: Draft) -> bool:
    """Whether the file holds that password already."""
    try:
        return (draft.password or "").encode() == draft.password_file.read_bytes().rstrip(b"\r\n")
    except OSError:
        return False


def _changes(answers: Answers, config: Config | None, folder: Path) -> Mapping[Key, Value | None]:
    """config: as it is, whose further keys stay; folder: of the file."""
    changes: dict[Key, Value | None] = {
        ("", "site"): answers["site"],
        ("", "instrument"): answers["instrument"],
        ("serial", "url"): answers["port"],
        ("mqtt", "url"): answers["broker"],
        ("mqtt", "username"): answers["username"] or None,
    }
    budget = Retention() if config is None else config.retention
    if (total := float(answers["total_mb"])) != budget.total_mb:
        changes["retention", "total_mb"] = total
    limits = OutboxLimits() if config is None else config.outbox
    for key in RETENTION:
        if (value := float(answers[key])) != getattr(limits, key):
            changes["outbox", key] = value
    return {
        **changes,
        **_serial(answers, config),
        **_files(answers, config, folder),
        **_page(answers, config),
    }


def _serial(answers: Answers, config: Config | None) -> dict[Key, Value | None]:
    """What has its value by default stays unsaid, where it was."""
    held = {} if config is None else config.serial.model_dump(mode="json")
    if config is not None:
        held["baud"] = config.serial.place.baud
    changes: dict[Key, Value | None] = {}
    for key in SERIAL_KEYS:
        text = answers.get(key, "")
        value = serial_value(key, text) if text else None
        if config is None or held[key] != value:
            changes["serial", key] = value
    return changes


def _files(answers: Answers, config: Config | None, folder: Path) -> dict[Key, Value | None]:
    """Paths stay as they are written where they mean the same."""
    changes: dict[Key, Value | None] = {}
    password = answers.get("password") and PASSWORD_FILE
    if config is not None and answers["username"] and config.mqtt.password_file is not None:
        password = str(config.mqtt.password_file)
    for key, text, held in (
        (("", "state_dir"), answers["state_dir"], config and config.state_dir),
        (("", "bundle"), answers["bundle"], config and config.bundle),
        (("mqtt", "password_file"), password, config and config.mqtt.password_file),
        (("mqtt", "ca_file"), answers.get("ca_file"), config and config.mqtt.ca_file),
    ):
        if not text or not isinstance(held, Path) or folder / text != held:
            changes[key] = text or None
    return changes


def _page(answers: Answers, config: Config | None) -> dict[Key, Value | None]:
    held = PageSettings() if config is None else config.page
    if answers["page"] != YES:
        return {}
    names = split_names(answers["page_names"])
    if list(held.names) == names:
        return {}
    if not names:
        return {("page", key): None for key in ("host", "names", "certificate", "key")}
    return {
        ("page", "host"): held.host if not held.on_loopback else "0.0.0.0",  # noqa: S104
        ("page", "names"): names,
        ("page", "certificate"): str(held.certificate or CERTIFICATE),
        ("page", "key"): str(held.key or KEY),
    }
