"""Answers of the page's HTTP interface, as a browser test needs them: one instrument, made up."""

from __future__ import annotations

import base64
import datetime
import math
from typing import Any

import numpy as np

Answer = dict[str, Any]
NOW = datetime.datetime.now(datetime.timezone.utc)
NM = np.linspace(1100.0, 2498.0, 700)
_UNIT = "% by mass"
_VALUES = {"moisture": 10.21, "oil": 3.56, "protein": 9.32, "starch": 63.31}


def ago(seconds: float) -> str:
    """ISO 8601 of so long ago."""
    when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def reason(code: str, **values: str | float) -> Answer:
    """As the server tells one."""
    return {"code": code, "values": values}


def _base64(values: np.ndarray[Any, Any], kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode()


def _curve() -> np.ndarray[Any, Any]:
    bands = [(1200, 30, 0.05), (1450, 60, 0.35), (1930, 70, 0.6), (2100, 90, 0.3), (2310, 40, 0.2)]
    out = 0.25 + (NM - 1100) * 1.5e-4
    for centre, width, height in bands:
        out = out + height * np.exp(-(((NM - centre) / width) ** 2))
    return np.asarray(out)


MODEL: Answer = {
    "bundle": "corn-1-653d01505d28",
    "signed_by": {"key_id": "5f1c", "name": "Laboratory"},
    "product": "corn",
    "graph_sha256": "3e82a385dfd7a212de34c1c111e8b3bcbc3102d5bd2861ae9a6746f637da2f53",
    "precision": "fp32",
    "provider": "CPUExecutionProvider",
    "backend_asked": "cpu",
    "backend_active": "cpu",
    "transfer": {
        "version": 2,
        "id": "t-2f81",
        "samples": 5,
        "interval_basis": "leave-one-out of 5 samples",
    },
    "adaptation": None,
}
MODEL_RECORD: Answer = {
    "schema": "spektron.model/1",
    "site": "lab",
    "instrument": "m5",
    "model": MODEL,
    "properties": dict.fromkeys(_VALUES, _UNIT),
    "interval_basis": None,
}
FAULTS: list[Answer] = [
    {
        "code": "broker_unreachable",
        "message": "the broker at mqtt://broker.plant:1883 cannot be reached",
        "next_step": "check `mqtt.url` and the network; results are kept meanwhile",
        "level": "warning",
        "since_utc": ago(400),
    }
]
STATE: Answer = {
    "schema": "spektron.state/1",
    "site": "lab",
    "instrument": "m5",
    "time": {"utc": ago(1), "running_s": 5000.0, "clock": "ok"},
    "uptime_s": 4800.0,
    "faults": ["broker_unreachable"],
    "waiting_for": [],
    "integration_us": 1000,
    "chosen": [],
    "device": {
        "serial": "VIRT-0001",
        "firmware": "virtual 1.4",
        "protocol": 2,
        "capabilities": ["shutter"],
        "pixels": len(NM),
        "boot_id": 7,
    },
    "bad_pixels": [120, 444],
    "device_clock": {"drift_ppm": 12.5, "uncertainty_s": 0.0004},
    "counters": {"unsent": 137, "sent": 20411, "refused": 0},
    "p50_ms": 4.1,
    "p99_ms": 9.8,
    "audit_head": "9b1c" * 16,
}
AXIS: Answer = {
    "id": "a1",
    "unit": "nm",
    "values": NM.tolist(),
    "mean": (_curve() * 0.98).tolist(),
    "mean_of": {"spectra": 60, "bundle": "corn-1-653d01505d28"},
}


def prediction(number: int, *, valid: bool = True, seconds_ago: float = 0.0) -> Answer:
    """One prediction; not valid: outside the calibration by T2."""
    wave = math.sin(number / 40)
    values = {
        name: {
            "value": value * (1 + 0.01 * wave),
            "unit": _UNIT,
            "low": value * (1 + 0.01 * wave) - 0.15 if valid else None,
            "high": value * (1 + 0.01 * wave) + 0.15 if valid else None,
            "basis": "transfer_90" if valid else None,
        }
        for name, value in _VALUES.items()
    }
    return {
        "schema": "spektron.prediction/1",
        "id": f"01K0000000000000000{number:07d}",
        "site": "lab",
        "instrument": "m5",
        "serial": "VIRT-0001",
        "time": {"utc": ago(seconds_ago), "running_s": 5000.0, "clock": "ok"},
        "scan": {
            "number": number,
            "boot_id": 7,
            "device_us": 1211250000,
            "integration_us": 1000,
            "averages": 4,
            "temperature_c": 25.43,
            "saturated": 0 if valid else 3,
            "dark_age_s": 1260.0,
            "white_age_s": 12400.0,
            "white_temperature_c": 25.1,
            "missing_before": 0,
            "noise_absorbance": 2e-4,
            "ended_utc": None,
            "ended_running_s": None,
            "ended_uncertainty_s": None,
        },
        "values": values,
        "valid": valid,
        "reasons": [] if valid else ["t2_above_limit"],
        "applicability": {
            "t2": 5.01 if valid else 31.2,
            "t2_limit": 26.5,
            "q": 7.1e-07,
            "q_limit": 8.21e-07,
            "neighbour": 1.27,
            "neighbour_limit": 3.72,
        },
        "model": MODEL,
        "shadow": None,
    }


def spectrum(number: int) -> Answer:
    """As the stream has it."""
    random = np.random.default_rng(number)
    sigma = np.full(len(NM), 2e-3) + 6e-3 * np.exp(-(((NM - 2498) / 90) ** 2))
    absorbance = _curve() + random.normal(0, 1, len(NM)) * sigma
    white = 52000 * np.exp(-(((NM - 1750) / 700) ** 2))
    dark = np.full(len(NM), 820.0)
    return {
        "record": prediction(number)["id"],
        "scan": number,
        "boot_id": 7,
        "serial": "VIRT-0001",
        "axis": "a1",
        "utc": ago(0),
        "counts": _base64(dark + white * 10**-absorbance, "<f4"),
        "dark": _base64(dark, "<f4"),
        "white": _base64(white, "<f4"),
        "absorbance": _base64(absorbance, "<f4"),
        "sigma": _base64(sigma, "<f4"),
        "saturated": [300, 301],
        "bad_pixels": [120, 444],
    }


def history(name: str, span_s: float, points: int = 200) -> Answer:
    """Bins of that time up to now, some of them not valid."""
    wave = [math.sin(i / 15) + 0.2 * math.sin(i * 2.7) for i in range(points)]
    value = [_VALUES.get(name, 1.0) * (1 + 0.01 * w) for w in wave]
    return {
        "property": name,
        "unit": _UNIT,
        "utc": [ago(span_s * (1 - i / points)) for i in range(points)],
        "value": value,
        "low": [v - 0.15 for v in value],
        "high": [v + 0.15 for v in value],
        "least": [v - 0.22 for v in value],
        "most": [v + 0.22 for v in value],
        "valid": [i % 53 != 0 for i in range(points)],
        "limits": {"calibrated_min": 9.38, "calibrated_max": 10.99},
    }


def now(*, door: bool, silent: bool = False) -> Answer:
    """GET /now."""
    return {
        "utc": ago(0),
        "connection": {"door": door, "silent": silent, "since": ago(900)},
        "state": STATE,
        "model": MODEL_RECORD,
        "prediction": prediction(1),
        "faults": FAULTS,
        "reference": {
            "dark_age_s": 1260.0,
            "white_age_s": 12400.0,
            "white_temperature_c": 25.1,
            "of_scan_utc": ago(0),
        },
    }


def axis_message() -> Answer:
    """The axis, as the stream has it."""
    return {"serial": "VIRT-0001", "id": "a1", "values": _base64(NM, "<f8")}


_NAMES = ("5", "12", "31", "55", "78")
_PREDICTED: Answer = {
    "moisture": {
        "unit": _UNIT,
        "valid": True,
        "method": "slope and bias",
        "rmsep": 0.12,
        "rmsep_low": 0.09,
        "rmsep_high": 0.19,
    }
}
TRANSFER: Answer = {
    "serial": "VIRT-0001",
    "open": {
        "id": "t-77aa",
        "started": ago(1500),
        "samples": [
            {"sample": "5", "scans": 3, "quality": "good", "reasons": [], "labels": {}},
            {
                "sample": "12",
                "scans": 3,
                "quality": "doubt",
                "reasons": [reason("scans_scatter", times=6.0)],
                "labels": {"moisture": 10.2},
            },
        ],
        "next": "31",
        "wanted": list(_NAMES),
        "steps": [reason("measure_next", sample="31"), reason("finish")],
    },
    "fitting": False,
    "last": {
        "work": "0fe2",
        "predicted": _PREDICTED,
        "accepted": False,
    },
    "kept": [
        {
            "number": 2,
            "id": "t-2f81",
            "hindered": None,
            "made": ago(86400),
            "by": "anna",
            "serial": "VIRT-0001",
            "product": "corn",
            "samples": list(_NAMES),
            "in_use": True,
            "predicted": _PREDICTED,
        },
        {
            "number": 1,
            "id": "t-1c07",
            "hindered": reason("another_instrument", serial="VIRT-0002", here="VIRT-0001"),
            "made": ago(9 * 86400),
            "by": "ben",
            "serial": "VIRT-0002",
            "product": "corn",
            "samples": list(_NAMES),
            "in_use": False,
            "predicted": _PREDICTED,
        },
    ],
    "samples_known": list(_NAMES),
}


def adaptation(number: int, status: str) -> Answer:
    """One adaptation in a list."""
    return {
        "number": number,
        "serial": "VIRT-0001",
        "product": "corn",
        "bundle": MODEL["bundle"],
        "made": ago(7200 * (6 - number)),
        "mode": "propose",
        "status": status,
        "in_use": status == "installed",
        "why": [
            reason("drift", statistic="q", size=3.1, scan=812, telling="q, t2"),
            reason("serviced", what="lamp changed", who="ben"),
        ],
        "scans": "200 scans",
        "refusals": [],
        "doubts": [reason("of_samples_perhaps")] if status == "proposed" else [],
        "tried": None,
        "approved_by": ["anna"],
        "approvals": [],
        "ended_by": reason("adaptation", number=4) if status == "superseded" else None,
    }


def proposed(number: int) -> Answer:
    """One that waits."""
    metrics = {"misfit_before": 41.2, "misfit_after": 3.9, "source_moved": 0.21}
    return {**adaptation(number, "proposed"), "metrics": metrics}


def adaptation_whole(number: int) -> Answer:
    """GET /adaptation/{number}."""
    return {
        **(proposed(5) if number == 5 else adaptation(number, "installed") | {"metrics": {}}),
        "id": f"a-{number}",
        "parent": None,
        "judged_on": 50,
        "evidence": [reason("sample_outside", sample="corn-check")],
        "coefficients": {"offset": 0.004},
        "wavelength_nm": NM.tolist(),
        "correction": (0.004 + 1e-6 * number * (NM - 1800)).tolist(),
        "problem": None,
    }


_SIGN: Answer = {"name": "t2", "value": 1.4, "limit": 1.0, "over": True}
_SIGN |= {"reasons": [], "told_at": None, "sample": None, "property": None}
_SERVICE = reason("service_counts", what="lamp changed", who="ben", at=ago(3600))
_FAR = reason("drift_nm", statistic="wavelength_up", size=0.2, scan=9, telling="wavelength_up")
ADAPTATION: Answer = {
    "serial": "VIRT-0001",
    "mode": "propose",
    "approvals_needed": 2,
    "in_use": 4,
    "not_applied": reason("transfer_in_use", number=2),
    "hindered": None,
    "evidence": [
        _SIGN,
        {**_SIGN, "name": "q", "value": 0.3, "over": False},
        {**_SIGN, "name": "neighbour", "value": 0.3, "over": False},
        {**_SIGN, "name": "service", "value": 12.0, "limit": 500.0, "reasons": [_SERVICE]},
        {**_SIGN, "name": "drift", "limit": None, "reasons": [_FAR], "told_at": ago(60)},
        {**_SIGN, "name": "stability", "sample": "corn-check", "property": "moisture"},
    ],
    "followed": {"since": ago(5 * 3600), "at": ago(4), "spectra": 1820, "samples": 41},
    "waiting": [proposed(5)],
    "kept": [adaptation(5, "proposed"), adaptation(4, "installed"), adaptation(3, "superseded")],
    "shadow": {
        "number": 5,
        "of_scan_utc": ago(1),
        "values": prediction(3)["values"],
        "valid": True,
        "reasons": [],
    },
    "stability": {
        "corn-check": {
            "serial": "VIRT-0001",
            "who": "anna",
            "since": ago(30 * 86400),
            "measured": 9,
            "value": {"moisture": 10.3},
            "half_width": {"moisture": 0.2},
            "latest": {"moisture": 10.35},
            "astray": [],
        }
    },
}
INCOMING: Answer = {
    "sha256": "5e" * 32,
    "bytes": 1_234_567,
    "bundle": "corn-3-0123456789ab",
    "name": "corn",
    "version": 3,
    "products": ["corn", "soy"],
    "signed_by": "Laboratory",
}
BUNDLES: Answer = {
    "uses_slots": True,
    "configured": "slots",
    "active": "a",
    "fallback": "b",
    "slots": [
        {
            "slot": slot,
            "bundle": f"corn-{version}-653d01505d28",
            "name": "corn",
            "version": version,
            "signed_by": "Laboratory",
            "state": state,
            "why": None if slot == "a" else reason("slot_rolled_back"),
            "active": slot == "a",
        }
        for slot, version, state in (("a", 2, "good"), ("b", 1, "good"))
    ],
    "floors": {"corn": 1},
    "left_behind": [
        reason("transfer_left", number=2, serial="VIRT-0001", bundle="corn-1-653d01505d28")
    ],
}
AUDIT: Answer = {
    "lines": [
        {
            "number": 900 - i,
            "utc": ago(600 * i),
            "who": "anna",
            "what": "command_take_dark",
            "details": {"through": "page", "role": "operator"},
            "head": f"{i:04x}" * 16,
        }
        for i in range(12)
    ],
    "next": None,
}
_CALIBRATION = {
    "bundle": "corn-2-653d01505d28",
    "product": "corn",
    "transfer": "t-2f81",
    "adaptation": None,
}


def qualification(number: int, about: str, verdict: str, worth: str) -> Answer:
    """One of GET /qualifications."""
    kind = {"installation": "iq", "operation": "oq"}.get(about, "pq")
    return {
        "number": number,
        "kind": kind,
        "about": about,
        "utc": ago(86400.0 * (8 - number)),
        "verdict": verdict,
        "worth": worth,
        "serial": "VIRT-0001",
        "calibration": _CALIBRATION,
        "signatures": [{"by": "anna", "meaning": "responsible", "utc": ago(86400.0)}],
        "report": "broken" if number == 3 else "whole",
    }


QUALIFICATIONS: Answer = {
    "in_use": {"serial": "VIRT-0001", "calibration": _CALIBRATION},
    "schedule": {"every_s": 604800.0, "standing": "good", "due_utc": ago(-500_000)},
    "qualifications": [
        qualification(7, "control", "pass", "holds"),
        qualification(6, "control", "fail", "failed"),
        qualification(4, "comparison", "pass", "holds"),
        qualification(3, "comparison", "pass", "other_calibration"),
        qualification(2, "operation", "incomplete", "incomplete"),
        qualification(1, "installation", "pass", "not_known"),
    ],
    "broken_off": [5],
    "trends": [
        {
            "name": "corn-check",
            "property": "moisture",
            "unit": "% by mass",
            "levels": {
                "target_high": 10.5,
                "target_low": 9.9,
                "centre": 10.2,
                "sigma_high": 10.35,
                "sigma_low": 10.05,
            },
            "points": [
                {
                    "number": 6 + i,
                    "utc": ago(86400.0 * (8 - i)),
                    "value": 10.2 + 0.05 * (i % 3 - 1) + 0.2 * (i == 5),
                    "verdict": "fail" if i == 5 else "pass",
                }
                for i in range(8)
            ],
        }
    ],
    "next": None,
}
VERIFIED: Answer = {
    "holds": True,
    "lines": 900,
    "head": "9b1c" * 16,
    "reasons": [reason("chain_holds"), reason("head_at", line=880, behind=20)],
    "published_head": "9b1c" * 16,
}
PRODUCTS: Answer = {"products": ["corn", "soy"], "chosen": "corn"}
USERS: Answer = {
    "users": [
        {"name": "anna", "role": "engineer", "active": True},
        {"name": "ben", "role": "operator", "active": True},
        {"name": "carl", "role": "viewer", "active": False},
    ]
}


def result(command: str, arguments: Answer) -> Answer:
    """Of a command that was carried out."""
    told: dict[str, Answer] = {
        "scan-now": {"scan": 201, "valid": True, "reasons": []},
        "set-integration": {"integration_us": 1500},
        "auto-range": {"integration_us": 1500},
        "wavelength-check": {"passed": True, "mean_nm": 0.12, "rms_nm": 0.31},
        "reload": {"bundle": MODEL["bundle"]},
        "choose-product": {"bundle": MODEL["bundle"], **arguments},
        "adapt-stability": {"astray": []},
    }
    return told.get(command, {"in_use": 4})


def records() -> Answer:
    """GET /records."""
    return {"records": [prediction(900 - i, seconds_ago=i * 10.0) for i in range(25)], "next": None}


def spectra() -> Answer:
    """GET /spectra."""
    told = {"boot_id": 7, "serial": "VIRT-0001", "quantity": "absorbance", "exportable": True}
    made = [{"record": prediction(n)["id"], "scan": n, "utc": ago(n), **told} for n in range(3)]
    return {"spectra": made}
