"""What many tests of the runtime start from."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.protocol import LampState, Position
from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.manifest import Grid
from spektron_edge.clock import Stamp
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.inbox import Measured
from spektron_edge.inference import load_model
from spektron_edge.outbox import Limits, Outbox
from spektron_edge.spectra.acquisition import References
from spektron_edge.spectra.scan import Scan
from spektron_edge.transfer import fit
from tests import bundles, signers
from tests.transfers import spectra, state_for

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
        white_temperature_c=24.5,
    )


@pytest.fixture
def make_scan():
    """A scan whose counts belong to an absorbance (scalar or one per channel)."""

    def make(absorbance=0.3, **changes):
        counts = DARK + (WHITE - DARK) * 10.0 ** -np.broadcast_to(absorbance, AXIS.shape)
        # A detector has noise: no two scans in a row are the same.
        counts[changes.get("number", 3) % AXIS.size] += 1e-6
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

    def make(path=tmp_path / "outbox.sqlite", limits=UNLIMITED, clock=None):
        outbox = Outbox(path, limits, clock)
        opened.append(outbox)
        return outbox

    yield make
    for outbox in opened:
        outbox.close()


@pytest.fixture
def plain_folder():
    """A folder, and a user to whom permissions mean something: to root they do not."""
    with tempfile.TemporaryDirectory() as name:
        root = os.geteuid() == 0
        if root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


@pytest.fixture
def daemon(tmp_path, tiny_bundle):
    (tmp_path / "edge.toml").write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    daemon = Daemon(tmp_path / "edge.toml")
    yield daemon
    daemon._adaptations.end()
    daemon._state.close()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def scan(daemon, make_scan, references):
    """A sample scan whose references are fresh on the daemon's own clock."""
    now = daemon._clock.now()
    fresh = replace(references, dark_taken=now, white_taken=now)

    def make(number, **changes):
        return Measured(make_scan(number=number, **changes), fresh)

    return make


@pytest.fixture(scope="session")
def field():
    """What an engineer has: (source, axis, references), pairs, and spectra of the target."""
    rng = np.random.default_rng(1)
    concentrations = rng.uniform(0.1, 0.6, (40, 2))
    grid = Grid(start_nm=1200.0, step_nm=20.0, points=60).axis()
    source = spectra(grid, concentrations) + 1e-4 * rng.standard_normal((40, 60))
    target = 1.1 * spectra(AXIS, concentrations) + 0.02
    return source, grid, concentrations, target


@pytest.fixture(scope="session")
def transfer(field):
    source, grid, y, target = field
    return fit(source, grid, y, source[:8], target[:8], AXIS)


@pytest.fixture
def state(transfer, tiny_model):
    return state_for(transfer, tiny_model)
