"""The operator's side of a command: sign, send, wait for the answer."""

from __future__ import annotations

import json
import queue
import secrets
import time
from pathlib import Path

from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults

from .arguments import Argument
from .commands import CommandRefused, read_key, sign, to_payload
from .connection import connect_plain
from .topics import Topics


def send_command(
    config_path: Path,
    name: str,
    operator: str,
    key_file: Path | None,
    timeout_s: float,
    arguments: dict[str, Argument] | None = None,
) -> dict[str, object]:
    """Send one command to the daemon of that configuration and return its response record.

    Raises Fault(COMMAND_FAILED) when there is no key or no answer, and broker faults.
    """
    config = load_config(config_path)
    if key_file is None:
        key_file = next((o.key_file for o in config.commands.operators if o.name == operator), None)
    if key_file is None:
        raise Fault(Faults.COMMAND_FAILED, f"no operator {operator!r} in {config_path}; give --key")
    topics = Topics(config.site, config.instrument)
    correlation = secrets.token_hex(8)
    try:
        # Nanoseconds of the operator's clock: rising, and no state to keep.
        key, counter = read_key(operator, key_file), time.time_ns()
        request = sign(key, topics.root, name, counter, correlation, arguments)
    except CommandRefused as error:
        raise Fault(Faults.COMMAND_FAILED, str(error)) from None
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with connect_plain(config.mqtt, timeout_s) as client:
        client.on_message = lambda _client, _data, message: answers.put(bytes(message.payload))
        client.subscribe(topics.response(name), qos=1)
        client.publish(f"{topics.root}/command/{name}", to_payload(request), qos=1)
        return _awaited(answers, correlation, timeout_s)


def _awaited(
    answers: queue.SimpleQueue[bytes], correlation: str, timeout_s: float
) -> dict[str, object]:
    deadline, accepted = time.monotonic() + timeout_s, False
    while (left := deadline - time.monotonic()) > 0:
        try:
            response = json.loads(answers.get(timeout=left))
        except queue.Empty:
            break
        except ValueError:
            continue  # not from a daemon
        if isinstance(response, dict) and response.get("correlation") == correlation:
            if response.get("stage") != "accepted":
                return response
            accepted = True
    told = "accepted, and not finished" if accepted else "no answer"
    raise Fault(Faults.COMMAND_FAILED, f"{told} within {timeout_s:g} s")
