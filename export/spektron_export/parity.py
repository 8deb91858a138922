"""How far a graph may be from its reference: fp32 from torch, fp16 and INT8 from fp32."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Precision
from spektron_edge.bundle.merit import Merit
from spektron_edge.inference import Inference
from spektron_train.model import Encoder

from .errors import ParityError

Array = NDArray[Any]


@dataclass(frozen=True)
class Limits:
    """What a graph may differ by from its reference; y relative to each property's RMSEP."""

    y_over_rmsep: float
    z: float
    z_chem_cosine: float
    rmsep_ratio: float


FP32 = Limits(y_over_rmsep=0.01, z=1e-4, z_chem_cosine=0.999999, rmsep_ratio=1.001)
# No value may leave its own standard error because of a rounding, be it the worst of hundreds, and
# what rounding adds to the error as a whole must not show in its second digit.
FP16 = Limits(y_over_rmsep=0.1, z=0.01, z_chem_cosine=0.99999, rmsep_ratio=1.002)
INT8 = Limits(y_over_rmsep=1.0, z=0.1, z_chem_cosine=0.9999, rmsep_ratio=1.01)
LIMITS: dict[Precision, Limits] = {"fp32": FP32, "fp16": FP16, "int8": INT8}


@dataclass(frozen=True)
class Parity:
    """Worst differences over the spectra compared.

    y: per property, in its unit; z_chem, z_inst: latent units; z_chem_cosine: the smallest;
    rmsep_ratio: per property, RMSEP of the graph over RMSEP of the reference.
    """

    graph: str
    reference: str
    y: dict[str, float]
    z_chem: float
    z_inst: float
    z_chem_cosine: float
    rmsep_ratio: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def run_torch(encoder: Encoder, x: Array) -> Inference:
    """The reference of references, (n, L)."""
    with torch.inference_mode():
        outputs = encoder(torch.from_numpy(x.astype(np.float32)), encoder.theta)
    y, z_chem, z_inst = (output.numpy() for output in outputs)
    return Inference(y, z_chem, z_inst)


def compare(
    names: tuple[str, str],
    actual: Inference,
    expected: Inference,
    merits: tuple[dict[str, Merit], dict[str, Merit]],
) -> Parity:
    """Compare outputs for the same spectra, and figures of merit on the same held-out data."""
    mine, theirs = merits
    a, b = actual.z_chem.astype(np.float64), expected.z_chem.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    difference = np.abs(actual.y - expected.y).max(axis=0)
    return Parity(
        graph=names[0],
        reference=names[1],
        y={name: float(difference[j]) for j, name in enumerate(theirs)},
        z_chem=float(np.abs(a - b).max()),
        z_inst=float(np.abs(actual.z_inst - expected.z_inst).max()),
        z_chem_cosine=float(((a * b).sum(axis=1) / norms).min()),
        rmsep_ratio={name: mine[name].rmsep / theirs[name].rmsep for name in theirs},
    )


def require(parity: Parity, rmsep: dict[str, float], limits: Limits) -> None:
    """Raises ParityError naming the first quantity out of its limit (NaN counts as out)."""
    checks = [
        *((f"y of {n}", v, limits.y_over_rmsep * rmsep[n]) for n, v in parity.y.items()),
        ("z_chem", parity.z_chem, limits.z),
        ("z_inst", parity.z_inst, limits.z),
        ("1 - cosine of z_chem", 1 - parity.z_chem_cosine, 1 - limits.z_chem_cosine),
        *((f"RMSEP ratio of {n}", v, limits.rmsep_ratio) for n, v in parity.rmsep_ratio.items()),
    ]
    for what, value, limit in checks:
        if not value <= limit:
            raise ParityError(
                f"{parity.graph} against {parity.reference}: {what} is {value:.4g}, more than "
                f"{limit:.4g}; nothing was written"
            )
