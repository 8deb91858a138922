"""Which sample next, and what samples are told to be: on real corn spectra."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spektron_edge.demo.corn import load_corn
from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer_session.distances import farthest_pair, nearest
from spektron_edge.transfer_session.footing import Footing
from spektron_edge.transfer_session.guidance import next_samples
from spektron_edge.transfer_session.quality import Judgement, sound
from spektron_edge.transfer_session.review import first_look, measured, review
from spektron_edge.transfer_session.scatter import scatter_of
from spektron_edge.transfer_session.source import Source
from spektron_edge.transfer_session.two_ways import two_groups

NOISE = 1.5e-4


@pytest.fixture(scope="module")
def corn():
    return load_corn().train


@pytest.fixture(scope="module")
def source(corn):
    names = tuple(corn.samples.astype(str))
    properties = tuple((name, "%") for name in ("moisture", "oil", "protein", "starch"))
    return Source(
        "corn-1", "corn", properties, names, corn.spectra["m5"], corn.axis_nm, corn.references
    )


@pytest.fixture(scope="module")
def footing(source):
    return Footing.of(source, source.axis)


@pytest.fixture
def cup(corn, source):
    """cup(sample, lies=other): repeat scans of a cup on mp6, by the name the engineer gives it."""
    rng = np.random.default_rng(0)
    places = iter(range(1000))

    def make(sample, lies=None, known=True, scans=3):
        row = source.row(sample) if known else None
        there = source.row(lies or sample)
        x = corn.spectra["mp6"][there] + NOISE * rng.standard_normal((scans, 700))
        return measured(sample, row, x, next(places))

    return make


def chosen(source, count, held=None):
    rows = range(len(source.samples)) if held is None else held
    return [source.samples[r] for r in next_samples(source.x, [], list(rows), count)]


def kennard_stone(x, n):
    """As the transfer benchmark chooses."""
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    picked = list(np.unravel_index(np.argmax(squares), squares.shape))
    while len(picked) < n:
        nearest = squares[:, picked].min(axis=1)
        nearest[picked] = -1
        picked.append(int(np.argmax(nearest)))
    return picked


def test_one_by_one_the_samples_are_those_of_kennard_and_stone(source):
    measured_rows = []
    for _ in range(10):
        (row,) = next_samples(source.x, measured_rows, range(60), 1)
        measured_rows.append(row)
    assert measured_rows == kennard_stone(source.x, 10)


def test_only_samples_in_hand_are_asked_for_and_none_twice(source):
    assert set(next_samples(source.x, [3], [3, 9, 4], 9)) == {9, 4}
    assert next_samples(source.x, [3, 9], [9, 3], 1) == []


def test_whatever_was_measured_first_the_next_lies_farthest_from_it(source):
    (row,) = next_samples(source.x, [7], range(60), 1)
    distances = ((source.x - source.x[7]) ** 2).sum(axis=1)
    assert row == int(np.argmax(distances))


def test_right_cups_are_good_from_the_first_to_the_tenth(source, footing, cup):
    names = chosen(source, 10)
    held = [source.row(name) for name in names]
    have = []
    for name in names:
        this = cup(name)
        assert first_look(this, have, footing, held).reasons == ()
        have.append(this)
    assert all(not j.reasons for j in review(footing, have, held).values())


def test_another_cup_is_named(source, footing, cup):
    names = chosen(source, 6)
    held = [source.row(name) for name in names]
    have = [cup(name) for name in names[:4]]
    judged = first_look(cup(names[4], lies=names[5]), have, footing, held)
    assert judged.reasons == (f"this looks like sample {names[5]}, not {names[4]}",)
    assert judged.identity


def test_the_same_cup_under_another_name_is_found_even_as_the_second(source, footing, cup):
    first, second = chosen(source, 2)
    have = [cup(first)]
    judged = first_look(cup(second, lies=first), have, footing, range(60))
    assert judged.reasons == (f"this looks like the cup that was added as {first}",)


def test_swapped_cups_are_found_once_the_others_are_there(source, footing, cup):
    a, b, *rest = names = chosen(source, 6)
    have = [cup(a, lies=b), cup(b, lies=a), *(cup(name) for name in rest)]
    judged = review(footing, have, [source.row(name) for name in names])
    assert {name for name, j in judged.items() if j.identity} == {a, b}
    assert f"looks like sample {b}, not {a}" in judged[a].reasons[0]


def test_a_cup_that_is_no_corn_is_suspect(corn, source, footing, cup):
    names = chosen(source, 5)
    have = [cup(name) for name in names]
    strange = corn.spectra["mp6"][0] * 0.5 + 0.3 * np.sin(corn.axis_nm / 30)
    this = measured("flour", None, strange + np.zeros((2, 700)), 9)
    assert "little in common" in first_look(this, have, footing, range(60)).reasons[0]
    # Of the source's kind by its shape, and yet none of it.
    near = corn.spectra["mp6"][0] + 0.01 * np.sin(corn.axis_nm / 30)
    this = measured("flour", None, near + np.zeros((2, 700)), 9)
    (reason,) = first_look(this, have, footing, range(60)).reasons
    assert "unlike every source sample" in reason


def test_new_samples_of_the_source_s_kind_are_good_and_empty_ones_told(source, footing, corn):
    for x in corn.spectra["mp6"][::5]:
        this = measured("a", None, x[None] + np.zeros((2, 1)), 0)
        assert first_look(this, [], footing, []) == Judgement()
    assert first_look(measured("a", None, np.zeros((2, 700)), 0), [], footing, []).left_out


def test_a_new_sample_measured_twice_is_found(footing, cup):
    this = cup("a", lies="3", known=False)
    assert first_look(cup("b", lies="3", known=False), [this], footing, range(60)).identity
    assert not first_look(cup("c", lies="4", known=False), [this], footing, range(60)).reasons


def test_noisier_scans_than_the_others_are_suspect(source, footing, cup, corn):
    names = chosen(source, 4)
    have = [cup(name) for name in names[:3]]
    rng = np.random.default_rng(1)
    x = corn.spectra["mp6"][source.row(names[3])] + 10 * NOISE * rng.standard_normal((3, 700))
    this = measured(names[3], source.row(names[3]), x, 5)
    assert "scatter" in first_look(this, have, footing, range(60)).reasons[0]


def test_a_single_scan_is_suspect(source, footing, cup):
    assert "one scan" in first_look(cup("1", scans=1), [], footing, range(60)).reasons[0]


def test_a_photometric_scale_of_its_own_raises_no_alarm(source, footing, corn):
    names = chosen(source, 6)
    rng = np.random.default_rng(0)
    have = [
        measured(
            name,
            source.row(name),
            0.4 * corn.spectra["mp6"][source.row(name)] + NOISE * rng.standard_normal((3, 700)),
            i,
        )
        for i, name in enumerate(names)
    ]
    held = [source.row(name) for name in names]
    assert all(not j.reasons for j in review(footing, have, held).values())


def test_distances_by_blocks_are_those_of_the_whole():
    x = np.random.default_rng(0).standard_normal((600, 5))
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, -1.0)
    assert farthest_pair(x) == np.unravel_index(np.argmax(squares), squares.shape)
    np.fill_diagonal(squares, np.inf)
    np.testing.assert_allclose(nearest(x), squares.min(axis=1), atol=1e-9)


# ---- scans


def test_scatter_tells_noise_from_movement():
    rng = np.random.default_rng(0)
    still = 0.5 + NOISE * rng.standard_normal((5, 700))
    found = scatter_of(still)
    assert found.noise == pytest.approx(NOISE, rel=0.1)
    assert found.movement < 0.3 * NOISE
    moved = still + np.array([[0.0], [0.0], [0.0], [0.0], [0.01]])
    assert scatter_of(moved).movement == pytest.approx(0.01 / np.sqrt(5), rel=0.1)
    assert scatter_of(still[:1]) is None


def test_a_cup_that_moved_between_scans_is_refused(source, corn):
    rng = np.random.default_rng(0)
    x = corn.spectra["mp6"][0] + NOISE * rng.standard_normal((3, 700))
    sound(x, corn.axis_nm, source.spacing)
    x[2] += 0.005
    with pytest.raises(Fault, match="wait until the sample is in place") as caught:
        sound(x, corn.axis_nm, source.spacing)
    assert caught.value.kind is Faults.SAMPLE_REFUSED


def test_a_cup_changed_between_scans_is_refused(source, corn):
    rng = np.random.default_rng(0)
    for row in range(0, 58, 5):
        x = corn.spectra["mp6"][[row, row, row + 1]] + NOISE * rng.standard_normal((3, 700))
        with pytest.raises(Fault, match="the scans differ"):
            sound(x, corn.axis_nm, source.spacing)


@pytest.mark.parametrize("value", [np.nan, np.inf, 40.0])
def test_what_is_no_absorbance_is_refused_by_channel(source, corn, value):
    x = corn.spectra["mp6"][:1].copy()
    x[0, 5] = value
    with pytest.raises(Fault, match=r"scan 1 has .* at 1110\.0 nm, which is no absorbance"):
        sound(x, corn.axis_nm, source.spacing)


def test_an_instrument_of_another_range_is_told_so(source):
    with pytest.raises(Fault, match="hardly overlap") as caught:
        Footing.of(source, np.linspace(3000, 4000, 200))
    assert caught.value.kind is Faults.TRANSFER_INPUT


# ---- a cup beside its own source spectrum


NONSENSE = [
    (lambda x: 0 * x, "no spectrum"),
    (lambda x: 0 * x + 0.4, "no spectrum"),
    (lambda x: 10.0**-x, "upside down"),
    (lambda x: -x, "upside down"),
    (lambda x: x[:, ::-1], "little in common"),
    (lambda x: np.random.default_rng(0).random(x.shape), "little in common"),
    (lambda x: x[:, np.clip(np.arange(700) + 50, 0, 699)], "lowered by about 100 nm|raised"),
]


@pytest.mark.parametrize(("change", "told"), NONSENSE)
def test_what_is_not_the_cup_at_all_is_told_at_the_first(source, footing, corn, change, told):
    row = source.row("5")
    x = change(corn.spectra["mp6"][row : row + 1]) + np.zeros((3, 1))
    judged = first_look(measured("5", row, x, 0), [], footing, range(60))
    assert judged.left_out
    assert re.search(told, judged.reasons[-1])


def test_a_wrong_first_cup_does_not_accuse_the_right_ones_after_it(source, footing, cup):
    names = chosen(source, 5)
    first = measured(names[0], source.row(names[0]), np.zeros((3, 700)), 0)
    have = [first]
    for name in names[1:]:
        this = cup(name)
        assert first_look(this, have, footing, range(60)).reasons == ()
        have.append(this)
    judged = review(footing, have, range(60))
    assert [name for name, j in judged.items() if j.reasons] == names[:1]


@pytest.mark.parametrize("wrong_nm", [-100.0, -20.0, 20.0, 50.0, 100.0])
def test_a_wrong_axis_is_told_in_nm_by_a_single_cup(source, corn, wrong_nm):
    footing = Footing.of(source, corn.axis_nm + wrong_nm)
    row = source.row("5")
    found = footing.own(row, corn.spectra["mp6"][row])
    assert found.shift_nm == pytest.approx(wrong_nm, abs=5)
    assert f"about {abs(found.shift_nm):.0f} nm" in found.told
    assert ("lowered" in found.told) == (wrong_nm > 0)


def test_unlike_instruments_accuse_no_first_cup(source, corn):
    u = np.linspace(-1, 1, 700)
    wide = np.exp(-0.5 * (np.arange(-40, 41) / 8) ** 2)
    for row in range(0, 60, 7):
        x = corn.spectra["mp6"][row]
        coarse = np.convolve(np.pad(x, 40, mode="edge"), wide / wide.sum(), "valid")
        for axis, there in (
            (corn.axis_nm, 0.3 * x + 0.2 + 0.1 * u - 0.05 * u**2),
            (corn.axis_nm, 3 * x),
            (corn.axis_nm + 8, x),
            (corn.axis_nm[::3], coarse[::3]),
            (corn.axis_nm[50:400], coarse[50:400]),
        ):
            assert Footing.of(source, axis).own(row, there).follows


def test_where_the_shared_channels_hold_no_band_nothing_is_said_of_shapes(source, corn):
    x = source.x.copy()
    x[:, 100:300] = 0.3
    plain = Source("b", "p", (), source.samples, x, source.axis, np.empty((60, 0)))
    rng = np.random.default_rng(0)
    footing = Footing.of(plain, corn.axis_nm[100:300])
    assert footing.own(0, rng.random(200)).follows
    assert not footing.own(0, np.full(200, 0.3)).follows


def test_differences_fall_into_two_groups_only_where_there_are_two(source, corn):
    names = chosen(source, 10)
    rows = [source.row(name) for name in names]
    rng = np.random.default_rng(0)
    footing = Footing.of(source, source.axis)

    def groups(*instruments):
        x = np.stack(
            [corn.spectra[instruments[i % len(instruments)]][r] for i, r in enumerate(rows)]
        )
        x = x + NOISE * rng.standard_normal(x.shape)
        return two_groups(footing.filtered[rows] - footing.moved(x, rows, x))

    assert groups("mp5") == groups("mp6") == []
    assert groups("mp6", "m5") in ([0, 2, 4, 6, 8], [1, 3, 5, 7, 9])
    assert two_groups(footing.filtered[:5]) == []
