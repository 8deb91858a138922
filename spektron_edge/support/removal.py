"""Secrets, taken out of everything that goes into a support file.

What is included names no file of keys or passwords; but a log line or a fault may quote one. So the
contents of all these files are looked for in every text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from spektron_edge.bundle.device_key import FILE as DEVICE_KEY
from spektron_edge.config.file import Config

REMOVED = "[removed]"
_MOST_BYTES = 64 * 1024
# Anything shorter would take letters out of every text.
_SHORTEST = 4
_PATTERNS = (
    re.compile(r"(?<=://)[^\s\"'<>]*(?=@)"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    re.compile(r"\$argon2[^\s\"']+"),
    # Brokers behind websockets take tokens in the query of their address.
    re.compile(r"(?<=\?)[^\s\"'<>?=]+=[^\s\"'<>]+"),
)
_NAMED = re.compile(r"password|passphrase|secret|token|csrf|cookie|hash$", re.I)
_FILE = re.compile(r"_file$|sha256$", re.I)


class Removal:
    """count: how many places were emptied."""

    def __init__(self, secrets: Iterable[str]) -> None:
        kept = {secret for secret in secrets if len(secret) >= _SHORTEST}
        self._secrets = sorted(kept, key=len, reverse=True)
        self.count = 0

    def text(self, text: str) -> str:
        """The same without secrets."""
        for secret in self._secrets:
            if secret in text:
                self.count += text.count(secret)
                text = text.replace(secret, REMOVED)
        for pattern in _PATTERNS:
            text, found = pattern.subn(REMOVED, text)
            self.count += found
        return text

    def clean(self, value: object) -> object:
        """The same of a value of JSON, with names as they are; a text under a name such as
        `password` goes as a whole."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(k)): self._named(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(inner) for inner in value]
        return value

    def _named(self, name: str, value: object) -> object:
        if isinstance(value, str) and _NAMED.search(name) and not _FILE.search(name):
            self.count += 1
            return REMOVED
        return self.clean(value)


def secrets_of(config: Config) -> list[str]:
    """Contents of all files of keys and passwords that this device has, in the forms in which they
    could be quoted."""
    found: list[str] = []
    for path in secret_files(config):
        try:
            with path.open("rb") as stream:
                data = stream.read(_MOST_BYTES)
        except OSError:
            continue
        found += _forms(data)
    return found


def secret_files(config: Config) -> list[Path]:
    """Files of keys and passwords, and of certificates, which may hold a key as well; some may not
    be there."""
    mqtt, page, state = config.mqtt, config.page, config.state_dir
    given = [*config.secret_files, mqtt.cert_file, page.certificate, state / DEVICE_KEY]
    given += [state / "page" / name for name in ("users.json", "first-boot-code")]
    return [path for path in given if path is not None]


def _forms(data: bytes) -> list[str]:
    whole = data.strip()
    text = whole.decode("utf-8", "replace")
    if "-----BEGIN" in text:
        blocks = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END", text, re.S)
        return [line.strip() for block in blocks for line in block.splitlines()]
    if text.startswith("{"):
        return re.findall(r"\$argon2[^\s\"']+", text)
    return [text, text.replace("-", ""), whole.hex(), base64.b64encode(whole).decode()]
