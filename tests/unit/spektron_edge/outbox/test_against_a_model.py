"""The outbox does what a simple model of it does, whatever it is asked for."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spektron_edge.outbox import Limits, Outbox, Progress

from .records import counts, ids, record

SENT, UNSENT, REFUSED = "sent", "unsent", "refused"


class AgainstAModel(RuleBasedStateMachine):
    """Whatever is done in whatever order, the outbox says what a list would say."""

    @initialize(
        max_bytes=st.integers(0, 400), keep=st.integers(0, 400), seed=st.integers(0, 2**32 - 1)
    )
    def start(self, max_bytes, keep, seed):

        self.folder = tempfile.TemporaryDirectory()
        self.limits = Limits(max_bytes, keep)
        self.rows: dict[str, list] = {}
        self.dropped = 0
        self.made = 0
        self.progress: dict[str, Progress] = {}
        self.counters: dict[str, int] = {}
        self.outbox = self._open()

    def _open(self):
        return Outbox(Path(self.folder.name) / "outbox.sqlite", self.limits)

    def _of(self, *states):
        return [i for i, (state, _) in self.rows.items() if state in states]

    @rule(sizes=st.lists(st.integers(0, 60), max_size=4), serial=st.sampled_from("AB"))
    def commit(self, sizes, serial):
        records = []
        for size in sizes:
            self.made += 1
            records.append(record(self.made, bytes(size)))
            self.rows[records[-1].id] = [UNSENT, size]
        self.progress[serial] = Progress(serial, 1, self.made)
        self.outbox.commit(records, [self.progress[serial]])

    @rule(data=st.data())
    def send(self, data):
        waiting = self._of(UNSENT, REFUSED)
        chosen = data.draw(
            st.lists(st.sampled_from(waiting), unique=True) if waiting else st.just([])
        )
        self.outbox.commit([], sent=chosen)
        for i in chosen:
            self.rows[i][0] = SENT

    @precondition(lambda self: self._of(UNSENT))
    @rule(data=st.data())
    def refuse(self, data):
        chosen = data.draw(st.sampled_from(self._of(UNSENT)))
        self.outbox.commit([], refused=[(chosen, "why")])
        self.rows[chosen][0] = REFUSED

    @rule()
    def retry(self):
        refused = self._of(REFUSED)
        assert self.outbox.retry_refused(100) == len(refused)
        for i in refused:
            self.rows[i][0] = UNSENT

    @rule()
    def prune(self):
        def drop(states, room):
            gone = 0
            for i in self._of(*states):
                if sum(self.rows[j][1] for j in self._of(*states)) <= room:
                    break
                del self.rows[i]
                gone += 1
            return gone

        dropped = drop((UNSENT, REFUSED), self.limits.max_bytes)
        waiting = sum(self.rows[i][1] for i in self._of(UNSENT, REFUSED))
        drop((SENT,), min(self.limits.keep_sent_bytes, self.limits.max_bytes - waiting))
        assert self.outbox.prune() == ({"full": dropped} if dropped else {})
        self.dropped += dropped

    @rule(operator=st.sampled_from("xy"), counter=st.integers(1, 20))
    def command(self, operator, counter):
        fresh = counter > self.counters.get(operator, 0)
        assert self.outbox.accept_counter(operator, counter) == fresh
        if fresh:
            self.counters[operator] = counter

    @rule()
    def reopen(self):
        self.outbox.close()
        self.outbox = self._open()

    @invariant()
    def agrees(self):
        if not hasattr(self, "outbox"):
            return
        states = Counter(state for state, _ in self.rows.values())
        assert self.outbox.counts() == counts(
            states[UNSENT], states[SENT], states[REFUSED], self.dropped
        )
        assert ids(self.outbox) == self._of(UNSENT)
        for serial in "AB":
            assert self.outbox.progress(serial) == self.progress.get(serial)

    def teardown(self):
        if hasattr(self, "outbox"):
            self.outbox.close()
            self.folder.cleanup()


TestAgainstAModel = AgainstAModel.TestCase


TestAgainstAModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
