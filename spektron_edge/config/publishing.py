"""Sections of what goes out beside predictions, and to whom beside the broker."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .section import Section, TopicPart


class SpectraSettings(Section):
    """Spectra beside the predictions, best effort: docs/payloads.md."""

    every: int = Field(0, ge=0, description="publish that of every so-manieth scan; 0: none")
    apart_s: float = Field(0.0, ge=0, description="and not closer than this in time")
    precision: Literal["float32", "float16"] = Field(
        "float32", description="float16 keeps three digits: to look at, not to calibrate with"
    )
    compression: Literal["none", "zlib"] = Field("none", description="of the payload's body")
    noise: bool = Field(
        False, description="also the standard deviation per channel, where it is known"
    )


_Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", max_length=256)]


class HomeAssistantSettings(Section):
    """The instrument as a device of Home Assistant (docs/ecosystem.md)."""

    enabled: bool = Field(False, description="publish its discovery")
    discovery_prefix: _Prefix = Field("homeassistant", description="as set in Home Assistant")
    birth_topic: _Prefix = Field(
        "homeassistant/status", description="where it says `online` when it has started"
    )


class SparkplugSettings(Section):
    """The instrument as a Sparkplug B edge node (docs/ecosystem.md)."""

    enabled: bool = Field(False, description="publish under spBv1.0/ as well")
    group: TopicPart | None = Field(None, description="absent: the site")
    edge_node: TopicPart | None = Field(None, description="absent: the instrument")
    device: TopicPart = Field("spectrometer", description="its name below the edge node")
    queue_records: int = Field(
        1000, ge=1, le=100_000, description="records that wait in memory without a session"
    )


class MetricsSettings(Section):
    """Figures for Prometheus, on this machine only (docs/ecosystem.md)."""

    port: int | None = Field(None, ge=1, le=65535, description="on 127.0.0.1; absent: none")
