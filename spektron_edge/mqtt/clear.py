"""Taking an instrument out of service: everything it retained at its brokers is removed."""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import lock_state, storage_fault

from .connection import connect_plain
from .retained import RETAINED_FILE, RetainedLedger
from .topics import Topics


def clear_retained(
    config_path: Path, timeout_s: float, *, everywhere: bool, dry_run: bool
) -> dict[str, object]:
    """Remove what the ledger of the instrument's state folder names; the report.

    everywhere: also at brokers under other URLs than the configured one, with its credentials.
    Raises Fault: STATE_IN_USE while the daemon runs, NOTICE_REFUSED or the broker's when something
    was left behind; what was removed is struck off the ledger by then.
    """
    config = load_config(config_path)
    ledger = RetainedLedger(config.state_dir / RETAINED_FILE)
    report: dict[str, object] = {"ledger": str(ledger.path), "topics": [], "elsewhere": []}
    if not ledger.path.exists():
        topics = Topics(config.site, config.instrument).root + "/#"
        report["next"] = (
            "no daemon retained anything from this state folder, or its ledger was lost: "
            f"`mosquitto_sub --retained-only -v -t '{topics}'` shows what the broker keeps; "
            "docs/mqtt.md says how to clear it"
        )
        return report
    with lock_state(config.state_dir):
        try:
            aside = ledger.load()
        except OSError as error:
            raise storage_fault(error, ledger.path) from None
        if aside is not None:
            raise Fault(Faults.STATE_DAMAGED, f"the ledger cannot be read; it is kept as {aside}")
        entries = ledger.entries()
        here = {b for b, _ in entries if everywhere or b == config.mqtt.url}
        report["topics"] = [f"{topic} at {b}" for b, topic in entries if b in here]
        report["elsewhere"] = [f"{topic} at {b}" for b, topic in entries if b not in here]
        if dry_run:
            return report
        faults = [fault for b in sorted(here) if (fault := _tried(config, b, ledger, timeout_s))]
        if faults:
            raise faults[0]
        report["removed"] = sum(b in here for b, _ in entries)
        return report


def _tried(config: Config, broker: str, ledger: RetainedLedger, timeout_s: float) -> Fault | None:
    try:
        _clear(config, broker, ledger, timeout_s)
    except Fault as fault:
        return fault
    return None


def _clear(config: Config, broker: str, ledger: RetainedLedger, timeout_s: float) -> None:
    settings = config.mqtt.model_copy(update={"url": broker})
    topics = ledger.ghosts(broker)
    # The daemon's own id, which is free: access lists may go by it.
    own_id = settings.client_id or Topics(config.site, config.instrument).client_id
    answers: queue.Queue[tuple[int, ReasonCode]] = queue.Queue()

    def published(_c: paho.Client, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        answers.put((mid, reason))

    refused = []
    with connect_plain(settings, timeout_s, own_id) as client:
        client.on_publish = published
        asked = {client.publish(topic, b"", qos=1, retain=True).mid: topic for topic in topics}
        deadline = time.monotonic() + timeout_s
        while asked:
            try:
                mid, reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                told = f"{broker} acknowledged nothing for {', '.join(sorted(asked.values()))}"
                raise Fault(Faults.BROKER_UNREACHABLE, told) from None
            topic = asked.pop(mid)
            if reason.is_failure:
                refused.append(f"{topic}: {reason}")
                continue
            try:
                ledger.strike(broker, topic)
            except OSError as error:
                raise storage_fault(error, ledger.path) from None
    if refused:
        raise Fault(Faults.NOTICE_REFUSED, f"{broker} refuses {'; '.join(refused)}")
