"""The files that the section [mqtt] names: password, authority, certificate and key."""

from __future__ import annotations

from collections.abc import Mapping

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults

NAMES = ("password_file", "ca_file", "cert_file", "key_file")

Secrets = Mapping[str, bytes]


def read_secrets(settings: Mqtt) -> Secrets:
    """What the files hold now, by the names of their keys.

    Raises Fault(CONFIG_INVALID).
    """
    paths = {name: getattr(settings, name) for name in NAMES}
    try:
        return {name: path.read_bytes() for name, path in paths.items() if path is not None}
    except OSError as error:
        raise Fault(
            Faults.CONFIG_INVALID,
            f"mqtt secrets cannot be read: {error.filename}: {error.strerror}",
        ) from None


def replaced(settings: Mqtt, known: Secrets) -> Secrets:
    """Of what is known, that which the files do not hold any more."""
    gone: dict[str, bytes] = {}
    for name, content in known.items():
        try:
            held = getattr(settings, name).read_bytes()
        except OSError:
            held = None
        if held != content:
            gone[name] = content
    return gone
