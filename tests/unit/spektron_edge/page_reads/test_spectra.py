"""Spectra that came through the door, and their export."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from spektron_edge.door.notes import notes
from spektron_edge.page.link import KEPT_SPECTRA

from .predicted import iso, record

AXIS = np.linspace(1100.0, 1190.0, 10)


def sent(values, kind="<f4"):
    return base64.b64encode(np.asarray(values, kind).tobytes()).decode()


def spectrum(seconds, **changes):
    return {
        "type": "spectrum",
        "record": record(seconds)["id"],
        "scan": seconds,
        "boot_id": 7,
        "serial": "VIRT-0001",
        "axis": "axis-1",
        "utc": iso(seconds),
        "counts": sent(1000.0 + np.arange(10)),
        "dark": None,
        "white": None,
        "absorbance": sent(0.1 * np.arange(10) + seconds),
        "sigma": None,
        "saturated": [3],
        "bad_pixels": [],
        **changes,
    }


@pytest.fixture
def seen(page):
    """Three spectra, the last of which has no references yet."""
    axis = {"type": "axis", "serial": "VIRT-0001", "id": "axis-1", "values": sent(AXIS, "<f8")}
    page.link.take({"type": "hello", "door": 1, "site": "lab", "instrument": "m5"})
    page.link.take(axis)
    told = [spectrum(0), spectrum(1), spectrum(2, absorbance=None)]
    for message in told:
        page.link.take(message)
    return told


def table(text):
    _, _, rest = text.partition("##XYPOINTS= (XY..XY)\r\n")
    rows = rest.partition("##END=")[0].split("\r\n")[:-1]
    return np.array([[float(n) for n in row.split(", ")] for row in rows])


def test_what_was_seen(asked, seen):
    found = asked("/spectra", "operator").json()["spectra"]
    assert [s["record"] for s in found] == [s["record"] for s in reversed(seen)]
    assert [s["quantity"] for s in found] == ["counts", "absorbance", "absorbance"]
    assert all(s["exportable"] for s in found)


def test_one_as_jcamp_dx(asked, page, seen):
    answer = asked(f"/spectra/{seen[1]['record']}.jdx", "operator")
    assert answer.headers["content-type"].startswith("chemical/x-jcamp-dx")
    assert seen[1]["record"] in answer.headers["content-disposition"]
    found = table(answer.text)
    np.testing.assert_allclose(found[:, 0], AXIS)
    np.testing.assert_array_equal(
        found[:, 1].astype(np.float32), (0.1 * np.arange(10) + 1).astype(np.float32)
    )
    for line in ("##YUNITS= ABSORBANCE", "##TITLE= lab/m5 scan 1", "##$SPEKTRON SATURATED= 3"):
        assert f"{line}\r\n" in answer.text
    assert "##LONGDATE= 2026/11/22 10:00:01 +0000\r\n" in answer.text
    assert notes(page.state_dir).read().untold[-1].what == "page_exported"
    counts = asked(f"/spectra/{seen[2]['record']}.jdx")
    assert "##YUNITS= ARBITRARY UNITS\r\n" in counts.text
    np.testing.assert_array_equal(table(counts.text)[:, 1], 1000.0 + np.arange(10))


def test_all_as_one_file(asked, seen):
    text = asked("/spectra.jdx", "operator").text
    assert text.startswith("##TITLE= lab/m5: 3 spectra\r\n")
    assert "##BLOCKS= 3\r\n" in text
    assert text.count("##END=") == 4


def test_without_the_wavelengths_nothing_is_made_up(asked, page, seen):
    page.link.take(spectrum(9, axis="axis-2"))
    other = page.link.known["spectrum"]["record"]
    assert asked("/spectra").json()["spectra"][0]["exportable"] is False
    answer = asked(f"/spectra/{other}.jdx")
    assert (answer.status_code, answer.json()["error"]) == (409, "axis_unknown")
    assert "##BLOCKS= 3\r\n" in asked("/spectra.jdx").text


@pytest.mark.parametrize("absorbance", ["%%%", sent([1.0]), sent([np.nan] * 10)])
def test_what_is_no_spectrum_is_not_exported(asked, page, seen, absorbance):
    page.link.take(spectrum(9, absorbance=absorbance))
    assert asked(f"/spectra/{record(9)['id']}.jdx").status_code == 404
    assert asked(f"/spectra/{page.link.known['spectrum']['record']}.jdx").status_code == 404
    assert "##BLOCKS= 3\r\n" in asked("/spectra.jdx").text


@pytest.mark.parametrize("name", ["..%2F..%2Fspektron", "01K", "x" * 26, "0" * 25 + "I"])
def test_a_name_that_is_no_records_is_not_looked_for(asked, seen, name):
    assert asked(f"/spectra/{name}.jdx").status_code == 404


def test_two_hundred_are_kept(asked, page, seen):
    for n in range(10, KEPT_SPECTRA + 10):
        page.link.take(spectrum(n))
    assert len(asked("/spectra").json()["spectra"]) == KEPT_SPECTRA


def test_nothing_seen_and_nobody_who_may_not(asked, page):
    assert asked("/spectra").json() == {"spectra": []}
    assert asked("/spectra.jdx").status_code == 404
    for path in ("/spectra", "/spectra.jdx", f"/spectra/{'0' * 26}.jdx"):
        assert asked(path, "viewer").status_code == 403
