"""What is kept of what was decided, and replayed."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.adaptation_state import decisions
from spektron_edge.adaptation_state import store as store_module
from spektron_edge.adaptation_state.adaptations import Adaptations, Entry, scan_ranges
from spektron_edge.adaptation_state.replay import replay
from spektron_edge.faults import Fault
from tests import bundles
from tests.adaptations import MADE, SERIAL, adapted, agreed, batch, put, use

from .states import MISSING, REFUSED, refused


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
