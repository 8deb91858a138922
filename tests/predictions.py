"""A prediction as the daemon publishes it, for tests that only need its bytes."""

from __future__ import annotations

from spektron_edge.publishing.records import (
    ApplicabilityInfo,
    ModelInfo,
    Prediction,
    ScanInfo,
    SignerInfo,
    Times,
    Value,
    new_id,
    to_json,
)


def prediction(number: int = 1, *, site: str = "lab", instrument: str = "m5") -> bytes:
    """Of the corn bundle's four properties."""
    names = ("moisture", "oil", "protein", "starch")
    value = Value(value=10.2512, unit="% (w/w)", low=9.9312, high=10.5712)
    return to_json(
        Prediction(
            id=new_id(),
            site=site,
            instrument=instrument,
            serial="VIRT-0001",
            time=Times(utc="2026-05-04T03:02:01.250Z", running_s=123456.7891, clock="ok"),
            scan=ScanInfo(
                number=number,
                boot_id=7,
                device_us=1234567890,
                integration_us=10000,
                averages=16,
                temperature_c=31.25,
                saturated=0,
                dark_age_s=3.5,
                white_age_s=4.25,
            ),
            values=dict.fromkeys(names, value),
            valid=True,
            reasons=(),
            applicability=ApplicabilityInfo(t2=12.3456, t2_limit=28.1, q=0.0123, q_limit=0.0456),
            model=ModelInfo(
                bundle="corn@1.0.0",
                signed_by=SignerInfo(key_id="0123456789abcdef", name="anna"),
                product="corn",
                graph_sha256="0" * 64,
                precision="int8",
                provider="CPUExecutionProvider",
                backend_asked="cpu",
                backend_active="cpu",
            ),
        )
    )
