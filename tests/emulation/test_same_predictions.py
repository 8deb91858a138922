"""The same bundle says the same on two onnxruntimes, and on x86-64 and 64-bit ARM.

Over real spectra: the shipped corn bundle on three instruments, and a tablets bundle on two. Values
may differ by a twentieth of their RMSEP, and latents by the manifest's tolerance: the exporter's
tolerances of golden vectors, which are compared in passing.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from spektron_edge.bundle import Bundle, read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.corn import INSTRUMENTS, load_corn
from spektron_edge.inference.backend import OUTPUTS
from tests.emulation.packages import for_host
from tests.emulation.predict import PRECISIONS
from tests.emulation.processors import CORTEX_A72, CORTEX_A76, Processor
from tests.requirements import absent

pytestmark = pytest.mark.timeout(600)
OLD, NEWEST = "1.23.2", metadata.version("onnxruntime")
Y_OVER_RMSEP = 0.05
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Job:
    """What every engine is given, and what the host's newest onnxruntime makes of it."""

    folder: Path
    bundles: dict[str, Bundle]
    expected: dict[str, np.ndarray]
    patience_s: float


def on_host(folder: Path, version: str, out: Path) -> dict[str, str]:
    paths = [str(_ROOT), str(_ROOT / "train"), str(_ROOT / "export")]
    if version != NEWEST:
        try:
            paths.insert(0, str(for_host(version)))
        except RuntimeError as error:
            absent("arm64", str(error))
    done = subprocess.run(
        [sys.executable, "-m", "tests.emulation.predict", folder / "job.npz", out],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def tablets(tmp_path_factory):
    """A bundle that is quick to make: what it is worth does not matter here."""
    pytest.importorskip("torch")
    from spektron_train.pretraining import linear_prior
    from tests.tablets import tablets_bundle

    path = tmp_path_factory.mktemp("tablets") / "tablets.spektron"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_prior, "PRODUCTS", 12)
        tablets_bundle(path, samples=100, held_out=20)
    return path


@pytest.fixture(scope="module")
def make_job(make_guest, tablets, tmp_path_factory):
    """make_job(corn, tablets): so many spectra of each instrument, evenly spread."""
    jobs: dict[tuple[int, int], Job] = {}

    def make(corn_count, tablets_count, patience_s):
        key = (corn_count, tablets_count)
        if key not in jobs:
            folder = tmp_path_factory.mktemp("job")
            corn, sets = load_corn(), tablet_spectra()
            files = {"corn": shipped_bundle(), "tablets": tablets}
            x = {
                "corn": [spread(corn.spectra[name], corn_count) for name in INSTRUMENTS],
                "tablets": [spread(spectra, tablets_count) for spectra in sets],
            }
            np.savez(
                folder / "job.npz",
                **{f"x/{name}": np.concatenate(parts) for name, parts in x.items()},
                **{
                    f"bundle/{n}": np.frombuffer(f.read_bytes(), np.uint8) for n, f in files.items()
                },
            )
            on_host(folder, NEWEST, folder / "expected.npz")
            bundles = {name: read_bundle(file) for name, file in files.items()}
            jobs[key] = Job(folder, bundles, read(folder / "expected.npz"), patience_s)
        return jobs[key]

    return make


def tablet_spectra():
    from spektron_train.data.readers.tablets import tablet_sets, tablet_split

    return [one.spectra[tablet_split()["test"]] for one in tablet_sets().values()]


def spread(x, count):
    return x[np.linspace(0, len(x) - 1, count).round().astype(int)]


def read(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(
    params=[
        pytest.param((4, 4, 500.0), id="some"),
        pytest.param(
            (80, 60, 7000.0), id="all", marks=[pytest.mark.long, pytest.mark.timeout(7200)]
        ),
    ]
)
def job(request, make_job):
    return make_job(*request.param)


def test_another_onnxruntime_on_this_processor(job, tmp_path):
    about = on_host(job.folder, OLD, tmp_path / "out.npz")
    assert (about["machine"], about["onnxruntime"]) == (platform.machine(), OLD)
    compare(job, tmp_path / "out.npz", f"{about['machine']}, onnxruntime {OLD}")


@pytest.mark.parametrize(
    ("version", "processor"),
    [
        pytest.param(OLD, CORTEX_A76, id="1.23.2"),
        pytest.param(NEWEST, CORTEX_A76, id="newest"),
        pytest.param(NEWEST, CORTEX_A72, id="no INT8 dot products", marks=pytest.mark.long),
    ],
)
def test_an_arm(job, make_guest, exchange, version: str, processor: Processor):
    guest = make_guest(version, processor)
    (exchange / "job.npz").hardlink_to(job.folder / "job.npz")
    words = ["-m", "tests.emulation.predict", "/exchange/job.npz", "/exchange/out.npz"]
    done = guest.run(*words, exchange=exchange, timeout_s=job.patience_s)
    assert done.returncode == 0, done.stdout + done.stderr
    about = json.loads(done.stdout)
    assert (about["machine"], about["onnxruntime"]) == ("aarch64", version)
    compare(job, exchange / "out.npz", f"{processor.name}, onnxruntime {version}")


def compare(job: Job, out: Path, engine: str) -> None:
    actual, lines, beyond = read(out), [], []
    for name, bundle in job.bundles.items():
        product = bundle.manifest.products[0]
        for precision in PRECISIONS:
            figures = product.evaluation.figures[precision]
            rmsep = np.array([figures[p.name].rmsep for p in product.properties])
            limits = {"y": Y_OVER_RMSEP * rmsep}
            graph = product.graph(precision)
            # INT8's RMSEP is not just that of fp32, which the manifest's tolerance is of.
            for one, limit in zip(product.properties, limits["y"], strict=True):
                assert graph.y_tolerance[one.name] <= 1.05 * limit
            told = []
            for output in OUTPUTS:
                key = f"{name}/{precision}/{output}"
                expected = job.expected[key]
                assert actual[key].shape == expected.shape
                assert np.isfinite(actual[key]).all()
                difference = np.abs(actual[key] - expected)
                over = float(np.max(difference / limits.get(output, graph.z_tolerance)))
                told.append(f"{output} {difference.max():.2g} ({over:.3f})")
                if not over <= 1:
                    beyond.append(f"{key} by {over:.3g} of what it may")
            moved = np.abs(actual[key] - expected).max(axis=1) > 1e-4
            lines.append(
                f"{engine}: {name} {precision}, {len(moved)} spectra of which {moved.sum()} moved; "
                f"worst and its share of what it may: {', '.join(told)}"
            )
    # `make arm64` shows it.
    print(*lines, sep="\n")
    assert not beyond, "; ".join(beyond)
