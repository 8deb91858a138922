from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.detector.axis import from_coefficients, from_table
from spektron_edge.faults import Fault, Faults


def refused(action, *arguments):
    with pytest.raises(Fault) as caught:
        action(*arguments)
    assert caught.value.kind is Faults.AXIS_INVALID
    return caught.value.detail


@given(st.floats(200, 2000), st.floats(0.1, 5), st.floats(-1e-4, 1e-3))
def test_a_polynomial_counts_pixels_from_0(c0, c1, c2):
    axis = from_coefficients((c0, c1, c2), 200)
    np.testing.assert_allclose(axis[[0, 1, 199]], [c0, c0 + c1 + c2, c0 + 199 * c1 + 199**2 * c2])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.floats(200, 2000), steps=st.lists(st.floats(0.01, 10), min_size=4, max_size=60))
@pytest.mark.parametrize("heading", ["", "pixel,nm\n"])
def test_a_table_is_read_back(tmp_path, heading, start, steps):
    axis = start + np.cumsum(steps)
    rows = [f"{i},{float(nm)!r}" for i, nm in enumerate(axis)]
    path = tmp_path / "axis.csv"
    path.write_text(heading + "\n".join(reversed(rows)) + "\n\n")
    np.testing.assert_array_equal(from_table(path, axis.size), axis)


@pytest.mark.parametrize(
    ("coefficients", "why"),
    [
        ((1000.0,), "does not increase"),
        ((1000.0, 1.0, -0.1), "does not increase"),
        ((-5.0, 1.0), "not wavelengths above 0"),
        ((1000.0, float("nan")), "not wavelengths"),
        ((1000.0, 1e308, 1e308), "not wavelengths"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_no_axis_is_refused(coefficients, why):
    assert why in refused(from_coefficients, coefficients, 20)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0,900\n1,901\n", "has 2 pixels; expected each of 0 to 3 once"),
        ("0,900\n1,901\n1,902\n3,903\n", "pixel 1 is there twice"),
        ("0,900\n1,901\n2,x\n3,903\n", "row 3 is '2,x'"),
        ("pixel,nm\nheading,again\n", "row 2"),
        ("0,900\n1,900\n2,902\n3,903\n", "does not increase"),
        ("", "has 0 pixels"),
        ("0,900\n1\n", "row 2"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_row(tmp_path, text, why):
    path = tmp_path / "axis.csv"
    path.write_text(text)
    assert why in refused(from_table, path, 4)


def test_a_missing_file_and_a_binary_one_are_refused(tmp_path):
    assert "cannot read" in refused(from_table, tmp_path / "none.csv", 4)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    assert "cannot read" in refused(from_table, tmp_path / "b.csv", 4)
    (tmp_path / "large.csv").write_bytes(b"0,1\n" * 1_000_001)
    assert "larger than" in refused(from_table, tmp_path / "large.csv", 4)
