import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import spektron_train.benchmarks as benchmarks
from spektron_train.benchmarks import command
from spektron_train.benchmarks.report import Figure, Report, plot, print_table, row, write_json

REPORT = Report(
    "example",
    (Figure("gain", 0.125, "1", "higher", 0.01, "over splits"),),
    (
        row("set", "oil", "ridge", np.array([1.0, 2.0, 3.0, 4.0]), unit="% by mass"),
        row("set", "oil", "PLS", np.array([2.0, 2.0, 3.0, 5.0]), unit="% by mass"),
        row("other", "assay", "ridge", np.array([4.0]), unit="mg"),
    ),
    ("the ceiling is 0.87",),
)


def test_json_holds_figures_rows_notes_machine_and_versions(tmp_path):
    path = tmp_path / "deep" / "example.json"
    write_json(REPORT, path)
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read["figures"] == [
        {
            "id": "gain",
            "value": 0.125,
            "unit": "1",
            "better": "higher",
            "spread": 0.01,
            "how": "over splits",
        }
    ]
    assert read["rows"][0]["median"] == 2.5
    assert read["rows"][0]["values"] == [1.0, 2.0, 3.0, 4.0]
    assert read["rows"][0]["standard_error"] == pytest.approx(np.sqrt(5 / 3) / 2)
    assert read["rows"][2]["standard_error"] is None
    assert read["notes"] == ["the ceiling is 0.87"]
    assert {"name", "machine", "versions"} <= read.keys()
    assert {"python", "numpy"} <= read["versions"].keys()


def test_a_report_of_figures_alone_keeps_the_keys_it_always_had():
    assert set(Report("plain", REPORT.figures).as_dict()) == {
        "name",
        "machine",
        "versions",
        "figures",
    }


def test_table_shows_figures_rows_and_notes():
    out = io.StringIO()
    print_table(REPORT, Console(file=out, width=200))
    for text in ("gain", "over splits", "ridge", "1.75 to 3.25", "mg", "the ceiling is 0.87"):
        assert text in out.getvalue()


def test_plot_writes_a_png_and_refuses_a_report_without_rows(tmp_path):
    plot(REPORT, tmp_path / "new" / "example.png")
    assert (tmp_path / "new" / "example.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no values"):
        plot(Report("plain", REPORT.figures), tmp_path / "none.png")


def _installed(monkeypatch, answer):
    def load(_):
        return SimpleNamespace(run=lambda *, splits, advance: answer(splits, advance))

    monkeypatch.setattr(benchmarks, "import_module", load)


def test_command_writes_the_report_and_prints_json(monkeypatch, tmp_path, capsys):
    def answer(splits, advance):
        advance("half way")
        assert splits == 1
        return REPORT

    _installed(monkeypatch, answer)
    monkeypatch.chdir(tmp_path)
    assert command.benchmark("native", True, True, 1, tmp_path / "out") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        (tmp_path / "out" / "native.json").read_text()
    )
    assert (tmp_path / "docs" / "benchmarks" / "native.png").is_file()
    assert command.benchmark("native", False, False, 1, tmp_path / "out") == 0
    assert "the ceiling is 0.87" in capsys.readouterr().out


def test_command_says_what_is_wrong(monkeypatch, tmp_path, capsys):
    assert command.benchmark("nonsense", False, False, None, tmp_path) == 2
    assert "tokenizer" in capsys.readouterr().err

    def missing(splits, advance):
        raise ModuleNotFoundError("no", name="sklearn")

    _installed(monkeypatch, missing)
    assert command.benchmark("native", False, False, None, tmp_path) == 5
    assert "sklearn" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
