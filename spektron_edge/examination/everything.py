"""All looks, in the order in which one explains the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault
from spektron_edge.prediction.product import Loaded
from spektron_edge.support.removal import Removal, secrets_of

from . import (
    broker,
    certificates,
    clock,
    daemon,
    disk,
    instrument,
    machine,
    model,
    operators,
    page,
    permissions,
    ports,
    service,
    state,
)
from .finding import Finding, of_fault, ok, unseen, worst
from .looking import Look, taken
from .subject import Subject, subject_of

CONFIGURATION = "configuration"
# Instruments of other makers are asked several times over, each time with patience.
_INSTRUMENT_S = 30.0
# Resolvers ask several servers, several times over.
_BROKER_S = 45.0
_SELF_TEST_S = 120.0
# Years of records from a slow card.
_STATE_S = 120.0


@dataclass
class _Known:
    """What an earlier look found out for later ones."""

    loaded: Loaded | None = None
    port_bad: bool = False

    @property
    def made(self) -> datetime | None:
        """When the bundle was."""
        if self.loaded is None:
            return None
        return datetime.fromtimestamp(self.loaded.created_utc_s, timezone.utc)


def examine(path: Path) -> Iterator[Finding]:
    """Everything about a configuration and this machine, as it is found; path: of the
    configuration. Changes nothing."""
    try:
        config = load_config(path)
    except Fault as fault:
        yield of_fault(CONFIGURATION, fault)
        yield unseen("all that it names", "without a configuration nobody knows what to look at")
        for look in _of_the_machine(_Known()):
            yield from taken(look)
        return
    clean = _without_secrets(config)
    yield ok(CONFIGURATION, f"{path} is sound: {config.site}/{config.instrument}")
    subject = subject_of(path, config)
    for look in _looks(subject, _Known()):
        yield from map(clean, taken(look))


def try_configuration(path: Path, config: Config) -> Iterator[Finding]:
    """The parts that a new configuration names; a scan is taken. path: of the configuration."""
    clean = _without_secrets(config)
    for look in _of_setup(subject_of(path, config)):
        yield from map(clean, taken(look))


def _without_secrets(config: Config) -> Callable[[Finding], Finding]:
    """Takes them out of what is said, whoever quoted them."""
    removal = Removal(secrets_of(config))

    def clean(finding: Finding) -> Finding:
        said, step = removal.text(finding.said), removal.text(finding.next_step)
        return replace(finding, said=said, next_step=step)

    return clean


def _looks(subject: Subject, known: _Known) -> list[Look]:
    config = subject.config
    return [
        Look(permissions.PART, partial(permissions.look, subject)),
        Look(operators.PART, partial(operators.look, config)),
        Look(daemon.PART, partial(daemon.look, subject)),
        Look(model.BUNDLE, partial(_bundle, config, known), _SELF_TEST_S),
        Look(model.CALIBRATION, partial(model.look_at_calibration, config), _STATE_S),
        Look(ports.PART, partial(_port, subject, known)),
        Look(instrument.PART, partial(_instrument, subject, known, scan=False), _INSTRUMENT_S),
        Look(broker.PART, partial(broker.look, subject), _BROKER_S),
        Look(certificates.PART, partial(certificates.look, subject)),
        Look(disk.PART, partial(disk.look, subject), _STATE_S),
        Look(state.ASIDE, partial(state.look_for_damage, subject)),
        Look(state.OUTBOX, partial(state.look_at_outbox, subject), _STATE_S),
        Look(state.AUDIT, partial(state.look_at_audit, subject), _STATE_S),
        Look(state.LEDGERS, partial(state.look_at_ledgers, subject)),
        Look(page.PART, partial(page.look, subject), 15.0),
        *_of_the_machine(known),
    ]


def _of_setup(subject: Subject) -> list[Look]:
    config, known = subject.config, _Known()
    return [
        Look(permissions.PART, partial(permissions.look, subject)),
        Look(operators.PART, partial(operators.look, config)),
        Look(model.BUNDLE, partial(_bundle, config, known), _SELF_TEST_S),
        Look(ports.PART, partial(_port, subject, known)),
        Look(instrument.PART, partial(_instrument, subject, known, scan=True), _INSTRUMENT_S),
        Look(broker.PART, partial(broker.look, subject), _BROKER_S),
        Look(certificates.PART, partial(certificates.look, subject)),
        Look(disk.PART, partial(disk.look, subject), _STATE_S),
        Look(clock.PART, lambda: clock.look(known.made)),
    ]


def _of_the_machine(known: _Known) -> list[Look]:
    return [
        Look(clock.PART, lambda: clock.look(known.made)),
        Look(service.PART, service.look, 15.0),
        Look(machine.VERSIONS, machine.look),
    ]


def _bundle(config: Config, known: _Known) -> Iterable[Finding]:
    known.loaded = model.loaded(config)
    return model.look_at_bundle(config, known.loaded)


def _port(subject: Subject, known: _Known) -> Iterator[Finding]:
    # Until it is known to be good: a look may end without a word.
    known.port_bad = True
    findings = list(ports.look(subject))
    known.port_bad = worst(findings) == "bad"
    yield from findings


def _instrument(subject: Subject, known: _Known, *, scan: bool) -> Iterable[Finding]:
    if known.port_bad and not subject.running:
        return [unseen(instrument.PART, "its port cannot be used")]
    found = None if known.loaded is None else known.loaded.model
    return instrument.look(subject, found, scan=scan)
