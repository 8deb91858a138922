"""The command `reload`: configuration and bundle read again, while scans go on.

Where the line or the broker changes, the new configuration is on trial: what worked before has to
work again, or the daemon goes back by itself to the last one that did. So it is where the files of
[mqtt] hold something else: a wrong password cuts the daemon off as a wrong address does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spektron_edge import log
from spektron_edge.commands.asked import CommandOutcome, Result
from spektron_edge.config.file import Config
from spektron_edge.config.loading import parse_config, read_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.mqtt.secrets import Secrets
from spektron_edge.prediction.product import Loaded, take_product
from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.notices import Notices

from .last_good import Found, Kept, LastGood, identity
from .trust_watch import TrustWatch

# What takes effect when the daemon starts.
_FIXED = ("site", "instrument", "state_dir", "outbox", "home_assistant", "sparkplug", "metrics")
# What could cut the daemon off.
_TRIED = ("serial", "acquisition", "mqtt")


_CUT_SHORT = "the daemon ended during its trial"


class Broker(Protocol):
    """What is known of the broker and of the files that [mqtt] names."""

    def files_changed(self) -> bool:
        """Whether they hold something else than what is in use; raises Fault."""

    def secrets_replaced(self) -> Secrets:
        """What the broker accepted last, of files that hold something else by now."""


@dataclass
class _Trial:
    """A configuration that was read: first to be used, then to prove itself.

    changed: which of `_TRIED`; known_by: its `identity`.
    """

    ticket: int
    config: Config
    text: str
    known_by: str
    loaded: Loaded
    told: str
    before: Config
    left: Loaded
    changed: Set[str]
    needs: set[str]
    deadline_s: float | None = None


class Reload:
    """Reads the file again; owns the configuration that the daemon goes by."""

    def __init__(
        self,
        path: Path,
        found: Found,
        serving: Serving,
        trust: TrustWatch,
        notices: Notices,
        use: Callable[[Config, Set[str]], None],
        broker: Broker,
        tickets: Iterator[int],
    ) -> None:
        """use: changes instrument and broker from the configuration in use to another, which
        differs in some of `serial`, `acquisition` and `mqtt`; or raises Fault and changes
        nothing."""
        self.config, self._text, self._not_the_file_s = found.config, found.text, found.why
        self._last_good = LastGood(found.config.state_dir)
        self._path, self._serving, self._notices = path, serving, notices
        self._trust = trust
        self._use, self._broker, self._tickets = use, broker, tickets
        self._trial: _Trial | None = None
        self._good, self._held = Kept(), found.secrets
        # What is known to work: only that can be asked of another configuration.
        self.working: set[str] = set()

    def settled(self) -> None:
        """Raises Fault(COMMAND_NOT_DONE) while a configuration is on trial."""
        if self._trial is not None:
            told = "a configuration is on trial; wait for its end"
            raise Fault(Faults.COMMAND_NOT_DONE, told)

    def reload(self) -> CommandOutcome:
        """Read the file; on any fault everything stays as it was."""
        self.settled()
        before, serving = self.config, self._serving
        try:
            text = read_config(self._path)
            config = parse_config(text, self._path)
            known_by = identity(config)
            later = [name for name in _FIXED if getattr(config, name) != getattr(before, name)]
            config = config.model_copy(update={name: getattr(before, name) for name in _FIXED})
            if config.acquisition.queue_scans != before.acquisition.queue_scans:
                later.append("acquisition.queue_scans")
            if (in_flight := before.mqtt.in_flight) != config.mqtt.in_flight:
                later.append("mqtt.in_flight")
                mqtt = config.mqtt.model_copy(update={"in_flight": in_flight})
                config = config.model_copy(update={"mqtt": mqtt})
            renewed = config.mqtt == before.mqtt and self._broker.files_changed()
            loaded = take_product(config, serving.serial, running=serving.model.bundle_id)
        except Fault as fault:
            left = serving.model.bundle_id
            self._trust.look(before, time.monotonic())
            if (taken := serving.model.bundle_id) != left:
                told = f"{taken} is in use, since {left} is not trusted any more"
                told = f"{told}; nothing else was changed: {fault}"
                return CommandOutcome(False, told, {"fault": fault.code})
            if (refused := serving.refused) is not None:
                told = f"{refused.detail}; nothing was taken: {fault}"
                return CommandOutcome(False, told, {"fault": refused.code})
            return _unchanged(fault)
        restart = f"; restart for: {', '.join(later)}" if later else ""
        tried = {name for name in _TRIED if getattr(config, name) != getattr(before, name)}
        tried |= {"mqtt"} if renewed else set()
        if not tried:
            outcome = self._taken(config, loaded, restart)
            self._works(text)
            return outcome
        needs = {"broker" if name == "mqtt" else "instrument" for name in tried} & self.working
        ticket = next(self._tickets)
        told = "; ".join(_in_words(name, before, config) for name in sorted(tried)) + restart
        self._trial = _Trial(
            ticket, config, text, known_by, loaded, told, before, serving.loaded, tried, needs
        )
        trial_s = config.commands.reload_trial_s
        told = f"{', '.join(sorted(tried))} on trial for {trial_s:g} s"
        result: Result = {"trial_s": trial_s}
        if config.mqtt.url != before.mqtt.url:
            told += f"; the rest is said at {config.mqtt.url}, or here if that does not work"
            result["broker"] = config.mqtt.url
        return CommandOutcome(True, told, result, ticket)

    def _taken(self, config: Config, loaded: Loaded, more: str) -> CommandOutcome:
        serving, left = self._serving, self._serving.model.bundle_id
        self.config = config
        log.set_up(config.log.format, config.log.level, instrument=config.instrument)
        serving.take(loaded)
        bundle = loaded.model.bundle_id
        if loaded.left:
            return CommandOutcome(False, f"fell back to {bundle}: {loaded.left}")
        which = f"{left} -> {bundle}" if bundle != left else f"{bundle} as before"
        message = f"bundle {which}, signed by {serving.signed_by or 'nobody asked for'}"
        if serving.transfer is not None:
            message += f"; transfer {serving.transfer.number}"
        if serving.in_use.adaptation is not None:
            message += f"; adaptation {serving.in_use.adaptation.number}"
        return CommandOutcome(True, message + more, {"bundle": bundle})

    def tell(self) -> None:
        """Say that the daemon does not go by the file."""
        if self._not_the_file_s:
            self._notices.begin(Fault(Faults.CONFIG_FELL_BACK, self._not_the_file_s))

    def _works(self, text: str) -> None:
        self._text, self._not_the_file_s, self._held = text, "", ()
        self._notices.end((Faults.CONFIG_FELL_BACK,))
        with self._notices.noticed():
            self._last_good.forget()

    # ---- trial

    def works(self, what: str) -> None:
        """`instrument` or `broker` works."""
        self.working.add(what)
        if self._trial is not None and self._trial.deadline_s is not None:
            self._trial.needs.discard(what)

    def fails(self, what: str) -> None:
        """It does not, and this is no configuration's fault before the next trial."""
        if self._trial is None:
            self.working.discard(what)

    def look_after(self, now_s: float) -> tuple[int, CommandOutcome] | None:
        """Begin or end a trial: ticket and outcome of one that ended. now_s: of the monotonic
        clock."""
        trial = self._trial
        if trial is None:
            return None
        if trial.deadline_s is None:
            try:
                self._begin(trial)
            except Fault as fault:
                self._trial = None
                return trial.ticket, _unchanged(fault)
            trial.deadline_s = now_s + trial.config.commands.reload_trial_s
            outcome = self._taken(trial.config, trial.loaded, "")
            trial.told = f"{trial.told}; {outcome.message}"
            return None
        if not trial.needs:
            self._trial = None
            self._works(trial.text)
            self._notices.say("configuration_proven", trial.told)
            result = {"bundle": self._serving.model.bundle_id}
            return trial.ticket, CommandOutcome(True, trial.told, dict(result))
        return self._fall_back(trial) if now_s >= trial.deadline_s else None

    def _begin(self, trial: _Trial) -> None:
        """Raises Fault, and nothing was changed."""
        secrets = self._broker.secrets_replaced() if "mqtt" in trial.changed else {}
        before = self._last_good.read()
        # The configuration that is left may have come about in the same way.
        names = {*secrets, *self._held}
        self._good = Kept(
            bad=trial.known_by, good=self._text, why=_CUT_SHORT, secrets=tuple(sorted(names))
        )
        try:
            # First: whatever ends the daemon from now on, the next start finds the way back.
            self._last_good.keep(self._good, secrets)
            self._use(trial.config, trial.changed)
        except Fault:
            with self._notices.noticed():
                self._last_good.restore(before)
            raise
        trial.before = self._last_good.with_secrets(trial.before, self._good.secrets)

    def end(self) -> tuple[int, CommandOutcome] | None:
        """The daemon ends: whoever waits for a trial is told."""
        trial, self._trial = self._trial, None
        if trial is None:
            return None
        told = "the daemon was stopped during the trial"
        if trial.deadline_s is not None:
            told += "; it will start with the last good configuration"
        return trial.ticket, CommandOutcome(False, told)

    def _fall_back(self, trial: _Trial) -> tuple[int, CommandOutcome]:
        self._trial = None
        why = f"no word from {' and '.join(sorted(trial.needs))} with the new configuration"
        try:
            self._use(trial.before, trial.changed)
        except Fault as fault:
            # Its own secrets are gone: there is nothing better than what is in use.
            why += f", and the last good one cannot be used: {fault.detail}"
        else:
            self._taken(trial.before, trial.left, "")
            self._trust.look(trial.before, time.monotonic())
            self._held = self._good.secrets
        with self._notices.noticed():
            self._last_good.keep(self._good.model_copy(update={"why": why}), {})
        fell_back = Fault(Faults.CONFIG_FELL_BACK, why)
        self._notices.begin(fell_back)
        return trial.ticket, CommandOutcome(False, str(fell_back), {"fault": fell_back.code})


def _unchanged(fault: Fault) -> CommandOutcome:
    return CommandOutcome(False, f"nothing was changed: {fault}", {"fault": fault.code})


def _in_words(section: str, before: Config, config: Config) -> str:
    """What changed, for whoever asked."""
    if section != "acquisition":
        old, new = getattr(before, section).url, getattr(config, section).url
        if old != new:
            return f"{section}.url {old} -> {new}"
    if section == "mqtt" and before.mqtt == config.mqtt:
        return "mqtt connects anew with the changed password or certificates"
    return f"{section} changed"
