"""How each kind of fault begins, and how it is over."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.bench import Bench
from tests.soak.schedule import Planned

# The wall clock is set by one of these, s.
_JUMPS_S = (-86400.0, -3600.0, -5.0, 5.0, 3600.0, 86400.0)
_SLOW_S = 1.0

Act = Callable[[Bench, Planned], None]


@dataclass(frozen=True)
class Fault:
    """over: what ends it; nothing for one that is over at once."""

    begin: Act
    over: Act = lambda _bench, _planned: None


def _line(command: str) -> Act:
    return lambda bench, _: bench.line.do(command)


def _forget(bench: Bench, _: Planned) -> None:
    bench.broker.kill()
    for file in (bench.folder / "kept").iterdir():
        file.unlink()


def _jump(bench: Bench, planned: Planned) -> None:
    bench.clock.set(_JUMPS_S[int(planned.chance * len(_JUMPS_S))])


def _read_only(bench: Bench, _: Planned) -> None:
    """Found by a daemon that starts: what it has open, nobody can make read only."""
    bench.kill()
    bench.disk.read_only(True)
    bench.begin()


def _writable(bench: Bench, _: Planned) -> None:
    bench.disk.read_only(False)


def _signal(number: signal.Signals) -> Act:
    def send(bench: Bench, _: Planned) -> None:
        if bench.daemon is not None:
            bench.daemon.send_signal(number)

    return send


FAULTS = {
    "unplugged": Fault(_line("unplug"), _line("plug")),
    "garbage": Fault(_line("rubbish 1"), _line("rubbish 0")),
    "half_frame": Fault(_line("cut")),
    "silent": Fault(_line("silent 1"), _line("silent 0")),
    "instrument_hung": Fault(
        lambda bench, _: bench.line.signal(signal.SIGSTOP),
        lambda bench, _: bench.line.signal(signal.SIGCONT),
    ),
    "power_cycle": Fault(_line("power_cycle")),
    "slow": Fault(_line(f"pace {_SLOW_S}"), _line("pace 0")),
    "exchanged": Fault(_line("exchange"), _line("exchange")),
    "broker_killed": Fault(lambda b, _: b.broker.kill(), lambda b, _: b.broker.start()),
    "broker_stopped": Fault(lambda b, _: b.broker.pause(), lambda b, _: b.broker.resume()),
    "broker_forgot": Fault(_forget, lambda b, _: b.broker.start()),
    "connection_reset": Fault(lambda b, _: b.proxy.reset()),
    "disk_full": Fault(lambda b, _: b.disk.fill(), lambda b, _: b.disk.free()),
    "disk_read_only": Fault(_read_only, _writable),
    "clock_jump": Fault(_jump, lambda b, _: b.clock.set(0.0)),
    "daemon_killed": Fault(lambda b, _: b.kill(), lambda b, _: b.begin()),
    "daemon_ended": Fault(lambda b, _: b.ask_to_end(), lambda b, _: b.begin()),
    "daemon_stopped": Fault(_signal(signal.SIGSTOP), _signal(signal.SIGCONT)),
}
