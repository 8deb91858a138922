"""What adaptation may learn from, when it may be tried, and what it is told besides."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.adaptation.candidate import Batch
from spektron_edge.adaptation.drift import Drift
from spektron_edge.adaptation.evidence import (
    SERVICE_AGE_S,
    SERVICE_SPECTRA,
    Evidence,
    Stability,
)
from spektron_edge.adaptation.evidence_store import EvidenceStore, for_guard
from spektron_edge.adaptation.forms import FORMS
from spektron_edge.adaptation.gauge import Gauge, gauge
from spektron_edge.adaptation.growing import growing
from spektron_edge.adaptation.looking_back import LookingBack
from spektron_edge.adaptation.pace import Pace
from spektron_edge.adaptation.ring import KEPT, PER_RUN, Entry, Ring, as_batch, sampled
from spektron_edge.adaptation.seen import Seen
from spektron_edge.adaptation.soundness import Stillness
from spektron_edge.adaptation.stream import Stream
from spektron_edge.adaptation.task import (
    RESULT,
    TASK,
    Given,
    Result,
    Task,
    read_result,
    read_task,
    told_of,
    write_result,
    write_task,
)
from spektron_edge.adaptation.task_made import IN_SHADOW, come_since
from spektron_edge.adaptation.yardstick import calibrate
from spektron_edge.clock import Stamp
from spektron_edge.faults import Fault, Faults
from spektron_edge.prediction.diagnostics import ApplicabilityModel
from tests import bundles

STEP = bundles.GRID.step_nm
K, P = 3, 54


def refused(kind, action, *arguments, **options):
    with pytest.raises(Fault) as caught:
        action(*arguments, **options)
    assert caught.value.kind is kind, caught.value
    return caught.value.detail


# ---- the ring


def entry(number, *, shift=None, run=None, rng=None):
    """One of a stream; shift: (3,) of scores, in units where the limit of T2 is 1."""
    rng = rng or np.random.default_rng(number)
    scores = 0.1 * rng.standard_normal(K) if shift is None else np.asarray(shift, float)
    t2 = float(scores @ scores)
    measured = Gauge(scores, np.zeros(P), t2, 0.0, 1.0, 0.0, 1.0, 1.0, np.zeros(len(FORMS)))
    spectrum = np.full(60, float(number))
    run = number if run is None else run
    return Entry(7, number, number, run, spectrum, measured, t2 > 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(0, 99))
def test_isolated_outliers_never_enter(outliers, seed):
    """At most every third sample, in whatever direction."""
    rng = np.random.default_rng(seed)
    ring, last = Ring(1.0, 1.0), -3
    for number, out in enumerate(outliers):
        far = out and number - last >= 3
        last = number if far else last
        shift = 3 * rng.standard_normal(K) + 3 if far else None
        ring.put(entry(number, shift=shift), counts=True)
    assert not any(e.beyond for e in ring.entries)
    assert len(ring) == sum(not e.beyond for e in ring.entries)


def test_a_change_that_is_common_enters_with_those_that_waited():
    ring, rng = Ring(1.0, 1.0), np.random.default_rng(0)
    for number in range(30):
        ring.put(entry(number), counts=True)
    for number in range(30, 60):
        ring.put(entry(number, shift=[4, 1, 0] + 0.2 * rng.standard_normal(K)), counts=True)
    assert {e.number for e in ring.entries if e.beyond} == set(range(30, 60))


def test_far_samples_on_all_sides_are_no_common_change():
    ring, rng = Ring(1.0, 1.0), np.random.default_rng(0)
    for number in range(60):
        direction = rng.standard_normal(K)
        ring.put(entry(number, shift=4 * direction / np.linalg.norm(direction)), counts=True)
    assert len(ring) == 0


def test_one_that_lies_elsewhere_does_not_enter_with_a_common_change():
    ring = Ring(1.0, 1.0)
    for number in range(30):
        shift = [-4, 1, 0] if number == 20 else [4, 0.1, 0]
        ring.put(entry(number, shift=shift), counts=True)
    assert 20 not in {e.number for e in ring.entries}
    assert len(ring) == 29


def test_a_few_of_each_sample_and_no_more_than_there_is_room_for():
    ring = Ring(1.0, 1.0)
    number = 0
    for run in range(200):
        for repeat in range(6):
            ring.put(entry(number, run=run), counts=repeat == 1)
            number += 1
    assert len(ring) == KEPT
    assert ring.entries[-1].run == 199
    assert all(sum(e.run == run for e in ring.entries) <= PER_RUN for run in range(200))
    assert len(ring._of_run) <= KEPT + 2
    ring.clear()
    assert len(ring) == 0


@settings(max_examples=40, deadline=None)
@given(runs=st.integers(1, 40), most=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
def test_batch_and_held_out_share_no_sample_and_are_the_same_again(runs, most, seed):
    entries = [entry(2 * r + i, run=r) for r in range(runs) for i in range(2)]
    batch, held = sampled(entries, most, 0.25, seed)
    assert not {e.run for e in batch} & {e.run for e in held}
    assert len(batch) <= most
    assert len({e.run for e in held}) == round(runs / 4)
    again, _ = sampled(entries, most, 0.25, seed)
    assert [e.number for e in again] == [e.number for e in batch]
    kept = as_batch(batch)
    assert kept.scans == tuple((7, e.number) for e in batch)
    assert np.array_equal(kept.spectra, kept.spectra.astype(np.float32))


def test_a_batch_spans_the_stream():
    rng = np.random.default_rng(0)
    entries = [entry(i, shift=rng.standard_normal(K) * (5 if i == 50 else 1)) for i in range(100)]
    batch, _ = sampled(entries, 10, 0.0, 1)
    assert 50 in {e.number for e in batch}


# ---- a change that grows


def of_shift(number, size, rng):
    measured = replace(entry(number).gauge, residual=size + 0.02 * rng.standard_normal(P))
    return replace(entry(number), gauge=measured)


def test_fouling_grows_and_another_instrument_stands():
    rng = np.random.default_rng(0)
    fouled = [of_shift(i, 0.01 * i, rng) for i in range(30)]
    stands = [of_shift(i, 0.3, rng) for i in range(30)]
    assert "still grows" in growing(fouled)
    assert growing(stands) == ""
    assert growing(fouled[:9]) == ""


# ---- soundness


def test_a_few_dark_channels_that_stand_still_are_no_fault(make_scan):
    rng, still = np.random.default_rng(0), Stillness()
    for number in range(40):
        scan = make_scan(number=number)
        counts = scan.counts + rng.standard_normal(scan.counts.size)
        counts[:3] = 12.0
        assert still.take(replace(scan, counts=counts)) is None


def test_a_block_of_channels_that_stands_still_is_a_fault(make_scan):
    rng, still, found = np.random.default_rng(0), Stillness(), []
    for number in range(40):
        scan = make_scan(number=number)
        counts = scan.counts + rng.standard_normal(scan.counts.size)
        counts[:8] = 500.0
        found.append(still.take(replace(scan, counts=counts)))
    assert found[5] is None
    assert found[-1].kind is Faults.DETECTOR_STUCK
    assert "8 of" in found[-1].detail


@pytest.fixture(scope="module")
def yardstick():
    x = bundles.spectra(60)
    model = ApplicabilityModel.from_arrays(
        {k: v for k, v in bundles.source_arrays().items() if k.startswith("pca")}
    )
    return calibrate(model, x, bundles.expected(x)["z_inst"].astype(np.float32), STEP)


def test_a_stream_keeps_the_sample_in_the_beam_apart_from_the_one_before(yardstick, make_scan):
    stream, rng = Stream(yardstick), np.random.default_rng(0)
    number = 0
    for x in bundles.spectra(60)[:3]:
        for _ in range(4):
            number += 1
            noisy = x + 1e-5 * rng.standard_normal(x.size)
            z = bundles.expected(noisy[None])["z_inst"][0].astype(np.float32)
            counts = rng.random(80)
            scan = replace(make_scan(number=number), counts=counts)
            stream.take(scan, Seen(noisy, noisy, z, z), np.zeros(2))
        assert len(stream.in_beam) == 4
    assert (stream.sound, stream.samples) == (12, 3)


def test_a_spectrum_that_is_no_number_is_not_followed(yardstick, make_scan):
    stream = Stream(yardstick)
    x = np.full(60, np.nan)
    z = np.zeros(64, np.float32)
    found = stream.take(make_scan(number=1), Seen(x, x, z, z), np.zeros(2))
    assert isinstance(found, Fault)
    assert (stream.sound, len(stream.ring)) == (0, 0)


# ---- when


def test_attempts_in_vain_come_ever_later_and_new_evidence_ends_that():
    pace, count, waits = Pace(), 0, []
    for _ in range(9):
        assert pace.may(1e9, count)
        pace.ended(0.0, count, 0.0, in_vain=True)
        begun = count
        while not pace.may(1e9, count):
            count += 100
        waits.append(count - begun)
    assert waits == [200, 400, 800, 1600, 3200, 6400, 12800, 12800, 12800]
    pace.ended(0.0, count, 0.0, in_vain=True)
    pace.fresh(count)
    assert pace.may(1e9, count)


@given(st.floats(0, 1e4), st.floats(0, 1e6))
def test_no_more_than_a_fiftieth_of_the_time_is_spent(processor_s, now_s):
    pace = Pace()
    pace.ended(now_s, 0, processor_s, in_vain=False)
    pace.fresh(10**9)
    assert not pace.may(now_s + 49 * processor_s, 10**9) or processor_s < 1e-6
    assert pace.may(now_s + 51 * processor_s + 1e-3, 10**9)


def test_an_adaptation_that_is_worse_than_none_is_left_and_a_good_one_stays():
    near, far = entry(0).gauge, replace(entry(0).gauge, t2=9.0)
    good, bad, mixed = (LookingBack(1.0, 1.0) for _ in range(3))
    assert not any(good.take(near, far) for _ in range(100))
    told = [bad.take(far, near) for _ in range(20)]
    assert told[:-1] == [""] * 19
    assert "without it" in told[-1]
    assert not any(mixed.take(*((near, far) if i % 2 else (far, near))) for i in range(100))


# ---- evidence

NOW = Stamp(1.7e9, 1000.0, "boot")


@pytest.fixture
def store(tmp_path):
    return EvidenceStore(tmp_path)


def later(seconds, boot="boot", utc_s=0.0):
    return Stamp(utc_s, 1000.0 + seconds, boot)


@pytest.mark.parametrize("what", ["", "a\nb", "x" * 201])
def test_a_service_that_no_log_takes_is_refused(store, what):
    refused(Faults.ADAPTATION_INPUT, store.service, what, "eve", NOW)
    assert store.read().services == ()


def test_a_service_expires_by_spectra_and_by_the_running_clock_only(store):
    event = store.service("lamp", "eve", NOW)
    assert event.holds(later(SERVICE_AGE_S - 1))
    assert not event.holds(later(SERVICE_AGE_S + 1))
    # The wall clock may say anything, and after a restart nobody knows the age.
    assert event.holds(later(10, utc_s=4e9))
    assert event.holds(later(10 * SERVICE_AGE_S, boot="another"))
    store.count(SERVICE_SPECTRA - 1, later(10, boot="another"))
    assert store.read().services
    store.count(1, later(11, boot="another"))
    assert store.read().services == ()


def test_counting_writes_nothing_where_nothing_waits(store, tmp_path):
    store.count(100, NOW)
    assert store.stamp is None


def test_who_served_is_noted_for_the_audit_log(store):
    store.service("lamp", "eve", NOW)
    action = store.untold()[0]
    assert (action.what, action.who) == ("adaptation_service_event", "eve")
    store.told(1)
    assert store.untold() == ()


def stability(store, values, name="tile", **changes):
    given = {
        "instrument": ("S1", "b-1"),
        "spectra": np.ones((len(values), 60)),
        "values": {"moisture": np.array(values)},
        "errors": {"moisture": 0.1},
        **changes,
    }
    return store.stability(name, "eve", NOW, **given)


def test_a_stability_sample_keeps_the_interval_of_its_first_measurement(store):
    first = stability(store, [10.0, 10.01, 9.99])
    assert first.half_width["moisture"] == pytest.approx(0.06)
    assert stability(store, [10.05, 10.05, 10.05]).astray == ()
    again = stability(store, [10.2, 10.2, 10.2], spectra=np.full((3, 60), 2.0))
    assert again.astray == ("moisture",)
    assert again.value == first.value
    assert again.half_width == first.half_width
    found = for_guard(store.read().samples, "S1", "b-1", ["moisture"])
    assert found[0].spectrum.tolist() == [2.0] * 60
    assert for_guard(store.read().samples, "S2", "b-1", ["moisture"]) == ()
    assert for_guard(store.read().samples, "S1", "b-2", ["moisture"]) == ()


def test_a_name_that_is_used_again_under_another_calibration_is_another_sample(store):
    stability(store, [10.0, 10.01, 9.99])
    assert stability(store, [12.0] * 3).astray == ("moisture",)
    other = {"instrument": ("S1", "b-2")}
    stability(store, [12.0, 12.01, 11.99], **other)
    assert stability(store, [12.0, 12.01, 11.99], **other).astray == ()


def test_a_value_that_is_no_number_is_no_stability_sample(store):
    refused(Faults.ADAPTATION_INPUT, stability, store, [np.nan] * 3)
    stability(store, [10.0, 10.0, 10.0])
    refused(Faults.ADAPTATION_INPUT, stability, store, [np.nan] * 3)
    assert store.read().samples[0].latest == {"moisture": 10.0}


def test_two_scans_are_too_few(store):
    refused(Faults.SAMPLE_REFUSED, stability, store, [10.0, 10.0])


def test_there_is_an_end_to_stability_samples(store):
    for i in range(32):
        stability(store, [10.0] * 3, name=f"s{i}")
    refused(Faults.ADAPTATION_INPUT, stability, store, [10.0] * 3, name="one more")


def test_a_damaged_file_is_a_fault(store, tmp_path):
    store.service("lamp", "eve", NOW)
    (tmp_path / "adaptations" / "evidence.json").write_text("{")
    refused(Faults.STATE_DAMAGED, store.read)


# ---- what daemon and child hand each other

DRIFT = Drift("q", (7, 20), 20, float("nan"), "unknown", ("q", "t2"))


@pytest.fixture
def task(tmp_path):
    found = Evidence(DRIFT, ("lamp by eve",), "it grows", ("tile",))
    about = Task(
        id="0123456789ab",
        bundle="b-1",
        serial="S1",
        mode="auto",
        seed=5,
        why="; ".join(found.told)[:500],
        parent=None,
        drift=told_of(found.drift),
        services=found.services,
        growing=found.growing,
        astray=found.astray,
        stability=("tile",),
    )
    rows = [entry(i) for i in range(4)]
    sample = Stability("tile", np.ones(60), np.array([1.0, 2.0]), np.array([0.1, 0.2]))
    return Given(about, as_batch(rows[:3]), as_batch(rows[3:]), (sample,))


def test_a_task_is_read_as_it_was_written(task, tmp_path):
    write_task(tmp_path, task)
    again = read_task(tmp_path)
    assert again.task == task.task
    assert again.task.evidence.of_instrument
    assert "lamp by eve" in " ".join(again.task.evidence.told)
    assert again.batch.scans == task.batch.scans
    assert np.array_equal(again.batch.spectra, task.batch.spectra)
    assert again.stability[0].half_width.tolist() == [0.1, 0.2]


def test_a_task_without_anything_held_out_is_read_too(task, tmp_path):
    write_task(tmp_path, replace(task, held_out=Batch(np.empty((0, 60)), ())))
    assert read_task(tmp_path).held_out.scans == ()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_in_place_of_a_file_is_a_fault(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("work")
    for name in (TASK, RESULT, "task.npz"):
        (folder / name).write_bytes(data)
    refused(Faults.ADAPTATION_FAILED, read_task, folder)
    refused(Faults.ADAPTATION_FAILED, read_result, folder, "0123456789ab")


def test_a_result_of_another_attempt_or_with_numbers_that_are_none_is_refused(tmp_path):
    result = Result(id="0123456789ab", seconds=1, processor_s=1, peak_mb=1)
    write_result(tmp_path, result)
    assert read_result(tmp_path, "0123456789ab") == result
    assert "another attempt" in refused(Faults.ADAPTATION_FAILED, read_result, tmp_path, "0" * 12)
    document = {**result.model_dump(), "metrics": {"q": float("nan")}}
    (tmp_path / RESULT).write_text(json.dumps(document))
    refused(Faults.ADAPTATION_FAILED, read_result, tmp_path, "0123456789ab")


def test_a_folder_that_cannot_be_written_is_a_fault(task, tmp_path):
    (tmp_path / "file").write_text("")
    refused(Faults.STATE_UNWRITABLE, write_task, tmp_path / "file" / "work", task)


def test_only_samples_that_came_after_a_proposal_judge_it_again():
    entries = [entry(i, run=i // 2) for i in range(40)]
    # The sixth spectrum is the second of its sample: what came after is of others.
    for order, runs in ((5, 17), (4, 17), (23, 8), (24, 7)):
        fresh = come_since(entries, entries[order].order)
        expected = runs if runs >= IN_SHADOW else 0
        assert len({e.run for e in fresh}) == expected
        assert all(e.order > entries[order].order for e in fresh)


def test_the_gauge_of_a_featureless_spectrum_says_so(yardstick):
    assert gauge(yardstick.domain, np.full(60, 0.5)).feature == pytest.approx(0.0, abs=0.01)
    assert gauge(yardstick.domain, bundles.spectra(1, seed=3)[0]).feature > 0.5
