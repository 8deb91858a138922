"""Adaptations as a device keeps them: file, batch, approvals, ways back, replay."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.adaptation.candidate import Batch, Verdict
from spektron_edge.adaptation_state import AdaptationStore, decisions
from spektron_edge.adaptation_state import store as store_module
from spektron_edge.adaptation_state.adaptations import Adaptations, Entry, scan_ranges
from spektron_edge.adaptation_state.file import decode, encode
from spektron_edge.adaptation_state.replay import replay
from spektron_edge.faults import Fault, Faults
from tests import bundles
from tests.adaptations import MADE, SERIAL, adapted, agreed, batch, put, state_for, use


@pytest.fixture
def store(tmp_path):
    return AdaptationStore(tmp_path / "state")


@pytest.fixture
def state(tiny_model):
    return state_for(tiny_model)


@contextlib.contextmanager
def refused(kind, text="."):
    with pytest.raises(Fault, match=text) as caught:
        yield
    assert caught.value.kind is kind


REFUSED, MISSING, UNUSABLE = (
    Faults.ADAPTATION_REFUSED,
    Faults.ADAPTATION_MISSING,
    Faults.ADAPTATION_UNUSABLE,
)


# ---- the file


def test_a_file_holds_every_bit_of_the_adaptation(state):
    again = decode(encode(state))
    assert again.header == state.header
    correction = state.adapted.correction
    assert again.adapted.correction.coefficients.tobytes() == correction.coefficients.tobytes()
    assert again.adapted.correction.residual.tobytes() == correction.residual.tobytes()
    assert again.adapted.theta.tobytes() == state.adapted.theta.tobytes()
    assert encode(again) == encode(state)


def test_the_header_says_what_it_was_made_from(state):
    header = state.header
    assert header.scans == tuple((7, n) for n in range(3, 9))
    assert (header.seed, header.mode, header.parent, header.transfer) == (5, "propose", None, None)
    assert header.metrics == {"trust": 0.9}
    assert header.evidence == ("z_inst moved by 4 standard errors",)


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, raw in parts.items():
            archive.writestr(name, raw)
    return stream.getvalue()


def other(state, **changes):
    correction = state.adapted.correction
    coefficients = correction.coefficients + changes.pop("by", 0.0)
    moved = replace(correction, coefficients=coefficients, **changes)
    return replace(state, adapted=replace(state.adapted, correction=moved))


def test_what_corrects_otherwise_than_it_did_is_refused(state):
    parts = members(encode(state))
    parts["corrected.npy"] = members(encode(other(state, by=1e-3)))["corrected.npy"]
    with refused(UNUSABLE, "corrects otherwise"):
        decode(packed(parts))


def test_numbers_that_are_not_finite_are_refused(state):
    broken = other(state, residual=np.full(60, np.nan))
    with refused(UNUSABLE, "not finite"):
        decode(encode(broken))


@pytest.mark.parametrize("name", ["theta.npy", "examples.npy", "state.json"])
def test_a_part_that_is_missing_is_refused(state, name):
    parts = members(encode(state))
    del parts[name]
    with refused(UNUSABLE):
        decode(packed(parts))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("theta.npy", np.zeros((2, 2), np.float32)),
        ("theta.npy", np.zeros(2)),
        ("residual.npy", np.zeros(7)),
        ("coefficients.npy", np.zeros(9)),
        ("values.npy", np.zeros(2)),
        ("residual.npy", np.zeros((1, 60))),
        ("examples.npy", np.zeros(60)),
        ("more.npy", np.zeros(2)),
    ],
)
def test_arrays_of_another_form_are_refused(state, name, array):
    stream = io.BytesIO()
    np.save(stream, array)
    with refused(UNUSABLE):
        decode(packed({**members(encode(state)), name: stream.getvalue()}))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_told_or_changes_nothing(state, data):
    raw = bytearray(encode(state))
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    # Any other exception than a fault would show.
    with contextlib.suppress(Fault):
        assert encode(decode(bytes(raw))) == encode(state)


def test_terms_are_known_by_their_names(state):
    header = state.header
    turned = tuple(reversed(header.terms))
    # As a version with other terms in another order would have written it.
    older = replace(state, header=header.model_copy(update={"terms": (*turned, "humidity")}))
    assert decode(encode(older)).adapted.correction.named == state.adapted.correction.named
    parts = members(encode(older))
    stream = io.BytesIO()
    np.save(stream, np.append(np.load(io.BytesIO(parts["coefficients.npy"]))[:-1], 1e-3))
    with refused(UNUSABLE, "does not know its terms humidity"):
        decode(packed({**parts, "coefficients.npy": stream.getvalue()}))
    fewer = replace(state, header=header.model_copy(update={"terms": ("gain",)}))
    assert decode(encode(fewer)).adapted.correction.named == state.adapted.correction.named


def test_figures_that_are_not_finite_do_not_get_into_a_state(tiny_model):
    with pytest.raises(ValueError, match="finite"):
        state_for(tiny_model, verdict=Verdict((), (), {"trust": float("nan")}))


def test_a_batch_that_could_not_be_replayed_is_refused(tiny_model):
    exact = batch()
    with pytest.raises(ValueError, match="round it first"):
        state_for(tiny_model, made_from=replace(exact, spectra=exact.spectra + 1e-12))
    with pytest.raises(ValueError, match="names of scans"):
        state_for(tiny_model, made_from=Batch(exact.spectra, exact.scans[1:]))


# ---- what it is for


def test_a_state_fits_the_model_that_it_was_made_for(state, tiny_model):
    assert decode(encode(state)).misfit(tiny_model) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"bundle_id": "tiny-2-000000000000"}, "not grain of tiny-2"),
        ({"theta": np.zeros(3, np.float32)}, "its theta holds 2 numbers, not 3"),
    ],
)
def test_another_model_is_named(state, tiny_model, changes, why):
    assert why in state.misfit(replace(tiny_model, **changes))


def test_another_grid_and_other_outputs_are_named(state, tiny_model):
    product = tiny_model.product
    finer = product.grid.model_copy(update={"step_nm": 10.0})
    elsewhere = replace(tiny_model, product=product.model_copy(update={"grid": finer}))
    assert "another wavelength grid" in state.misfit(elsewhere)
    moved = replace(state, values=state.values + 0.1)
    assert "predicts otherwise" in moved.misfit(tiny_model)
    # A graph of another precision computes something else, within what its golden vectors allow.
    assert moved.misfit(replace(tiny_model, graph_sha256="0" * 64)) == ""


# ---- approvals and ways back


def statuses(store):
    return {entry.number: entry.status for entry in store.read().held}


def test_a_proposal_is_used_when_as_many_people_agree_as_are_asked_for(store, tiny_model):
    number = put(store, tiny_model)
    assert store.read().active(SERIAL) is None
    store.approve(number, agreed("anna"), 2, tiny_model)
    assert store.read().active(SERIAL) is None
    with refused(REFUSED, "Anna has approved .* already; another person"):
        store.approve(number, agreed("Anna"), 2, tiny_model)
    now = store.approve(number, agreed("bert"), 2, tiny_model).active(SERIAL)
    assert (now.number, now.status, now.approved_by) == (1, "installed", ("anna", "bert"))
    told = [(a.what, a.who) for a in store.untold()]
    assert told == [
        ("adaptation_proposed", "daemon"),
        ("adaptation_approved", "anna"),
        ("adaptation_approved", "bert"),
        ("adaptation_installed", "bert"),
    ]
    details = store.untold()[-1].details
    assert (details["before"], details["after"]) == ("factory", now.id)
    assert details["scans"] == "boot 7: 3-8"
    assert store.untold()[2].details["approvals"] == "2 of 2"


def test_going_back_goes_to_what_was_in_use_before_and_reset_to_the_factory(store, tiny_model):
    first = use(store, tiny_model)
    second = use(store, tiny_model, adapted(tiny_model, 0.02))
    third = use(store, tiny_model, adapted(tiny_model, 0.03))
    assert statuses(store) == {first: "superseded", second: "superseded", third: "installed"}
    assert store.roll_back(SERIAL, "bert", "worse").active(SERIAL).number == second
    assert statuses(store) == {first: "superseded", second: "installed", third: "rolled_back"}
    assert store.reset(SERIAL, "bert").active(SERIAL) is None
    assert statuses(store) == {first: "superseded", second: "rolled_back", third: "rolled_back"}
    done = [(a.what, a.details.get("before"), a.details.get("after")) for a in store.untold()[-2:]]
    ids = {e.number: e.id for e in store.read().held}
    assert done == [
        ("adaptation_rolled_back", ids[third], ids[second]),
        ("adaptation_reset", ids[second], "factory"),
    ]
    with refused(MISSING, "as the bundle was made"):
        store.roll_back(SERIAL, "bert")
    before = store.read()
    assert store.reset(SERIAL, "bert") == before


def test_a_proposal_that_does_not_go_on_from_what_is_in_use_is_out_of_date(store, tiny_model):
    one, two = put(store, tiny_model), put(store, tiny_model, adapted(tiny_model, 0.02))
    store.approve(one, agreed("anna"), 1, tiny_model)
    assert statuses(store) == {one: "installed", two: "superseded"}
    with refused(REFUSED, "superseded .adaptation 1"):
        store.approve(two, agreed("anna"), 1, tiny_model)
    with refused(REFUSED, "does not go on from .* adaptation 1"):
        put(store, tiny_model, adapted(tiny_model, 0.03), parent=None)
    # So are those that went on from what is left.
    three = put(store, tiny_model, adapted(tiny_model, 0.04))
    store.reset(SERIAL, "anna")
    assert statuses(store)[three] == "superseded"


def test_a_rejected_one_stays_on_record_and_is_never_used(store, tiny_model):
    number = put(store, tiny_model)
    store.reject(number, "bert", "the lamp was changed")
    with refused(REFUSED, "rejected .bert: the lamp was changed"):
        store.approve(number, agreed("anna"), 1, tiny_model)
    with refused(REFUSED):
        store.reject(number, "bert", "again")
    with refused(MISSING, "there are: 1"):
        store.reject(7, "bert", "what?")
    assert store.load(store.read().entry(number)).header.seed == 5


@pytest.mark.parametrize(
    ("verdict", "mode", "why"),
    [
        (Verdict(("too far",), (), {}), "auto", "too far"),
        (Verdict((), ("odd",), {}), "auto", "odd"),
        (Verdict((), (), {}), "propose", "made under 'propose'"),
    ],
)
def test_only_what_nothing_speaks_against_is_used_without_a_person(
    store, tiny_model, verdict, mode, why
):
    number = store.propose(state_for(tiny_model, verdict=verdict, mode=mode), batch())
    with refused(REFUSED, why):
        store.install(number, tiny_model)
    sound = put(store, tiny_model, mode="auto")
    now = store.install(sound, tiny_model).active(SERIAL)
    assert (now.number, now.approved_by) == (sound, ())
    assert store.untold()[-1].who == "auto"


def test_what_spoke_against_it_in_shadow_is_left_to_people(store, tiny_model):
    number = put(store, tiny_model, mode="auto")
    assert store.read().entry(number).tried is None
    assert store.try_in_shadow(number, ("farther away",)).entry(number).tried == ("farther away",)
    assert store.untold()[-1].details["why"] == "farther away"
    with refused(REFUSED, "farther away"):
        store.install(number, tiny_model)
    assert store.approve(number, agreed("anna"), 1, tiny_model).active(SERIAL).number == number
    with refused(REFUSED, "does not wait"):
        store.try_in_shadow(number, ())


def test_what_the_guard_refuses_no_person_can_approve(store, tiny_model):
    verdict = Verdict(("the spectra are of something else",), (), {})
    number = store.propose(state_for(tiny_model, verdict=verdict), batch())
    with refused(REFUSED, "something else"):
        store.approve(number, agreed("anna"), 1, tiny_model)


def test_what_does_not_fit_the_model_is_not_approved(store, tiny_model):
    number = put(store, tiny_model)
    with refused(REFUSED, "adaptation 1 cannot be used: it is for"):
        store.approve(number, agreed("anna"), 1, replace(tiny_model, bundle_id="x-1-0"))
    assert statuses(store) == {number: "proposed"}


def test_instruments_do_not_disturb_each_other(store, tiny_model):
    use(store, tiny_model)
    use(store, tiny_model, serial="OTHER")
    store.reset("OTHER", "anna")
    assert store.read().active(SERIAL).number == 1
    assert store.read().active("OTHER") is None


def test_a_way_back_that_cannot_be_read_is_not_taken_and_reset_mends(store, tiny_model):
    first = use(store, tiny_model)
    use(store, tiny_model, adapted(tiny_model, 0.02))
    (store.folder / store.read().entry(first).file).unlink()
    with refused(UNUSABLE, "cannot be read"):
        store.roll_back(SERIAL, "anna")
    assert store.read().active(SERIAL).number == 2
    assert store.reset(SERIAL, "anna").active(SERIAL) is None


def test_altered_files_are_told_from_those_that_came_in(store, tiny_model, state):
    number = put(store, tiny_model)
    entry = store.read().entry(number)
    header = store.load(entry).header
    (store.folder / entry.file).write_bytes(encode(other(state, by=0.1)))
    with refused(UNUSABLE, "was altered"):
        store.load(entry)
    path = store.folder / entry.batch_file
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with refused(UNUSABLE, "was altered"):
        store.batch(entry, header)


def test_a_damaged_ledger_can_be_set_aside(store, tiny_model):
    use(store, tiny_model)
    (store.folder / "adaptations.json").write_text("junk")
    with refused(UNUSABLE, "is damaged"):
        store.read()
    assert store.reset(SERIAL, "anna").active(SERIAL) is None
    assert (store.folder / "adaptations.json.damaged-1").read_text() == "junk"
    assert [a.what for a in store.untold()] == ["adaptations_set_aside"]
    assert len(list(store.folder.glob("*.adaptation"))) == 1


def test_a_ledger_that_is_gone_is_no_factory_state_and_reset_mends(store, tiny_model):
    use(store, tiny_model)
    (store.folder / "adaptations.json").unlink()
    with refused(UNUSABLE, "is missing"):
        store.read()
    assert store.reset(SERIAL, "anna").active(SERIAL) is None
    assert put(store, tiny_model) == 1
    assert store.read().waiting(SERIAL)


def test_before_the_first_file_there_is_a_ledger(store, tiny_model, monkeypatch):
    """A cut right after the first file must not look like a ledger that is gone."""
    written = []
    monkeypatch.setattr(type(store._ledger), "update", lambda *_: written.append(1) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        put(store, tiny_model)
    assert list(store.folder.glob("*.adaptation"))
    assert store.read().held == ()


def test_the_factory_state_of_an_instrument_that_has_it_already_is_no_reset(store, tiny_model):
    use(store, tiny_model)
    with refused(MISSING, f"those with one are: {SERIAL}"):
        store.reset("OTHER", "anna")


def test_a_name_typed_in_another_way_is_the_same_person(store, tiny_model):
    number = put(store, tiny_model)
    store.approve(number, agreed("Jos\u00e9"), 2, tiny_model)
    with refused(REFUSED, "another person"):
        store.approve(number, agreed("Jose\u0301"), 2, tiny_model)


def test_a_damaged_proposal_is_not_approved(store, tiny_model):
    number = put(store, tiny_model)
    (store.folder / store.read().entry(number).file).write_bytes(b"")
    with refused(REFUSED, "was altered"):
        store.approve(number, agreed("anna"), 1, tiny_model)


def test_many_who_approve_at_once_are_all_counted(store, tiny_model):
    number = put(store, tiny_model)
    names = [f"operator {i}" for i in range(8)]

    def approve(name):
        return AdaptationStore(store.folder.parent).approve(number, agreed(name), 8, tiny_model)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(approve, names))
    entry = store.read().active(SERIAL)
    assert sorted(entry.approved_by) == names
    assert [a.what for a in store.untold()].count("adaptation_installed") == 1


@pytest.mark.parametrize("what", ["put", "approve", "roll back", "reset", "reject"])
def test_a_full_disk_changes_nothing(store, tiny_model, monkeypatch, what):
    use(store, tiny_model)
    waiting = put(store, tiny_model, adapted(tiny_model, 0.02))
    before = store.read()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refused(Faults.DISK_FULL):
        if what == "put":
            put(store, tiny_model, adapted(tiny_model, 0.03))
        elif what == "approve":
            store.approve(waiting, agreed("anna"), 1, tiny_model)
        elif what == "reject":
            store.reject(waiting, "anna", "no")
        elif what == "roll back":
            store.roll_back(SERIAL, "anna")
        else:
            store.reset(SERIAL, "anna")
    assert store.read() == before
    assert not list(store.folder.glob("*.partial"))


def test_numbers_of_numpy_are_numbers(tiny_model):
    exact = batch()
    scans = tuple((np.int64(b), np.uint32(n)) for b, n in exact.scans)
    verdict = Verdict((), (), {"trust": np.float32(0.5)})
    made_from = replace(exact, scans=scans)
    state = state_for(tiny_model, verdict=verdict, made_from=made_from, judged_by=scans[:2])
    assert state.header.scans == exact.scans
    assert state.header.judged_by == exact.scans[:2]
    assert state.header.metrics == {"trust": 0.5}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"latest": 1', '"latest": 0'),
        (f'"{SERIAL}": [\n   1', f'"{SERIAL}": [\n   2'),
        (f'"{SERIAL}": [', '"OTHER": ['),
        ('"status": "installed"', '"status": "perfect"'),
        ('"format": 1', '"format": 0'),
    ],
)
def test_a_ledger_that_contradicts_itself_is_damaged(store, tiny_model, old, new):
    use(store, tiny_model)
    path = store.folder / "adaptations.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with refused(UNUSABLE, "is damaged"):
        store.read()
    assert store.reset(None, "anna").active(SERIAL) is None


# ---- how much is kept


def test_the_oldest_proposal_gives_way_to_a_ninth(store, tiny_model):
    for i in range(decisions.MOST_PROPOSED + 1):
        put(store, tiny_model, adapted(tiny_model, 0.001 * i))
    waiting = store.read().waiting(SERIAL)
    assert [e.number for e in waiting] == list(range(2, 10))
    assert store.read().entry(1).ended_by == "adaptation 9"
    told = [a for a in store.untold() if a.what == "adaptation_superseded"]
    assert [a.details["adaptation"] for a in told] == [1]


def test_what_was_never_in_use_is_forgotten_when_there_is_no_room(store, tiny_model, monkeypatch):
    kept = use(store, tiny_model)
    for i in range(3):
        made_from = batch(bundles.spectra(6, seed=10 + i))
        number = put(store, tiny_model, adapted(tiny_model, 0.02 + i / 100), made_from=made_from)
        store.reject(number, "anna", "no")
    size = store.read().entry(number).bytes
    monkeypatch.setattr(store_module, "MOST_KEPT_BYTES", 4 * size + 200)
    last = put(store, tiny_model, adapted(tiny_model, 0.05))
    assert [e.number for e in store.read().held] == [kept, 3, 4, last]
    assert store.untold()[-1].details == {"numbers": "2"}
    names = {p.name for p in store.folder.iterdir()} - {"adaptations.json", "lock", "add.lock"}
    held = store.read().held
    assert names == {e.file for e in held} | {e.batch_file for e in held}
    # What was in use, and what waits, does not give way.
    monkeypatch.setattr(store_module, "MOST_KEPT_BYTES", 2 * size + 200)
    with refused(REFUSED, "none of them is thrown away"):
        put(store, tiny_model, adapted(tiny_model, 0.06))
    monkeypatch.setattr(store_module, "MOST_KEPT_BYTES", 10 * size)
    with monkeypatch.context() as patch:
        patch.setattr(decisions, "MOST_LEDGER_BYTES", 1000)
        with refused(REFUSED, "as long as it may be"):
            put(store, tiny_model, adapted(tiny_model, 0.06))
        assert store.reset(SERIAL, "anna").active(SERIAL) is None
    # A number is never given twice.
    assert put(store, tiny_model, adapted(tiny_model, 0.07)) == last + 1


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=40),
)
def test_scans_in_words_name_each_range_once(scans):
    words = scan_ranges(tuple(scans))
    named = [part for part in words.replace("; ", ", ").split(", ") if part]
    assert 1 <= len(named) <= 13
    assert words.startswith(f"boot {scans[0][0]}: {scans[0][1]}")


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "approve", "auto", "tried", "reject", "back", "reset"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(ACTIONS)
def test_whatever_is_done_what_is_told_is_what_is_in_use(actions):
    now = Adaptations()
    for what, newest in actions:
        waiting = [e.number for e in now.held if e.status == "proposed"]
        number = (waiting[-1] if newest else waiting[0]) if waiting else 1
        with contextlib.suppress(Fault):
            now = carried_out(now, what, number)
        stack = now.used.get(SERIAL, ())
        active = now.active(SERIAL)
        assert [e.number for e in now.held if e.status == "installed"] == list(stack[-1:])
        for entry in now.waiting(SERIAL):
            assert entry.parent == (active and active.id)
        assert Adaptations.model_validate_json(now.model_dump_json()) == now
        changes = [a.details["after"] for a in now.untold if "after" in a.details]
        assert (changes or ["factory"])[-1] == (active.id if active else "factory")


def carried_out(now, what, number):
    if what == "put":
        active = now.active(SERIAL)
        return decisions.proposed(now, entry(now.latest + 1, active and active.id), "daemon")
    if what == "approve":
        return decisions.approved(now, number, agreed("anna"), 1)
    if what == "auto":
        return decisions.installed_by_itself(now, number, "auto")
    if what == "tried":
        return decisions.tried(now, number, () if number % 2 else ("worse",))
    if what == "reject":
        return decisions.rejected(now, number, "anna", "no")
    if what == "back":
        return decisions.rolled_back(now, SERIAL, "anna", "")
    return decisions.was_reset(now, SERIAL, "anna", "")


def entry(number, parent):
    return Entry(
        number=number,
        id=f"{number:012x}",
        file=f"{number:04d}-{number:012x}.adaptation",
        batch="0" * 64,
        bytes=1,
        serial=SERIAL,
        bundle="b",
        product="p",
        mode="auto",
        parent=parent,
        created=MADE,
        scans="",
        why="",
        refusals=(),
        doubts=(),
    )


# ---- replay


def test_a_replay_sees_the_same_inputs_and_compares_every_bit(store, tiny_model):
    first = use(store, tiny_model)
    second = put(store, tiny_model, adapted(tiny_model, 0.02), seed=2**64 - 1)
    seen = []

    def recompute(of, seed, parent):
        seen.append((of, seed, parent))
        return adapted(tiny_model, 0.01 if parent is None else 0.02)

    assert replay(store, first, recompute) == replay(store, second, recompute) == ()
    assert (seen[0][1], seen[1][1]) == (5, 2**64 - 1)
    assert seen[0][2] is None
    kept = store.load(store.read().entry(first)).adapted
    assert seen[1][2].correction.coefficients.tobytes() == kept.correction.coefficients.tobytes()
    assert seen[0][0].spectra.tobytes() == batch().spectra.tobytes()
    assert seen[0][0].scans == batch().scans


def test_a_replay_names_what_differs(store, tiny_model):
    number = put(store, tiny_model)
    told = replay(store, number, lambda *_: adapted(tiny_model, 0.01, theta=1e-6))
    assert [line.split(":")[0] for line in told] == ["theta"]
    short = replace(adapted(tiny_model), theta=np.zeros(1, np.float32))
    assert replay(store, number, lambda *_: short) == ("theta: float32(1,) instead of float32(2,)",)
    with refused(MISSING):
        replay(store, 9, lambda *_: short)
