"""`fit` on instruments that differ in every way, on bad input, and what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.transfer import History, TransferError, fit
from spektron_edge.transfer.uncertainty import _alone

pytestmark = pytest.mark.numerics

AXIS = np.arange(1100.0, 1700.0, 3.0)


def spectra(axis, amounts, width=1.0):
    """Absorbance of three constituents in `amounts` (n, 3), bands widened by `width`."""
    centres, widths = (1180.0, 1330.0, 1480.0), (25.0, 30.0, 22.0)
    bands = np.stack(
        [
            np.exp(-0.5 * ((axis - c) / (w * width)) ** 2)
            + 0.5 * np.exp(-0.5 * ((axis - c - 110) / (1.3 * w * width)) ** 2)
            for c, w in zip(centres, widths, strict=True)
        ]
    )
    return 0.3 + amounts @ bands + 1e-4 * (axis - 1400)


def world(seed, n=45):
    rng = np.random.default_rng(seed)
    amounts = 0.4 + 0.15 * rng.random((n, 3))
    y = 10 * amounts[:, :2] + 0.01 * rng.standard_normal((n, 2))
    x = spectra(AXIS, amounts) + 2e-4 * rng.standard_normal((n, AXIS.size))
    return rng, amounts, y, x


def r2(predicted, truth):
    return 1 - np.sum((predicted - truth) ** 2, 0) / np.sum((truth - truth.mean(0)) ** 2, 0)


def target_like(kind, amounts, rng):
    """(axis, spectra) of the samples on another instrument."""

    def noise(shape):
        return 3e-4 * rng.standard_normal(shape)

    if kind == "same kind":
        return AXIS, spectra(AXIS, amounts) + 0.02 + noise((len(amounts), AXIS.size))
    if kind == "scale 3":
        return AXIS, 3.0 * spectra(AXIS, amounts) - 0.1 + noise((len(amounts), AXIS.size))
    if kind == "scale 0.3":
        return AXIS, 0.3 * spectra(AXIS, amounts) + 0.2 + noise((len(amounts), AXIS.size)) / 3
    if kind == "other axis":
        axis = np.arange(1050.0, 1650.0, 4.7)
        return axis, 1.1 * spectra(axis - 1.5, amounts) + noise((len(amounts), axis.size))
    if kind == "coarse":
        axis = np.arange(1100.0, 1705.0, 8.0)
        return axis, spectra(axis, amounts, 1.4) + noise((len(amounts), axis.size))
    if kind == "shifted":
        return AXIS, spectra(AXIS - 12.0, amounts) + noise((len(amounts), AXIS.size))
    if kind == "reflectance":
        return AXIS, 10.0 ** -(spectra(AXIS, amounts) + noise((len(amounts), AXIS.size)))
    raise AssertionError(kind)


KINDS = ("same kind", "scale 3", "scale 0.3", "other axis", "coarse", "shifted", "reflectance")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 10])
def test_a_calibration_reaches_an_unlike_instrument(kind, n):
    rng, amounts, y, x = world(1)
    axis, target = target_like(kind, amounts, rng)
    transfer = fit(x[:30], AXIS, y[:30], x[:n], target[:n], axis)
    assert transfer.valid
    assert np.all(r2(transfer.predict(target[30:]), y[30:]) > 0.9)
    intervals = transfer.predict_intervals(target[30:])
    inside = (intervals.low <= y[30:]) & (y[30:] <= intervals.high)
    assert inside.mean() > 0.7
    assert transfer.report["quantity"] == ("-log10" if kind == "reflectance" else "none")


def test_labels_are_not_needed():
    rng, amounts, y, x = world(2)
    axis, target = target_like("other axis", amounts, rng)
    transfer = fit(x[:30], AXIS, y[:30], x[30:36], target[30:36], axis)
    assert transfer.report["labelled"] == 0
    assert np.all(r2(transfer.predict(target[36:]), y[36:]) > 0.9)
    assert "combined" in transfer.expected.basis


def test_one_bad_pair_of_six_does_not_ruin_it():
    rng, amounts, y, x = world(3)
    axis, target = target_like("same kind", amounts, rng)
    bad = target[:6].copy()
    bad[2] = target[40] + 0.3
    good = fit(x[:30], AXIS, y[:30], x[:6], target[:6], axis, library_labels=False)
    worse = fit(x[:30], AXIS, y[:30], x[:6], bad, axis, library_labels=False)
    assert good.report["set_aside"] == []
    assert np.all(r2(worse.predict(target[30:]), y[30:]) > 0.9)


@pytest.mark.parametrize("seed", range(4))
def test_samples_that_have_nothing_to_do_with_each_other_are_told(seed):
    rng, amounts, y, x = world(30 + seed)
    _, target = target_like("same kind", amounts, rng)
    mixed = target[rng.permutation(len(target))]
    transfer = fit(x[:30], AXIS, y[:30], x[:8], mixed[:8], AXIS, library_labels=False)
    assert not transfer.valid
    assert transfer.report["agreement_of_pairs"] < 0.8


def test_unpaired_spectra_of_the_same_population():
    rng, amounts, y, x = world(5, n=90)
    _, target = target_like("same kind", amounts, rng)
    transfer = fit(x[:40], AXIS, y[:40], target_axis=AXIS, unpaired=target[40:70])
    assert np.all(r2(transfer.predict(target[70:]), y[70:]) > 0.6)
    assert "nothing was measured on both" in transfer.expected.basis


@pytest.mark.parametrize("k", [5, 12])
def test_own_samples_with_references_need_not_be_of_the_same_population(k):
    rng, amounts, y, x = world(5, n=40)
    richer = amounts[rng.permutation(40)] + 0.1
    target = 1.2 * spectra(AXIS, richer) + 2e-4 * rng.standard_normal((40, AXIS.size))
    truth = 10 * richer[:, :2]
    transfer = fit(x, AXIS, y, unpaired=target[:k], target_axis=AXIS, unpaired_labels=truth[:k])
    assert transfer.valid
    assert np.all(r2(transfer.predict(target[20:]), truth[20:]) > 0.9)
    assert transfer.report["unpaired_labelled"] == k
    assert ("conformal" in transfer.expected.basis) == (k >= 9)
    intervals = transfer.predict_intervals(target[20:])
    assert ((intervals.low <= truth[20:]) & (truth[20:] <= intervals.high)).mean() > 0.7


def test_without_references_another_population_looks_like_another_instrument():
    rng, amounts, y, x = world(5, n=40)
    richer = amounts[rng.permutation(40)] + 0.1
    target = spectra(AXIS, richer) + 2e-4 * rng.standard_normal((40, AXIS.size))
    transfer = fit(x, AXIS, y, unpaired=target[:20], target_axis=AXIS)
    assert np.all(np.abs((transfer.predict(target) - 10 * richer[:, :2]).mean(axis=0)) > 0.5)


def test_standards_serve_as_pairs_and_a_fleet_is_heard():
    rng, amounts, y, x = world(6)
    axis, target = target_like("same kind", amounts, rng)
    standards = History(x[30:34], target[30:34], axis)
    alone = fit(x[:30], AXIS, y[:30], target_axis=axis, standards=standards)
    assert np.all(r2(alone.predict(target[34:]), y[34:]) > 0.8)
    with_fleet = fit(x[:30], AXIS, y[:30], x[:5], target[:5], axis, fleet=[standards])
    assert any("fleet" in name for name in with_fleet.report["tried"])


def test_a_history_that_does_not_cover_the_range_is_left_out_and_told():
    rng, amounts, y, x = world(6)
    axis, target = target_like("same kind", amounts, rng)
    short = History(x[30:34], target[30:34, :100], axis[:100])
    transfer = fit(x[:30], AXIS, y[:30], x[:5], target[:5], axis, fleet=[short])
    assert transfer.report["histories"] == 0
    assert transfer.report["histories_left_out"] == 1


def test_nine_labels_make_intervals_conformal():
    rng, amounts, y, x = world(7)
    axis, target = target_like("same kind", amounts, rng)
    nine = fit(x[:30], AXIS, y[:30], x[:9], target[:9], axis)
    eight = fit(x[:30], AXIS, y[:30], x[:8], target[:8], axis)
    assert nine.expected.basis.startswith("conformal")
    assert eight.expected.basis.startswith("combined")


def test_the_error_of_the_reference_method_is_taken_off():
    rng, amounts, y, x = world(8)
    _, target = target_like("same kind", amounts, rng)
    transfer = fit(x[:30], AXIS, y[:30], x[:5], target[:5], AXIS, sel=[0.005, 10.0])
    told = transfer.report["predicted_error_against_true_value"]
    assert 0 < told[0] < transfer.predicted_rmsep[0]
    assert told[1] == 0


def test_one_property_may_be_a_vector():
    rng, amounts, y, x = world(9)
    _, target = target_like("same kind", amounts, rng)
    transfer = fit(x[:30], AXIS, y[:30, 0], x[:5], target[:5], AXIS)
    assert transfer.predict(target[30:]).shape == (15,)
    assert transfer.predict_intervals(target[30:]).low.shape == (15, 1)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 5.0), st.floats(-0.5, 0.5), st.floats(0.01, 100.0), st.floats(-50, 50))
def test_photometric_scale_and_units_of_the_property_do_not_matter(scale, offset, unit, zero):
    rng, amounts, y, x = world(10)
    _, target = target_like("same kind", amounts, rng)
    plain = fit(x[:30], AXIS, y[:30], x[:5], target[:5], AXIS, quantity="none")
    moved = fit(
        x[:30],
        AXIS,
        unit * y[:30] + zero,
        x[:5],
        scale * target[:5] + offset,
        AXIS,
        quantity="none",
    )
    expected = r2(plain.predict(target[30:]), y[30:])
    found = r2(moved.predict(scale * target[30:] + offset), unit * y[30:] + zero)
    assert np.all(found > expected - 0.05)


def test_the_same_input_gives_the_same_result_and_input_stays_as_it_was():
    rng, amounts, y, x = world(11)
    _, target = target_like("same kind", amounts, rng)
    before = x.copy(), target.copy()
    a = fit(x[:30], AXIS, y[:30], x[:5], target[:5], AXIS).predict(target)
    b = fit(x[:30], AXIS, y[:30], x[:5], target[:5], AXIS).predict(target)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(before[0], x)
    np.testing.assert_array_equal(before[1], target)


def arguments():
    rng, amounts, y, x = world(12)
    _, target = target_like("same kind", amounts, rng)
    return {
        "source_X": x[:30],
        "source_axis": AXIS,
        "source_y": y[:30],
        "pairs_source": x[:5],
        "pairs_target": target[:5],
        "target_axis": AXIS,
    }


def broken(name, change):
    given_ = arguments()
    given_[name] = change(given_[name])
    return given_


def with_nan(value):
    value = value.copy()
    value[2, 3] = np.nan
    return value


BAD = {
    "nan in a spectrum": (broken("source_X", with_nan), "row 2 at channel 3"),
    "nan in a pair": (broken("pairs_target", with_nan), "measure it again"),
    "nan in y": (broken("source_y", lambda v: np.where(v > v.max() - 1e-9, np.nan, v)), "source_y"),
    "axis backwards": (broken("source_axis", lambda v: v[::-1]), "sort axis"),
    "axis with a repeat": (broken("target_axis", lambda v: np.r_[v[:-1], v[-2]]), "repeated"),
    "axis of another length": (broken("target_axis", lambda v: v[:-1]), "one axis value"),
    "axes apart": (broken("target_axis", lambda v: v + 5000), "hardly overlap"),
    "wavenumbers": (broken("target_axis", lambda v: (1e7 / v)[::-1]), "same unit"),
    "a vector": (broken("source_X", lambda v: v[0]), "one row a spectrum"),
    "words": (broken("source_X", lambda v: [["a"]]), "numbers"),
    "two pairs": (
        {**arguments(), "pairs_source": np.ones((2, 200)), "pairs_target": np.ones((2, 200))},
        "at least 3",
    ),
    "unequal pairs": (broken("pairs_target", lambda v: v[:4]), "row i of both"),
    "half of the pairs": (broken("pairs_target", lambda v: None), "pairs_target is missing"),
    "few source spectra": (
        {**arguments(), "source_X": np.ones((4, 200)), "source_y": np.ones(4)},
        "at least 8",
    ),
    "references of others": (broken("source_y", lambda v: v[:7]), "30 spectra"),
    "a constant property": (broken("source_y", lambda v: 0 * v), "same for all"),
    "labels of others": ({**arguments(), "labels": np.ones((5, 3))}, "3 properties"),
    "infinite label": ({**arguments(), "labels": np.full((5, 2), np.inf)}, "NaN where"),
    "unknown quantity": ({**arguments(), "quantity": "percent"}, "not known"),
    "sel of others": ({**arguments(), "sel": [1.0, 2.0, 3.0]}, "2 properties"),
    "no logarithm": (
        {**broken("pairs_target", lambda v: v - 5), "quantity": "-log10"},
        "no logarithm",
    ),
    "four own samples": (
        {
            **arguments(),
            "pairs_source": None,
            "pairs_target": None,
            "unpaired": np.ones((4, 200)),
            "unpaired_labels": np.ones((4, 2)),
        },
        "5 on the target with references",
    ),
    "references of other samples": (
        {**arguments(), "unpaired": np.ones((9, 200)), "unpaired_labels": np.ones((8, 2))},
        "9 spectra",
    ),
    "references of other properties": (
        {**arguments(), "unpaired": np.ones((9, 200)), "unpaired_labels": np.ones((9, 3))},
        "3 properties",
    ),
    "same spectra": ({**arguments(), "source_X": np.ones((30, 200))}, "same spectrum"),
    "dark pairs": (broken("pairs_target", lambda v: 0 * v), "one value throughout"),
    "dark spectra": (
        {**arguments(), "pairs_source": None, "pairs_target": None, "unpaired": np.zeros((9, 200))},
        "one value throughout",
    ),
    "enormous spectra": (broken("pairs_target", lambda v: v * 1e160), "no spectrum has"),
    "an enormous label": ({**arguments(), "labels": np.full((5, 2), 1e300)}, "labels holds values"),
    "sel in words": ({**arguments(), "sel": ["a", "b"]}, "sel must be numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    given_, message = BAD[name]
    with pytest.raises(TransferError, match=message):
        fit(**given_)


def test_no_pairs_and_few_unpaired_spectra_are_named():
    given_ = {**arguments(), "pairs_source": None, "pairs_target": None}
    with pytest.raises(TransferError, match="no pairs and 0 unpaired"):
        fit(**given_)
    with pytest.raises(TransferError, match="no pairs and 3 unpaired"):
        fit(**given_, unpaired=arguments()["pairs_target"][:3])


def test_prediction_of_bad_spectra_is_named():
    transfer = fit(**arguments())
    with pytest.raises(TransferError, match="one axis value"):
        transfer.predict(np.ones((2, 7)))
    with pytest.raises(TransferError, match="no spectra"):
        transfer.predict(np.ones((0, AXIS.size)))


@pytest.mark.parametrize("value", [4.7, 4.71])
def test_ten_cups_of_one_value_do_not_pass_a_constant_for_a_calibration(value):
    rng, amounts, y, x = world(4)
    amounts[:10, 0] = value / 10
    x = spectra(AXIS, amounts) + 2e-4 * rng.standard_normal(x.shape)
    y[:, 0] = 10 * amounts[:, 0]
    _, target = target_like("same kind", amounts, rng)
    transfer = fit(x[:30], AXIS, y[:30], x[:10], target[:10])
    assert np.all(r2(transfer.predict(target[30:]), y[30:]) > 0.9)
    assert np.all(transfer.predicted_rmsep > 1e-4)


def test_own_samples_of_one_value_do_not_vouch_for_a_property():
    rng, amounts, y, x = world(5)
    _, target = target_like("same kind", amounts, rng)
    labels = y[30:40].copy()
    labels[:, 1] = 4.7
    transfer = fit(x[:30], AXIS, y[:30], unpaired=target[30:40], unpaired_labels=labels)
    assert transfer.valid_properties.tolist() == [True, False]


def test_unpaired_spectra_of_something_else_are_not_valid():
    rng, amounts, y, x = world(5, n=60)
    _, target = target_like("same kind", amounts, rng)
    noise = rng.standard_normal((20, AXIS.size))
    for other, axis in ((target[:20], AXIS + 100), (noise, AXIS)):
        transfer = fit(x[:40], AXIS, y[:40], target_axis=axis, unpaired=other)
        assert not transfer.valid_properties.any()
    assert fit(x[:40], AXIS, y[:40], unpaired=3 * target[40:]).valid


def test_the_row_that_makes_a_conformal_interval_alone_is_told():
    errors = np.ones((10, 2)) * np.linspace(0.5, 1, 10)[:, None]
    errors[3, 1] = -4.0
    assert _alone(errors, np.arange(10, 20)).tolist() == [-1, 13]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fleet", 3),
        ("fleet", None),
        ("fleet", "abc"),
        ("fleet", [None]),
        ("fleet", History(1, 2, 3)),
        ("fleet", [History(1, 2, 3)]),
        ("standards", [History(1, 2, 3)]),
        ("standards", 3),
        ("seed", "0"),
        ("seed", True),
        ("library_labels", "no"),
        ("library_labels", np.zeros(3)),
        ("quantity", np.zeros(3)),
        ("quantity", None),
        ("sel", [1j, 1j]),
        ("source_X", np.full((45, AXIS.size), 1j)),
        ("source_y", [[10**400]] * 45),
        ("target_axis", object()),
    ],
)
def test_arguments_of_another_kind_are_named(name, value):
    _, _, y, x = world(0)
    given = {"source_X": x, "source_axis": AXIS, "source_y": y}
    given |= {"pairs_source": x[:5], "pairs_target": 1.1 * x[:5], name: value}
    with pytest.raises(TransferError, match=name):
        fit(**given)
