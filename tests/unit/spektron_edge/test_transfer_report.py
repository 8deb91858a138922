"""The report's page and its charts: whole, self-contained, and what they are told."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from spektron_edge.transfer_session.figures import Point, SpectraFigure
from spektron_edge.transfer_session.fit_result import PropertyResult
from spektron_edge.transfer_session.report import Report, SampleRow, html
from spektron_edge.transfer_session.svg import BLUE, Dot, Line, identity_chart, line_chart

AXIS = np.linspace(1100.0, 2498.0, 50)
SVG = "{http://www.w3.org/2000/svg}"


def property_result(name="oil", valid=True):
    return PropertyResult(
        name=name,
        unit="%",
        valid=valid,
        rmsep=0.1,
        rmsep_low=0.08,
        rmsep_high=0.13,
        method="average",
    )


def report(**changes):
    mean = np.sin(AXIS / 300)
    known = {
        "bundle": "corn-1",
        "product": "corn",
        "serial": "SN<1>",
        "by": "anna & bert",
        "made": "2026-11-22",
        "version": 4,
        "properties": (property_result(),),
        "basis": "conformal",
        "why": "because",
        "samples": (SampleRow("17", "of the source", 3, "", "good", "pair", ""),),
        "points": {"oil": [Point("17", 3.5, 3.4, 3.2, 3.6, True)]},
        "rmsep_of_new": {"oil": (0.2, 3)},
        "tried": [("as measured, spectrum", [0.1])],
        "spectra": SpectraFigure(
            AXIS, mean, mean + 0.1, mean, mean * 0 + 0.1, mean * 0 + 0.01, "as measured"
        ),
        "warnings": ("<script>alert(1)</script>",),
        "details": {"pairs": 1},
    }
    return Report(**{**known, **changes})


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def test_the_page_needs_nothing_else_and_runs_nothing():
    page = html(report())
    tags = Tags(page).tags
    assert not {"script", "link", "img", "iframe", "object"} & set(tags)
    assert tags.count("svg") == 3
    assert "default-src 'none'" in page


def test_what_others_wrote_is_text():
    page = html(report())
    assert "SN&lt;1&gt;" in page
    assert "anna &amp; bert" in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("valid", "verdict"),
    [
        ((True, True), "Valid for every property."),
        ((True, False), "Valid, but not for b."),
        ((False, False), "Not valid: do not use it."),
    ],
)
def test_the_verdict_names_what_is_not_valid(valid, verdict):
    properties = tuple(property_result(n, v) for n, v in zip("ab", valid, strict=True))
    made = report(properties=properties, points={})
    assert made.verdict == verdict
    page = html(made)
    assert verdict in page
    assert "there is nothing to compare with" in page


def test_without_pairs_there_is_no_after():
    spectra = report().spectra
    figure = SpectraFigure(AXIS, spectra.source, spectra.before, None, None, None, "")
    page = html(report(spectra=figure, version=None))
    assert "Means of different samples." in page
    assert "dry run" in page


def test_the_numbers_are_json():
    again = json.loads(json.dumps(report().as_json(), allow_nan=False))
    assert again["predictions"]["oil"][0]["predicted"] == 3.4
    assert len(again["spectra"]["axis"]) == 50
    assert again["rmsep_of_new_samples"] == {"oil": {"rmsep": 0.2, "samples": 3}}


def test_lines_lie_inside_the_frame():
    chart = ElementTree.fromstring(
        line_chart([Line("a < b", AXIS, np.cos(AXIS), BLUE)], "x & y", "absorbance")
    )
    (line,) = chart.iter(SVG + "polyline")
    points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
    assert len(points) == 50
    frame = next(chart.iter(SVG + "rect"))
    x, y, width, height = (float(frame.get(k)) for k in ("x", "y", "width", "height"))
    assert all(x - 0.1 <= px <= x + width + 0.1 and y <= py <= y + height for px, py in points)
    texts = [t.text for t in chart.iter(SVG + "text")]
    assert "a < b" in texts
    assert "x & y" in texts


@pytest.mark.parametrize("values", [(1.0, 1.0), (0.0, 0.0), (-5e-9, 5e-9), (1e6, 2e6)])
def test_charts_of_any_range_have_round_ticks(values):
    low, high = values
    dots = [Dot("a", low, low, low, high, BLUE), Dot("b", high, high, low, high, BLUE)]
    chart = ElementTree.fromstring(identity_chart(dots, "reference", "predicted"))
    assert len(list(chart.iter(SVG + "circle"))) == 2
    assert 10 <= len(list(chart.iter(SVG + "text"))) <= 24


def test_a_picture_where_matplotlib_is():
    pytest.importorskip("matplotlib")
    from spektron_edge.transfer_session.picture import png

    assert png(report()).startswith(b"\x89PNG")
    # Whoever names an instrument writes no formulas.
    assert png(report(serial="$a_{$")).startswith(b"\x89PNG")
