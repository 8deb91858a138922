"""Bundles that the benchmark of adaptation needs beside the shipped one, made once into build/."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from spektron_edge.bundle import Bundle, read_bundle
from spektron_export.pack import export_bundle
from spektron_train import finetune
from spektron_train.data.corn import read_corn

from ..tablets import tablets_bundle
from .report import FOLDER

SHIPPED = Path(__file__).resolve().parents[2] / "spektron_edge" / "bundles" / "corn.spektron"


def corn_bundle(instrument: str) -> Bundle:
    """Calibrated on m5 (the one that ships), mp5 or mp6, by one recipe."""
    if instrument == "m5":
        return read_bundle(SHIPPED)
    path = FOLDER / f"corn-{instrument}.spektron"
    if not path.is_file():
        with patch.object(finetune, "SOURCE_INSTRUMENT", instrument):
            checkpoint = finetune.finetune_corn(read_corn(), finetune.Settings(threads=1))
        _made(path, lambda new: export_bundle(checkpoint, new))
    return read_bundle(path)


def tablets() -> Bundle:
    """Calibrated on spectrometer 1; it has no gradient graph."""
    path = FOLDER / "tablets.spektron"
    if not path.is_file():
        _made(path, tablets_bundle)
    return read_bundle(path)


def _made(path, make):
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    make(new)
    new.replace(path)
