"""Corn cups that are measured on mp5 or mp6 under the bundle that ships, calibrated on m5."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spektron_edge.demo.corn import load_corn
from spektron_edge.transfer_session.session import Session
from spektron_edge.transfer_session.spectra_file import Scans

NOISE = 1.5e-4
SERIAL = "MP6-1"


def configure(folder: Path, more: str = "") -> Path:
    """A device's configuration in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "edge.toml"
    path.write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\n{more}\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )
    return path


class Cups:
    """The training samples by their id, and the held-out ones as `new0` to `new19`."""

    def __init__(self, instrument: str = "mp6", seed: int = 0) -> None:
        corn = load_corn()
        train, test = corn.train, corn.test
        self.axis_nm = corn.axis_nm
        self._spectra = dict(
            zip(map(str, train.samples.tolist()), train.spectra[instrument], strict=True)
        )
        self._spectra |= {f"new{i}": x for i, x in enumerate(test.spectra[instrument])}
        self.references = dict(
            zip(map(str, train.samples.tolist()), train.references, strict=True)
        ) | {f"new{i}": y for i, y in enumerate(test.references)}
        self._rng = np.random.default_rng(seed)

    def scans(self, sample: str, count: int = 3) -> Scans:
        """Repeat scans of a cup."""
        x = self._spectra[sample]
        return Scans(x + NOISE * self._rng.standard_normal((count, x.size)), self.axis_nm)


def measure(session: Session, cups: Cups, count: int) -> list[str]:
    """Add the next `count` samples that the session asks for."""
    added = []
    for _ in range(count):
        sample = session.next_sample()
        assert sample is not None
        assert session.add(sample, cups.scans(sample)).verdict == "good"
        added.append(sample)
    return added
