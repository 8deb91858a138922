from __future__ import annotations

import json

import pytest

from spektron_edge.cli.main import main
from spektron_edge.device_bench import bench as device_bench
from spektron_edge.device_bench import candidate as bench_candidate
from spektron_edge.device_bench.bench import recommend
from spektron_edge.device_bench.candidate import Candidate, Result
from spektron_edge.faults import Faults
from tests import bundles

QUICK = ("--rounds", "2", "--calls", "2")


def test_what_this_machine_has_is_measured_and_one_is_recommended(capsys, tiny_bundle):
    assert main(["bench-device", str(tiny_bundle), "--json", *QUICK]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    measured = [r for r in report["results"] if not r["why_not"]]
    assert {("cpu", "int8"), ("cpu", "fp32")} <= {(r["backend"], r["precision"]) for r in measured}
    assert {r["backend"] for r in report["results"]} == {"cpu", "cuda", "tensorrt-ep", "tensorrt"}
    for result in measured:
        assert result["ms"]["1"] > 0
        assert 20 < result["peak_mb"] < 2000
    assert report["recommended"]["precision"] in ("int8", "fp32")
    assert "round 2 of 2" in err


def test_the_table_names_what_is_missing(capsys, tiny_bundle):
    assert main(["bench-device", str(tiny_bundle), *QUICK]) == 0
    out, _ = capsys.readouterr()
    assert "1 spectrum" in out
    assert "CPUExecutionProvider" in out


def test_a_candidate_that_misses_its_golden_vectors_is_not_recommended(capsys, tmp_path):
    golden = bundles.golden_arrays()
    golden["y_int8"] = golden["y_int8"] + 1
    path = bundles.write_tiny(tmp_path / "b.spektron", replaced={"golden.npz": bundles.npz(golden)})
    assert main(["bench-device", str(path), "--json", *QUICK]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recommended"]["precision"] == "fp32"
    (wrong,) = (r for r in report["results"] if r["backend"] == "cpu" and r["why_not"])
    assert "differs from its golden value" in wrong["why_not"]


def test_a_bundle_or_product_that_is_not_there_is_a_fault(capsys, tiny_bundle, tmp_path):
    wrong = Faults.BUNDLE_INVALID.value.exit_status
    assert main(["bench-device", str(tmp_path / "absent")]) == wrong
    assert main(["bench-device", str(tiny_bundle), "--product", "oats"]) == wrong
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1"])
def test_a_number_of_rounds_that_is_none_is_refused(number):
    with pytest.raises(SystemExit):
        main(["bench-device", "--rounds", number])


def result(backend, ms, peak_mb, why_not=""):
    return Result(backend, "int8", "", {1: ms}, {1: 0.0}, 0.1, peak_mb, why_not)


def test_the_fastest_wins_and_among_equals_the_smallest():
    slow, fast, small = result("cpu", 2.0, 60), result("cuda", 1.0, 900), result("cpu", 1.05, 70)
    assert recommend([slow, fast]) == {"precision": "int8", "inference.backend": "cuda"}
    assert recommend([slow, fast, small]) == {"precision": "int8", "inference.backend": "cpu"}
    assert recommend([result("cpu", 1.0, 1, "no")]) is None


def test_a_process_that_dies_or_hangs_takes_nobody_along(monkeypatch, tiny_bundle):
    monkeypatch.setattr(bench_candidate, "_LOAD_S", 0.0)
    hanging = Candidate("cpu", "int8", [str(tiny_bundle), "grain", "int8", "cpu", "."])
    hanging.end()
    assert "no answer within" in hanging.result().why_not
    monkeypatch.undo()
    candidate = Candidate("cpu", "int8", [str(tiny_bundle), "grain", "int8", "cpu", "."])
    assert not candidate.why_not
    candidate._worker._process.kill()
    candidate._worker._process.wait()
    candidate.turn(1, 1)
    candidate.turn(8, 1)
    assert "ended with status -9" in candidate.result().why_not
    candidate.end()


def test_an_engine_is_built_before_tensorrt_is_tried(monkeypatch, tiny_bundle, tmp_path):
    built, told = [], []
    monkeypatch.setattr(device_bench.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(device_bench, "build_for_device", lambda *a: built.append(a))
    why = device_bench._why_not("tensorrt", tiny_bundle, "int8", "grain", tmp_path, told.append)
    assert why == ""
    assert built == [(tiny_bundle, "int8", tmp_path, "grain")]
    assert "building" in told[0]
