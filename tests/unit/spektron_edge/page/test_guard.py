"""Logins, tries, notes and certificates, by a clock of the test's own."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from starlette.testclient import TestClient

from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.door.notes import MOST_REFUSED, MOST_WAITING, keep, notes
from spektron_edge.faults import Fault
from spektron_edge.files.ledger import Action, Noted
from spektron_edge.page.app import application
from spektron_edge.page.certificate import make
from spektron_edge.page.link import Link
from spektron_edge.page.notes import REFUSALS_PER_MIN, Notes
from spektron_edge.page.passwords import hashed
from spektron_edge.page.services import services
from spektron_edge.page.sessions import Sessions
from spektron_edge.page.strangers import Strangers
from spektron_edge.page.stream import Stream
from spektron_edge.page.tries import FREE, Tries
from spektron_edge.page.users import User, UserStore

PASSWORD = "correct horse 42"


@dataclass
class Now:
    s: float = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def client(tmp_path: Path, now: Now):
    path = tmp_path / "spektron.toml"
    path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/null"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
    )
    page = services(path, load_config(path), Link())
    page.sessions = Sessions(8 * 3600, 1800, now)
    with TestClient(application(page), base_url="http://127.0.0.1:8765/api/v1") as client:
        client.page = page
        yield client
    page.close()


def _refusals(client: TestClient) -> list[Action]:
    untold = notes(client.page.state_dir).read().untold
    return [action for action in untold if action.what == "page_refused"]


def _signed_in(client: TestClient) -> dict[str, str]:
    client.page.users.add("anna", "engineer", hashed(PASSWORD))
    answer = client.post("/session", json={"user": "anna", "password": PASSWORD})
    return {"X-CSRF-Token": answer.json()["csrf"]}


def test_a_login_that_only_watched_reads_on_and_has_to_sign_in_again_to_act(client, now):
    headers = _signed_in(client)
    for _ in range(4):
        now.s += 600
        assert client.get("/now").status_code == 200
    refused = client.post("/commands/health", json={}, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (401, "idle")
    given = {"user": "anna", "password": PASSWORD}
    again = client.post("/session", json=given, headers=headers)
    headers = {"X-CSRF-Token": again.json()["csrf"]}
    assert client.post("/commands/health", json={}, headers=headers).status_code == 503
    now.s += 1800
    assert client.get("/now").status_code == 401


def test_a_login_ends_however_much_is_done(client, now):
    headers = _signed_in(client)
    for _ in range(8 * 3):
        assert client.post("/commands/health", json={}, headers=headers).status_code == 503
        now.s += 1200
    assert client.get("/now").status_code == 401


def test_a_wrong_password_is_one_line_with_the_name_that_was_claimed(client):
    client.page.users.add("bert", "engineer", hashed(PASSWORD))
    client.post("/session", json={"user": "Bert", "password": "guessed"})
    (line,) = _refusals(client)
    assert (line.who, line.details["error"], line.details["what"]) == ("bert", "wrong", "sign_in")
    assert "utc" in line.details
    assert "guessed" not in str(line)


def test_a_password_that_was_typed_as_the_name_stands_nowhere(client, now, caplog):
    client.page.tries = Tries(now)
    secret = "Correct-Horse-42"
    typed = {"user": secret, "password": "anna"}
    for _ in range(FREE):
        client.post("/session", json=typed)
    client.post("/session", json={**typed, "user": "another"})
    now.s += 2 * 3600
    headers = _signed_in(client)
    client.post("/session", json=typed, headers=headers)
    lines = _refusals(client)
    assert {line.details["error"] for line in lines} == {"wrong", "wait"}
    assert secret not in str(lines)
    assert secret not in caplog.text
    names = [line.who for line in lines[:-1]] + [lines[-1].details["claimed"]]
    # One and the same is told from another, with the address that it came from.
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"unknown-[0-9a-f]{8}", name) for name in names)
    assert {line.details["address"] for line in lines} == {"testclient"}


def test_what_an_unknown_name_is_shown_as_tells_nothing_after_the_page_has_ended():
    here, there = Strangers(), Strangers()
    assert here.shown("Anna") == here.shown("anna") != there.shown("anna")


def test_a_right_code_with_a_weak_password_is_no_wrong_try(client):
    code = client.page.first_boot.code()
    for _ in range(2 * FREE):
        weak = {"code": code, "user": "anna", "password": "short"}
        assert client.post("/first-boot", json=weak).status_code == 422
    given = {"code": code, "user": "anna", "password": PASSWORD}
    assert client.post("/first-boot", json=given).status_code == 200


def test_an_axis_that_is_not_known_has_no_mean(client):
    _signed_in(client)
    found = client.get("/axis").json()
    assert found == {"id": None, "unit": "nm", "values": [], "mean": None, "mean_of": None}


def test_a_right_password_takes_back_its_own_try_only(now):
    tries = Tries(now)
    for _ in range(FREE - 1):
        tries.failed("user a", "address")
    tries.failed("user b", "address")
    assert tries.wait_s("address") > 0
    tries.right("user b", "address")
    assert tries.wait_s("user b", "address") == 0
    tries.failed("user a", "address")
    assert tries.wait_s("address") > 0


def test_accounts_changed_by_another_process_are_seen(tmp_path):
    here, there = UserStore(tmp_path), UserStore(tmp_path)
    assert here.read().held == ()
    there.add("anna", "engineer", "x")
    assert here.read().held == ()
    assert here.refresh().held == here.read().held == there.read().held


def test_a_busy_stream_ends_with_its_login(now):
    held = [True]

    async def seen() -> int:
        stream = Stream(10, now)
        count = 0
        async for _ in stream.chunks(lambda: held[0]):
            stream.put("event", b"event: event\n\n")
            now.s, held[0], count = now.s + 1, count < 3, count + 1
        return count

    assert asyncio.run(asyncio.wait_for(seen(), 60)) < 12


def test_a_quiet_stream_says_so_also_to_who_wants_no_spectra(now, monkeypatch):
    """Who is gone is noticed by what is written, and would keep one of sixteen places for ever."""
    monkeypatch.setattr("spektron_edge.page.stream._PING_S", 0.02)

    async def heard(rate: float) -> bytes:
        stream = Stream(rate, time.monotonic)
        stream.put("spectrum", b"spectrum")
        found = b""
        async for chunk in stream.chunks(lambda: True):
            found += chunk
            stream.put("spectrum", b"spectrum")
            if found.count(b": \n\n") == 3:
                break
        return found

    for rate, spectra in ((0.0, 0), (1e-6, 1)):
        told = asyncio.run(asyncio.wait_for(heard(rate), 60))
        assert told.count(b"spectrum") == spectra


def test_guesses_from_elsewhere_keep_nobody_waiting_where_they_came_from_before(now):
    tries = Tries(now)
    tries.came("anna", "tablet")
    for address in range(3 * FREE):
        tries.failed(*tries.keys("anna", f"stranger {address}"))
    assert tries.wait_s(*tries.keys("anna", "stranger")) > 0
    assert tries.wait_s(*tries.keys("anna", "new laptop")) > 0
    assert tries.wait_s(*tries.keys("anna", "tablet")) == 0
    assert tries.wait_s(*tries.keys("bert", "tablet")) == 0
    for _ in range(FREE):
        tries.failed(*tries.keys("anna", "tablet"))
    assert tries.wait_s(*tries.keys("anna", "tablet")) > 0


def test_accounts_and_notes_do_not_wait_behind_what_is_read(client):
    """Whoever asks for ever so much stays no longer than others, nor keeps anything out of the
    audit log."""
    headers, go_on = _signed_in(client), threading.Event()
    try:
        for _ in range(40):
            client.portal.start_task_soon(client.page.reading.run, go_on.wait)
        assert client.get("/audit").status_code == 429
        wrong = {"user": "bert", "password": "guessed"}
        assert client.post("/session", json=wrong, headers=headers).status_code == 403
    finally:
        go_on.set()
    busy, guessed = _refusals(client)
    assert (busy.who, busy.details["error"]) == ("anna", "busy")
    assert guessed.who == "anna"
    assert guessed.details["claimed"] == client.page.strangers.shown("bert")


def test_what_there_is_no_memory_for_is_refused_and_the_page_goes_on(client, monkeypatch):
    _signed_in(client)

    def much(_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("spektron_edge.page.api.live.last_prediction", much)
        answer = client.get("/now")
    assert (answer.status_code, answer.json()["error"]) == (503, "memory")
    assert "memory_mb" in answer.json()["next_step"]
    assert client.get("/now").status_code == 200


def test_who_lost_the_role_while_the_request_came_does_nothing(client, monkeypatch):
    headers = _signed_in(client)
    page = client.page
    page.users.add("erna", "engineer", hashed(PASSWORD))

    async def slowly(_: object) -> bytes:
        page.users.change("anna", role="viewer")
        return b"{}"

    monkeypatch.setattr("spektron_edge.page.routing._read", slowly)
    answer = client.post("/commands/set-integration", json={}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "sign_in")


def test_who_lost_the_role_while_signing_has_not_signed(client, monkeypatch):
    headers = _signed_in(client)
    page = client.page
    page.users.add("erna", "engineer", hashed(PASSWORD))

    def changed_meanwhile(kept: str, password: str) -> bool:
        page.users.change("anna", role="viewer")
        return True

    monkeypatch.setattr("spektron_edge.page.signing_in.matches", changed_meanwhile)
    signed = {"password": PASSWORD, "meaning": "approved", "reason": "seen"}
    answer = client.post("/commands/reload", json=signed, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "sign_in")


def test_a_session_says_when_it_only_reads(client, now):
    _signed_in(client)
    assert client.get("/session").json()["idle"] is False
    for _ in range(3):
        now.s += 700
        client.get("/now")
    told = client.get("/session").json()
    assert (told["signed_in"], told["idle"]) == (True, True)


def test_what_strangers_send_hides_nothing_that_somebody_did(tmp_path, now):
    told: list[Action] = []

    async def tell(action: Action) -> bool:
        told.append(action)
        return True

    async def tried() -> None:
        made = Notes(tmp_path, tell, None, now)
        for _ in range(REFUSALS_PER_MIN + 1):
            await made.refused("nobody", {"error": "input"})
        await made.refused("vera", {"error": "input"}, "vera")

    asyncio.run(tried())
    assert told[-1].who == "vera"


def test_refusals_are_limited_by_kind_and_counted(tmp_path, now):
    told: list[Action] = []

    async def tell(action: Action) -> bool:
        told.append(action)
        return True

    async def never(_: object) -> None:
        raise AssertionError

    async def tried() -> None:
        made = Notes(tmp_path, tell, never, now)
        for _ in range(REFUSALS_PER_MIN + 5):
            await made.refused("nobody", {"error": "malformed"})
        await made.refused("bert", {"error": "wrong"})
        now.s += 61
        await made.refused("nobody", {"error": "malformed"})

    asyncio.run(tried())
    assert [a.who for a in told] == [*["nobody"] * REFUSALS_PER_MIN, "bert", "nobody"]
    assert told[-1].details["not_listed_before"] == 5


def test_refusals_leave_room_for_what_was_done_and_what_does_not_fit_is_counted(tmp_path):
    refused = Action(what="page_refused", who="nobody", details={})
    done = Action(what="page_signed_in", who="anna", details={})
    notes(tmp_path).update(lambda _: Noted(untold=(refused,) * MOST_REFUSED))
    for action in (refused, refused, done):
        keep(tmp_path, action)
    *_, dropped, last = notes(tmp_path).read().untold
    assert (dropped.what, dropped.details) == ("page_notes_not_kept", {"count": 2})
    assert last == done
    notes(tmp_path).update(lambda _: Noted(untold=(done,) * MOST_WAITING))
    keep(tmp_path, done)
    assert notes(tmp_path).read().untold[-1].details == {"count": 1}
    assert notes(tmp_path).path.stat().st_mode & 0o777 == 0o600


def test_a_certificate_is_for_the_names_given_and_never_overwritten(tmp_path, capsys):
    words = ["page-certificate", "192.168.1.20", "dryer.example", "--out", str(tmp_path), "--json"]
    assert main(words) == 0
    key = tmp_path / "page.key"
    assert key.stat().st_mode & 0o777 == 0o600
    found = x509.load_pem_x509_certificate((tmp_path / "page.crt").read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["dryer.example"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["192.168.1.20"]
    certificate = ssl.PEM_cert_to_DER_cert((tmp_path / "page.crt").read_text())
    said = hashlib.sha256(certificate).hexdigest().upper()
    assert ":".join(said[i : i + 2] for i in range(0, 64, 2)) in capsys.readouterr().out
    kept = key.read_bytes()
    assert main(words) == 116
    assert key.read_bytes() == kept
    with pytest.raises(Fault, match="page_unserved"):
        make(tmp_path / "other", ["not a näme"])


def test_a_role_of_a_session_is_that_of_its_account(now):
    sessions = Sessions(3600, 1800, now)
    user = User(name="anna", role="engineer", hash="x", edition="0" * 16)
    token, _ = sessions.begin(user)
    changed = user.model_copy(update={"role": "viewer", "edition": "1" * 16})
    assert sessions.find(token, lambda _: user) is not None
    assert sessions.find(token, lambda _: changed) is None
    assert sessions.find(token, lambda _: user) is None


def test_a_name_that_can_be_none_is_audited_though_somebody_is_signed_in(client):
    _signed_in(client)
    assert client.get("/spectra/..users.jdx").status_code == 404
    (line,) = _refusals(client)
    assert (line.who, line.details["what"]) == ("anna", "no name")
