"""A session on a device of its own, and cups of real corn on mp6."""

from __future__ import annotations

import pytest

from spektron_edge.transfer_session import Session
from tests.corn_bench import Cups, configure


@pytest.fixture(scope="module")
def cups():
    return Cups()


@pytest.fixture
def config(tmp_path):
    return configure(tmp_path / "device")


@pytest.fixture
def session(config):
    return Session(config, "local:anna")
