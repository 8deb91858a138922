"""The page without a daemon: the first account, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from spektron_edge.config.loading import load_config
from spektron_edge.door.notes import notes
from spektron_edge.page.app import application
from spektron_edge.page.link import Link
from spektron_edge.page.services import Page, services

PASSWORD = "correct horse 42"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    path = tmp_path / "spektron.toml"
    path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/null"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
    )
    made = services(path, load_config(path), Link())
    yield made
    made.close()


@pytest.fixture
def client(page: Page) -> Iterator[TestClient]:
    with TestClient(application(page), base_url="http://127.0.0.1:8765/api/v1") as client:
        yield client


@pytest.fixture
def csrf(client: TestClient, page: Page) -> str:
    given = {"code": page.first_boot.code(), "user": "anna", "password": PASSWORD}
    answer = client.post("/first-boot", json=given)
    assert answer.status_code == 200
    return answer.json()["csrf"]


def test_first_account_is_made_once_and_nothing_of_it_is_kept_in_plain(client, page, csrf):
    assert client.get("/now").status_code == 200
    assert not page.first_boot.path.exists()
    kept = page.state_dir / "page" / "users.json"
    assert PASSWORD not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    again = {"code": "x", "user": "bert", "password": PASSWORD}
    answer = client.post("/first-boot", json=again, headers={"X-CSRF-Token": csrf})
    assert answer.status_code == 409


@pytest.mark.parametrize("path", ["/now", "/axis", "/live"])
def test_nobody_reads_without_a_login(client, page, path):
    assert client.get(path).status_code == 401
    assert [a.what for a in notes(page.state_dir).read().untold] == ["page_refused"]


def test_a_write_without_its_token_is_refused(client, csrf):
    assert client.post("/commands/health", json={}).json()["error"] == "csrf"
    headers = {"X-CSRF-Token": csrf, "Origin": "http://evil.example"}
    assert client.post("/commands/health", json={}, headers=headers).json()["error"] == "origin"


def test_a_signed_command_needs_its_signature_and_the_daemon(client, csrf):
    headers = {"X-CSRF-Token": csrf}
    bare = client.post("/commands/adapt-reset", json={}, headers=headers)
    assert (bare.status_code, bare.json()["error"]) == (403, "signature")
    wrong = {"password": "not the password", "meaning": "approved", "reason": "seen"}
    assert client.post("/commands/adapt-reset", json=wrong, headers=headers).status_code == 403
    right = {**wrong, "password": PASSWORD}
    unseen = client.post("/commands/adapt-reset", json=right, headers=headers)
    assert unseen.status_code == 422
    assert "`seen`" in unseen.json()["next_step"]
    right["arguments"] = {"seen": 4}
    assert client.post("/commands/adapt-reset", json=right, headers=headers).status_code == 503


def test_a_viewer_may_not_take_a_dark(client, page, csrf):
    page.users.add("bert", "engineer", page.users.read().held[0].hash)
    page.users.change("anna", role="viewer")
    assert client.get("/now").status_code == 401  # a changed role ends its sessions
    answer = client.post("/session", json={"user": "anna", "password": PASSWORD})
    headers = {"X-CSRF-Token": answer.json()["csrf"]}
    refused = client.post("/commands/take-dark", json={}, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (403, "role")


def test_wrong_passwords_have_to_wait(client, csrf):
    client.cookies.clear()
    given = {"user": "anna", "password": "wrong"}
    found = [client.post("/session", json=given).status_code for _ in range(6)]
    assert found[:4] == [401] * 4
    assert 429 in found[4:]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_another_host_name_is_refused(client, host):
    assert client.get("/session", headers={"Host": host}).status_code == 400


def test_too_much_of_a_body_is_refused(client):
    assert client.post("/session", content=b"x" * 70_000).status_code in (413, 415)
    headers = {"Content-Type": "application/json"}
    assert client.post("/session", content=b"x" * 70_000, headers=headers).status_code == 413
