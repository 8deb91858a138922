from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.firmware.host import Driver


@pytest.fixture
def driver() -> Iterator[Driver]:
    """The C library, with sanitizers, behind a pipe."""
    driver = Driver()
    yield driver
    assert driver.report() == ""
