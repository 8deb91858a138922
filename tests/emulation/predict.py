"""What one engine makes of spectra: `python -m tests.emulation.predict JOB OUT`, on any machine.

JOB.npz holds `bundle/NAME` (the file's bytes) and `x/NAME` (n, L); OUT.npz gets
`NAME/PRECISION/OUTPUT`, for INT8 and fp32. Prints what it ran on as JSON. Needs the runtime only.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np

from spektron_edge.bundle import Bundle, read_bundle
from spektron_edge.bundle.manifest import Precision
from spektron_edge.inference import load_model
from spektron_edge.inference.backend import OUTPUTS

PRECISIONS: tuple[Precision, ...] = ("int8", "fp32")


def main(job: Path, out: Path) -> None:
    """Load each bundle as the daemon does, golden vectors included, and predict."""
    found: dict[str, np.ndarray] = {}
    with np.load(job) as given:
        for key in given.files:
            kind, _, name = key.partition("/")
            if kind != "bundle":
                continue
            with tempfile.NamedTemporaryFile(suffix=".spektron") as file:
                file.write(given[key].tobytes())
                file.flush()
                bundle = read_bundle(Path(file.name))
            for precision in PRECISIONS:
                outputs = _predict(bundle, precision, given[f"x/{name}"])
                found |= {f"{name}/{precision}/{what}": v for what, v in outputs.items()}
    np.savez(out, **found)
    # Imported by the runtime only, which sees to it that nobody is told.
    onnxruntime = sys.modules["onnxruntime"].__version__
    print(json.dumps({"machine": platform.machine(), "onnxruntime": onnxruntime}))


def _predict(bundle: Bundle, precision: Precision, x: np.ndarray) -> dict[str, np.ndarray]:
    model = load_model(bundle, None, precision)
    # One at a time, as an instrument measures.
    runs = [model.infer(row) for row in x]
    return {output: np.concatenate([getattr(run, output) for run in runs]) for output in OUTPUTS}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
