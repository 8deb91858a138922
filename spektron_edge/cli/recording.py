"""`spektron-edge record` and `replay`: their arguments, and what they call."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.line_faults import as_fault

from .argument_types import positive
from .show import show
from .stopping import stopped_by


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    record = commands.add_parser(
        "record", help="keep the raw bytes between a host and an instrument in a file"
    )
    record.add_argument("port", help="the instrument's: a device path or any pyserial URL")
    record.add_argument("file", type=Path, help="written; must not be there yet")
    record.add_argument("--baud", type=positive, default=921600, help="until the host sets another")
    record.add_argument("--link", type=Path, help="symbolic link to the port offered to the host")
    record.add_argument("--listen", action="store_true", help="offer no port, only listen")
    record.add_argument("--most-mb", type=positive, default=100, help="end at this size (100)")
    record.add_argument("--longest", type=positive, default=3600, help="end after seconds (3600)")
    record.add_argument("--json", action="store_true", help="one JSON object a line")
    record.set_defaults(command=_record)

    replay = commands.add_parser(
        "replay", help="play the instrument's side of a recording to a host"
    )
    replay.add_argument("file", type=Path, help="written by `record`")
    replay.add_argument("--link", type=Path, help="symbolic link to the port offered to the host")
    replay.add_argument("--speed", type=_speed, default=1.0, help="of time (1)")
    replay.add_argument(
        "--by-time",
        action="store_true",
        help="whatever the host asks; else answers come once it has asked what was asked then",
    )
    replay.add_argument("--json", action="store_true", help="one JSON object a line")
    replay.set_defaults(command=_replay)


def _speed(text: str) -> float:
    value = float(text)
    if not 0.001 <= value <= 1e6:
        raise argparse.ArgumentTypeError("must be 0.001 to 1000000")
    return value


def _record(arguments: argparse.Namespace) -> int:
    from firmware_bridge.errors import LinkError
    from firmware_bridge.recording.file import Writer
    from firmware_bridge.recording.recorder import record
    from firmware_bridge.terminal import Terminal

    terminal = None
    try:
        if not arguments.listen:
            terminal = Terminal(arguments.link, arguments.baud)
        writer = Writer(arguments.file, arguments.port, arguments.baud, arguments.most_mb << 20)
        try:
            _say(arguments, {"port": None if terminal is None else terminal.url})
            recorded = record(
                arguments.port,
                arguments.baud,
                writer,
                terminal,
                stopped_by(signal.SIGTERM, signal.SIGINT),
                longest_s=arguments.longest,
            )
        finally:
            writer.close()
    except LinkError as error:
        # There was no port to begin with: nothing but a header is in it.
        arguments.file.unlink(missing_ok=True)
        raise as_fault(error) from None
    except OSError as error:
        told = f"{error.filename or arguments.file}: {error.strerror}"
        raise Fault(Faults.REPORT_UNWRITABLE, told) from None
    finally:
        if terminal is not None:
            terminal.unplug()
    _say(
        arguments,
        {
            "file": str(arguments.file),
            "bytes_from_host": recorded.from_host,
            "bytes_from_instrument": recorded.from_instrument,
            "bytes_the_host_did_not_take": recorded.lost,
            "ended": recorded.ended,
        },
    )
    if recorded.failed:
        fault = Fault(Faults.REPORT_UNWRITABLE, recorded.ended)
        sys.stderr.write(f"spektron-edge: {fault}\n")
        return fault.exit_status
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    from firmware_bridge.recording.file import RecordingError, read
    from firmware_bridge.recording.player import Player
    from firmware_bridge.terminal import Terminal

    try:
        recording = read(arguments.file)
    except RecordingError as error:
        raise Fault(Faults.RECORDING_UNUSABLE, str(error)) from None
    except OSError as error:
        raise Fault(Faults.RECORDING_UNUSABLE, f"{arguments.file}: {error.strerror}") from None
    try:
        terminal = Terminal(arguments.link, recording.baud)
    except OSError as error:
        raise Fault(Faults.PORT_DENIED, f"{arguments.link}: {error.strerror}") from None
    try:
        stop = stopped_by(signal.SIGTERM, signal.SIGINT)
        player = Player(
            recording,
            terminal,
            speed=arguments.speed,
            by_time=arguments.by_time,
            tell=_tell,
        )
        _say(
            arguments,
            {"port": terminal.url, "baud": recording.baud, "recorded": recording.begun}
            | ({"cut_off": True} if recording.torn else {}),
        )
        played = player.play(stop)
        _say(
            arguments,
            {
                "played": "to the end" if played.whole else "until it was stopped",
                "requests": played.requests,
                "differing": played.differing_count,
                "additional": played.extra,
                "bytes": played.bytes,
            },
        )
        player.linger(stop)
    finally:
        terminal.unplug()
    return 0


def _tell(told: str) -> None:
    sys.stderr.write(f"{told}\n")


def _say(arguments: argparse.Namespace, report: dict[str, object]) -> None:
    show(report, as_json=arguments.json)
    sys.stdout.flush()
