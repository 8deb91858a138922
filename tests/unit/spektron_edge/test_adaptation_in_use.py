"""The daemon with an adaptation: what it predicts, says and refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import Inference
from spektron_edge.transfer_state import StateStore
from tests import bundles
from tests.adaptations import SERIAL, adapted, agreed, put, use

from .conftest import AXIS
from .turns import events, ready, stored, turn

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMA = Draft202012Validator(json.loads((DOCS / "schemas/prediction.schema.json").read_text()))


@pytest.fixture
def store(daemon):
    return AdaptationStore(daemon._config.state_dir)


@pytest.fixture
def spectrum():
    """On the instrument's axis, inside the calibration's domain: (80,)."""
    return np.interp(AXIS, bundles.GRID.axis(), bundles.spectra(1)[0])


def last(daemon):
    return [r for r in stored(daemon) if "scan" in r][-1]


def value(record, name="moisture"):
    return record["values"][name]["value"]


def audited(daemon, what):
    lines = daemon._state.audit.path.read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["what"].startswith(what)]


def expected(spectrum, gain, theta=0.0):
    on_grid = np.interp(bundles.GRID.axis(), AXIS, spectrum)
    return bundles.expected(on_grid * (1 + gain), bundles.THETA + np.float32(theta))["y"]


def test_spectra_are_corrected_and_theta_is_the_adaptation_s(
    daemon, scan, make_scan, store, tiny_model, spectrum
):
    use(store, tiny_model, adapted(tiny_model, 0.05, theta=0.5))
    turn(daemon, ready(make_scan), scan(1, absorbance=spectrum))
    record = last(daemon)
    wanted = expected(spectrum, 0.05, 0.5)
    assert [value(record, n) for n in bundles.PROPERTIES] == pytest.approx(wanted, abs=1e-3)
    frozen = expected(spectrum, 0.0)
    assert abs(value(record) - frozen[0]) > 0.4
    entry = store.read().active(SERIAL)
    assert record["model"]["adaptation"] == {
        "version": 1,
        "id": entry.id,
        "mode": "propose",
        "approved_by": ["anna"],
    }
    assert record["shadow"] is None
    SCHEMA.validate(record)
    shown = daemon._announcements.model_state()
    assert shown.model.adaptation.version == 1


def test_the_corrected_spectrum_is_what_has_to_lie_in_the_domain(
    daemon, scan, make_scan, store, tiny_model, spectrum
):
    turn(daemon, ready(make_scan), scan(1, absorbance=spectrum / 1.3))
    before = last(daemon)["applicability"]
    use(store, tiny_model, adapted(tiny_model, 0.3))
    turn(daemon, scan(2, absorbance=spectrum))
    turn(daemon, scan(3, absorbance=spectrum / 1.3))
    after = last(daemon)["applicability"]
    assert after["t2"] != pytest.approx(before["t2"], rel=0.05)
    on_grid = np.interp(bundles.GRID.axis(), AXIS, spectrum)
    assert after["t2"] == pytest.approx(tiny_model.applicability.assess(on_grid).t2, rel=0.01)


def test_what_the_command_line_does_is_taken_up_at_the_next_turn(
    daemon, scan, make_scan, store, tiny_model, spectrum
):
    turn(daemon, ready(make_scan), scan(1, absorbance=spectrum))
    assert last(daemon)["model"]["adaptation"] is None
    use(store, tiny_model)
    turn(daemon)
    turn(daemon, scan(2, absorbance=spectrum))
    assert last(daemon)["model"]["adaptation"]["version"] == 1
    store.reset(SERIAL, "bert", "lamp changed")
    turn(daemon)
    turn(daemon, scan(3, absorbance=spectrum))
    assert last(daemon)["model"]["adaptation"] is None
    done = [(e["what"], e["who"]) for e in audited(daemon, "adaptation")]
    assert done == [
        ("adaptation_proposed", "daemon"),
        ("adaptation_approved", "anna"),
        ("adaptation_installed", "anna"),
        ("adaptation_reset", "bert"),
    ]
    line = audited(daemon, "adaptation_reset")[0]["details"]
    assert (line["after"], line["why"]) == ("factory", "lamp changed")
    assert events(daemon, "adaptation_reset")
    # Told once, and nothing is done again when nothing changes.
    turn(daemon)
    turn(daemon)
    assert len(audited(daemon, "adaptation")) == 4
    assert not daemon._serving._adapting.out_of_date


def damage(store, entry, how):
    path = store.folder / entry.file
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif how == "ledger":
        (store.folder / "adaptations.json").write_text("junk")
    else:
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)


@pytest.mark.parametrize("how", ["missing", "cut", "byte", "ledger"])
def test_without_its_file_results_are_invalid_until_it_is_reset(
    daemon, scan, make_scan, store, tiny_model, how, spectrum
):
    use(store, tiny_model)
    damage(store, store.read().active(SERIAL), how)
    turn(daemon, ready(make_scan), scan(1, absorbance=spectrum))
    record = last(daemon)
    assert record["reasons"] == ["adaptation_unusable"]
    assert not record["valid"]
    assert value(record) is None
    (event,) = events(daemon, "adaptation_unusable")
    assert "adapt reset" in event["next_step"]
    store.reset(SERIAL, "anna")
    turn(daemon)
    turn(daemon, scan(2, absorbance=spectrum))
    assert last(daemon)["valid"]
    assert "adaptation_unusable" not in daemon._notices.codes


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"bundle_id": "tiny-2-000000000000"}, "it is for grain of tiny-2"),
        ({"theta": np.zeros(3, np.float32)}, "its theta holds 3 numbers, not 2"),
    ],
)
def test_an_adaptation_of_another_model_makes_results_invalid(
    daemon, scan, make_scan, store, tiny_model, changes, why
):
    other = replace(tiny_model, backend=Fixed(), **changes)
    use(store, other, adapted(other))
    turn(daemon, ready(make_scan), scan(1))
    assert last(daemon)["reasons"] == ["adaptation_unusable"]
    (event,) = events(daemon, "adaptation_unusable")
    assert why in event["message"]


class Fixed:
    """An engine whatever theta is."""

    provider = "Fixed"

    def infer(self, x, theta):
        return Inference(np.ones((len(x), 2), np.float32), x, x)


def test_an_adaptation_of_another_instrument_is_not_used(
    daemon, scan, make_scan, store, tiny_model
):
    use(store, tiny_model, serial="OTHER")
    turn(daemon, ready(make_scan), scan(1))
    assert last(daemon)["model"]["adaptation"] is None


def test_a_transfer_leaves_no_place_for_it(
    daemon, scan, make_scan, store, tiny_model, state, field
):
    use(store, tiny_model)
    transfers = StateStore(daemon._config.state_dir)
    transfers.activate(transfers.add(state, "anna"), "anna")
    # Whatever state it is in: it is not applied.
    (store.folder / store.read().active(SERIAL).file).unlink()
    turn(daemon, ready(make_scan), scan(1, absorbance=field[3][20]))
    record = last(daemon)
    assert record["model"]["transfer"]["version"] == 1
    assert record["model"]["adaptation"] is None
    assert record["valid"]


# ---- shadow


def test_a_shadow_is_published_beside_what_counts(
    daemon, scan, make_scan, store, tiny_model, spectrum
):
    turn(daemon, ready(make_scan), scan(1, absorbance=spectrum))
    shadow = adapted(tiny_model, 0.02, theta=0.25)
    daemon._serving.take_shadow(shadow, put(store, tiny_model, shadow, mode="shadow"))
    assert daemon._serving.shadow is shadow
    turn(daemon, scan(2, absorbance=spectrum))
    record = last(daemon)
    frozen, moved = expected(spectrum, 0.0), expected(spectrum, 0.02, 0.25)
    assert value(record) == pytest.approx(frozen[0], abs=1e-3)
    assert value(record["shadow"]) == pytest.approx(moved[0], abs=1e-3)
    assert record["model"]["adaptation"] is None
    told = record["shadow"]
    assert (told["valid"], told["reasons"]) == (True, [])
    assert (told["adaptation"]["version"], told["adaptation"]["mode"]) == (1, "shadow")
    assert told["adaptation"]["approved_by"] == []
    SCHEMA.validate(record)
    # Rejected: nobody looks at it any more.
    store.reject(1, "anna", "no")
    turn(daemon)
    turn(daemon, scan(3, absorbance=spectrum))
    assert last(daemon)["shadow"] is None


def test_a_shadow_is_judged_by_its_own_spectrum(
    daemon, scan, make_scan, store, tiny_model, spectrum
):
    turn(daemon, ready(make_scan))
    far = adapted(tiny_model, 4.0)
    daemon._serving.take_shadow(far, put(store, tiny_model, far))
    turn(daemon, scan(1, absorbance=spectrum))
    record = last(daemon)
    assert record["valid"]
    assert not record["shadow"]["valid"]
    assert "q_above_limit" in record["shadow"]["reasons"]


def test_a_shadow_without_a_number_says_so(daemon, scan, make_scan, store, tiny_model, spectrum):
    turn(daemon, ready(make_scan))
    good = adapted(tiny_model)
    broken = replace(good, theta=np.full(2, np.nan, np.float32))
    daemon._serving.take_shadow(broken, put(store, tiny_model, good))
    turn(daemon, scan(1, absorbance=spectrum))
    record = last(daemon)
    assert record["valid"]
    assert record["shadow"]["reasons"] == ["not_finite"]
    assert value(record["shadow"]) is None


def test_a_shadow_that_fails_takes_nothing_with_it(
    daemon, scan, make_scan, store, tiny_model, spectrum
):
    turn(daemon, ready(make_scan))
    good = adapted(tiny_model)
    broken = replace(good, theta=np.zeros(9, np.float32))
    daemon._serving.take_shadow(broken, put(store, tiny_model, good))
    turn(daemon, scan(1, absorbance=spectrum), scan(2, absorbance=spectrum))
    record = last(daemon)
    assert (record["valid"], record["shadow"]) == (True, None)
    (event,) = events(daemon, "shadow_failed")
    assert "adaptation 1" in event["message"]
    assert daemon._notices.codes == ()


def test_a_scan_that_gives_no_spectrum_has_no_shadow(daemon, scan, make_scan, store, tiny_model):
    turn(daemon, ready(make_scan))
    good = adapted(tiny_model)
    daemon._serving.take_shadow(good, put(store, tiny_model, good))
    turn(daemon, scan(1, saturated=3))
    assert last(daemon)["shadow"] is None
    with pytest.raises(Fault) as caught:
        daemon._serving.take_shadow(good, 9)
    assert caught.value.kind is Faults.ADAPTATION_MISSING
    daemon._serving.take_shadow(None)
    assert daemon._serving.shadow is None


def test_what_is_approved_is_no_shadow_any_more(
    daemon, scan, make_scan, store, tiny_model, spectrum
):
    turn(daemon, ready(make_scan))
    good = adapted(tiny_model)
    number = put(store, tiny_model, good)
    daemon._serving.take_shadow(good, number)
    store.approve(number, agreed("anna"), 1, tiny_model)
    turn(daemon)
    turn(daemon, scan(1, absorbance=spectrum))
    record = last(daemon)
    assert record["shadow"] is None
    assert record["model"]["adaptation"]["version"] == number
