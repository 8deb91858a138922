"""Infrared and Raman spectra as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .lines import Lines
from .shapes import MOLAR, spectrum


def plot_spectrum(found: Lines, title: str, path: Path, width: float = 10.0) -> None:
    """Both spectra, Lorentzian lines of `width` cm-1. Raises OSError."""
    from matplotlib.figure import Figure

    top = max(float(found.wavenumbers.max(initial=0)) * 1.1, 1000.0)
    axis = np.arange(0.0, top, width / 20)
    figure = Figure(figsize=(8, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    absorbed = spectrum(axis, found.wavenumbers, found.infrared * MOLAR, width)
    upper.plot(axis, absorbed, color="tab:red")
    upper.set_ylabel("infrared, L/(mol cm)")
    scattered = spectrum(axis, found.wavenumbers, found.raman, width)
    lower.plot(axis, scattered, color="tab:blue")
    lower.set_ylabel("Raman activity, A4/(u cm-1)")
    lower.set_xlabel("wavenumber, cm-1")
    lower.set_xlim(top, 0)
    upper.set_title(title, fontsize="medium")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
