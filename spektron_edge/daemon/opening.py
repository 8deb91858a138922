"""The way out for everything the daemon says, opened in the order in which trouble is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spektron_edge import __version__
from spektron_edge.clock import Clock, ClockWatch
from spektron_edge.clock_sync import SYNC_FILE, ClockSync
from spektron_edge.config.file import Config
from spektron_edge.door.door import Door
from spektron_edge.door.telling import Hello
from spektron_edge.faults import Fault
from spektron_edge.files.state_folder import StateFolder, open_state
from spektron_edge.inbox import FaultRaised, Item
from spektron_edge.instrument.numbering import Numbering
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.retained import RETAINED_FILE, RetainedLedger
from spektron_edge.mqtt.topics import Topics
from spektron_edge.prediction.product import Loaded, load_product, remember, take_product
from spektron_edge.publishing.adapters import Adapters
from spektron_edge.publishing.delivery import Delivery
from spektron_edge.publishing.notices import Notices
from spektron_edge.publishing.outbox_storage import Storage, limits_of
from spektron_edge.publishing.reporter import Reporter
from spektron_edge.service.service import Service

from .audit_trail import AuditTrail

# On the slowest board with the largest engine; of an outbox, what SQLite does in one step: walking
# through gigabytes on a slow card.
_SELF_TEST_S = 300.0
_FOLDER_S = 600.0


@dataclass(frozen=True)
class Opened:
    """From records and notices over the state folder, which nobody else has, to the broker.

    loaded: what to predict with, by which the clock is judged, too.
    """

    topics: Topics
    adapters: Adapters
    client: MqttClient
    state: StateFolder
    loaded: Loaded
    watch: ClockWatch
    reporter: Reporter
    delivery: Delivery
    numbering: Numbering
    notices: Notices
    audit: AuditTrail
    storage: Storage
    door: Door


def open_up(
    config: Config,
    clock: Clock,
    post: Callable[[Item], None],
    on_fault: Callable[[Fault], None],
    service: Service,
) -> Opened:
    """Nothing connects yet. post: told of what the broker says; on_fault: of faults that begin;
    service: of steps that may take long.

    Raises Fault for bundle, secrets and state folder, and nothing stays open.
    """
    service.starting("the model's self-test", _SELF_TEST_S)
    # A bundle in a slot is loaded later: its start is counted, by one daemon at a time.
    loaded = None if config.uses_slots else load_product(config)
    topics = Topics(config.site, config.instrument)
    adapters = Adapters(config, topics, post, service.beats)
    client = MqttClient(
        config.mqtt,
        topics,
        post,
        RetainedLedger(config.state_dir / RETAINED_FILE),
        listeners=adapters.listeners,
        beat=service.beats.new("mqtt"),
    )
    service.starting("opening the state folder", _FOLDER_S)
    state = open_state(config.state_dir, limits_of(config.outbox), clock, service.step)
    try:
        if loaded is None:
            service.starting("the model's self-test", _SELF_TEST_S)
            loaded = take_product(config)
        else:
            remember(config, loaded)
    except BaseException:
        state.close()
        raise
    sync = ClockSync(config.state_dir / SYNC_FILE)
    watch = ClockWatch(loaded.created_utc_s, awaited=sync.awaited)
    door = Door(
        config.state_dir,
        Hello(__version__, config.site, config.instrument, str(config.state_dir)),
        post,
        lambda fault: post(FaultRaised(fault)),
    )
    delivery = Delivery(
        state.outbox,
        client,
        config.mqtt.in_flight,
        config.outbox.replay_per_s,
        lambda record, stored: adapters.published(record, stored=stored),
        door.record,
    )
    reporter = Reporter(config.site, config.instrument, clock, watch)
    notices = Notices(reporter, delivery, on_fault)
    numbering = Numbering(state.outbox)
    audit = AuditTrail(state, clock, notices)
    storage = Storage(state, delivery, numbering, notices, audit.action)
    return Opened(
        topics,
        adapters,
        client,
        state,
        loaded,
        watch,
        reporter,
        delivery,
        numbering,
        notices,
        audit,
        storage,
        door,
    )
