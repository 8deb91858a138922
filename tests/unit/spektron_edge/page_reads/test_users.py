"""Accounts, given and changed by engineers."""

from __future__ import annotations

import pytest

from spektron_edge.door.notes import notes

from .asking import PASSWORD

YOURS = {"your_password": PASSWORD}
NEW = {"user": "nina", "role": "operator", "password": "a long enough one 7", **YOURS}


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
    answer = asked("/users/olaf", method="PATCH", json={"role": "viewer", "active": False, **YOURS})
    assert answer.json() == {"name": "olaf", "role": "viewer", "active": False}
    assert page.sessions.find(token, page.users.read().find) is None
    given = {"user": "olaf", "password": "correct horse 42"}
    assert asked("/session", method="POST", json=given).status_code == 403
    fresh = {"active": True, "password": "another long one 9", **YOURS}
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
        ("/users/nobody", "PATCH", {"role": "viewer", **YOURS}, 404),
        ("/users/..x", "PATCH", {"role": "viewer", **YOURS}, 404),
        ("/users/olaf", "PATCH", YOURS, 422),
        ("/users/olaf", "PATCH", {"password": "olaf", **YOURS}, 422),
        ("/users/anna", "PATCH", {"role": "viewer", **YOURS}, 409),
        ("/users/anna", "PATCH", {"active": False, **YOURS}, 409),
    ],
)
def test_what_is_refused(asked, page, path, method, body, status):
    before = page.users.read()
    assert asked(path, method=method, json=body).status_code == status
    assert page.users.read() == before


@pytest.mark.parametrize("given", [{}, {"your_password": "not hers at all"}])
def test_an_open_page_is_no_way_to_a_signature(asked, page, given):
    """Whoever sits down at it could otherwise give anna another password, and sign as her."""
    before = page.users.read()
    fresh = {"password": "one that I know 5"}
    eve = {"user": "eve", "role": "engineer", **fresh}
    wanted = 403 if given else 422
    for name in ("anna", "olaf"):
        answer = asked(f"/users/{name}", method="PATCH", json=fresh | given)
        assert answer.status_code == wanted
    assert asked("/users", method="POST", json=eve | given).status_code == wanted
    assert page.users.read() == before
    refused = [a for a in notes(page.state_dir).read().untold if a.what == "page_refused"]
    assert len(refused) == 3
    assert {a.who for a in refused} == {"anna"}


def test_what_was_refused_because_of_how_things_are_is_audited_where_it_would_change_them(
    asked, page
):
    asked("/users/anna", method="PATCH", json={"active": False, **YOURS})
    asked("/users/nobody", method="PATCH", json={"active": False, **YOURS})
    asked("/commands/take-dark", method="POST", json={})
    asked("/adaptation/7")
    refused = [a.details for a in notes(page.state_dir).read().untold]
    assert [d["status"] for d in refused] == [409, 404, 503]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_nobody_but_engineers_sees_or_changes_accounts(asked, role):
    assert asked("/users", role).status_code == 403
    assert asked("/users", role, method="POST", json=NEW).status_code == 403
    assert asked("/users/anna", role, method="PATCH", json={"role": "viewer"}).status_code == 403
