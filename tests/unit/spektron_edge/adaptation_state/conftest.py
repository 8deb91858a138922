"""An empty store, and an adaptation to keep in it."""

from __future__ import annotations

import pytest

from spektron_edge.adaptation_state import AdaptationStore
from tests.adaptations import state_for


@pytest.fixture
def store(tmp_path):
    return AdaptationStore(tmp_path / "state")


@pytest.fixture
def state(tiny_model):
    return state_for(tiny_model)
