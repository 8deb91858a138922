from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.instrument.numbering import MOST_MISSING, MOST_REPEATED, Numbering, Step
from spektron_edge.outbox import Progress


class Memory:
    """The part of the outbox that numbering asks: what was committed."""

    def __init__(self) -> None:
        self.committed: dict[str, Progress] = {}

    def progress(self, serial):
        return self.committed.get(serial)


def numbers(step: Step) -> set[int]:
    return set() if step.gap is None else set(range(step.gap[0], step.gap[1] + 1))


@given(
    delivered=st.sets(st.integers(0, 60), min_size=1),
    restarts=st.sets(st.integers(0, 60)),
    repeats=st.sets(st.integers(0, 60)),
)
def test_what_is_delivered_and_what_is_reported_missing_is_everything(delivered, restarts, repeats):
    memory = Memory()
    numbering = Numbering(memory)
    taken, missing = [], []
    for number in sorted(delivered):
        if number in restarts:  # of the daemon: only what was committed is known
            numbering = Numbering(memory)
        progress = Progress("S", 1, number)
        for _ in range(1 + (number in repeats)):
            step = numbering.advance(progress)
            if not step.repeated:
                taken.append(number)
                missing += numbers(step)
                memory.committed["S"] = progress
    assert taken == sorted(delivered)
    assert sorted(taken + missing) == list(range(min(delivered), max(delivered) + 1))


@given(
    sent=st.lists(st.tuples(st.integers(1, 3), st.integers(0, MOST_REPEATED)), max_size=40),
)
def test_nothing_is_both_delivered_and_missing_within_one_power_on(sent):
    numbering = Numbering(Memory())
    for boot in sorted({boot for boot, _ in sent}):
        taken, missing = set(), set()
        for number in (n for b, n in sent if b == boot):
            step = numbering.advance(Progress("S", boot, number))
            if step.repeated:
                assert number in taken | missing or number < min(taken)
            else:
                taken.add(number)
                missing |= numbers(step)
        assert not taken & missing


def test_a_number_that_comes_late_or_twice_is_a_repeat():
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 1, 5))
    assert numbering.advance(Progress("S", 1, 5)).repeated
    assert numbering.advance(Progress("S", 1, 3)).repeated
    assert numbering.advance(Progress("S", 1, 6)) == Step()


def test_numbers_before_and_after_a_power_on_are_not_compared():
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 1, 500))
    assert numbering.advance(Progress("S", 2, 0)) == Step()
    assert numbering.advance(Progress("S", 2, 2)) == Step(gap=(1, 1))


def test_scans_lost_right_after_a_power_on_are_a_gap():
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 1, 500))
    assert numbering.advance(Progress("S", 2, 3)) == Step(gap=(0, 2))


def test_every_instrument_has_numbers_of_its_own():
    memory = Memory()
    numbering = Numbering(memory)
    memory.committed["A"] = Progress("A", 1, 7)
    assert numbering.advance(Progress("B", 1, 3)) == Step()
    assert numbering.advance(Progress("A", 1, 9)) == Step(gap=(8, 8))


@pytest.mark.parametrize("known", [None, Progress("S", 4, 9)])
def test_the_last_number_comes_from_the_outbox(known):
    memory = Memory()
    if known is not None:
        memory.committed["S"] = known
    assert Numbering(memory).last("S") == known


@given(st.integers(0, 1000), st.integers(0, 100))
def test_one_wild_number_costs_nothing_of_the_others(start, lost):
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 1, start))
    assert numbering.advance(Progress("S", 1, 2**32 - 1)) == Step(jumped_from=start)
    back = numbering.advance(Progress("S", 1, start + 1 + lost))
    gap = (start + 1, start + lost) if lost else None
    assert back == Step(gap=gap, jumped_from=2**32 - 1)
    assert numbering.advance(Progress("S", 1, start + 2 + lost)) == Step()


@given(st.integers(1, 2**31), st.integers(MOST_MISSING + 2, 2**31))
def test_after_a_jump_numbers_count_from_there(start, leap):
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 1, start))
    assert numbering.advance(Progress("S", 1, start + leap)).jumped_from == start
    assert numbering.advance(Progress("S", 1, start + leap)).repeated
    assert numbering.advance(Progress("S", 1, start + leap + 1)) == Step()
    assert numbering.advance(Progress("S", 1, start + leap + 3)).gap == (start + leap + 2,) * 2


def test_how_far_is_a_gap_and_how_far_behind_a_repeat():
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 1, 0))
    assert numbering.advance(Progress("S", 1, MOST_MISSING + 1)).gap == (1, MOST_MISSING)
    behind = MOST_MISSING + 1 - MOST_REPEATED
    assert numbering.advance(Progress("S", 1, behind)).repeated
    assert numbering.advance(Progress("S", 1, behind - 1)).jumped_from == MOST_MISSING + 1
    assert numbering.advance(Progress("S", 1, behind)) == Step()


def test_a_first_number_that_no_power_on_leads_to_is_a_jump():
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 1, 5))
    assert numbering.advance(Progress("S", 2, 2**32 - 1)).jumped_from == 5


@pytest.mark.parametrize(("number", "missing"), [(13, set()), (15, {13, 14}), (2, {0, 1})])
def test_through_a_power_on_that_nobody_told_numbers_may_go_on(number, missing):
    numbering = Numbering(Memory())
    numbering.advance(Progress("S", 7, 12))
    numbering.untold("S", 99)
    assert numbers(numbering.advance(Progress("S", 99, number))) == missing
