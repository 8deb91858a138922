"""Qualifications of measurements that are made up."""

from __future__ import annotations

import numpy as np

from spektron_edge.qualification.book import Calibration, Control, Run
from spektron_edge.qualification.results import Measured

AXIS = np.arange(1100.0, 2500.0, 2.0)
CALIBRATION = Calibration(bundle="corn 3", product="corn")
UNIT = "% by mass"
CONFIG = """
site = "lab"
instrument = "m5"
state_dir = "state"
[serial]
url = "/dev/absent"
[mqtt]
url = "mqtt://127.0.0.1:1"
"""


class Somebody:
    """Lays in what is asked for."""

    def place(self, step, number, of):
        return "measure"

    def progress(self, step, done):
        pass

    def failed(self, step, why):
        raise AssertionError(why)


def measured(absorbance=0.3, scans=4, moisture=10.0, noise=1e-4, axis_nm=AXIS, **changes):
    rng = np.random.default_rng(scans)
    spectra = np.broadcast_to(absorbance, (scans, axis_nm.size))
    values = {"moisture": moisture + 0.01 * rng.standard_normal(scans)}
    given = {
        "serial": "VIRT-0001",
        "axis_nm": axis_nm,
        "absorbance": spectra + noise * rng.standard_normal((scans, axis_nm.size)),
        "at_s": 1.8e9 + np.arange(float(scans)),
        "values": values,
        "units": {"moisture": UNIT},
        "invalid": (),
        "calibration": CALIBRATION,
        "records": tuple(map(str, range(scans))),
    }
    return Measured(**{**given, **changes})


def run(number=1, about="comparison", verdict="pass", utc_s=1.8e9, value=None, **changes):
    kept = ()
    if value is not None:
        kept = (Control(name="A", property="moisture", unit=UNIT, value=value),)
    given = {
        "number": number,
        "kind": "pq",
        "about": about,
        "serial": "VIRT-0001",
        "calibration": CALIBRATION,
        "utc_s": utc_s,
        "verdict": verdict,
        "report": "0" * 64,
        "by": "anna",
        "controls": kept,
    }
    return Run(**{**given, **changes})
