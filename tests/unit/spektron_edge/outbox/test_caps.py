"""What the outbox drops when there is too much or it is too old, and what it tells of that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.outbox import Limits
from spektron_edge.outbox.clock import OutboxClock

from .records import HOUR, Hours, counts, ids, record


def test_acknowledged_records_beyond_their_share_go_first(open_outbox):
    outbox = open_outbox(limits=Limits(max_bytes=100, keep_sent_bytes=20))
    outbox.commit([record(n, bytes(10)) for n in range(8)])
    outbox.commit([], sent=[f"id-{n:06d}" for n in range(4)])
    assert not outbox.prune()
    assert outbox.counts() == counts(4, 2, 0, 0)


def test_acknowledged_records_make_room_for_those_that_wait(open_outbox):
    outbox = open_outbox(limits=Limits(max_bytes=50, keep_sent_bytes=50))
    outbox.commit([record(n, bytes(10)) for n in range(8)])
    outbox.commit([], sent=[f"id-{n:06d}" for n in range(4)])
    assert not outbox.prune()
    assert outbox.counts() == counts(4, 1, 0, 0)


def test_over_the_cap_the_oldest_waiting_records_are_dropped_and_counted(open_outbox):
    outbox = open_outbox(limits=Limits(max_bytes=30, keep_sent_bytes=30))
    outbox.commit([record(n, bytes(10)) for n in range(5)])
    outbox.commit([], refused=[("id-000000", "why")])
    assert outbox.prune() == {"full": 2}
    assert ids(outbox) == ["id-000002", "id-000003", "id-000004"]
    outbox.commit([record(9, bytes(10))])
    assert outbox.prune() == {"full": 1}
    outbox.close()
    assert open_outbox().counts()["dropped_full"] == 3


def test_refused_records_have_a_cap_of_their_own(open_outbox):
    outbox = open_outbox(limits=Limits(1000, 1000, keep_refused_bytes=20))
    outbox.commit([record(n, bytes(10)) for n in range(5)])
    outbox.commit([], refused=[(record(n).id, "no") for n in range(4)])
    assert outbox.prune() == {"refused": 2}
    assert outbox.counts() == counts(1, 0, 2, dropped_refused=2)


def test_what_waits_for_too_long_is_dropped_and_counted(aging, hours):
    outbox = aging()
    outbox.commit([record(1)])
    hours.pass_by(9.9)
    outbox.commit([record(2)])
    assert not outbox.prune()
    hours.pass_by(0.2)
    assert outbox.prune() == {"old": 1}
    assert ids(outbox) == [record(2).id]
    assert outbox.counts()["dropped_old"] == 1


def test_acknowledged_records_go_so_long_after_their_acknowledgement_uncounted(aging, hours):
    outbox = aging()
    outbox.commit([record(1), record(2)])
    hours.pass_by(9)
    outbox.commit([], sent=[record(1).id])
    hours.pass_by(0.9)
    outbox.commit([], sent=[record(2).id])
    hours.pass_by(1.2)
    assert not outbox.prune()
    assert outbox.counts() == counts(sent=1)
    hours.pass_by(1)
    assert not outbox.prune()
    assert outbox.counts() == counts()


def test_the_wall_clock_makes_nothing_old(aging, hours):
    outbox = aging()
    outbox.commit([record(1)])
    hours.utc_s = 4e9
    assert not outbox.prune()


def test_ages_go_on_while_no_daemon_runs(aging, hours):
    outbox = aging()
    outbox.commit([record(1)])
    outbox.close()
    hours.pass_by(11)
    assert aging().prune() == {"old": 1}


def test_across_a_reboot_only_time_that_certainly_passed_counts(aging, hours):
    outbox = aging()
    hours.pass_by(5)
    outbox.commit([record(1)])
    outbox.close()
    hours.reboot(up_hours=6)  # and nobody knows how long it was off
    outbox = aging()
    hours.pass_by(3.9)
    assert not outbox.prune()
    outbox.close()
    hours.reboot()
    outbox = aging()
    assert not outbox.prune()
    hours.pass_by(0.2)
    assert outbox.prune() == {"old": 1}


def test_a_killed_daemon_s_clock_goes_on_from_its_last_upkeep(aging, hours):
    aging().prune()
    hours.pass_by(1)
    outbox = aging()  # as after kill -9: nothing was closed
    outbox.commit([record(1)])
    hours.pass_by(9.9)
    assert not outbox.prune()
    hours.pass_by(0.2)
    assert outbox.prune() == {"old": 1}


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["pass", "reboot", "open"]), st.floats(0, 1e6)), max_size=20
    )
)
def test_the_outbox_s_clock_never_runs_back_and_never_ahead(steps):
    hours = Hours()
    clock, true, shown = OutboxClock(hours, None), 0.0, 0.0
    for what, amount in steps:
        if what == "pass":
            hours.running_s += amount
            true += amount
        elif what == "reboot":
            last = clock.read()
            hours.reboot(amount / HOUR)
            true += amount  # at least
            clock = OutboxClock(hours, last)
        else:
            clock = OutboxClock(hours, clock.read())
        now = clock.read().outbox_s
        assert shown <= now <= true * (1 + 1e-9) + 1e-6
        shown = now


def test_an_empty_outbox_has_nothing_to_prune(open_outbox):
    assert not open_outbox(limits=Limits(1, 0)).prune()
