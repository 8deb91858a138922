"""Whether the instrument's own page answers where the configuration has it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator

from spektron_edge.config.page import PageSettings

from .finding import Finding, bad, ok, unseen
from .service import PAGE_UNIT, properties
from .subject import Subject

PART = "page"
_WAIT_S = 5.0
# Listening everywhere is no address to ask at.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def look(subject: Subject) -> Iterator[Finding]:
    """Raises OSError."""
    settings = subject.config.page
    where = f"{settings.host} port {settings.port}"
    try:
        status = _status(settings)
    except ConnectionRefusedError:
        unit = properties(PAGE_UNIT) or {}
        if unit.get("ActiveState") == "active" or unit.get("UnitFileState") == "enabled":
            yield bad(PART, f"nothing listens at {where}", f"journalctl -u {PAGE_UNIT} -n 50")
        else:
            yield unseen(PART, f"none is served at {where}")
        return
    except ssl.SSLError as error:
        step = "restart the page: certificate or address changed since it began"
        yield bad(PART, f"what listens at {where} speaks no TLS: {error.reason}", step)
        return
    except (OSError, http.client.HTTPException) as error:
        told = f"what listens at {where} does not answer: {str(error) or type(error).__name__}"
        yield bad(PART, told, f"restart it; journalctl -u {PAGE_UNIT} -n 50")
        return
    if status >= http.client.INTERNAL_SERVER_ERROR:
        yield bad(PART, f"the page at {where} answers {status}", "see its log")
    else:
        yield ok(PART, f"answers at {where}")


def _status(settings: PageSettings) -> int:
    """Of the first answer. Raises OSError, HTTPException."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    if settings.encrypted:
        # Whether it answers is all that is asked, and nothing is told it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        asked: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, settings.port, timeout=_WAIT_S, context=context
        )
    else:
        asked = http.client.HTTPConnection(host, settings.port, timeout=_WAIT_S)
    # The page answers to its own names only, and puts others into the audit log.
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        asked.request("GET", "/", headers={"Host": f"{name}:{settings.port}"})
        return asked.getresponse().status
    finally:
        asked.close()
