"""A laboratory's own PLS model, wrapped and served: counts in by serial, its values out by MQTT."""

from __future__ import annotations

import numpy as np
import pytest

from spektron_edge.demo.corn import PROPERTIES, load_corn
from spektron_edge.spectra.preprocessing import correlate_valid, savgol_kernel
from tests.integration.rig import listening, until

# Not in the runtime's own environment.
for package in ("onnx", "sklearn", "skops", "torch"):
    pytest.importorskip(package)


def filtered(x):
    return correlate_valid(x, savgol_kernel(15, 2, 1))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The bundle, and the model that it was made from."""
    from sklearn.cross_decomposition import PLSRegression
    from skops import io

    from spektron_export import cli

    folder, corn = tmp_path_factory.mktemp("laboratory"), load_corn().train
    x = corn.spectra["m5"]
    model = PLSRegression(8, scale=False).fit(filtered(x), corn.references)
    io.dump(model, folder / "pls.skops")
    header = ["sample", *(f"{name} [%]" for name in PROPERTIES), *(f"{a:g}" for a in corn.axis_nm)]
    rows = [
        [f"c{i}", *(repr(float(v)) for v in (*truth, *row))]
        for i, (truth, row) in enumerate(zip(corn.references, x, strict=True))
    ]
    lines = [",".join(cells) for cells in (header, *rows)]
    (folder / "spectra.csv").write_text("\n".join(lines) + "\n")
    words = ["--from-sklearn", folder / "pls.skops", "--spectra-from", folder / "spectra.csv"]
    words += ["--savgol", "15,2,1", "--no-report", "-o", folder / "pls.spektron"]
    assert cli.main([str(word) for word in words]) == 0
    return folder / "pls.spektron", model


def test_daemon_serves_it(broker, make_rig, made):
    bundle, model = made
    rig = make_rig(broker.url, scans=20)
    rig.settings[""] |= {"bundle": str(bundle)}
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) == 20, "20 predictions")
        assert rig.stop() == 0, rig.log
    held = load_corn().test
    expected = model.predict(filtered(held.spectra["m5"]))
    records = sorted(rig.received.values(), key=lambda record: record["scan"]["number"])
    got = np.array([[record["values"][name]["value"] for name in PROPERTIES] for record in records])
    # Through noise and resampling; the samples are shown in their order.
    error = np.sqrt(np.mean((got - expected) ** 2, axis=0))
    assert np.all(error < 0.1 * held.references.std(axis=0)), error
    assert sum(record["valid"] for record in records) >= 15
