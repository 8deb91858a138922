"""A daemon that hangs, a disk that is full, a page that is killed, a clock that is set."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.door.notes import notes
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.page import local_accounts
from spektron_edge.page.account_notes import done
from spektron_edge.page.app import application
from spektron_edge.page.errors import Refused
from spektron_edge.page.link import SILENT_S, Link
from spektron_edge.page.notes import MOST_HELD, Notes
from spektron_edge.page.passwords import hashed
from spektron_edge.page.services import Page, services
from spektron_edge.page.stream import Stream
from spektron_edge.page.users import UserStore

PASSWORD = "correct horse 42"
STATE = {"type": "state", "record": {}}


class _Away:
    """What `follow` reads from, of a daemon that never answers."""

    asked = 0

    async def messages(self):
        yield {"type": "connection", "door": True}

    async def note(self, *_: object, **__: object) -> None:
        self.asked += 1

    command = note


async def _first(stream: Stream) -> bytes:
    chunks = stream.chunks(lambda: True)
    await anext(chunks)
    return await anext(chunks)


def test_a_daemon_that_hangs_is_told_and_waited_for_no_more() -> None:
    now, away = [100.0], _Away()
    link = Link(lambda: now[0])
    asyncio.run(link.follow(away))  # type: ignore[arg-type]
    stream = link.listen(1.0)
    now[0] += SILENT_S - 1
    link.take(STATE)
    now[0] += SILENT_S - 0.1
    link.look()
    assert (link.connected, link.silent) == (True, False)
    now[0] += 0.2
    link.look()
    assert link.connection == {"door": False, "silent": True, "since": link.since}
    assert b'"silent":true' in asyncio.run(_first(stream))
    action = Action(what="page_odd", who="anna", details={})
    assert asyncio.run(link.note(action)) is False
    with pytest.raises(Refused, match="has said nothing since") as refused:
        asyncio.run(link.ask("health", {}, "anna", "engineer", None, 20.0))
    assert (refused.value.status, away.asked) == (503, 0)
    link.take(STATE)
    assert (link.connected, link.silent) == (True, False)


@pytest.mark.parametrize("what", ["signed_in", "refused"])
def test_what_a_full_disk_does_not_take_waits_in_memory(tmp_path: Path, what: str) -> None:
    full = [True]

    async def away(_: Action) -> bool:
        return False

    async def in_thread(call) -> None:
        if full[0]:
            raise Fault(Faults.DISK_FULL, "no room")
        call()

    made = Notes(tmp_path, away, in_thread, time.monotonic)

    async def story() -> None:
        with pytest.raises(Fault):
            await made.note("password_changed", "anna", {})
        for number in range(MOST_HELD + 5):
            await made.seen(what, "anna", {"number": number})
        await made.again()
        assert notes(tmp_path).read().untold == ()
        full[0] = False
        await made.again()
        await made.again()

    asyncio.run(story())
    found = notes(tmp_path).read().untold
    assert [action.details["number"] for action in found] == list(range(MOST_HELD))
    assert {action.what for action in found} == {f"page_{what}"}
    assert all(action.details["utc"] for action in found)


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "spektron.toml"
    path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/null"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
    )
    return path


def _page(path: Path) -> Page:
    return services(path, load_config(path), Link())


def test_an_account_that_a_killed_page_changed_is_told_by_the_next_one(config_path: Path) -> None:
    store = UserStore(config_path.parent / "state")
    for name in ("nina", "olaf"):
        action = done("user_add", "anna", {"of": name, "role": "engineer"})
        store.add(name, "engineer", "x", action=action)
    # It was killed here.
    page = _page(config_path)
    try:

        async def both() -> None:
            await asyncio.gather(page.account_notes.tell(), page.account_notes.tell())

        asyncio.run(both())
    finally:
        page.close()
    untold = notes(page.state_dir).read().untold
    assert [action.details["of"] for action in untold] == ["nina", "olaf"]
    assert (page.users.refresh().untold, len(page.users.read().held)) == ((), 2)


def test_a_change_on_the_device_is_told_without_a_page(tmp_path: Path) -> None:
    local_accounts.change(tmp_path, "add", "nina", "engineer", "some long words 12", "root")
    (told,) = notes(tmp_path).read().untold
    assert (told.what, told.who, told.details["of"]) == ("page_user_add", "root", "nina")
    assert UserStore(tmp_path).read().untold == ()


def test_damaged_accounts_say_the_way_back_in(config_path: Path, capsys) -> None:
    page = _page(config_path)
    try:
        page.users.add("anna", "engineer", hashed(PASSWORD))
        kept = config_path.parent / "state" / "page" / "users.json"
        kept.write_text(kept.read_text()[:-9])
        with TestClient(application(page), base_url="http://127.0.0.1:8765/api/v1") as client:
            given = {"user": "anna", "password": PASSWORD}
            answer = client.post("/session", json=given)
            assert (answer.status_code, answer.json()["error"]) == (409, "accounts_damaged")
            assert "move it away" in answer.json()["next_step"]
        assert main(["page-user", "list", "--config", str(config_path)]) == 104
        assert "users.json is damaged" in capsys.readouterr().err
        assert kept.read_text()
    finally:
        page.close()
