"""Acknowledged records are sent again, because a broker's PUBACK is no durability."""

from __future__ import annotations

import json
import subprocess
import sys

from spektron_edge.files.audit import verify
from tests.integration.rig import listening, until
from tests.integration.test_backlog import Arrivals


def replay(rig, *arguments):
    command = [sys.executable, "-m", "spektron_edge", "replay-outbox", "--json"]
    done = subprocess.run(
        [*command, "--config", str(rig.config), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_records_are_sent_again_with_their_ids_by_a_daemon_that_runs_or_starts(broker, make_rig):
    rig = make_rig(broker.url, scans=12)
    rig.settings["outbox"] = {"replay_per_s": 1000}
    with listening(broker.port) as lost:
        rig.start()
        until(lambda: len(rig.gather(lost)) == 12, "12 predictions")
        first = dict(rig.received)
    # A broker that lost everything, and a consumer that lost everything.
    with listening(broker.port, Arrivals()) as consumer:
        ids = sorted(first)
        report = until(lambda: replay(rig, "--since", ids[0], "--dry-run"), "an answer")
        until(
            lambda: replay(rig, "--since", ids[0], "--dry-run")["records"] >= len(ids),
            "their marks on the disk",
        )
        report = replay(rig, "--since", ids[2], "--until", ids[7])
        assert report["asked"]
        until(lambda: {i for i, _, _ in consumer.order} == set(ids[2:8]), "six records")
        assert all(said for _, _, said in consumer.order)
        rig.gather(consumer)
        assert {i: rig.received[i] for i in ids} == first

        assert rig.stop() == 0
        assert replay(rig, "--since", ids[9])["asked"]
        rig.start()
        until(lambda: {i for i, _, _ in consumer.order} == set(ids[2:8] + ids[9:]), "the others")
        until(lambda: (rig.gather(consumer), "replay_done" in rig.codes())[1], "the end")
        assert rig.stop() == 0
    audit = rig.folder / "state" / "audit.jsonl"
    verify(audit)
    asked = [x for x in map(json.loads, audit.read_text().splitlines()) if "replay" in x["what"]]
    assert [x["details"]["since"] for x in asked] == [ids[2], ids[9]]
