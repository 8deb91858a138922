"""The section of the broker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from .section import Section

# What a length field of MQTT can say, also for four-byte characters.
_MOST_CHARACTERS = 65535 // 4
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


def _broker_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("must look like mqtt://host:1883, mqtts://host:8883 or wss://host/path")
    # Both raise ValueError, here instead of in the middle of connecting.
    port, _ = parts.port, parts.hostname.encode("idna")
    if port == 0:
        raise ValueError("port 0 is none; leave it out for the usual one")
    if parts.username or parts.password:
        raise ValueError("credentials belong into `username` and `password_file`, not into the URL")
    if parts.scheme.startswith("mqtt") and parts.path not in ("", "/"):
        raise ValueError("only ws:// and wss:// have a path")
    if parts.fragment or (parts.scheme.startswith("mqtt") and parts.query):
        raise ValueError(
            "only ws:// and wss:// have a query (?...), and none has a fragment (#...)"
        )
    return url


def _response_tree(prefix: str) -> str:
    if not prefix.endswith("/") or any(c in prefix for c in "+#$\0"):
        raise ValueError("must end in / and hold no +, # or $: answers go to topics below it")
    return prefix


def _plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must hold printable characters only: brokers hang up over others")
    return text


_Text = Annotated[str, Field(max_length=_MOST_CHARACTERS), AfterValidator(_plain)]
Expiring = Literal["prediction", "event", "state", "model"]
_Seconds = Annotated[int, Field(ge=1, le=2**32 - 1)]
_ResponseTree = Annotated[str, AfterValidator(_response_tree), Field(max_length=1024)]


class Mqtt(Section):
    """The broker."""

    url: Annotated[str, AfterValidator(_broker_url)] = Field(
        description="mqtt://, mqtts://, ws:// or wss://host:port, without credentials"
    )
    protocol: Literal["5", "3.1.1"] = Field(
        "5", description="3.1.1 acknowledges even what the broker's access list refuses"
    )
    client_id: _Text | None = Field(
        None,
        description="unique per broker; made from the names if absent",
    )
    username: _Text | None = Field(None, description="absent: anonymous, or by certificate")
    password_file: Path | None = Field(None, description="holds the password alone")
    ca_file: Path | None = Field(
        None, description="mqtts, wss: certificate authority; else the system's"
    )
    cert_file: Path | None = Field(None, description="our own certificate, with its chain (PEM)")
    key_file: Path | None = Field(None, description="its key, unless in the same file")
    keepalive_s: int = Field(
        30, ge=5, le=3600, description="silence after which the broker is asked for a sign of life"
    )
    timeout_s: float = Field(
        10.0, ge=1, le=600, description="without an answer for so long, the connection is dead"
    )
    in_flight: int = Field(
        20, ge=1, le=1000, description="records under way at once; the broker may allow fewer"
    )
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
        if self.password_file is not None and self.username is None:
            raise ValueError("`password_file` needs `username`: nobody would read it")
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
