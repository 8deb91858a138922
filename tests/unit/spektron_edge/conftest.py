"""What many tests of the runtime start from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge.protocol import LampState, Position
from spektron_edge.acquisition import References
from spektron_edge.bundle import read_bundle
from spektron_edge.clock import Stamp
from spektron_edge.inference import load_model
from spektron_edge.outbox import Limits, Outbox
from spektron_edge.scan import Scan
from tests import bundles, signers

NOW = Stamp(utc_s=1_800_000_000.0, running_s=1000.0, boot="boot-a")
AXIS = np.linspace(1190.0, 2390.0, 80)
UNLIMITED = Limits(10**9, 10**9)
DARK, WHITE = 600.0, 50_600.0


@pytest.fixture(scope="session")
def anna(tmp_path_factory):
    return signers.key(tmp_path_factory.mktemp("anna"), "anna")


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    return signers.key(tmp_path_factory.mktemp("bert"), "bert")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory):
    return bundles.write_tiny(tmp_path_factory.mktemp("bundle") / "tiny.spektron")


@pytest.fixture(scope="session")
def tiny_model(tiny_bundle):
    return load_model(read_bundle(tiny_bundle))


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def references():
    return References(
        dark=np.full(AXIS.size, DARK),
        white=np.full(AXIS.size, WHITE),
        dark_taken=replace(NOW, running_s=990.0),
        white_taken=replace(NOW, running_s=995.0),
        serial="VIRT-0001",
        boot_id=7,
        integration_us=1000,
    )


@pytest.fixture
def make_scan():
    """A scan whose counts belong to an absorbance (scalar or one per channel)."""

    def make(absorbance=0.3, **changes):
        counts = DARK + (WHITE - DARK) * 10.0 ** -np.broadcast_to(absorbance, AXIS.shape)
        scan = Scan(
            counts=counts,
            axis_nm=AXIS,
            number=3,
            boot_id=7,
            serial="VIRT-0001",
            integration_us=1000,
            averages=1,
            lamp=LampState.STABLE,
            position=Position.SAMPLE,
            temperature_c=25.0,
            saturated=0,
            device_us=123,
            last_byte_at=1.0,
        )
        return replace(scan, **changes)

    return make


@pytest.fixture
def open_outbox(tmp_path):
    """Open (or open again) an outbox; all are closed afterwards."""
    opened = []

    def make(path=tmp_path / "outbox.sqlite", limits=UNLIMITED):
        outbox = Outbox(path, limits)
        opened.append(outbox)
        return outbox

    yield make
    for outbox in opened:
        outbox.close()
