import json
import re

import numpy as np
import pytest

from spektron_edge.bundle import read_bundle
from spektron_export import cli
from spektron_export.calibration_spectra import read_range_spectra
from spektron_export.errors import ExportError
from spektron_export.pack import export_bundle
from spektron_export.parity import LIMITS
from spektron_export.report import report_paths, write_report
from spektron_train.checkpoint import save_checkpoint

AXIS = np.arange(1100, 2500, 2.0)


@pytest.fixture(scope="module")
def report(exported):
    html, plain = write_report(exported)
    return html.read_text(), json.loads(plain.read_text())


def test_report_lies_beside_the_bundle(exported, report):
    html, plain = report_paths(exported.path)
    assert (html.name, plain.name) == ("corn.report.html", "corn.report.json")
    assert {html.parent, plain.parent} == {exported.path.parent}


def test_report_says_what_was_measured(checkpoint, exported, report):
    said = report[1]
    bundle = read_bundle(exported.path)
    assert said["bundle"] == bundle.id
    assert said["members"] == {name: len(data) for name, data in bundle.members.items()}
    assert [p["graph"] for p in said["parity"]] == [p.graph for p in exported.parity]
    assert {p["graph"]: p["reference"] for p in said["parity"]} == {
        "fp32": "torch",
        "fp16": "fp32",
        "int8": "fp32",
    }
    assert set(said["figures"]) == {"torch", "fp32", "fp16", "int8"}
    assert said["gradient"]["gradient"] == exported.gradient_error
    assert said["notes"] == list(checkpoint.card.notes)
    assert any("circular" in note for note in said["notes"])
    assert said["kept_back"]["spectra"] == "included"
    assert said["signatures"] == []
    times = said["latency"]["milliseconds"]
    assert set(times) == {"fp32", "fp16", "int8", "gradient"}
    assert all(0 < t["low"] <= t["median"] <= t["high"] for t in times.values())
    assert said["latency"]["machine"]


def test_values_compared_belong_to_the_figures(exported):
    comparison = exported.comparison
    errors = comparison.values["int8"] - comparison.reference
    rmsep = np.sqrt(np.mean(errors**2, axis=0))
    told = [merit.rmsep for merit in exported.figures["int8"].values()]
    # Over all scans here, median over noise seeds there.
    assert np.allclose(rmsep, told, rtol=0.1)


def test_page_needs_no_network_and_shows_every_graph(exported, report):
    page = report[0]
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", page)
    assert "http" not in re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", page)
    # One picture a graph, and one of the gradient.
    assert page.count("<img ") == 4
    for graph in ("fp32", "fp16", "int8", "gradient"):
        assert f"<h3>{graph}</h3>" in page


@pytest.mark.usefixtures("known_graphs")
def test_cli_writes_a_report_unless_told_not_to(checkpoint, loose, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(LIMITS, "int8", loose["int8"])
    save_checkpoint(tmp_path / "checkpoint", checkpoint)
    out = tmp_path / "corn.spektron"
    words = [str(tmp_path / "checkpoint"), "--precision", "fp32", "--no-adapt", "-o", str(out)]
    assert cli.main([*words, "--no-report"]) == 0
    assert not any(path.exists() for path in report_paths(out))
    capsys.readouterr()
    assert cli.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == [str(p) for p in report_paths(out)]
    assert all(path.exists() for path in report_paths(out))
    assert cli.main([*words, "--calibration", str(tmp_path / "absent.csv")]) == 5
    assert "absent.csv" in capsys.readouterr().err


def write_csv(path, axis, x):
    lines = [",".join(["id", *(f"{a:g}" for a in axis)])]
    lines += [",".join([f"s{i}", *(f"{v:.6f}" for v in row)]) for i, row in enumerate(x)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.usefixtures("known_graphs")
def test_ranges_are_seen_on_the_spectra_given(checkpoint, loose, exported, tmp_path):
    x = np.asarray(checkpoint.source["x"], np.float64)
    wider = np.linspace(0.2, 3.0, len(x))[:, None] * x
    ranges = read_range_spectra(write_csv(tmp_path / "own.csv", AXIS, wider), AXIS)
    assert np.allclose(ranges.x, wider, atol=1e-6)
    out = tmp_path / "own.spektron"
    with pytest.raises(ExportError, match="no INT8 graph"):
        export_bundle(checkpoint, out, precisions=("fp32",), ranges=ranges)
    limits = {**loose, "int8": LIMITS["int8"].__class__(99, 99, -1, 99)}
    made = export_bundle(
        checkpoint,
        out,
        precisions=("int8",),
        adapt=False,
        limits=limits,
        ranges=ranges,
    )
    bundle, other = read_bundle(made.path), read_bundle(exported.path)
    assert bundle.members["encoder.qdq.onnx"] != other.members["encoder.qdq.onnx"]
    assert bundle.manifest.provenance.data["spectra for INT8 ranges"] == ranges.sha256


def test_calibration_spectra_are_brought_to_the_grid(tmp_path):
    fine = np.arange(1090, 2510, 1.0)
    x = np.sin(fine / 200)[None]
    ranges = read_range_spectra(write_csv(tmp_path / "fine.csv", fine, x), AXIS)
    assert np.allclose(ranges.x, np.sin(AXIS / 200), atol=1e-5)


def test_reflectance_over_wavenumbers_is_converted(tmp_path):
    wavenumbers = np.arange(3990.0, 9105.0, 5.0)
    absorbance = 0.5 + 0.2 * np.sin(wavenumbers / 400)
    lines = ["##TITLE=flour", "##JCAMP-DX=4.24", "##DATA TYPE=NEAR INFRARED SPECTRUM"]
    lines += ["##XUNITS=1/CM", "##YUNITS=REFLECTANCE", "##XFACTOR=1", "##YFACTOR=1"]
    lines += [f"##FIRSTX={wavenumbers[0]}", f"##LASTX={wavenumbers[-1]}", "##DELTAX=5"]
    lines += [f"##NPOINTS={len(wavenumbers)}", "##XYDATA=(X++(Y..Y))"]
    values = 10.0**-absorbance
    lines += [f"{a:.1f} {v:.8f}" for a, v in zip(wavenumbers, values, strict=True)]
    path = tmp_path / "flour.jdx"
    path.write_text("\n".join([*lines, "##END=", ""]))
    ranges = read_range_spectra(path, AXIS)
    assert np.allclose(ranges.x, 0.5 + 0.2 * np.sin(1e7 / AXIS / 400), atol=1e-5)


@pytest.mark.parametrize(
    ("axis", "text", "problem"),
    [
        (np.arange(1200, 2000, 2.0), None, "the model needs"),
        (None, "id,a,b\n1,2,3\n", "wavelength"),
    ],
)
def test_calibration_spectra_that_do_not_fit_are_named(tmp_path, axis, text, problem):
    path = tmp_path / "given.csv"
    if text is None:
        write_csv(path, axis, np.ones((2, len(axis))))
    else:
        path.write_text(text)
    with pytest.raises(ExportError, match=problem) as error:
        read_range_spectra(path, AXIS)
    assert "given.csv" in str(error.value)
