"""A session by the command line."""

from __future__ import annotations

import io
import json
import os

import pytest

from spektron_edge.cli.main import main
from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer_session.spectra_file import read_spectra
from tests.corn_bench import SERIAL

from .sessions import csv, refused


def call(capsys, *words):
    capsys.readouterr()
    status = main(["transfer", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return status, json.loads(out), err


def test_for_a_reader_nothing_left_is_said_in_words(session, config, cups, capsys):
    session.start(SERIAL, ["75"])
    session.add("75", cups.scans("75"))
    assert main(["transfer", "status", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "none: every sample in hand was measured" in out
    assert "None" not in out


def test_a_terminal_without_utf_8_gets_escapes(config, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, "ascii", write_through=True))
    assert main(["transfer", "start", "--serial", "Süd", "--config", str(config)]) == 0
    assert b"S\\xfcd" in raw.getvalue()


def test_a_pipe_is_no_file_of_spectra(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a file" in refused(Faults.TRANSFER_INPUT, read_spectra, tmp_path / "pipe")


def test_a_transfer_from_files_without_a_daemon(config, cups, tmp_path, capsys):
    where = ("--config", config)
    held = "55,75,5,16"
    status, report, _ = call(capsys, "start", "--serial", f"{SERIAL} ", "--samples", held, *where)
    assert (status, report["serial"]) == (0, SERIAL)
    for _ in range(4):
        sample = report["next_sample"]
        spectra = csv(tmp_path / "scans.csv", cups.scans(sample))
        status, report, _ = call(capsys, "add", sample, "--spectra", spectra, *where)
        assert (status, report["verdict"]) == (0, "good")
    assert report["next_sample"] is None
    words = ("--new", "own", "--label", "moisture=10.2", "--spectra", spectra)
    assert call(capsys, "add", *words, *where)[0] == 0
    status, report, _ = call(capsys, "status", *where)
    assert report["samples"][-1]["labels"] == {"moisture": 10.2}
    status, report, err = call(capsys, "finish", *where)
    assert (status, report["in_use"], report["pairs"]) == (0, True, 4)
    assert "fitting 4 pairs" in err
    assert call(capsys, "list", *where)[1]["transfer 1"]["in use"] is True
    assert call(capsys, "rollback", *where)[0] == 0
    assert call(capsys, "list", *where)[1]["transfer 1"]["in use"] is False


def test_the_command_line_s_mistakes_have_their_faults(config, cups, tmp_path, capsys):
    where = ("--config", config)
    assert call(capsys, "status", *where)[0] == 94
    assert call(capsys, "start", *where)[1]["error"]["detail"].startswith("no instrument was")
    assert call(capsys, "start", "--serial", SERIAL, *where)[0] == 0
    assert call(capsys, "start", "--serial", SERIAL, *where)[0] == 93
    assert call(capsys, "add", *where)[0] == 95
    assert call(capsys, "add", "5", *where)[1]["error"]["detail"].startswith("give --spectra")
    spectra = csv(tmp_path / "scans.csv", cups.scans("5"))
    words = ("add", "5", "--spectra", spectra)
    assert call(capsys, *words, "--label", "moisture", *where)[0] == 95
    moved = cups.scans("5")
    moved.absorbance[0] += 0.1
    assert call(capsys, "add", "5", "--spectra", csv(tmp_path / "m.csv", moved), *where)[0] == 96
    assert call(capsys, "finish", *where)[0] == 98
    assert main(["transfer", "status", "--config", str(config)]) == 0
    assert main(["transfer", "discard", "--config", str(config)]) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no scans"),
        ("1,2,3,4\n", "holds no scans"),
        ("1,2,3,4\n1,2,3\n", "line 2: 3 values for 4"),
        ("1,2,3,4\n1,2,x,4\n", "line 2: 'x' is no number"),
        ("4,3,2,1\n1,2,3,4\n", "line 1: the wavelength axis does not increase"),
        ("\x00\x00", "line|holds no scans|not CSV"),
        ("\n\n1,2,3,4\n\n1,2,x,4\n", "line 5: 'x' is no number"),
        ("1,2,3,4\n1,2,1_0,4\n", "line 2: '1_0' is no number"),
        ("\n1,2,3,4\n\n1,2,3\n", "line 4: 3 values for 4"),
        (b"1,2,3,4\n1,2,\xff,4\n", "line 2: not UTF-8"),
    ],
)
def test_a_file_that_is_no_spectra_says_where(tmp_path, text, told):
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Fault, match=told) as caught:
        read_spectra(path)
    assert caught.value.kind is Faults.TRANSFER_INPUT


def test_a_file_that_is_not_there_says_so(tmp_path):
    assert "cannot read" in refused(Faults.TRANSFER_INPUT, read_spectra, tmp_path / "none.csv")
