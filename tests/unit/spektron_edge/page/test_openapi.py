"""Schemathesis asks whatever the description of the HTTP interface allows, and some of what it does
not: every answer is one that it describes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.config.loading import load_config
from spektron_edge.page.app import application
from spektron_edge.page.endpoints import ENDPOINTS
from spektron_edge.page.link import Link
from spektron_edge.page.routing import PREFIX, cookie_name
from spektron_edge.page.services import Page, services

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not here (extra dev)")
from schemathesis.specs.openapi import checks as openapi_checks  # noqa: E402

# What the schema allows may still be refused, a password for being weak.
CHECKS = [
    getattr(openapi_checks, name)
    for name in (
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]
# It never ends.
ASKED = [endpoint for endpoint in ENDPOINTS if endpoint.path != "/live"]
BASE = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("page")
    path = folder / "spektron.toml"
    path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/null"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
    )
    made = services(path, load_config(path), Link())
    made.users.add("anna", "engineer", "no hash of anything")
    yield made
    made.close()


@pytest.fixture(scope="module")
def described(page: Page):
    schema = schemathesis.openapi.from_asgi(
        f"{PREFIX}/openapi.json", application(page), headers={"Host": "127.0.0.1:8765"}
    )
    schema.config.update(base_url=BASE)
    return schema


def _ask(page: Page, described, endpoint, most: int) -> None:
    operation = described[PREFIX + endpoint.path][endpoint.method]
    modes = schemathesis.GenerationMode
    wanted = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @settings(max_examples=most, deadline=None, suppress_health_check=list(HealthCheck))
    @given(wanted)
    def check(case) -> None:
        user = page.users.read().held[0]
        token, session = page.sessions.begin(user)
        headers = {"Host": "127.0.0.1:8765", "X-CSRF-Token": session.csrf}
        answer = case.call(headers=headers, cookies={cookie_name(page): token})
        # Without a daemon, commands are answered so, and nothing else is.
        assert answer.status_code < 500 or (answer.status_code, endpoint.path) == (
            503,
            "/commands/{name}",
        )
        case.validate_response(answer, checks=CHECKS)

    check()


@pytest.mark.parametrize("endpoint", ASKED, ids=lambda e: f"{e.method} {e.path}")
def test_every_answer_is_one_that_is_described(page, described, endpoint):
    _ask(page, described, endpoint, 25)


@pytest.mark.long
@pytest.mark.parametrize("endpoint", ASKED, ids=lambda e: f"{e.method} {e.path}")
def test_every_answer_is_one_that_is_described_long(page, described, endpoint):
    _ask(page, described, endpoint, 1000)
