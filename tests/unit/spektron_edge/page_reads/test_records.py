"""Curves, records and their table, from an outbox that a daemon has open."""

from __future__ import annotations

import contextlib
import csv
import io
import sqlite3
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.page.stored import Point
from spektron_edge.page.thinning import thinned

from .predicted import iso, outbox, record


@pytest.fixture
def held(page):
    """Ten predictions, a second apart; the fifth is not valid, and has no value."""
    none = {"moisture": dict.fromkeys(("value", "low", "high", "basis")) | {"unit": "% by mass"}}
    records = [record(n, 10.0 + n) for n in range(10)]
    records[4] |= {"valid": False, "reasons": ["saturated"], "values": none}
    with contextlib.closing(outbox(page, records)):
        yield records


def test_a_curve_of_few_points_is_told_whole(asked, held):
    found = asked("/history?property=moisture", "viewer").json()
    assert found["utc"] == [iso(n) for n in range(10)]
    assert found["value"] == [None if n == 4 else 10.0 + n for n in range(10)]
    assert found["least"] == found["most"] == found["value"]
    assert found["low"][:5] == [9.0] * 4 + [None]
    assert found["valid"] == [n != 4 for n in range(10)]
    assert (found["property"], found["unit"]) == ("moisture", "% by mass")
    assert found["limits"] == {"calibrated_min": 0.0, "calibrated_max": 100.0}


def test_a_span_holds_both_its_ends(asked, held):
    query = {"property": "moisture", "from": iso(2), "to": "2026-11-22T12:00:03+02:00"}
    assert asked("/history", params=query).json()["value"] == [12.0, 13.0]


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", 10),
        ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", 0),
    ],
)
def test_any_time_that_can_be_written_may_be_asked_for(asked, held, first, last, found):
    query = {"from": first, "to": last}
    assert len(asked("/records", params=query).json()["records"]) == found
    assert len(asked("/history", params={"property": "moisture", **query}).json()["utc"]) == found
    assert asked("/records.csv", params=query).status_code == 200


def test_a_property_that_nobody_predicted_has_no_points(asked, held):
    found = asked("/history?property=sugar").json()
    assert (found["utc"], found["unit"]) == ([], "")
    assert found["limits"] == {"calibrated_min": None, "calibrated_max": None}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?property=moisture&points=0",
        "?property=moisture&from=5",
        "?property=moisture&from=2026-11-22",
        "?property=moisture&from=2026-11-22T10:00:00",
        "?property=%24.x&points=5",
        "?property=moisture&since=2026-11-22T10:00Z",
    ],
)
def test_what_is_no_span_is_refused(asked, held, query):
    assert asked(f"/history{query}").status_code == 422


def test_before_the_daemon_ever_ran_there_is_nothing(asked):
    assert asked("/history?property=moisture").json()["value"] == []
    assert asked("/records").json() == {"records": [], "next": None}
    assert asked("/records.csv").text.startswith("id,utc,")


def test_a_damaged_database_is_told(asked, page):
    (page.state_dir / "outbox.sqlite").write_bytes(b"\x5a" * 8192)
    answer = asked("/records")
    assert (answer.status_code, answer.json()["error"]) == (409, "state_damaged")
    assert asked("/history?property=moisture").status_code == 409


@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.none() | st.floats(-1e6, 1e6), st.booleans()),
        min_size=1,
        max_size=200,
    ),
    st.integers(1, 50),
)
@settings(deadline=None, max_examples=50)
def test_thinning_hides_no_outlier(rows, most):
    points = [
        Point(iso(s), v, None, None, valid) for s, v, valid in sorted(rows, key=lambda r: r[0])
    ]
    bins = thinned(points, most)
    assert 1 <= len(bins) <= most
    values = [p.value for p in points if p.value is not None]
    assert min((b.least for b in bins if b.least is not None), default=None) == min(
        values, default=None
    )
    assert max((b.most for b in bins if b.most is not None), default=None) == max(
        values, default=None
    )
    assert all(b.valid for b in bins) == all(p.valid for p in points)
    assert [b.utc for b in bins] == sorted(b.utc for b in bins)
    if most == 1 and values:
        assert bins[0].value == statistics.median(values)


def test_records_come_newest_first_and_page_by_page(asked, held):
    found, after = [], ""
    while True:
        answer = asked(f"/records?limit=3{after}", "viewer").json()
        found += answer["records"]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert found == held[::-1]


def test_a_page_that_is_just_full_has_no_next(asked, held):
    assert asked("/records?limit=10").json()["next"] is None
    assert asked("/records?limit=500").json()["next"] is None
    assert len(asked(f"/records?limit=9&to={iso(8)}").json()["records"]) == 9


def test_the_table_is_read_by_a_spreadsheets_reader(asked, held):
    answer = asked("/records.csv", "operator")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "records.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == [record["id"] for record in held]
    assert [row["moisture"] for row in rows[:2]] == ["10.0", "11.0"]
    assert (rows[4]["moisture"], rows[4]["valid"], rows[4]["reasons"]) == ("", "false", "saturated")
    assert answer.text.count("\r\n") == answer.text.count("\n") == 11


def test_a_table_of_many_parts_misses_none(asked, page):
    records = [record(n / 100) for n in range(1203)]
    with contextlib.closing(outbox(page, records)):
        rows = list(csv.DictReader(io.StringIO(asked("/records.csv").text)))
    assert [row["id"] for row in rows] == sorted(record["id"] for record in records)


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_nothing_in_the_table_is_a_formula(asked, page, text):
    with contextlib.closing(outbox(page, [record(0, serial=text)])):
        row = next(csv.DictReader(io.StringIO(asked("/records.csv").text, newline="")))
    assert row["serial"] == f"'{text}"


def test_negative_values_stay_numbers(asked, page):
    with contextlib.closing(outbox(page, [record(0, -1.5)])):
        row = next(csv.DictReader(io.StringIO(asked("/records.csv").text)))
    assert float(row["moisture"]) == -1.5


def test_a_viewer_exports_nothing(asked, held):
    assert asked("/records.csv", "viewer").status_code == 403


def test_the_database_is_opened_to_be_read_only(asked, held, monkeypatch):
    opened, connect = [], sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda name, **given: (opened.append(name), connect(name, **given))[1]
    )
    paths = ("/history?property=moisture", "/records", "/records.csv", "/now", "/adaptation")
    for path in (*paths, "/support.zip"):
        assert asked(path).status_code == 200
    assert len(opened) >= len(paths)
    assert all(name.endswith("?mode=ro") for name in opened)
