"""`python -m tests.integration.publishing URL FOLDER RECORDS PAUSE`: an outbox and its delivery.

Stores, publishes and marks so many records as the daemon's main path does, and nothing else. Says
`committed ID` when a commit has returned and `acknowledged ID` when the broker has.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.inbox import Acknowledged, Connected, FaultsOver, Inbox
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.retained import RETAINED_FILE, RetainedLedger
from spektron_edge.mqtt.topics import Topics
from spektron_edge.outbox import Limits, Outbox, Outgoing, Progress
from spektron_edge.publishing.delivery import Delivery
from spektron_edge.publishing.records import new_id
from tests.integration.rig import ROOT


def say(what: str, ids: list[str]) -> None:
    os.write(1, "".join(f"{what} {i}\n" for i in ids).encode())


def record() -> Outgoing:
    record_id = new_id()
    payload = json.dumps({"id": record_id, "text": "x" * 900}).encode()
    return Outgoing(record_id, "prediction", payload)


def main(url: str, folder: Path, records: int, pause_s: float) -> None:
    inbox = Inbox(64)
    site, name = ROOT.split("/")[1:]
    ledger = RetainedLedger(folder / RETAINED_FILE)
    client = MqttClient(Mqtt(url=url), Topics(site, name), inbox.put, ledger)
    outbox = Outbox(folder / "outbox.sqlite", Limits(10**9, 10**9))
    delivery = Delivery(outbox, client, in_flight=20)
    client.start()
    made, by_mid = 0, delivery._by_mid
    left = records
    while left:
        waiting = []
        if made < records:
            made += 1
            waiting = [record()]
            delivery.store(waiting, Progress("S", 1, made), time.monotonic())
        delivery.commit()
        say("committed", [r.id for r in waiting])
        delivery.publish()
        for item in inbox.take(pause_s, 32):
            if isinstance(item, Acknowledged) and item.mid in by_mid:
                say("acknowledged", [by_mid[item.mid].id])
                delivery.acknowledge(item.mid, item.at, item.error)
                left -= 1
            assert isinstance(item, Acknowledged | Connected | FaultsOver), item
        delivery.note()
    delivery.note(now=True)
    outbox.close()
    client.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
