"""Whether certificates end soon: our own at the broker, the authority's, the page's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from spektron_edge.faults import Faults
from spektron_edge.mqtt.tls import ends_soon, lifetime

from .finding import Finding, bad, ok, unseen, warning
from .subject import Subject

PART = "certificates"


def look(subject: Subject) -> Iterator[Finding]:
    """See the module."""
    mqtt, page = subject.config.mqtt, subject.config.page
    named = {
        "mqtt.cert_file": mqtt.cert_file,
        "mqtt.ca_file": mqtt.ca_file,
        "page.certificate": page.certificate,
    }
    given = {name: path for name, path in named.items() if path is not None}
    if not given:
        yield unseen(PART, "the configuration names none")
    for name, path in given.items():
        yield _judged(name, path, datetime.now(timezone.utc))


def _judged(name: str, path: Path, now: datetime) -> Finding:
    life = lifetime(path)
    if life is None:
        return bad(PART, f"{path} holds no certificate that can be read", f"correct `{name}`")
    begins, ends = life
    if begins > now:
        told = f"{path} is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        return bad(PART, told, "see the clock; else have it made anew")
    told = f"{path} {'ended' if ends <= now else 'ends'} at {ends:%Y-%m-%d %H:%M} UTC"
    replace = f"replace `{name}`; docs/mqtt.md and docs/page.md say how"
    if ends <= now:
        # The broker's authority is no fault of the daemon's own: it shows when it connects.
        code = Faults.CERTIFICATE_EXPIRING.value.code if name == "mqtt.cert_file" else None
        return Finding(PART, "bad", told, replace, code)
    if ends_soon(begins, ends, now):
        return warning(PART, told, replace)
    return ok(PART, told)
