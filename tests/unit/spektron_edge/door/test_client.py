from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from spektron_edge.commands.asked import CommandOutcome
from spektron_edge.door.client import DoorAway, DoorClient
from spektron_edge.faults import Faults

from .test_listener import record


async def until(condition, patience_s=30.0):
    deadline = asyncio.get_running_loop().time() + patience_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.005)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60.0))


async def collect(client, into):
    async for message in client.messages():
        into.append(message)


def test_answers_go_to_who_asked_and_the_rest_to_the_reader(door):
    async def story():
        async with DoorClient(door.path) as client:
            seen = []
            reader = asyncio.create_task(collect(client, seen))
            await until(lambda: client.connected)
            asking = asyncio.create_task(client.command("health", by="anna", role="viewer"))
            await until(lambda: door.asked)
            (asked,) = door.asked
            outcome = CommandOutcome(True, "fine")
            door.door.answer(asked.connection, asked.line.id, outcome, "finished")
            door.tell(record(1))
            assert (await asking)["message"] == "fine"
            await until(lambda: seen and seen[-1]["type"] == "event")
            reader.cancel()
            return [message["type"] for message in seen]

    assert run(story()) == ["connection", "hello", "faults", "event"]


def test_what_takes_long_is_told_as_accepted_and_its_end_to_the_reader(door):
    async def story():
        async with DoorClient(door.path) as client:
            seen = []
            reader = asyncio.create_task(collect(client, seen))
            await until(lambda: client.connected)
            wait = {"by": "anna", "role": "operator", "wait_s": 0.3}
            asking = asyncio.create_task(client.command("take-dark", **wait))
            await until(lambda: door.asked)
            (asked,) = door.asked
            told = CommandOutcome(True, "the answer follows", ticket=1)
            door.door.answer(asked.connection, asked.line.id, told, "accepted")
            door.door.wake()
            assert (await asking)["stage"] == "accepted"
            door.door.answer(
                asked.connection, asked.line.id, CommandOutcome(True, "done"), "finished"
            )
            door.door.wake()
            await until(lambda: seen and seen[-1]["type"] == "answer")
            assert (seen[-1]["id"], seen[-1]["message"]) == (asked.line.id, "done")
            reader.cancel()

    run(story())


def test_it_comes_back_after_the_daemon_was_away(open_door):
    async def story():
        first = open_door()
        async with DoorClient(first.path) as client:
            seen = []
            reader = asyncio.create_task(collect(client, seen))
            await until(lambda: client.connected)
            asking = asyncio.create_task(client.command("health", by="anna", role="viewer"))
            await until(lambda: first.asked)
            first.door.close()
            with pytest.raises(DoorAway, match="before it answered"):
                await asking
            await until(lambda: not client.connected)
            with pytest.raises(DoorAway, match="not there"):
                await client.note("page_signed_in", "anna")
            second = open_door()
            # What is told goes to those whom the door has taken in, whom it greets.
            await until(lambda: [m["type"] for m in seen].count("faults") == 2)
            second.tell(record(7))
            await until(lambda: seen[-1]["type"] == "event")
            reader.cancel()
            return [m["door"] for m in seen if m["type"] == "connection"]

    assert run(story()) == [True, False, True]


def test_no_answer_in_time_is_told(door):
    async def story():
        async with DoorClient(door.path) as client:
            await until(lambda: client.connected)
            with pytest.raises(DoorAway, match="no answer within"):
                await client.command("health", by="anna", role="viewer", wait_s=0.05)
            with pytest.raises(ValidationError):
                await client.command("health", by="anna", role="root")

    run(story())


def test_a_reader_who_is_far_behind_loses_the_oldest(door):
    async def story():
        async with DoorClient(door.path) as client:
            await until(lambda: client.connected)
            for number in range(3000):
                door.tell(record(number))
                if number % 100 == 0:
                    await asyncio.sleep(0.001)
            door.tell(record("the last"))
            await until(
                lambda: (
                    client._messages[-1].get("record", {}).get("n") == "the last"
                    or door.door.counters["door_dropped_records"]
                )
            )
            assert client.dropped > 0
            assert len(client._messages) <= 2048

    run(story())


def test_another_program_at_that_path_is_no_daemon(tmp_path):
    async def talk(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async def story():
        server = await asyncio.start_unix_server(talk, tmp_path / "other.sock")
        async with server, DoorClient(tmp_path / "other.sock") as client:
            seen = []
            reader = asyncio.create_task(collect(client, seen))
            await until(lambda: len(seen) >= 2)
            assert [m["door"] for m in seen[:2]] == [True, False]
            reader.cancel()

    run(story())


def test_there_is_a_fault_for_a_door_that_is_shut():
    assert Faults.DOOR_SHUT.value.exit_status == 118
