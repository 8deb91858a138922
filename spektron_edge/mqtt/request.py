"""The operator's side of a command: sign, send, wait for the answer."""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import time
from pathlib import Path

import paho.mqtt.client as paho
from pydantic import ValidationError

from spektron_edge.commands.arguments import Argument
from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Fault, Faults

from .commands import CommandRefused, read_key, sign, to_payload
from .connection import connect_plain
from .in_use import in_use
from .topics import Topics

_FIRST_S = 5.0
# An order waits for 30 s at most, and a reference of many long exposures takes its time.
_LAST_S = 120.0


def send_command(
    config_path: Path,
    name: str,
    operator: str,
    key_file: Path | None,
    timeout_s: float | None = None,
    arguments: dict[str, Argument] | None = None,
    broker: str | None = None,
) -> dict[str, object]:
    """Send one command to the daemon of that configuration and return its response record.

    timeout_s: for all of it; None: 5 s for the first answer, then as long as the command may take.
    broker: URL of the broker that the daemon uses; None: what the daemon itself has noted in its
    state folder, else the configuration's. Raises Fault(COMMAND_FAILED) when there is no key or no
    answer, Fault(COMMAND_UNFINISHED) when the last answer did not come, and broker faults.
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
    here = _reached(config, config_path, broker)
    wait_s = timeout_s or _FIRST_S
    answers: queue.Queue[bytes] = queue.Queue()

    def listen(client: paho.Client) -> None:
        client.on_message = lambda _client, _data, message: answers.put(bytes(message.payload))
        client.subscribe(topics.response(name), qos=1)

    with contextlib.ExitStack() as connected:
        client = connected.enter_context(connect_plain(here, wait_s))
        listen(client)
        if here.url != config.mqtt.url:
            # Where `reload` moves the daemon to. One that cannot be reached is left again, and that
            # is said where it was left for.
            with contextlib.suppress(Fault):
                listen(connected.enter_context(connect_plain(config.mqtt, min(wait_s, _FIRST_S))))
        client.publish(f"{topics.root}/command/{name}", to_payload(request), qos=1)
        return _awaited(answers, correlation, timeout_s)


def _reached(config: Config, path: Path, broker: str | None) -> Mqtt:
    if broker is None:
        return in_use(config.state_dir, path) or config.mqtt
    try:
        return Mqtt.model_validate({**config.mqtt.model_dump(), "url": broker})
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise Fault(Faults.COMMAND_FAILED, f"--broker {broker}: {why}") from None


def _awaited(
    answers: queue.Queue[bytes], correlation: str, timeout_s: float | None
) -> dict[str, object]:
    waited_s = timeout_s or _FIRST_S
    deadline, accepted = time.monotonic() + waited_s, False
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
            if timeout_s is None:
                waited_s = _trial_s(response) + _LAST_S
                deadline = time.monotonic() + waited_s
    if not accepted:
        raise Fault(Faults.COMMAND_FAILED, f"no answer within {waited_s:g} s")
    told = f"accepted, and not finished within {waited_s:g} s"
    raise Fault(Faults.COMMAND_UNFINISHED, told)


def _trial_s(response: dict[str, object]) -> float:
    """How long the daemon may try a configuration."""
    result = response.get("result")
    trial_s = result.get("trial_s") if isinstance(result, dict) else None
    return float(trial_s) if isinstance(trial_s, (int, float)) else 0.0
