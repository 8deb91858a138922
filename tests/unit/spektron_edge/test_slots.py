"""What the two slots may go through; no files."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spektron_edge.bundle import slots as module
from spektron_edge.bundle.slot_store import SLOTS_FILE, SlotStore
from spektron_edge.bundle.slots import Slot, Slots
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import told

WHO = "local:anna"


def slot(version=1, **changes):
    return Slot(
        **{
            "file": f"a-{version:012x}.spektron",
            "bundle": f"tiny-{version}-abc",
            "name": "tiny",
            "version": version,
            "signed_by": "anna (0123456789abcdef)",
            "state": "candidate",
            **changes,
        }
    )


def good(version=1):
    return slot(version, state="good")


def refusal(call, *arguments):
    with pytest.raises(Fault) as caught:
        call(*arguments)
    return caught.value.kind


ONE = Slots(active="a", held={"a": good(1)})
TRYING = module.activated(module.installed(ONE, "b", slot(2), WHO), "b", WHO)


def test_the_first_bundle_has_nothing_to_fall_back_to():
    slots = module.activated(module.installed(Slots(), "a", slot(), WHO), "a", WHO)
    for _ in range(3 * module.MAX_STARTS):
        slots = module.begun(slots)
    assert (slots.active, slots.current.state) == ("a", "trying")
    assert module.fell_back(slots, "why") is slots
    assert refusal(module.rolled_back, slots, WHO) is Faults.SLOT_UNFIT


def test_a_trial_ends_after_three_starts_without_an_orderly_end():
    slots = TRYING
    for _ in range(module.MAX_STARTS):
        slots = module.begun(slots)
        assert slots.active == "b"
    slots = module.begun(slots)
    assert (slots.active, slots.held["b"].state) == ("a", "failed")
    assert slots.untold[-1].what == "bundle_fell_back"
    assert module.begun(slots) is slots


def test_orderly_ends_do_not_speak_against_a_bundle():
    slots = TRYING
    for _ in range(10):
        slots = module.ended(module.begun(slots), "tiny-2-abc")
    assert (slots.active, slots.current.starts) == ("b", 0)


def test_only_the_bundle_that_was_watched_is_proven():
    assert module.proven(TRYING, "tiny-1-abc", "20 predictions") is TRYING
    slots = module.proven(TRYING, "tiny-2-abc", "20 predictions")
    assert slots.current.state == "good"
    assert module.proven(slots, "tiny-2-abc", "again") is slots


def test_what_a_trial_would_fall_back_to_is_not_overwritten():
    assert refusal(module.free_slot, TRYING) is Faults.SLOT_UNFIT
    assert module.free_slot(module.proven(TRYING, "tiny-2-abc", "")) == "a"
    assert refusal(module.installed, TRYING, "b", slot(3), WHO) is Faults.SLOTS_BUSY


def test_a_rollback_lets_the_older_version_in_and_is_told():
    slots = module.accepted(module.proven(TRYING, "tiny-2-abc", ""), "tiny", 2)
    slots = module.rolled_back(slots, WHO)
    assert (slots.active, slots.floors) == ("a", {"tiny": 1})
    assert slots.held["b"].state == "good"
    assert (slots.untold[-1].what, slots.untold[-1].who) == ("bundle_rolled_back", WHO)


def test_a_trial_that_is_rolled_back_has_failed():
    slots = module.rolled_back(TRYING, WHO)
    assert slots.held["b"].state == "failed"
    assert refusal(module.activated, slots, "b", WHO) is Faults.SLOT_UNFIT


def test_falling_back_leaves_the_floor():
    slots = module.fell_back(module.accepted(TRYING, "tiny", 2), "why")
    assert slots.floors == {"tiny": 2}


def test_an_empty_slot_is_not_activated():
    assert refusal(module.activated, ONE, "b", WHO) is Faults.SLOT_UNFIT
    assert module.activated(ONE, "a", WHO) is ONE


class Device(RuleBasedStateMachine):
    """Operators, trials and accidents in any order: a bundle that was good stays within reach."""

    @initialize()
    def start(self):
        self.slots, self.version = ONE, 1

    def attempt(self, change, *arguments):
        try:
            self.slots = change(self.slots, *arguments)
        except Fault as fault:
            assert fault.kind in (Faults.SLOT_UNFIT, Faults.SLOTS_BUSY)  # noqa: PT017

    @rule()
    def install(self):
        try:
            name = module.free_slot(self.slots)
        except Fault:
            return
        self.version += 1
        self.attempt(module.installed, name, slot(self.version), WHO)

    @rule(name=st.sampled_from(["a", "b"]))
    def activate(self, name):
        self.attempt(module.activated, name, WHO)

    @rule()
    def roll_back(self):
        self.attempt(module.rolled_back, WHO)

    @rule()
    def start_daemon(self):
        self.slots = module.begun(self.slots)

    @rule()
    def end_daemon(self):
        self.slots = module.ended(self.slots, self.slots.current.bundle)

    @rule()
    def prove(self):
        self.slots = module.proven(self.slots, self.slots.current.bundle, "")

    @precondition(lambda self: self.slots.current.state == "trying")
    @rule()
    def fail(self):
        self.slots = module.fell_back(self.slots, "why")

    @rule()
    def tell(self):
        self.slots = told(self.slots, 1)

    @invariant()
    def something_good_is_active_or_one_step_away(self):
        slots = self.slots
        assert slots.current is not None
        assert slots.current.state in ("good", "trying")
        assert slots.current.state == "good" or slots.fallback is not None
        assert slots.current.starts <= module.MAX_STARTS

    @invariant()
    def what_is_written_is_what_is_read(self):
        assert Slots.model_validate_json(self.slots.model_dump_json()) == self.slots


TestDevice = Device.TestCase
TestDevice.settings = settings(deadline=None)


# ---- the file


def test_a_change_is_read_again_and_nothing_else_is_left(tmp_path):
    store = SlotStore(tmp_path / "state")
    assert store.read() == Slots()
    assert not store.folder.exists()
    assert store.update(lambda slots: slots) == Slots()
    assert not store.folder.exists()
    store.update(lambda _: TRYING)
    assert SlotStore(tmp_path / "state").read() == TRYING
    assert sorted(p.name for p in store.folder.iterdir()) == ["lock", SLOTS_FILE]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"active": "c"}', b"\xff"])
def test_a_damaged_file_is_a_fault_and_stays(tmp_path, content):
    store = SlotStore(tmp_path)
    store.folder.mkdir()
    (store.folder / SLOTS_FILE).write_bytes(content)
    assert refusal(store.read) is Faults.STATE_DAMAGED
    assert refusal(store.update, lambda _: TRYING) is Faults.STATE_DAMAGED
    assert (store.folder / SLOTS_FILE).read_bytes() == content


def test_a_slot_s_file_cannot_lie_elsewhere():
    with pytest.raises(ValueError, match="file"):
        slot(file="../../etc/passwd")


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path):
    (tmp_path / "bundles").write_text("a file")
    assert refusal(SlotStore(tmp_path).update, lambda _: TRYING) is Faults.STATE_UNWRITABLE


def test_one_installation_at_a_time(tmp_path):
    store = SlotStore(tmp_path)
    with store.installing(), pytest.raises(Fault) as caught, store.installing():
        pass
    assert caught.value.kind is Faults.SLOTS_BUSY
    with store.installing():
        store.update(lambda _: TRYING)
