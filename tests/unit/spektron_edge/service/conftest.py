from __future__ import annotations

import pytest

from tests.manager import Manager


@pytest.fixture
def manager(tmp_path):
    manager = Manager.at(tmp_path)
    yield manager
    manager.close()
