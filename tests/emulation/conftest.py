from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulation.guest import Guest
from tests.emulation.packages import for_guest
from tests.emulation.processors import CORTEX_A76, Processor
from tests.emulation.root import root
from tests.requirements import absent, need

MakeGuest = Callable[..., Guest]


@pytest.fixture(scope="session")
def make_guest() -> MakeGuest:
    """make_guest(onnxruntime, processor) -> Guest; what it needs is downloaded once."""
    need("arm64")

    def make(onnxruntime: str, processor: Processor = CORTEX_A76) -> Guest:
        try:
            return Guest(root(), for_guest(onnxruntime), processor)
        except RuntimeError as error:
            absent("arm64", str(error))

    return make


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    """A folder that is /exchange in the guest."""
    folder = tmp_path / "exchange"
    folder.mkdir()
    return folder
