"""The section of the instrument's own page."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from .section import Section

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class PageSettings(Section):
    """Where the page is served and how long a login lasts (docs/page.md)."""

    host: str = Field("127.0.0.1", max_length=253, description="address to listen on")
    port: int = Field(8765, ge=1, le=65535)
    names: tuple[_Name, ...] = Field(
        (), max_length=16, description="host names by which browsers may ask for it, beside `host`"
    )
    certificate: Path | None = Field(None, description="PEM, with those between it and the root")
    key: Path | None = Field(None, description="PEM, unencrypted")
    session_min: float = Field(480.0, gt=0, le=1440, description="a login ends after so long")
    idle_min: float = Field(
        30.0, gt=0, le=1440, description="or after so long without a request; see docs/page.md"
    )
    memory_mb: int = Field(384, ge=192, le=4096, description="of data that its process may hold")
    nice: int = Field(10, ge=0, le=19, description="how far it stands back behind the daemon")

    @model_validator(mode="after")
    def _encrypted(self) -> PageSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        if not self.on_loopback and self.certificate is None:
            raise ValueError(
                f"host {self.host!r} can be reached by others, who could read passwords: give "
                "certificate and key (`spektron-edge page-certificate` makes them), or leave "
                "127.0.0.1"
            )
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether nothing but this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def encrypted(self) -> bool:
        """Whether it is served over TLS."""
        return self.certificate is not None
