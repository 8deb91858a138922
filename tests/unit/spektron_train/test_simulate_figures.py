"""The pictures of docs/simulator.md can be drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")


def test_all_pictures_are_written(tmp_path: Path) -> None:
    from spektron_train.data.simulate.figures import draw_figures

    paths = draw_figures(tmp_path / "simulator")
    assert len(paths) == 5
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 200_000
