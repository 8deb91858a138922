"""Accounts, given and changed by engineers."""

from __future__ import annotations

import pytest

from spektron_edge.door.notes import notes

NEW = {"user": "nina", "role": "operator", "password": "a long enough one 7"}


def test_everybody_is_listed_without_a_hash(asked):
    answer = asked("/users")
    assert {"name": "olaf", "role": "operator", "active": True} in answer.json()["users"]
    assert "argon2" not in answer.text


def test_a_new_account_signs_in(asked, page):
    assert asked("/users", method="POST", json=NEW).json()["role"] == "operator"
    given = {"user": "nina", "password": NEW["password"]}
    assert asked("/session", method="POST", json=given).json()["user"] == "nina"
    noted = notes(page.state_dir).read().untold
    assert (noted[0].what, noted[0].who) == ("page_user_add", "anna")
    assert noted[0].details.items() >= {"of": "nina", "role": "operator"}.items()
    assert NEW["password"] not in notes(page.state_dir).path.read_text()


def test_an_account_that_was_changed_signs_in_again(asked, page):
    token, _ = page.sessions.begin(page.users.read().find("olaf"))
    answer = asked("/users/olaf", method="PATCH", json={"role": "viewer", "active": False})
    assert answer.json() == {"name": "olaf", "role": "viewer", "active": False}
    assert page.sessions.find(token, page.users.read().find) is None
    given = {"user": "olaf", "password": "correct horse 42"}
    assert asked("/session", method="POST", json=given).status_code == 403
    fresh = {"active": True, "password": "another long one 9"}
    assert asked("/users/olaf", method="PATCH", json=fresh).json()["active"] is True
    given["password"] = fresh["password"]
    assert asked("/session", method="POST", json=given).status_code == 200


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/users", "POST", NEW | {"user": "olaf"}, 409),
        ("/users", "POST", NEW | {"user": "OLAF"}, 409),
        ("/users", "POST", NEW | {"user": "../x"}, 422),
        ("/users", "POST", NEW | {"password": "short"}, 422),
        ("/users", "POST", NEW | {"role": "root"}, 422),
        ("/users/nobody", "PATCH", {"role": "viewer"}, 404),
        ("/users/..x", "PATCH", {"role": "viewer"}, 404),
        ("/users/olaf", "PATCH", {}, 422),
        ("/users/olaf", "PATCH", {"password": "olaf"}, 422),
        ("/users/anna", "PATCH", {"role": "viewer"}, 409),
        ("/users/anna", "PATCH", {"active": False}, 409),
    ],
)
def test_what_is_refused(asked, page, path, method, body, status):
    before = page.users.read()
    assert asked(path, method=method, json=body).status_code == status
    assert page.users.read() == before


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_nobody_but_engineers_sees_or_changes_accounts(asked, role):
    assert asked("/users", role).status_code == 403
    assert asked("/users", role, method="POST", json=NEW).status_code == 403
    assert asked("/users/anna", role, method="PATCH", json={"role": "viewer"}).status_code == 403
