"""Approvals and ways back."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from spektron_edge.adaptation.candidate import Verdict
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.adaptation_state.file import encode
from spektron_edge.faults import Faults
from tests.adaptations import SERIAL, adapted, agreed, batch, put, state_for, use

from .states import MISSING, REFUSED, UNUSABLE, other, refused


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
