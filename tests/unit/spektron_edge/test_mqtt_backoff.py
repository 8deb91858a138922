from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.mqtt.backoff import LONGEST_S, STEADY_S, Backoff

chances = st.floats(0.0, 1.0, exclude_max=True)


@given(st.lists(st.tuples(chances, st.floats(0.0, STEADY_S, exclude_max=True)), min_size=8))
@settings(deadline=None)
def test_waits_double_up_to_a_cap_and_are_spread_by_half(history):
    draws = iter([chance for chance, _ in history])
    backoff = Backoff(lambda: next(draws))
    for attempt, (_, lasted_s) in enumerate(history):
        longest = min(LONGEST_S, 2.0**attempt)
        assert longest / 2 <= backoff.wait_s(lasted_s) <= longest


def test_only_a_connection_that_lasted_begins_anew():
    backoff = Backoff(lambda: 0.0)
    for _ in range(10):
        backoff.wait_s(0.0)
    assert backoff.wait_s(STEADY_S - 1) == LONGEST_S / 2
    assert backoff.wait_s(STEADY_S) == 0.5
    assert backoff.wait_s(0.0) == 1.0


@given(st.integers(0, 2**32), st.integers(2, 5), st.floats(0.0, 5.0))
@settings(deadline=None)
def test_clients_with_one_id_throw_each_other_out_only_now_and_then(seed, clients, latency_s):
    """An hour in which each accepted client ends the session of the one before."""
    random = Random(seed)
    backoffs = [Backoff(random.random) for _ in range(clients)]
    attempts = [(random.random(), i) for i in range(clients)]
    holder, since, connects = None, 0.0, 0
    while min(attempts)[0] < 3600.0:
        now, who = min(attempts)
        attempts.remove((now, who))
        connects += 1
        if holder is not None:
            attempts.append((now + latency_s + backoffs[holder].wait_s(now - since), holder))
        holder, since = who, now
    # Each waits for 15 s at least once it has learned, after 6 attempts.
    assert connects <= clients * (6 + 3600.0 / (LONGEST_S / 2)) + 1


def test_a_client_alone_is_back_within_a_second(monkeypatch):
    assert Backoff(lambda: 0.999).wait_s(5.0) == pytest.approx(1.0, abs=0.01)
