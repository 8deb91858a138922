"""A virtual spectrometer with real spectra, on a pty of its own."""

from __future__ import annotations

import json
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.virtual import Optics, PtyPort, VirtualSpectrometer
from spektron_edge.faults import Fault, Faults

from .corn import INSTRUMENTS, CornMissing, load_corn

_LOOK_S = 0.5


@dataclass(frozen=True)
class Options:
    """What `spektron-edge simulate` was asked for.

    spectra: m5, mp5, mp6 or a CSV file; rate: scans per second; scans: None for ever.
    """

    spectra: str
    link: Path | None
    rate: float
    scans: int | None
    seed: int
    baud: int
    warmup_s: float


def simulate(options: Options, stop: threading.Event, *, as_json: bool) -> int:
    """Run until `stop`; prints the port. Raises Fault for spectra or link that do not work."""
    if not options.rate > 0:
        raise Fault(Faults.CONFIG_INVALID, "--rate must be above 0")
    spectra, axis_nm = read_spectra(options.spectra)
    device = VirtualSpectrometer(
        spectra,
        axis_nm,
        Optics(warmup_s=options.warmup_s),
        seed=options.seed,
        scans=options.scans,
        interval_s=1.0 / options.rate,
        baud=options.baud,
    )
    try:
        port = PtyPort(device, link=options.link)
    except OSError as error:
        raise Fault(Faults.PORT_DENIED, f"{options.link}: {error.strerror}") from None
    except ValueError as error:
        raise Fault(Faults.CONFIG_INVALID, f"--baud: {error}") from None
    with port:
        if as_json:
            print(json.dumps({"port": port.url, "baud": options.baud}), flush=True)
        else:
            print(f"virtual spectrometer on {port.url} at {options.baud} baud", flush=True)
        # Not without end: a signal that came to another thread is handled when this one wakes, and
        # after a SIGSTOP the kernel may choose another.
        while not stop.wait(_LOOK_S):
            pass
    return 0


def read_spectra(source: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Absorbance (n, L) and axis (L,) nm: held-out corn of an instrument, or a CSV file.

    The CSV has one wavelength (nm) per column in its first line and one spectrum a line below.
    Raises Fault(DEMO_MISSING) without the corn set, Fault(CONFIG_INVALID) for an unusable file.
    """
    if source in INSTRUMENTS:
        try:
            corn = load_corn().test
        except CornMissing as error:
            raise Fault(Faults.DEMO_MISSING, str(error)) from None
        return corn.spectra[source], corn.axis_nm
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file is refused below
            table = np.loadtxt(source, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise Fault(Faults.CONFIG_INVALID, f"{source} is not a table of numbers: {error}") from None
    lines, channels = table.shape
    if (
        lines < 2
        or channels < 4
        or not np.all(np.isfinite(table))
        or np.any(np.diff(table[0]) <= 0)
    ):
        raise Fault(
            Faults.CONFIG_INVALID,
            f"{source} needs a line of four or more rising wavelengths, then spectra",
        )
    axis_nm, spectra = table[0], table[1:]
    return spectra, axis_nm
